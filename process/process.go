// Package process runs sandboxes as plain processes, where a host has no
// container engine.
package process

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/bringup"
	"github.com/tegwick/sand-boxer/internal/shellquote"
)

//go:embed up.sh
var upScript string

//go:embed supervise.sh
var superviseScript string

//go:embed teardown.sh
var teardownScript string

// A Provisioner runs a sandbox as a process of the user on the host, in the
// sandbox's directory, with namespaces of its own where the kernel permits it:
// mount, pid, ipc and uts, and a user namespace unless the user is root. The
// zero value is ready for use.
//
// The program gets PATH, HOME, LC_ALL, SANDBOXER_ID, SANDBOXER_NONCE,
// SANDBOXER_ENGINE and SANDBOXER_DIR, an empty standard input, and
// .sandboxer/log for its output; open files above 9 that the host's own shell
// was given it inherits, since no POSIX shell can close them. If it publishes a port, on 127.0.0.1, its
// Spec.ReadyFile is a JSON object with a member "port", the first of that name
// in the file. Where Spec.ReadyFile is empty it is ready when it has run for a
// second, or has ended with status 0.
//
// What carries the sandbox's nonce in its environment belongs to the sandbox;
// a process that changes its environment escapes the teardown.
type Provisioner struct{}

var _ sandboxer.Provisioner = Provisioner{}

// Engine returns sandboxer.EngineProcess.
func (Provisioner) Engine() sandboxer.Engine { return sandboxer.EngineProcess }

// Up starts Spec.Process; see sandboxer.Provisioner. It needs setsid on the
// host, and a directory from which programs can be run.
func (p Provisioner) Up(ctx context.Context, host sandboxer.Host, spec sandboxer.Spec, box sandboxer.Placement) (sandboxer.Started, error) {
	if err := check(spec); err != nil {
		return sandboxer.Started{}, &sandboxer.PhaseError{Phase: sandboxer.PhaseValidate, Err: err}
	}
	answer, err := script(spec, box).Run(ctx, host)
	started, failure := read(answer, spec, box)
	if err != nil { // then what the answer says is not all there is to say
		return started, &sandboxer.PhaseError{Phase: answer.Phase(sandboxer.PhaseStart), Err: err}
	}
	if failure != nil {
		return started, failure
	}
	return started, nil
}

func check(spec sandboxer.Spec) error {
	if len(spec.Process) == 0 || spec.Process[0] == "" {
		return errors.New("the profile has no program to run without an engine")
	}
	if spec.ReadyFile != "" && !fs.ValidPath(spec.ReadyFile) {
		return fmt.Errorf("%q is no path within the profile's files", spec.ReadyFile)
	}
	return nil
}

func script(spec sandboxer.Spec, box sandboxer.Placement) bringup.Script {
	checkHost := "check_host() { return 0; }\n"
	if len(spec.HostCheck) > 0 {
		checkHost = "check_host() { check_from_host \"$1\" " + shellquote.Join(within(spec.HostCheck)) + "; }\n"
	}
	return bringup.Script{
		Vars: append(bringup.Settings(spec, box), bringup.Var{Name: "supervisor", Value: superviseScript}),
		Body: checkHost + upScript,
		Args: within(spec.Process),
	}
}

// within makes of a bare name a program of the sandbox's directory, and not
// one of PATH.
func within(argv []string) []string {
	if strings.Contains(argv[0], "/") {
		return argv
	}
	return append([]string{"./" + argv[0]}, argv[1:]...)
}

var (
	nonceForm    = regexp.MustCompile(`^[0-9a-f]{32}$`)
	identityForm = regexp.MustCompile(`^[1-9][0-9]{0,9}:[0-9]{1,20}$`)
)

// refused is a teardown that does nothing: its record proves nothing.
const refused = "echo 'remains record - invalid_record its nonce is malformed'\nexit 1\n"

// Teardown ends every process that carries the nonce of rec: with SIGTERM, and
// after three seconds with SIGKILL; see sandboxer.Provisioner. A process that
// rec lists and that does not carry it is left alone.
func (Provisioner) Teardown(rec sandboxer.Record) sandboxer.Script {
	if !nonceForm.MatchString(rec.Nonce) {
		return refused
	}
	var known []string
	for _, r := range rec.Resources {
		if r.Kind == sandboxer.KindProcess && identityForm.MatchString(r.Ref) {
			known = append(known, r.Ref)
		}
	}
	return sandboxer.Script(fmt.Sprintf("nonce=%s\nknown=%s\n%s",
		shellquote.Quote(rec.Nonce), shellquote.Quote(strings.Join(known, " ")), teardownScript))
}
