package sshhost

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// TestWire pins what goes over the wire.
func TestWire(t *testing.T) {
	const path = "PATH=${PATH:+$PATH:}/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin;export PATH;unset CDPATH\n"
	const limit = `( (cd "/proc/$$"||exit
n=62 d=1
while [ "$n" -gt 0 ];do
[ "$d" -le "$n" ]||d=$n
sleep "$d"||exit
[ -e stat ]||exit
n=$((n-d))
[ "$d" -ge 8 ]||d=$((d*2))
done
trap "" TERM
kill -TERM "-$$"
sleep 5
kill -KILL "-$$") </dev/null >/dev/null 2>&1 &)
`
	for _, tt := range []struct {
		name string
		boot boot
		want string
	}{
		{"plain", boot{}, path + `echo MARK "$$"
echo MARK "$$" >&2
A='b c';export A
exec echo 'it'\''s'`},
		{"with a limit", boot{limit: 61500 * time.Millisecond, grace: 5 * time.Second}, path + limit + `echo MARK "$$"
echo MARK "$$" >&2
A='b c';export A
exec echo 'it'\''s'`},
		{"by sudo", boot{sudo: true}, path + `echo MARK-sudo >&2
exec sudo -n -- /bin/sh -c 'LC_ALL=C;export LC_ALL;unset SUDO_COMMAND;` + path + `if kill -0 "-$$" 2>/dev/null;then ` + `
echo MARK "$$"
echo MARK "$$" >&2
else
echo MARK "$1"
echo MARK "$1" >&2
fi
shift
A='\''b c'\'';export A
exec "$@"' sh $$ echo 'it'\''s'`},
	} {
		tt.boot.marker = "MARK"
		got := tt.boot.script(sandboxer.Cmd{Args: []string{"echo", "it's"}, Env: []string{"A=b c"}})
		if got != tt.want {
			t.Errorf("%s: got script %q, want %q", tt.name, got, tt.want)
		}
	}
	w := newWire(sandboxer.Cmd{Args: []string{"echo", "it's"}}, boot{})
	wantLine := `exec /bin/sh -c 'LC_ALL=C;export LC_ALL;eval "$(printf %b "$1")"' sh ` +
		`'PATH=${PATH:+$PATH:}/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin;export PATH;unset CDPATH\0012` +
		`echo ` + w.marker + ` "$$"\0012echo ` + w.marker + ` "$$" >&2\0012exec echo \0047it\0047\0134\0047\0047s\0047'`
	if w.line != wantLine || w.input != nil {
		t.Errorf("got line %s, input %q, want %s, none", w.line, w.input, wantLine)
	}
}

func TestLongCommandsGoByInput(t *testing.T) {
	for _, kib := range []int{1, 80, 95, 500} {
		w := newWire(sandboxer.Cmd{Args: []string{"echo", strings.Repeat("x", kib<<10)}}, boot{})
		if long := kib > 89; len(w.line) > maxWire || (w.input != nil) != long {
			t.Errorf("%d KiB: got a line of %d bytes and %d of input, want at most %d, and input: %v", kib, len(w.line), len(w.input), maxWire, long)
		}
	}
}

// TestScriptThatLostItsBeginning: a login shell that reads standard input has
// eaten some of the script. The rest must not be run.
func TestScriptThatLostItsBeginning(t *testing.T) {
	w := newWire(sandboxer.Cmd{Args: []string{"echo", strings.Repeat("x", maxWire)}}, boot{})
	for eaten, wantRun := range map[int]bool{0: true, 1: false, 50: false, len(w.input) - 40: false} {
		cmd := exec.Command("sh", "-c", w.line)
		cmd.Stdin = bytes.NewReader(w.input[eaten:])
		out, _ := cmd.CombinedOutput()
		if ran := bytes.Contains(out, []byte("xxx")); ran != wantRun {
			t.Errorf("%d bytes eaten: got run %v, want %v", eaten, ran, wantRun)
		}
	}
}
