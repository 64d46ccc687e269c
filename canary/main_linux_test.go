package canary

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tegwick/sand-boxer"
)

// processDir is the directory of a sandbox of the process engine.
func processDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{outDir, dataDir} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func processEnv(dir string) []string {
	return []string{
		"SANDBOXER_ID=" + testID, "SANDBOXER_NONCE=" + testNonce,
		"SANDBOXER_ENGINE=process", "SANDBOXER_DIR=" + dir, "PATH=" + os.Getenv("PATH"),
	}
}

// startCanary starts a canary and waits until it says that it is ready.
func startCanary(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		t.Log(lines.Text())
		if strings.HasPrefix(lines.Text(), "ready: ") {
			return
		}
	}
	t.Fatalf("got the end of its log, want \"ready: …\": %v", cmd.Wait())
}

// asCanary makes a command of this test's own program, as a canary.
func asCanary(t *testing.T, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", append([]string{mainArg}, args...)...)
	cmd.Env = env
	return cmd
}

// TestProcess is the whole life of a canary, with this very program.
func TestProcess(t *testing.T) {
	dir := processDir(t)
	cmd := asCanary(t, processEnv(dir))
	startCanary(t, cmd)
	doc := readResult(t, dir)
	if doc.SandboxID != testID || doc.PID != cmd.Process.Pid || doc.Port == 0 || time.Since(doc.StartedAt) > time.Minute {
		t.Errorf("result: got sandbox %q, pid %d, port %d, started at %v", doc.SandboxID, doc.PID, doc.Port, doc.StartedAt)
	}
	want := map[string]sandboxer.Verdict{
		sandboxer.CheckWriteFsync:  "", // depends on the disk
		sandboxer.CheckMemoryLimit: sandboxer.Skip,
		sandboxer.CheckCPUSpeed:    sandboxer.Pass,
		sandboxer.CheckIsolation:   sandboxer.Warn,
	}
	for _, c := range doc.Checks {
		if verdict, ok := want[c.Name]; !ok || verdict != "" && c.Status != verdict {
			t.Errorf("check %s: got %s: %s, want %s", c.Name, c.Status, c.Message, verdict)
		}
		delete(want, c.Name)
	}
	if len(want) != 0 {
		t.Errorf("checks: got none of %v, want them", want)
	}

	dial := asCanary(t, []string{"SANDBOXER_PORT=127.0.0.1:" + strconv.Itoa(doc.Port)}, "dial")
	dial.Dir = recordIn(t, dir, testID, testNonce)
	out, err := dial.Output()
	var check sandboxer.CanaryCheck
	if err != nil || json.Unmarshal(out, &check) != nil || check.Status != sandboxer.Pass || check.DurationMS == nil {
		t.Errorf("dial: got %s, %v, want pass", out, err)
	}

	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: got %v, want exit status 0", err)
	}
}

// readResult reads the result in a sandbox's directory, beside which there is
// to be nothing else.
func readResult(t *testing.T, dir string) document {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, ResultFile))
	if err != nil {
		t.Fatal(err)
	}
	var doc document
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		t.Fatalf("parse %s: %v", data, err)
	}
	entries, err := os.ReadDir(filepath.Join(dir, outDir))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the result: got %v, %v, want nothing", entries, err)
	}
	return doc
}

func TestCommandRefuses(t *testing.T) {
	dir := processDir(t)
	good := map[string]string{"SANDBOXER_ID": testID, "SANDBOXER_NONCE": testNonce, "SANDBOXER_ENGINE": "process", "SANDBOXER_DIR": dir}
	for _, c := range []struct {
		what      string
		args      []string
		name, bad string
		code      int
		complaint string
	}{
		{"unknown word", []string{"dance"}, "", "", 2, "not by hand"},
		{"dial with more", []string{"dial", "x"}, "", "", 2, "not by hand"},
		{"no size", []string{"eat", "much"}, "", "", 2, "is no size"},
		{"too large a size", []string{"eat", "999999999999"}, "", "", 2, "is no size"},
		{"no id", nil, "SANDBOXER_ID", "", 1, "SANDBOXER_ID"},
		{"bad id", nil, "SANDBOXER_ID", "../x", 1, "SANDBOXER_ID"},
		{"no nonce", nil, "SANDBOXER_NONCE", "", 1, "SANDBOXER_NONCE"},
		{"no directory", nil, "SANDBOXER_DIR", "", 1, "SANDBOXER_DIR"},
		{"relative directory", nil, "SANDBOXER_DIR", "x", 1, "SANDBOXER_DIR"},
		{"nowhere to write", nil, "SANDBOXER_OUT", filepath.Join(dir, "no", "result.json"), 1, "write the result"},
	} {
		getenv := func(name string) string {
			if name == c.name {
				return c.bad
			}
			return good[name]
		}
		var stdout, stderr bytes.Buffer
		code := command(c.args, &stdout, &stderr, getenv)
		if code != c.code || !strings.Contains(stderr.String(), c.complaint) || stdout.Len() > 0 {
			t.Errorf("%s: got exit status %d, %q, want %d, %q", c.what, code, stderr.String(), c.code, c.complaint)
		}
	}
}

func TestEat(t *testing.T) {
	cmd := asCanary(t, nil, "eat", "1048576")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("1 MiB: got %v, %s, want exit status 0", err, out)
	}
}

func TestDocumentIsWholeOrNotThere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "result.json")
	if err := os.Mkdir(path, 0o755); err != nil { // what cannot be replaced
		t.Fatal(err)
	}
	if err := (document{}).write(path); err == nil {
		t.Error("over a directory: got no error, want one")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: got %v, %v, want only the directory", entries, err)
	}
}

// An orphan that a first process inherits is a child nobody waits for.
func TestReap(t *testing.T) {
	defer reap()()
	child := asCanary(t, nil, "dance")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for syscall.Kill(child.Process.Pid, 0) != syscall.ESRCH {
		if time.Now().After(deadline) {
			t.Fatalf("child %d: got a zombie, want it gone", child.Process.Pid)
		}
	}
}
