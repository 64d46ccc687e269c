package canary

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/tegwick/sand-boxer/internal/mountinfo"
)

// trashMount is where a helper's container has the one directory that it is to
// empty, and the only place from which purge ever removes anything.
const trashMount = "/trash"

// purge empties what is mounted at trashMount, if that is the directory of this
// device and inode.
func purge(device, inode string) error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	if err := onlyMount(string(mounts), trashMount); err != nil {
		return err
	}
	trash, err := os.OpenRoot(trashMount)
	if err != nil {
		return err
	}
	defer trash.Close()
	if err := isDir(trash, device, inode); err != nil {
		return err
	}
	return empty(trash)
}

// onlyMount returns an error unless something is mounted at dir and nothing
// below it. The fifth field is where:
//
//	183 166 254:0 /tmp/sandboxer/.trash/x /trash rw,relatime - ext4 /dev/vda rw
//
// No mount of the host can come after that: engines pass none on.
func onlyMount(mounts, dir string) error {
	at := false
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		where := mountinfo.Unescape(fields[4])
		if strings.HasPrefix(where, dir+"/") {
			return fmt.Errorf("something is mounted at %q", where)
		}
		at = at || where == dir
	}
	if !at {
		return fmt.Errorf("nothing is mounted at %s", dir)
	}
	return nil
}

// isDir returns an error unless dir has these numbers, as stat(1) prints them.
func isDir(dir *os.Root, device, inode string) error {
	info, err := dir.Stat(".")
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || fmt.Sprint(stat.Dev) != device || fmt.Sprint(stat.Ino) != inode {
		return fmt.Errorf("%s is not the directory that was seen", dir.Name())
	}
	return nil
}

// empty removes all that is in a directory. It follows no link and opens
// nothing but directories. However deep the tree, it holds two of them open:
// what is not empty is moved up to the top before it is looked into.
func empty(top *os.Root) error {
	e := emptying{top: top}
	e.clear(".")
	for len(e.todo) > 0 {
		last := len(e.todo) - 1
		name := e.todo[last]
		e.todo = e.todo[:last]
		removed, failed := e.clear(name)
		if failed > 0 {
			continue // then it has to stay
		}
		err := top.Remove(name)
		switch {
		case err == nil, errors.Is(err, fs.ErrNotExist):
		case removed > 0: // a list may pass over names while others go
			e.todo = append(e.todo, name)
		default:
			e.fail(err)
		}
	}
	if e.failures > 0 {
		return fmt.Errorf("%d not removed, such as %w", e.failures, e.first)
	}
	return nil
}

// An emptying is one call of empty.
type emptying struct {
	top  *os.Root
	todo []string // directories in top that are not empty

	failures int
	first    error
}

func (e *emptying) fail(err error) {
	if e.failures == 0 {
		e.first = quoted(err)
	}
	e.failures++
}

// quoted keeps off a terminal what a container calls its files.
func quoted(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return fmt.Errorf("%q: %w", path.Path, path.Err)
	case errors.As(err, &link):
		return fmt.Errorf("%q: %w", link.Old, link.Err)
	}
	return err
}

// clear removes what is in the directory of that name, and moves up what is not
// empty. It returns how many names are gone from there and how many could not
// be removed.
func (e *emptying) clear(name string) (removed, failed int) {
	dir, err := e.top.OpenRoot(name)
	if err != nil {
		e.fail(err)
		return 0, 1
	}
	defer dir.Close()
	list, err := dir.Open(".")
	if err != nil {
		e.fail(err)
		return 0, 1
	}
	defer list.Close()
	for {
		names, err := list.Readdirnames(1024)
		for _, n := range names {
			if err := e.remove(dir, name, n); err != nil {
				e.fail(err)
				failed++
				continue
			}
			removed++
		}
		switch {
		case errors.Is(err, io.EOF):
			return removed, failed
		case err != nil:
			e.fail(err)
			return removed, failed + 1
		}
	}
}

// remove removes n from dir, which is called name in top, or moves it up.
func (e *emptying) remove(dir *os.Root, name, n string) error {
	err := dir.Remove(n)
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist):
		return nil
	case !errors.Is(err, fs.ErrExist): // as "not empty" counts
		return err
	}
	up := n
	if name != "." {
		up = rand.Text() // which nothing there is called
		if err := e.top.Rename(name+"/"+n, up); err != nil {
			return err
		}
	}
	e.todo = append(e.todo, up)
	return nil
}
