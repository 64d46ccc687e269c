package sandboxer

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"time"

	"github.com/tegwick/sand-boxer/internal/onhost"
)

// canLook returns an error unless the fields that a look at a host needs are
// there.
func (b *Sandboxer) canLook() error {
	if b.Collector == nil {
		return errors.New("Sandboxer.Collector is nil")
	}
	return onhost.CheckRoot(b.root())
}

// canChange returns an error unless all required fields are there.
func (b *Sandboxer) canChange() error {
	if len(b.Provisioners) == 0 {
		return errors.New("Sandboxer.Provisioners is empty")
	}
	return b.canLook()
}

func (b *Sandboxer) root() string {
	if b.Root == "" {
		return DefaultRoot
	}
	return b.Root
}

func (b *Sandboxer) now() time.Time {
	if b.Now != nil {
		return b.Now()
	}
	return time.Now()
}

func (b *Sandboxer) random() io.Reader {
	if b.Random != nil {
		return b.Random
	}
	return rand.Reader
}

func (b *Sandboxer) logger() *slog.Logger {
	if b.Logger != nil {
		return b.Logger
	}
	return slog.New(slog.DiscardHandler)
}

// token returns n random bytes in hex.
func (b *Sandboxer) token(n int) (string, error) {
	raw := make([]byte, n)
	if _, err := io.ReadFull(b.random(), raw); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	return hex.EncodeToString(raw), nil
}

func (b *Sandboxer) controller() string {
	if b.Controller != "" {
		return b.Controller
	}
	name, host := "unknown", "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}

func (b *Sandboxer) collect(ctx context.Context, host Host, sandbox ID) (Observation, error) {
	return b.Collector.Collect(ctx, host, CollectOptions{Root: b.root(), Sandbox: sandbox, Now: b.Now})
}

func (b *Sandboxer) emit(e Event) {
	e.At = b.now()
	b.logger().Debug(e.Message, "phase", e.Phase, "host", e.Host, "sandbox_id", e.SandboxID)
	if b.Progress != nil {
		b.Progress(e)
	}
}

func (b *Sandboxer) newOp() (onhost.Op, error) {
	id, err := b.token(8)
	return onhost.Op{Root: b.root(), ID: id}, err
}

// runScript runs a script of onhost that does one thing and turns its answer
// into an error, unless it did that thing.
func (b *Sandboxer) runScript(ctx context.Context, host Host, doing string, cmd onhost.Command) (onhost.Answer, error) {
	res, err := host.Run(ctx, Cmd{Args: cmd.Args, Stdin: cmd.Stdin})
	if err != nil {
		return onhost.Answer{}, err
	}
	answer, err := onhost.ParseAnswer(res.Stdout)
	for _, line := range answer.Mended {
		b.logger().Warn("mended "+line, "host", host.Name())
		b.emit(Event{Host: host.Name(), Message: "mended " + line})
	}
	switch {
	case err != nil:
		return answer, fmt.Errorf("%s: %w", doing, err)
	case answer.Refused != nil:
		return answer, refusal(doing, answer.Refused)
	case answer.Locked:
		return answer, fmt.Errorf("%s: %w", doing, ErrLocked)
	case answer.Changed:
		return answer, fmt.Errorf("%s: %w", doing, errChanged)
	case len(answer.Errors) > 0:
		return answer, fmt.Errorf("%s: %s", doing, answer.Errors[0])
	}
	return answer, res.Err(doing)
}

// refusal turns a script's refusal into an error, with what mends it.
func refusal(doing string, r *onhost.Refusal) error {
	err := &RefusedError{Doing: doing, Reasons: []Reason{{r.Code, r.Message}}}
	switch r.Code {
	case "root_symlink", "root_home", "root_foreign", "root_not_a_directory", "root_unwritable", "root_writable":
		err.Hint = "use a directory of your own: --root ~/.sandboxer"
	case "state_unwritable", "no_home":
		err.Hint = "the user on the host needs a home directory that can be written to"
	case "no_flock":
		err.Hint = "install util-linux on the host"
	case "no_stat", "no_dd", "no_sha256sum":
		err.Hint = "install coreutils on the host"
	case "no_find", "no_xargs":
		err.Hint = "install findutils on the host"
	case "no_tar", "no_gzip", "no_grep":
		err.Hint = "install " + r.Code[len("no_"):] + " on the host"
	}
	return err
}

// neverRan reports whether err says that no part of a command was executed.
func neverRan(err error) bool {
	var host *HostError
	return errors.As(err, &host) && !host.Started
}
