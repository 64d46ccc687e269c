// Package hostfile puts files on a host, whole or not at all. It makes commands
// and what they read, and parses what they answer; it knows no Host, so that
// the root package can use it.
//
// Each command is one POSIX shell script. It makes what it is given under a
// name of its own beside the target, compares that with what was sent, and
// renames it. Until then the target is not touched; after a failure the script
// takes away what it made.
package hostfile

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

//go:embed common.sh
var common string

//go:embed write.sh
var write string

//go:embed tree.sh
var tree string

// CheckPath returns an error unless path can be a target: an absolute path that
// ends in a name.
func CheckPath(path string) error {
	name := path[strings.LastIndexByte(path, '/')+1:]
	switch {
	case !strings.HasPrefix(path, "/"):
		return errors.New("want an absolute path")
	case name == "" || name == "." || name == "..":
		return errors.New("want a path that ends in a name")
	case strings.ContainsRune(path, 0):
		return errors.New("a path holds no NUL")
	}
	return nil
}

// Temp returns where the commands for path make what they are given. The nonce
// is 26 letters and digits that nobody can guess.
func Temp(path, nonce string) string {
	return path[:strings.LastIndexByte(path, '/')+1] + ".sandboxer-" + nonce
}

// Write returns the command that makes a file at path.
func Write(path string) (args []string) { return script("write", write, path) }

// Input returns what Write's command reads on standard input, and how long
// that is.
func Input(nonce string, content []byte, perm fs.FileMode) (input io.Reader, size int64) {
	head := fmt.Sprintf("sandboxer %s %o %d %x\n", nonce, perm, len(content), sha256.Sum256(content))
	return io.MultiReader(strings.NewReader(head), bytes.NewReader(content)), int64(len(head) + len(content))
}

// Put returns the command that makes a directory dir. It reads what a Tree
// writes.
func Put(dir string) (args []string) { return script("put", tree, dir) }

func script(name, text, path string) []string {
	return []string{"sh", "-c", common + text, "sandboxer-" + name, path}
}
