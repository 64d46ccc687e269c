package sandboxer_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// labDir opens a host behind a proxy and makes a directory of its user there.
// The lab is on this machine: a test that is root sees it directly.
func labDir(t *testing.T, alias string) (*sshhost.Host, *lab.Proxy, string) {
	t.Helper()
	lab.Require(t, "root")
	l := lab.Open(t)
	p := lab.DelayProxy(t, l.Server.Addr, 0)
	h := sshhost.New(alias, sshhost.Config{ConfigFile: l.Via(t, p.Addr)})
	t.Cleanup(func() { h.Close() })
	dir := strings.TrimSpace(runs(t, h, "mktemp -d"))
	t.Cleanup(func() { os.RemoveAll(dir) })
	return h, p, dir
}

func runs(t *testing.T, h sandboxer.Host, script string) string {
	t.Helper()
	res, err := h.Run(t.Context(), sandboxer.Cmd{Args: []string{"sh", "-c", script}})
	if err == nil {
		err = res.Err(script)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(res.Stdout)
}

// One command each, over a login shell of any family.
func TestFilesOverSSH(t *testing.T) {
	for _, alias := range []string{"lab-bash", "lab-fish", "lab-tcsh", "lab-noisy"} {
		h, _, dir := labDir(t, alias)
		for _, p := range putters {
			before := h.Stats().Execs
			if err := p.put(t.Context(), h, dir+"/it's\n"+p.name, 300<<10); err != nil {
				t.Errorf("%s: got %v, want it done", alias, err)
			}
			if got := h.Stats().Execs - before; got != 1 {
				t.Errorf("%s: %s took %d commands, want 1", alias, p.name, got)
			}
		}
		fails(t, sandboxer.PutTree(t.Context(), h, dir+"/it's\nPutTree", fstest.MapFS{}), fs.ErrExist)
		fails(t, sandboxer.WriteFile(t.Context(), h, "/etc/sandboxer-test", nil, 0o600), fs.ErrPermission)
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 2 {
			t.Errorf("%s: got %v, %v, want two entries", alias, entries, err)
		}
	}
}

// Wherever the link is cut, the target is as it was, or whole; the error
// says if that is not known; and nothing stays beside it.
func TestFilesCut(t *testing.T) {
	const size = 4 << 20 // more than a channel takes ahead
	for _, p := range putters {
		t.Run(p.name, func(t *testing.T) {
			h, proxy, dir := labDir(t, "lab-dash")
			start := proxy.BytesUp()
			if err := p.put(t.Context(), h, dir+"/whole", size); err != nil {
				t.Fatal(err)
			}
			total := proxy.BytesUp() - start
			whole := names(t, dir)
			for _, n := range []int64{total / 1000, total / 100, total / 10, total / 4, total / 2, total * 3 / 4, total - total/20, total - 2000, total - 300, total - 60, total - 1} {
				old := ""
				if p.name == "WriteFile" {
					old = "x old\n"
					runs(t, h, "printf old >"+dir+"/x")
				} else {
					runs(t, h, "cd "+dir+" && if [ -d x ]; then chmod -R u+w x && rm -r x; fi")
				}
				proxy.CutAfter(n)
				err := p.put(t.Context(), h, dir+"/x", size)
				proxy.CutAfter(1 << 60) // where so much was not sent
				gone(t, dir)
				got := names(t, dir)
				var failure *sandboxer.FileError
				known := errors.As(err, &failure) && !failure.Unknown
				isOld, isNew := got == whole+old, got == whole+strings.ReplaceAll(whole, "whole", "x")
				switch {
				case err == nil && isNew, known && isOld, err != nil && !known && (isOld || isNew):
				default:
					t.Errorf("cut after %d of %d bytes: got %v and %q, want it old or new, and known or not", n, total, err, got)
				}
				if n <= total/10 && (!known || !errors.Is(err, sshhost.ErrConnLost)) {
					t.Errorf("cut after %d of %d bytes: got %v, want it lost, and known that nothing was changed", n, total, err)
				}
			}
		})
	}
}

// gone waits until no process has dir among its arguments any more.
func gone(t *testing.T, dir string) {
	t.Helper()
	deadline, tick := time.After(30*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for busy(t, dir) {
		select {
		case <-deadline:
			t.Fatalf("got a process that uses %s still, want none", dir)
		case <-tick.C:
		}
	}
}

func busy(t *testing.T, dir string) bool {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %v, %v, want processes", files, err)
	}
	for _, file := range files {
		if args, err := os.ReadFile(file); err == nil && bytes.Contains(args, []byte(dir)) {
			return true
		}
	}
	return false
}
