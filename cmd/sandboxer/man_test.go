package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer/test/lab"
)

func TestEscape(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"sandbox_id", "sandbox_id"},
		{"--dry-run", `\-\-dry\-run`},
		{".hidden\n'quoted'\nx.y", "\\&.hidden\n\\(aqquoted\\(aq\nx.y"},
		{`C:\new`, `C:\enew`},
		{"~/^`\"", `\(ti/\(ha\(ga\(dq`},
		{"", ""},
	} {
		if got := escape(c.text); got != c.want {
			t.Errorf("escape(%q): got %q, want %q", c.text, got, c.want)
		}
	}
}

// TestManualRenders reads the pages as a person would.
func TestManualRenders(t *testing.T) {
	lab.Require(t, "man")
	dir := t.TempDir()
	root := (&app{getenv: os.Getenv}).rootCommand()
	if err := writeManual(dir, "2026-01-01", root); err != nil {
		t.Fatal(err)
	}
	eachCommand(root, func(cmd *cobra.Command) {
		if cmd != root && !cmd.IsAvailableCommand() {
			return
		}
		man := exec.CommandContext(t.Context(), "man", "--warnings", "-l", filepath.Join(dir, pageName(cmd)+".1"))
		man.Env = append(os.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8", "MAN_KEEP_FORMATTING=", "MANPAGER=cat")
		var complaints strings.Builder
		man.Stderr = &complaints
		page, err := man.Output()
		if err != nil || complaints.Len() > 0 {
			t.Errorf("%s: got %v, %s, want no complaint", pageName(cmd), err, complaints.String())
		}
		for _, want := range []string{"\nNAME\n", "\nEXIT STATUS\n", "\nENVIRONMENT\n", "\nFILES\n", "\nEXAMPLES\n", "\n       9      "} {
			if !strings.Contains(string(page), want) {
				t.Errorf("%s: got\n%s\nwant it to contain %q", pageName(cmd), page, want)
			}
		}
		for _, line := range strings.Split(strings.TrimSpace(cmd.Example), "\n") {
			if !strings.Contains(string(page), strings.TrimSpace(line)) {
				t.Errorf("%s: got\n%s\nwant the example %q", pageName(cmd), page, line)
			}
		}
	})
}
