package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tegwick/sand-boxer/test/lab"
)

// bashComplete has bash complete the words before the cursor, as readline
// does, and prints what it would offer. _init_completion, of the package
// bash-completion, is what splits the line.
const bashComplete = `
_init_completion() { words=("${COMP_WORDS[@]}") cword=$COMP_CWORD cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}; }
compopt() { :; }
eval "$(sandboxer completion bash)"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE} COMP_TYPE=63
__start_sandboxer sandboxer
printf '%s\n' "${COMPREPLY[@]}"
`

// TestShellsComplete has the shells load what they are given, and complete.
func TestShellsComplete(t *testing.T) {
	bin := filepath.Dir(buildStatic(t))
	run := func(t *testing.T, shell string, args ...string) string {
		t.Helper()
		lab.Require(t, shell)
		cmd := exec.CommandContext(t.Context(), shell, args...)
		home := t.TempDir()
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+home, "XDG_DATA_HOME=", "XDG_CONFIG_HOME=", "ZDOTDIR="+home)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: got %v, %s, want success", shell, err, out)
		}
		return string(out)
	}
	words := func(t *testing.T, out string) string { // without descriptions
		t.Helper()
		var all []string
		for line := range strings.Lines(out) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			word, _, _ = strings.Cut(word, "  (")
			all = append(all, word)
		}
		return strings.Join(all, " ")
	}
	const engines = "auto docker podman process"
	t.Run("bash", func(t *testing.T) {
		run(t, "bash", "-c", "sandboxer completion bash | bash -n")
		for _, c := range []struct{ line, want string }{
			{"sandboxer sta", "status"},
			{"sandboxer create --engine ", engines},
			{"sandboxer -o j", "json"},
			{"sandboxer create can", "canary"},
			{"sandboxer destroy ", ""},
		} {
			args := append([]string{"-c", bashComplete, "bash"}, strings.Split(c.line, " ")...)
			if got := words(t, run(t, "bash", args...)); got != c.want {
				t.Errorf("%q: got %q, want %q", c.line, got, c.want)
			}
		}
	})
	t.Run("zsh", func(t *testing.T) {
		run(t, "zsh", "-fc", "sandboxer completion zsh > $HOME/_sandboxer && zsh -n $HOME/_sandboxer")
		if out := run(t, "zsh", "-fc", `autoload -U compinit && compinit -D -u && source <(sandboxer completion zsh) && print $_comps[sandboxer]`); strings.TrimSpace(out) != "_sandboxer" {
			t.Errorf("loaded: got %q, want _sandboxer", out)
		}
	})
	t.Run("fish", func(t *testing.T) {
		run(t, "fish", "-c", "sandboxer completion fish > $HOME/s.fish; and fish --no-execute $HOME/s.fish")
		out := run(t, "fish", "-c", `sandboxer completion fish | source; complete -C "sandboxer create --engine "`)
		if got := words(t, out); got != engines {
			t.Errorf("got %q, want %q", got, engines)
		}
	})
}
