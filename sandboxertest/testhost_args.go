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

func argRules() []rule {
	return []rule{{
		"arguments arrive byte for byte",
		"Args reaches the program as it is, whatever the login shell: no shell expands it",
		func(ctx context.Context, h sandboxer.Host) error {
			args := nastyArgs()
			return same(ctx, h, sandboxer.Cmd{Args: append([]string{"printf", `%s\000`}, args...)}, strings.Join(args, "\x00")+"\x00")
		},
	}, {
		"each nasty argument on its own",
		"no argument depends on another one's quotes",
		func(ctx context.Context, h sandboxer.Host) error {
			var all error
			for _, a := range nastyArgs() {
				all = errors.Join(all, same(ctx, h, sandboxer.Cmd{Args: []string{"printf", "%s", a}}, a))
			}
			return all
		},
	}, {
		"120, 140 and 300 KiB of arguments",
		"a command line may be as long as the host's kernel allows; 128 KiB, where a command sent as one string ends, is no border",
		func(ctx context.Context, h sandboxer.Host) error {
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
		},
	}, {
		"an argument no kernel takes",
		"what the host cannot execute is exit code 126 with a message: the host was reached and has answered",
		func(ctx context.Context, h sandboxer.Host) error {
			return exits(ctx, h, sandboxer.Cmd{Args: []string{"printf", "%s", strings.Repeat("x", 3<<20)}}, 126)
		},
	}, {
		"no program named",
		"Args must not be empty, nor its program look like an option",
		func(ctx context.Context, h sandboxer.Host) error {
			return errors.Join(
				refused(ctx, h, sandboxer.Cmd{}),
				refused(ctx, h, sandboxer.Cmd{Args: []string{""}}),
				refused(ctx, h, sandboxer.Cmd{Args: []string{"-c", "exit 0"}}),
			)
		},
	}, {
		"NUL in an argument",
		"no argument can hold a NUL: to cut it there would run something else",
		func(ctx context.Context, h sandboxer.Host) error {
			return errors.Join(
				refused(ctx, h, sandboxer.Cmd{Args: []string{"printf", "a\x00b"}}),
				refused(ctx, h, sandboxer.Cmd{Args: []string{"true"}, Env: []string{"A=b\x00c"}}),
			)
		},
	}}
}

func envRules() []rule {
	return []rule{{
		"variables are set",
		"Env reaches the program byte for byte, and leaves the rest of the environment alone",
		func(ctx context.Context, h sandboxer.Host) error {
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
		},
	}, {
		"the last entry wins",
		"Env is a list in the manner of environ: a later entry replaces an earlier one, and the host's own",
		func(ctx context.Context, h sandboxer.Host) error {
			cmd := shell(`printf %s "$SBX_A $LC_ALL"`)
			cmd.Env = []string{"SBX_A=1", "SBX_A=2", "LC_ALL=POSIX"}
			return same(ctx, h, cmd, "2 POSIX")
		},
	}, {
		"messages come in English",
		"commands run with LC_ALL=C, since their output is parsed",
		func(ctx context.Context, h sandboxer.Host) error {
			return same(ctx, h, shell(`printf %s "$LC_ALL"`), "C")
		},
	}, {
		"PATH is complete",
		"a login by ssh often lacks the sbin directories; commands find their programs there all the same",
		func(ctx context.Context, h sandboxer.Host) error {
			got, err := output(ctx, h, shell(`printf %s "$PATH"`))
			for _, dir := range []string{"/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"} {
				if err == nil && !strings.Contains(":"+got+":", ":"+dir+":") {
					err = fmt.Errorf("got PATH %q, want %s in it", got, dir)
				}
			}
			return err
		},
	}, {
		"a PATH given is searched",
		"Args[0] is looked up in the PATH the program will see",
		func(ctx context.Context, h sandboxer.Host) error {
			return withDir(ctx, h, func(dir string) error {
				_, err := output(ctx, h, shell(`printf '#!/bin/sh\necho "found $1"\n' >"$1/sbx-tool"; chmod +x "$1/sbx-tool"`, dir))
				if err != nil {
					return err
				}
				return same(ctx, h, sandboxer.Cmd{Args: []string{"sbx-tool", "it"}, Env: []string{"PATH=" + dir + ":/usr/bin:/bin"}}, "found it\n")
			})
		},
	}, {
		"a malformed entry",
		"an entry that is not KEY=value is refused, and is not printed: it may be a secret",
		func(ctx context.Context, h sandboxer.Host) error {
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
		},
	}, {
		"commands start somewhere",
		"the working directory exists; which one it is, is the host's affair",
		func(ctx context.Context, h sandboxer.Host) error {
			_, err := output(ctx, h, shell(`cd . && test -d "$(pwd)"`))
			return err
		},
	}}
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
	defer h.Run(context.WithoutCancel(ctx), sandboxer.Cmd{Args: []string{"rm", "-rf", dir}})
	return f(dir)
}
