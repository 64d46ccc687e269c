package sandboxer_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/localhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

const nobody = 65534

// A userHost is this machine, for an ordinary user.
type userHost struct {
	sandboxer.Host
	home string
	runs int
}

func (h *userHost) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	h.runs++
	uid := fmt.Sprint(nobody)
	cmd.Args = append([]string{"setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "env", "-C", "/", "HOME=" + h.home}, cmd.Args...)
	return h.Host.Run(ctx, cmd)
}

// A purging dummy has an engine that can do what its user cannot: it has an rm
// of root's.
type purging struct {
	dummy
	script string
}

func (p purging) Purge(_ sandboxer.Record, command []string) sandboxer.Script {
	return sandboxer.Script("echo '" + strings.Join(command, " ") + "' >>$HOME/command; " + p.script)
}

// opens keeps what it reads, and empties the one directory that there is.
const opens = `cat >$HOME/helper.tgz && $HOME/rm -r "$1"/closed`

// newUsersWorld is a world whose user is nobody.
func newUsersWorld(t *testing.T, p sandboxer.Provisioner) (*world, *userHost) {
	t.Helper()
	lab.Require(t, "root")
	home, err := os.MkdirTemp("", "sandboxer") // t.TempDir is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	rm, err := os.ReadFile("/bin/rm")
	if err := errors.Join(err, os.Chmod(home, 0o755), os.Chown(home, nobody, nobody),
		os.WriteFile(home+"/rm", rm, 0o755), os.Chmod(home+"/rm", 0o755|os.ModeSetuid)); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, dummy{})
	w.home = home
	host := &userHost{Host: localhost.Host{}, home: home}
	w.host, w.box.Root, w.box.Provisioners = host, home+"/root", []sandboxer.Provisioner{p}
	return w, host
}

// usersSpec is a spec of which an ordinary user can delete everything.
func usersSpec() sandboxer.Spec {
	s := shortLived()
	s.Files = func(context.Context, sandboxer.Platform) (fs.FS, error) {
		return fstest.MapFS{"file": {Mode: 0o644}}, nil
	}
	return s
}

// createClosed creates a sandbox with a directory that its user cannot delete.
func (w *world) createClosed() sandboxer.ID {
	w.t.Helper()
	id := w.create(usersSpec())
	closed := w.home + "/root/" + string(id) + "/closed"
	err := errors.Join(os.Mkdir(closed, 0o755), os.WriteFile(closed+"/file", nil, 0o600))
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// helps is a helper of one file that counts how often it is sent.
func helps(sent *int) sandboxer.Helper {
	return sandboxer.Helper{
		Files: func(_ context.Context, p sandboxer.Platform) (fs.FS, error) {
			*sent++
			return fstest.MapFS{"program": {Data: []byte("for " + p.OS + "/" + p.Arch), Mode: 0o755}}, nil
		},
		Command: []string{"/program", "purge"},
	}
}

func (w *world) checkHelper() {
	w.t.Helper()
	file, err := os.Open(w.home + "/helper.tgz")
	if err != nil {
		w.t.Fatal(err)
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		w.t.Fatal(err)
	}
	archive := tar.NewReader(zip)
	head, err := archive.Next()
	if err != nil || head.Name != "program" || head.Mode != 0o755 {
		w.t.Fatalf("the helper: got %+v, %v, want its program", head, err)
	}
	if text, err := io.ReadAll(archive); err != nil || !strings.HasPrefix(string(text), "for linux/") || strings.HasSuffix(string(text), "/") {
		w.t.Errorf("the helper: got %q, %v, want it for the host's platform", text, err)
	}
	if head, err := archive.Next(); err != io.EOF {
		w.t.Errorf("the helper: got also %+v, %v, want one file", head, err)
	}
	if command, err := os.ReadFile(w.home + "/command"); err != nil || string(command) != "/program purge\n" {
		w.t.Errorf("the helper's command: got %q, %v, want its own, once", command, err)
	}
}

func TestDestroyPurges(t *testing.T) {
	w, host := newUsersWorld(t, purging{script: opens})
	id, sent := w.createClosed(), 0
	w.box.Helper = helps(&sent)
	host.runs = 0
	status, err := w.box.Destroy(t.Context(), host, id)
	if err != nil || status.State != sandboxer.StateDestroyed {
		t.Fatalf("got %s, %v, want it destroyed", status.State, err)
	}
	if host.runs != 4 || sent != 1 {
		t.Errorf("got %d commands and the helper sent %d times, want 4 and once: look, remove, purge, look", host.runs, sent)
	}
	w.empty("after the destroy")
	w.checkHelper()
}

func TestReapPurges(t *testing.T) {
	w, host := newUsersWorld(t, purging{script: opens})
	closed, sent := w.createClosed(), 0
	open := w.create(usersSpec())
	w.box.Helper = helps(&sent)
	plan := w.plan(young)
	host.runs = 0
	result, err := w.box.Reap(t.Context(), host, plan)
	if err != nil || row(result, string(closed)) != "removed" || row(result, string(open)) != "removed" {
		t.Fatalf("got %+v, %v, want both removed", result.Items, err)
	}
	if host.runs != 4 || sent != 1 {
		t.Errorf("got %d commands and the helper sent %d times, want 4 and once: look, remove, purge, look", host.runs, sent)
	}
	w.empty("after the reap")
	w.checkHelper()
}

// What was kept goes, too: its last record tells which engine to ask.
func TestReapPurgesTrash(t *testing.T) {
	w, host := newUsersWorld(t, purging{script: opens})
	id, sent := w.createClosed(), 0
	w.box.Helper = helps(&sent)
	for _, tt := range []struct {
		class      sandboxer.StaleClass
		keep       time.Duration
		sent, runs int
	}{
		{sandboxer.Expired, time.Hour, 0, 3}, // look, put it into the trash, look
		{sandboxer.Trashed, -1, 1, 5},        // look, remove, look for the record, purge, look
	} {
		policy := young
		policy.KeepTrash = tt.keep
		plan := w.plan(policy)
		if len(plan.Candidates) != 1 || plan.Candidates[0].Class != tt.class {
			t.Fatalf("got candidates %+v, want one of class %s", plan.Candidates, tt.class)
		}
		host.runs = 0
		result, err := w.box.Reap(t.Context(), host, plan)
		if err != nil || row(result, plan.Candidates[0].Ref) != "removed" {
			t.Fatalf("%s: got %+v, %v, want it removed", tt.class, result.Items, err)
		}
		if sent != tt.sent || host.runs != tt.runs {
			t.Errorf("%s: got %d commands and the helper sent %d times, want %d and %d", tt.class, host.runs, sent, tt.runs, tt.sent)
		}
	}
	w.empty("after the reaps of " + string(id))
	w.checkHelper()
}

// Where nobody can delete it, it stays in the trash, the error says where and
// why, and a later destroy, with a helper, goes on.
func TestPurgeOrNot(t *testing.T) {
	broken := errors.New("no program for it")
	for _, tt := range []struct {
		name   string
		p      sandboxer.Provisioner
		helper func(sent *int) sandboxer.Helper
		why    string
	}{
		{"no helper", purging{script: opens}, func(*int) sandboxer.Helper { return sandboxer.Helper{} }, "denied"},
		{"no purger", dummy{}, helps, "denied"},
		{"no program", purging{script: opens}, func(*int) sandboxer.Helper {
			return sandboxer.Helper{Files: func(context.Context, sandboxer.Platform) (fs.FS, error) { return nil, broken }}
		}, broken.Error()},
		{"unreadable program", purging{script: "cat >/dev/null; echo cut off; exit 1"}, func(*int) sandboxer.Helper {
			return sandboxer.Helper{Files: func(context.Context, sandboxer.Platform) (fs.FS, error) {
				return os.DirFS("/dev/null/nowhere"), nil
			}}
		}, "upload: "},
		{"it cannot either", purging{script: "echo no disk; exit 1"}, helps, "no disk"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, host := newUsersWorld(t, tt.p)
			id, sent := w.createClosed(), 0
			w.box.Helper = tt.helper(&sent)
			_, err := w.box.Destroy(t.Context(), host, id)
			if !errors.Is(err, sandboxer.ErrRemains) {
				t.Fatalf("got %v, want ErrRemains", err)
			}
			for _, want := range []string{w.home + "/root/.trash/" + string(id) + ".", tt.why} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to say %q", err, want)
				}
			}
			w.box.Provisioners, w.box.Helper = []sandboxer.Provisioner{purging{script: opens}}, helps(&sent)
			if _, err := w.box.Destroy(t.Context(), host, id); err != nil {
				t.Errorf("the next: got %v, want it destroyed", err)
			}
			w.empty("after the next")
		})
	}
}

// What the user can delete needs no helper.
func TestNoHelperIsSent(t *testing.T) {
	w, host := newUsersWorld(t, purging{script: opens})
	id, sent := w.create(usersSpec()), 0
	w.box.Helper = helps(&sent)
	host.runs = 0
	if _, err := w.box.Destroy(t.Context(), host, id); err != nil || sent != 0 || host.runs != 3 {
		t.Errorf("got %v, the helper sent %d times, %d commands, want success, never and 3", err, sent, host.runs)
	}
}
