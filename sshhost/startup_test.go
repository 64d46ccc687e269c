package sshhost_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/probe"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// bashrc starts a server on which bash, the login shell, reads the start-up
// file that write writes. Debian's bash does so when sshd runs it.
func bashrc(t *testing.T) (h *sshhost.Host, write func(text string)) {
	t.Helper()
	home := lab.OpenDir(t)
	srv := lab.SSHD(t, lab.SSHDOptions{HostKeys: []string{"ed25519"}, Config: []string{"SetEnv HOME=" + home}})
	return open(t, "lab-bash", srv.SSHConfig, nil), func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(home, ".bashrc"), []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStartupFile: what bash's start-up file says, and how it sets up its own
// shell, does not reach the command.
func TestStartupFile(t *testing.T) {
	h, write := bashrc(t)
	const script = `printf '%s\n' "$1" "$IFS" "$-" "$#"; cd /usr && cd bin && cat; false; echo "and on"`
	run := func() (string, error) {
		res, err := h.Run(t.Context(), sandboxer.Cmd{Args: []string{"sh", "-c", script, "sh", "it's * $HOME"}, Stdin: strings.NewReader("its input\n")})
		return string(res.Stdout) + string(res.Stderr), err
	}
	write("")
	want, err := run()
	if err != nil || !strings.Contains(want, "its input\nand on\n") {
		t.Fatalf("with an empty file: got %q, %v", want, err)
	}
	for name, text := range map[string]string{
		"noise":             "echo noise; echo noise >&2; printf 'no line end'",
		"much noise":        "head -c 3000000 /dev/zero; yes | head -n 500000 >&2",
		"a screen cleared":  `printf '\033[2J\033[H\007'`,
		"shell options":     "set -u -f -C -a; shopt -s nullglob extglob; set -o pipefail",
		"a leftover set -e": "set -e",
		"a traced shell":    "set -x; : marker",
		"variables":         "IFS=abc; CDPATH=/; export IFS; unset HOME PATH MAIL",
		"a locale":          "export LC_ALL=de_DE.UTF-8 LANG=de_DE.UTF-8 LC_MESSAGES=de_DE.UTF-8 LANGUAGE=de",
		"aliases":           "alias sh=false printf=false; shopt -s expand_aliases",
		"functions":         "printf() { echo no; }; cd() { false; }; export -f printf cd",
		"a trap":            "trap 'echo bye' EXIT",
		"a job":             "sleep 0.01 & disown",
		"its own directory": "cd /",
	} {
		t.Run(name, func(t *testing.T) {
			write(text)
			if got, err := run(); err != nil || got != want {
				t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
			}
		})
	}
}

// TestStartupFileThatEnds: a login that ends in its start-up file has run
// nothing, and is never an empty success.
func TestStartupFileThatEnds(t *testing.T) {
	h, write := bashrc(t)
	for text, texts := range map[string][]string{
		"exit 0":                             {"exit status 0", "it said nothing"},
		"echo closed today; exit 3":          {"exit status 3", `it said "closed today"`},
		"exec true":                          {"exit status 0"},
		"kill -KILL $$":                      {"SIGKILL"},
		"echo 'who are you?'; set -e; false": {"exit status 1", "who are you?"},
	} {
		write(text)
		unreachable(t, h, "start", sshhost.ErrShell, texts...)
	}
}

// TestStartupFileThatReads: where the start-up file reads its input, a long
// command, which travels there, is whole or is not run at all. What the caller
// sends is kept back until the command is there to read it.
func TestStartupFileThatReads(t *testing.T) {
	h, write := bashrc(t)
	trace := filepath.Join(lab.OpenDir(t), "trace")
	write("read line")
	runs(t, h) // no input is an end to its reading
	long := sandboxer.Cmd{Args: []string{"sh", "-c", `: >"$2"; cat`, "sh", strings.Repeat("x", 200<<10), trace}}
	res, err := h.Run(t.Context(), long)
	if !errors.Is(err, sshhost.ErrShell) {
		t.Errorf("a long command whose beginning was eaten: got exit %d, %v, want ErrShell", res.ExitCode, err)
	}
	if _, err := os.Stat(trace); err == nil {
		t.Error("got a trace of a command that was not whole")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	sent := new(zeros)
	_, err = h.Run(ctx, sandboxer.Cmd{Args: []string{"cat"}, Stdin: sent, Grace: 100 * time.Millisecond})
	if !errors.Is(err, context.DeadlineExceeded) || sent.taken.Load() != 0 {
		t.Errorf("an input that a start-up file would take: got %v and %d bytes sent, want the deadline and none", err, sent.taken.Load())
	}
}

// TestFactsUnderAnOddEnvironment: what is known of a host does not depend on
// what its logins set.
func TestFactsUnderAnOddEnvironment(t *testing.T) {
	l := lab.Open(t)
	odd := lab.SSHD(t, lab.SSHDOptions{HostKeys: []string{"ed25519"}, Config: []string{
		`SetEnv LC_ALL=de_DE.UTF-8 LANG=de_DE.UTF-8 LC_NUMERIC=de_DE.UTF-8 TZ=Asia/Kathmandu IFS=0123456789 CDPATH=/ PATH=/sbx ` +
			`ENV=/nonexistent BASH_ENV=/nonexistent POSIXLY_CORRECT=1 BLOCKSIZE=1 BLOCK_SIZE=1 PS_FORMAT=comm GREP_OPTIONS=-v TIME_STYLE=+%Y`,
	}})
	collect := func(cfg string) sandboxer.HostSnapshot {
		t.Helper()
		obs, err := probe.Collector{}.Collect(t.Context(), open(t, "lab-bash", cfg, nil), sandboxer.CollectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return obs.Snapshot
	}
	want, got := collect(l.SSHConfig), collect(odd.SSHConfig)
	if got.ObservedAt == nil || want.ObservedAt == nil || got.ObservedAt.Sub(*want.ObservedAt).Abs() > time.Hour {
		t.Errorf("got the time %v, want about %v", got.ObservedAt, want.ObservedAt)
	}
	want.Identity.UptimeSeconds, got.Identity.UptimeSeconds = nil, nil
	for _, tt := range []struct {
		what      string
		got, want any
	}{
		{"identity", got.Identity, want.Identity},
		{"memory", got.Memory.TotalBytes, want.Memory.TotalBytes},
		{"what is missing", got.Collection.Missing, want.Collection.Missing},
		{"warnings", got.Collection.Warnings, want.Collection.Warnings},
		{"file systems", len(got.Filesystems), len(want.Filesystems)},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("%s: got (+), want (-): %s", tt.what, diff)
		}
	}
}
