//go:build unix

package canary

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// checkOwner returns an error if anybody may have put path where it is: if it,
// or a directory on the way to it, lies in one that everybody may write to and
// belongs neither to the user nor to root.
func checkOwner(path string) error {
	for parent := filepath.Dir(path); parent != path; path, parent = parent, filepath.Dir(parent) {
		dir, err := os.Stat(parent)
		if err != nil {
			return err
		}
		if dir.Mode().Perm()&0o002 == 0 {
			continue
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok || stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
			return fmt.Errorf("%s belongs to another user, in a directory that everybody may write to", path)
		}
	}
	return nil
}
