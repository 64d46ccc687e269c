package sandboxer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
)

// A lockedHost runs a provisioner's commands under the sandbox's lock and
// keeps the record's deadline ahead of them.
type lockedHost struct {
	Host
	c *creation
}

// Run wraps cmd; see Host.
func (h *lockedHost) Run(ctx context.Context, cmd Cmd) (Result, error) {
	c := h.c
	record, err := c.rec.Encode()
	if err != nil {
		return Result{}, &HostError{Host: h.Name(), Op: "renew record", Err: err}
	}
	var tail bytes.Buffer
	if cmd.Stderr != nil {
		cmd.Stderr = &teeWriter{to: cmd.Stderr, kept: &tail}
	}
	cmd.Args = c.op.Locked(string(c.rec.SandboxID), c.stored, record, cmd.Args)
	res, err := h.Host.Run(ctx, cmd)
	if err != nil {
		return res, err
	}
	stderr := res.Stderr
	if cmd.Stderr != nil {
		stderr = tail.Bytes()
	}
	switch why := c.op.LockedFailure(res.ExitCode, stderr); why {
	case "":
		c.stored = record
		return res, nil
	case "locked":
		err = ErrLocked
	case "changed":
		err = errChanged
	default:
		err = errors.New(strings.TrimSpace(why + ": " + string(stderr)))
	}
	return res, &HostError{Host: h.Name(), Op: "renew record", Err: err}
}

// A teeWriter keeps the first few KiB of what goes through it.
type teeWriter struct {
	to   io.Writer
	kept *bytes.Buffer
}

func (w *teeWriter) Write(p []byte) (int, error) {
	if room := 4096 - w.kept.Len(); room > 0 {
		w.kept.Write(p[:min(room, len(p))])
	}
	return w.to.Write(p)
}
