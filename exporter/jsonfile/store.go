package jsonfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// tempPrefix begins the name of a file that is not complete.
const tempPrefix = ".tmp-"

// tempMaxAge is far longer than any write takes: an older temporary file has
// nobody left who writes to it.
const tempMaxAge = time.Hour

// store puts data into the file name of dir, in place of what is there. On an
// error the old file is untouched, unless only the last flush, that of the
// directory, has failed.
func store(dir, name string, data []byte) error {
	temp, written, err := writeTemp(dir, name, data)
	if err != nil {
		return err
	}
	// Rename replaces a symbolic link; it does not follow it.
	if err := os.Rename(temp, filepath.Join(dir, name)); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	sweep(dir, written)
	return syncDir(dir)
}

// probe does all that store does but for the rename.
func probe(dir string) error {
	temp, _, err := writeTemp(dir, "probe", make([]byte, probeSize))
	if err != nil {
		return err
	}
	return os.Remove(temp)
}

// writeTemp writes data to a new file of dir, flushed to the disk, and
// returns its path and when that was by the clock of the file system. On an
// error there is no such file.
func writeTemp(dir, name string, data []byte) (path string, written time.Time, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", time.Time{}, err
	}
	f, err := os.CreateTemp(dir, tempPrefix+name+"-*")
	if err != nil {
		return "", time.Time{}, err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := f.Chmod(0o600); err != nil {
		return "", time.Time{}, err
	}
	if _, err := f.Write(data); err != nil {
		return "", time.Time{}, err
	}
	if err := f.Sync(); err != nil {
		return "", time.Time{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return "", time.Time{}, err
	}
	return f.Name(), info.ModTime(), nil
}

// syncDir makes a rename in dir last. Some file systems cannot flush a
// directory, and say EINVAL or ENOTSUP; there is nothing better to do there.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}

// sweep removes what crashes have left in dir. It takes now from the file
// system, which gave the files their times, and never fails: the next export
// tries again.
func sweep(dir string, now time.Time) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1) // as many as can be read
	for _, name := range names {
		if !strings.HasPrefix(name, tempPrefix) {
			continue
		}
		path := filepath.Join(dir, name)
		info, err := os.Lstat(path)
		if err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > tempMaxAge {
			os.Remove(path)
		}
	}
}
