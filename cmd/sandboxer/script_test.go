package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tegwick/sand-boxer/schema/validate"
)

// scriptCommands are what the scripts have beside the built-in commands.
// FILE may be stdout or stderr, of the last command.
var scriptCommands = map[string]func(*testscript.TestScript, bool, []string){
	"exits":    scriptExits,    // exits CODE PROGRAM ARG...    runs it and wants this exit code
	"validate": scriptValidate, // validate FILE KIND           one valid document of this kind and nothing else
	"json":     scriptJSON,     // [!] json FILE PATH REGEXP    the value at a/path, see jsonStep
	"jsonenv":  scriptJSONEnv,  // jsonenv VAR FILE PATH        sets a variable to such a value
	"await":    scriptAwait,    // await FILE REGEXP            waits until the file has it
	"lastline": scriptLastLine, // lastline FILE REGEXP         the last line, in full
	"bare":     scriptBare,     // bare CODE PROGRAM ARG...     exits, on a machine without an engine
	"sshd":     scriptSSHD,     // sshd CONNECTIONS COMMANDS    what $SSHD_LOG has seen since the last time
}

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("got exit code %d, want %d", got, want)
	}
}

func scriptValidate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: validate FILE KIND")
	}
	text := ts.ReadFile(args[0])
	dec := json.NewDecoder(strings.NewReader(text))
	var doc json.RawMessage
	if err := dec.Decode(&doc); err != nil {
		ts.Fatalf("got %q, want a JSON document: %v", text, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		ts.Fatalf("got more than one document, want one")
	}
	kind, err := validate.Document(doc)
	if err != nil {
		ts.Fatalf("%v", err)
	}
	if string(kind) != args[1] {
		ts.Fatalf("got a document of kind %s, want %s", kind, args[1])
	}
}

func scriptJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: [!] json FILE PATH REGEXP")
	}
	got := jsonValue(ts, args[0], args[1])
	want, err := regexp.Compile("^(?:" + args[2] + ")$")
	ts.Check(err)
	if want.MatchString(got) == neg {
		ts.Fatalf("%s: got %s, want it to match %s: %v", args[1], got, args[2], !neg)
	}
}

func scriptJSONEnv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: jsonenv VAR FILE PATH")
	}
	ts.Setenv(args[0], jsonValue(ts, args[1], args[2]))
}

// jsonValue is a string as it is, anything else as JSON.
func jsonValue(ts *testscript.TestScript, file, path string) string {
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile(file)))
	dec.UseNumber()
	var v any
	ts.Check(dec.Decode(&v))
	for _, step := range strings.Split(path, "/") {
		next, err := jsonStep(v, step)
		if err != nil {
			ts.Fatalf("%s: at %q: %v", path, step, err)
		}
		v = next
	}
	if s, ok := v.(string); ok {
		return s
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	ts.Check(enc.Encode(v))
	return strings.TrimSpace(b.String())
}

// jsonStep takes one step of a path: the name of a field; or of a list an
// index, count for its length, or key=value for the element that has that.
func jsonStep(v any, step string) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		if next, ok := v[step]; ok {
			return next, nil
		}
		return nil, errors.New("no such field")
	case []any:
		if step == "count" {
			return json.Number(strconv.Itoa(len(v))), nil
		}
		if key, value, ok := strings.Cut(step, "="); ok {
			for _, element := range v {
				if m, ok := element.(map[string]any); ok && m[key] == value {
					return element, nil
				}
			}
			return nil, errors.New("no such element")
		}
		if i, err := strconv.Atoi(step); err == nil && i < len(v) {
			return v[i], nil
		}
		return nil, fmt.Errorf("no such element of %d", len(v))
	}
	return nil, fmt.Errorf("neither object nor list, but %v", v)
}

func scriptAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await FILE REGEXP")
	}
	want, err := regexp.Compile(args[1])
	ts.Check(err)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for giveUp := time.After(time.Minute); ; {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && want.Match(text) {
			return
		}
		select {
		case <-tick.C:
		case <-giveUp:
			ts.Fatalf("%s: got %q after a minute, want it to match %s", args[0], text, args[1])
		}
	}
}

func scriptLastLine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lastline FILE REGEXP")
	}
	text := strings.TrimSuffix(ts.ReadFile(args[0]), "\n")
	got := text[strings.LastIndexByte(text, '\n')+1:]
	want, err := regexp.Compile("^(?:" + args[1] + ")$")
	ts.Check(err)
	if !want.MatchString(got) {
		ts.Fatalf("got last line %q, want it to match %s", got, args[1])
	}
}

// barePrefix is the key of the argv that takes the engines away.
type barePrefix struct{}

func scriptBare(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: bare CODE PROGRAM ARG...")
	}
	prefix := ts.Value(barePrefix{}).([]string)
	scriptExits(ts, false, append(append([]string{args[0]}, prefix...), args[1:]...))
}

func scriptSSHD(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sshd CONNECTIONS COMMANDS")
	}
	log := ts.ReadFile(ts.Getenv("SSHD_LOG"))
	seen, err := strconv.Atoi(ts.Getenv("SSHD_SEEN"))
	ts.Check(err)
	ts.Setenv("SSHD_SEEN", strconv.Itoa(len(log)))
	for i, mark := range []string{"\nConnection from ", "\nStarting session: command"} {
		if got := strconv.Itoa(strings.Count(log[max(seen-1, 0):], mark)); got != args[i] {
			ts.Fatalf("got %s of %q in the log of sshd, want %s", got, mark, args[i])
		}
	}
}
