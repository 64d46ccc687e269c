package sshhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
	"unicode"
)

// resolve asks ssh what it would do for the alias. No parser of our own
// understands Include, Match exec, canonicalisation and the rest as ssh does,
// and asking takes five milliseconds.
func (h *Host) resolve(ctx context.Context) (target, error) {
	if err := checkAlias(h.alias); err != nil {
		return target{}, h.fail("resolve", err, "")
	}
	args := append([]string{"-G"}, h.configArgs()...)
	cmd := exec.CommandContext(ctx, h.program(), append(args, "--", h.alias)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = time.Second // "Match exec" may leave something behind
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return target{}, h.fail("resolve", fmt.Errorf("run %s -G: %w", h.program(), context.Cause(ctx)), "")
	case errors.Is(err, exec.ErrNotFound):
		return target{}, h.fail("resolve", fmt.Errorf("%w: %w", ErrConfig, err), "install the OpenSSH client: it reads ssh_config for us")
	case err != nil:
		text := strings.Join(strings.Fields(errs.String()), " ")
		if text == "" {
			text = err.Error()
		}
		return target{}, h.fail("resolve", fmt.Errorf("%w: %s", ErrConfig, text), "ssh -G "+h.aliasArgs()+" shows what ssh makes of the name")
	}
	t, err := parseTarget(h.alias, out.Bytes(), thisMachine())
	if err != nil {
		return target{}, h.fail("resolve", err, "")
	}
	for _, w := range t.warnings {
		h.log.WarnContext(ctx, "ssh configuration", "host", h.alias, "ignored", w)
	}
	return t, nil
}

// checkAlias keeps from ssh's command line what ssh would not take for a
// host.
func checkAlias(alias string) error {
	switch {
	case alias == "":
		return fmt.Errorf("%w: no host named", ErrConfig)
	case strings.HasPrefix(alias, "-"):
		return fmt.Errorf("%w: host name %q begins with -", ErrConfig, alias)
	case len(alias) > 1024:
		return fmt.Errorf("%w: host name of %d bytes", ErrConfig, len(alias))
	case strings.ContainsFunc(alias, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) || r == unicode.ReplacementChar }):
		return fmt.Errorf("%w: host name %q holds a space or a control character", ErrConfig, alias)
	}
	return nil
}

func (h *Host) program() string {
	if h.cfg.SSH != "" {
		return h.cfg.SSH
	}
	return "ssh"
}

func (h *Host) configArgs() []string {
	if h.cfg.ConfigFile == "" {
		return nil
	}
	return []string{"-F", h.cfg.ConfigFile}
}
