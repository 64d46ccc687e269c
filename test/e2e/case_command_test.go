package e2e

import (
	"bytes"
	"fmt"
	"os/exec"
	"slices"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// command runs sandboxer on this machine as the yard's user, and returns the
// document it printed and its exit code.
func (y *yard) command(args ...string) (document string, code int) {
	y.t.Helper()
	path, err := program()
	if err != nil {
		y.t.Fatal(err)
	}
	argv := append(append([]string{"env"}, y.env()...), y.vars...)
	argv = append(argv, path, "--root", y.root, "-o", "json", "-q")
	if y.engine != "" {
		argv = append(argv, "--engine", y.engine)
	}
	argv = append(slices.Clone(y.prefix), y.user.Command(append(argv, args...)...)...)
	cmd := exec.Command(argv[0], argv[1:]...)
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stderr = "/", &stderr
	out, err := cmd.Output()
	if cmd.ProcessState == nil {
		y.t.Fatal(err)
	}
	said := stderr.String()
	y.t.Logf("sandboxer %q: exit code %d\n%s", args, cmd.ProcessState.ExitCode(), said[max(0, len(said)-500):])
	return string(out), cmd.ProcessState.ExitCode()
}

// exits runs sandboxer and fails unless it ends with that code.
func (y *yard) exits(want int, args ...string) string {
	y.t.Helper()
	out, code := y.command(args...)
	if code != want {
		y.t.Errorf("sandboxer %q: got exit code %d, want %d\n%s", args, code, want, out)
	}
	return out
}

// misused runs sandboxer and fails unless it says that it was misused.
func (y *yard) misused(args ...string) {
	y.t.Helper()
	out := y.exits(2, args...)
	if doc, err := read[sandboxer.ErrorDocument](out); err != nil || doc.Error.Code != "usage" {
		y.t.Errorf("sandboxer %q: got %s, want an error document of a misuse", args, out)
	}
}

// says runs sandboxer and fails unless it ends with that code, and with a
// refusal for that reason.
func (y *yard) says(want int, reason string, args ...string) {
	y.t.Helper()
	out := y.exits(want, args...)
	doc, err := read[sandboxer.ErrorDocument](out)
	if err != nil || !slices.ContainsFunc(doc.Error.Reasons, func(r sandboxer.Reason) bool { return r.Code == reason }) {
		y.t.Errorf("sandboxer %q: got %s, want the reason %s", args, out, reason)
	}
}

// shift sets the host's clock, as far as scripts ask date for it, and the
// controller's with it.
func (y *yard) shift(by time.Duration) {
	y.t.Helper()
	y.shiftHost(by)
	y.box.Now = func() time.Time { return time.Now().Add(by) }
}

// shiftHost sets the host's clock alone.
func (y *yard) shiftHost(by time.Duration) {
	y.t.Helper()
	y.write(y.path+"/date", fmt.Sprintf("#!/bin/sh\nexec /bin/date -d '%+d seconds' \"$@\"\n", int(by.Seconds())))
	y.do("chmod", "755", y.path+"/date")
}
