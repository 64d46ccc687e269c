package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// A name that is no host's reaches no ssh.
func TestCase50(t *testing.T) {
	callers(t, func(y *yard) {
		pwned := y.home + "/pwned"
		y.write(y.path+"/ssh", "#!/bin/sh\necho \"$@\" >>"+pwned+"\nexit 255\n")
		y.do("chmod", "755", y.path+"/ssh")
		y.exits(5, "--host", "coulombcore", "inspect", "host")
		if _, err := os.Stat(pwned); err != nil {
			y.t.Fatalf("a host: got %v, want ssh asked", err)
		}
		y.do("rm", pwned)
		for _, name := range []string{"-oProxyCommand=touch " + pwned, "-oProxyCommand=true", "-F/dev/null", "a\nb", "a b", "\tx", "a\x1b[2J", "-"} {
			y.vars = []string{"SANDBOXER_HOST=" + name}
			for _, verb := range []string{"inspect host", "create", "reap-stale --apply", "destroy case-000000"} {
				y.misused(strings.Fields(verb)...)
			}
			y.vars = nil
			y.misused("--host="+name, "inspect", "stale")
		}
		if said, err := os.ReadFile(pwned); err == nil {
			y.t.Errorf("ssh was called: %s", said)
		}
	})
}

// What a login prints, and which shell it is, changes nothing; one that is
// none is an unreachable host.
func TestCase51(t *testing.T) {
	lab.Require(t, "root", "sshd", "ssh", "fish", "tcsh")
	banner := t.TempDir() + "/banner"
	if err := os.WriteFile(banner, bytes.Repeat([]byte("\n{\"kind\":\"ReapResult\"}\n#!/bin/sh\nrm -rf /\n"), 50), 0o644); err != nil {
		t.Fatal(err)
	}
	loud := lab.SSHD(t, lab.SSHDOptions{Config: []string{"Banner " + banner, "PrintMotd yes"}})
	for _, name := range []string{"sbxlab-fish", "sbxlab-tcsh", "sbxlab-noisy"} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t, name)
			over := sshhost.New("lab-"+strings.TrimPrefix(name, "sbxlab-"), sshhost.Config{ConfigFile: loud.SSHConfig})
			defer over.Close()
			y.host = within{over, y.env()}
			live, dead := y.live(), y.dead()
			y.reapAll()
			y.gone(dead)
			y.there(live)
		})
	}
	for _, command := range []string{"echo this account is closed; exit 0", "exit 1", "cat"} {
		t.Run(command, func(t *testing.T) {
			y := newYard(t, "root")
			shut := lab.SSHD(t, lab.SSHDOptions{Config: []string{"ForceCommand " + command}})
			out := y.exits(5, "--ssh-config", shut.SSHConfig, "--host", "lab-bash", "--timeout", "10s", "reap-stale", "--apply", "--keep-trash", "0")
			if doc, err := read[sandboxer.ErrorDocument](out); err != nil || doc.Error.Code != "unreachable" {
				t.Errorf("got %s, want an error document: unreachable", out)
			}
		})
	}
}

// A sandbox is known by its host and its id: of several that have the same id,
// the one that was meant goes. A host that is down costs the others nothing.
func TestCase53(t *testing.T) {
	lab.Require(t, "root", "sshd", "ssh")
	l, y := lab.Open(t), newYard(t, "root")
	same := make([]byte, 12)
	if _, err := rand.Read(same); err != nil {
		t.Fatal(err)
	}
	y.root = fmt.Sprintf("~/case53-%x", same)
	y.vars = []string{"SANDBOXER_SSH_CONFIG=" + l.SSHConfig}
	names := []string{"local", "lab-dash", "lab-bash"}
	var id sandboxer.ID
	for i, name := range names {
		host := y.host
		if name != "local" {
			over := sshhost.New(name, sshhost.Config{ConfigFile: l.SSHConfig})
			t.Cleanup(func() { over.Close() })
			t.Cleanup(func() { output(t, "ssh", "-F", l.SSHConfig, name, "rm -rf "+y.root) })
			host = over
		}
		// What an operation reads first names itself, what it reads next the sandbox.
		box := sandboxer.Sandboxer{Provisioners: y.box.Provisioners, Collector: y.box.Collector, Root: y.root}
		box.Random = io.MultiReader(bytes.NewReader(make([]byte, 8)), bytes.NewReader(same), rand.Reader)
		status, err := box.Create(t.Context(), host, sh(staying))
		t.Cleanup(func() { _, _ = box.Destroy(context.WithoutCancel(t.Context()), host, status.SandboxID) })
		if err != nil || i > 0 && status.SandboxID != id {
			t.Fatalf("%s: got %s, %v, want the id %s", name, status.SandboxID, err, id)
		}
		id = status.SandboxID
	}
	y.fleet(id, names...)
	y.exits(0, "--host", "lab-dash", "destroy", string(id))
	y.fleet(id, "local", "lab-bash")
	y.exits(0, "destroy", string(id))
	y.fleet(id, "lab-bash")
}

// fleet fails unless just these hosts of the fleet have a sandbox of that id,
// and what is down is told of beside them.
func (y *yard) fleet(id sandboxer.ID, names ...string) {
	y.t.Helper()
	out := y.exits(3, "--host", "local", "--host", "lab-refused", "--host", "lab-dash", "--host", "lab-bash", "inspect", "inventory")
	list := decode[sandboxer.InventoryList](y.t, out)
	var have []string
	for _, item := range list.Items {
		if s := item.Find(id); s != nil && s.State == sandboxer.StateReady && len(s.Resources) == 1 {
			have = append(have, item.Host.Name)
		}
	}
	if !slices.Equal(have, names) || len(list.Items) != 3 {
		y.t.Errorf("got %s on %q, of %d hosts, want it on %q", id, have, len(list.Items), names)
	}
	if len(list.Errors) != 1 || *list.Errors[0].Host != "lab-refused" || list.Errors[0].Code != "unreachable" {
		y.t.Errorf("got errors %+v, want lab-refused unreachable", list.Errors)
	}
}
