package sshhost

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
)

// TestWire pins what goes over the wire.
func TestWire(t *testing.T) {
	script := bootScript("MARK", sandboxer.Cmd{Args: []string{"echo", "it's"}, Env: []string{"A=b c"}})
	want := `PATH=${PATH:+$PATH:}/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin;export PATH
A='b c';export A
echo MARK $$
echo MARK $$ >&2
exec echo 'it'\''s'`
	if script != want {
		t.Errorf("got script %q, want %q", script, want)
	}
	w := newWire(sandboxer.Cmd{Args: []string{"echo", "it's"}})
	wantLine := `exec /bin/sh -c 'LC_ALL=C;export LC_ALL;eval "$(printf %b "$0")"' ` +
		`'PATH=${PATH:+$PATH:}/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin;export PATH\0012` +
		`echo ` + w.marker + ` $$\0012echo ` + w.marker + ` $$ >&2\0012exec echo \0047it\0047\0134\0047\0047s\0047'`
	if w.line != wantLine || w.input != nil {
		t.Errorf("got line %s, input %q, want %s, none", w.line, w.input, wantLine)
	}
}

func TestLongCommandsGoByInput(t *testing.T) {
	for _, kib := range []int{1, 80, 95, 500} {
		w := newWire(sandboxer.Cmd{Args: []string{"echo", strings.Repeat("x", kib<<10)}})
		if long := kib > 89; len(w.line) > maxWire || (w.input != nil) != long {
			t.Errorf("%d KiB: got a line of %d bytes and %d of input, want at most %d, and input: %v", kib, len(w.line), len(w.input), maxWire, long)
		}
	}
}

// TestScriptThatLostItsBeginning: a login shell that reads standard input has
// eaten some of the script. The rest must not be run.
func TestScriptThatLostItsBeginning(t *testing.T) {
	w := newWire(sandboxer.Cmd{Args: []string{"echo", strings.Repeat("x", maxWire)}})
	for eaten, wantRun := range map[int]bool{0: true, 1: false, 50: false, len(w.input) - 40: false} {
		cmd := exec.Command("sh", "-c", w.line)
		cmd.Stdin = bytes.NewReader(w.input[eaten:])
		out, _ := cmd.CombinedOutput()
		if ran := bytes.Contains(out, []byte("xxx")); ran != wantRun {
			t.Errorf("%d bytes eaten: got run %v, want %v", eaten, ran, wantRun)
		}
	}
}
