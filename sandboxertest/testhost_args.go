package sandboxertest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
)

// nastyArgs are what some shell, somewhere, would have made something of.
func nastyArgs() []string {
	var every strings.Builder
	for b := 1; b < 256; b++ {
		every.WriteByte(byte(b))
	}
	return []string{
		"", " ", "  two  spaces ", "-n", "--", "-", "=", "=ls", "~", "~root", "a=b", "*", "?", "[!a]", "{a,b}",
		"#", "# no comment", "!", "!!", "a!b", "!$", "'", "''", `"`, `\`, `\\`, `\n`, `\'`, `\0101`, `'\''`,
		"$HOME", "${HOME}", "$$", "$(id)", "`id`", "a;b", "a|b", "a&b", "a&&b", "<x", ">x", "(a)", "%s", "%",
		"\n", "a\nb", "trailing\n", "\n\n\n", "\r\n", "\t", "é", "\xff\xfe", "\x80", "\x1b[31m", "\x81\x82\x88",
		every.String(), strings.Repeat(every.String(), 40),
	}
}

func argsVerbatim(ctx context.Context, h sandboxer.Host) error {
	args := nastyArgs()
	return same(ctx, h, sandboxer.Cmd{Args: append([]string{"printf", `%s\000`}, args...)}, strings.Join(args, "\x00")+"\x00")
}

func argsAlone(ctx context.Context, h sandboxer.Host) error {
	var all error
	for _, a := range nastyArgs() {
		all = errors.Join(all, same(ctx, h, sandboxer.Cmd{Args: []string{"printf", "%s", a}}, a))
	}
	return all
}

func argsLong(ctx context.Context, h sandboxer.Host) error {
	var all error
	for _, kib := range []int{89, 120, 140, 300} {
		args := make([]string, kib)
		for i := range args {
			args[i] = fmt.Sprintf("%4d", i) + strings.Repeat("'", 4) + strings.Repeat("x", 1015) + "\n"
		}
		cmd := sandboxer.Cmd{Args: append([]string{"sh", "-c", `printf %s "$@"; cat`, "sh"}, args...), Stdin: strings.NewReader("and its input")}
		all = errors.Join(all, same(ctx, h, cmd, strings.Join(args, "")+"and its input"))
	}
	return all
}

func argTooLong(ctx context.Context, h sandboxer.Host) error {
	return exits(ctx, h, sandboxer.Cmd{Args: []string{"printf", "%s", strings.Repeat("x", 3<<20)}}, 126)
}

func argsEmpty(ctx context.Context, h sandboxer.Host) error {
	return errors.Join(
		refused(ctx, h, sandboxer.Cmd{}),
		refused(ctx, h, sandboxer.Cmd{Args: []string{""}}),
		refused(ctx, h, sandboxer.Cmd{Args: []string{"-c", "exit 0"}}),
	)
}

func argsNUL(ctx context.Context, h sandboxer.Host) error {
	return errors.Join(
		refused(ctx, h, sandboxer.Cmd{Args: []string{"printf", "a\x00b"}}),
		refused(ctx, h, sandboxer.Cmd{Args: []string{"true"}, Env: []string{"A=b\x00c"}}),
	)
}

func envSet(ctx context.Context, h sandboxer.Host) error {
	var all error
	for _, value := range nastyArgs() {
		if len(value) > 1000 {
			continue
		}
		cmd := shell(`printf '%s|%s|%s' "$SBX_A" "$SBX_B" "${HOME:+home}"`)
		cmd.Env = []string{"SBX_A=" + value, "SBX_B=b"}
		all = errors.Join(all, same(ctx, h, cmd, value+"|b|home"))
	}
	return all
}

func envLastWins(ctx context.Context, h sandboxer.Host) error {
	cmd := shell(`printf %s "$SBX_A $LC_ALL"`)
	cmd.Env = []string{"SBX_A=1", "SBX_A=2", "LC_ALL=POSIX"}
	return same(ctx, h, cmd, "2 POSIX")
}

func envLocale(ctx context.Context, h sandboxer.Host) error {
	return same(ctx, h, shell(`printf %s "$LC_ALL"`), "C")
}

func envPath(ctx context.Context, h sandboxer.Host) error {
	if _, fake := h.(*Host); fake {
		return nil // its PATH is closed, which is what a fake is for
	}
	got, err := output(ctx, h, shell(`printf %s "$PATH"`))
	for _, dir := range []string{"/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"} {
		if err == nil && !strings.Contains(":"+got+":", ":"+dir+":") {
			err = fmt.Errorf("got PATH %q, want %s in it", got, dir)
		}
	}
	return err
}

func envPathSearched(ctx context.Context, h sandboxer.Host) error {
	return withDir(ctx, h, func(dir string) error {
		_, err := output(ctx, h, shell(`printf '#!/bin/sh\necho "found $1"\n' >"$1/sbx-tool"; chmod +x "$1/sbx-tool"`, dir))
		if err != nil {
			return err
		}
		return same(ctx, h, sandboxer.Cmd{Args: []string{"sbx-tool", "it"}, Env: []string{"PATH=" + dir + ":/usr/bin:/bin"}}, "found it\n")
	})
}

func envMalformed(ctx context.Context, h sandboxer.Host) error {
	for _, entry := range []string{"hunter2", "=hunter2", "a b=hunter2", "a;b=hunter2"} {
		cmd := sandboxer.Cmd{Args: []string{"true"}, Env: []string{entry}}
		if err := refused(ctx, h, cmd); err != nil {
			return fmt.Errorf("with Env %q: %w", entry, err)
		}
		if _, err := h.Run(ctx, cmd); strings.Contains(err.Error(), "hunter2") {
			return fmt.Errorf("got %q, want no part of the entry in it", err)
		}
	}
	return nil
}

func startsSomewhere(ctx context.Context, h sandboxer.Host) error {
	_, err := output(ctx, h, shell(`cd . && test -d "$(pwd)"`))
	return err
}

// withDir runs f with a new directory of the host, and removes it.
func withDir(ctx context.Context, h sandboxer.Host, f func(dir string) error) error {
	out, err := output(ctx, h, sandboxer.Cmd{Args: []string{"mktemp", "-d"}})
	if err != nil {
		return err
	}
	dir := strings.TrimSuffix(out, "\n")
	if !strings.HasPrefix(dir, "/") {
		return fmt.Errorf("mktemp -d: got %q, want an absolute path", dir)
	}
	defer cleanUp(ctx, h, "rm", "-rf", dir)
	return f(dir)
}
