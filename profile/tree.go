package profile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// A tree is the directory of a profile as it is uploaded: a list made once,
// the files read when they are wanted. It is safe for concurrent use.
//
// A symbolic link to a file of the directory is uploaded as a copy of that
// file. Files are opened through an os.Root, so that nothing outside can be
// reached, whatever is put in their places meanwhile.
type tree struct {
	dir   string
	nodes map[string]*node
}

// A node is one name of a tree, and its own FileInfo and DirEntry.
type node struct {
	name  string // base name
	mode  fs.FileMode
	size  int64
	data  []byte // of a file that is made here, else nil
	below []fs.DirEntry
}

var (
	_ fs.ReadDirFS = (*tree)(nil)
	_ fs.StatFS    = (*tree)(nil)
)

// Bounds of an upload. Above the first two a profile is asked whether it means
// it; the last is where looking through a directory ends.
const (
	largeBytes = 256 << 20
	largeFiles = 20_000
	mostFiles  = 200_000
)

// scan lists dir. What cannot be uploaded is a finding, not an error.
func scan(dir string, found *findings) (*tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	t := &tree{dir: dir, nodes: map[string]*node{}}
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == ".git" || name == dotEnv:
			return skip(d)
		case len(t.nodes) >= mostFiles:
			return fmt.Errorf("%q holds more than %d files: this is no profile", dir, mostFiles)
		case !fs.ValidPath(name):
			found.fail("file_name", "", "%q is a file name that is no text in UTF-8", name)
			return skip(d)
		case strings.HasPrefix(name, ".sandboxer"):
			found.fail("reserved_name", "", "%q: names beginning with .sandboxer are reserved", name)
			return skip(d)
		}
		return t.take(root, name, d, found)
	})
	if err != nil {
		return nil, err
	}
	t.link()
	if files, size := t.count(); files > largeFiles || size > largeBytes {
		found.refuse("large_upload", "", "the directory holds %d files of %d MB, all of which would be uploaded", files, size/1e6)
	}
	return t, nil
}

// skip leaves an entry out, with all below it.
func skip(d fs.DirEntry) error {
	if d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// take adds one entry as it is to be uploaded.
func (t *tree) take(root *os.Root, name string, d fs.DirEntry, found *findings) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	if d.Type() == fs.ModeSymlink {
		if info, err = root.Stat(name); err != nil {
			found.fail("symlink", "", "%q is a symbolic link that leads out of the profile, or to nothing", name)
			return nil
		}
		if info.IsDir() {
			found.fail("symlink", "", "%q is a symbolic link to a directory: only those to files can be uploaded", name)
			return nil
		}
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		found.fail("special_file", "", "%q is neither a file nor a directory", name)
		return nil
	}
	if info.Mode().IsRegular() {
		f, err := root.Open(name) // or a create would fail half-way
		if err != nil {
			found.fail("unreadable_file", "", "%q cannot be read: %v", name, errors.Unwrap(err))
			return nil
		}
		f.Close()
	}
	n := &node{name: path.Base(name), mode: info.Mode() & (fs.ModeDir | fs.ModePerm)}
	if !info.IsDir() {
		n.size = info.Size()
	}
	t.nodes[name] = n
	return nil
}

// link tells each directory what is in it.
func (t *tree) link() {
	for name, n := range t.nodes {
		if parent := t.nodes[path.Dir(name)]; name != "." && parent != nil {
			parent.below = append(parent.below, n)
		}
	}
	for _, n := range t.nodes {
		slices.SortFunc(n.below, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
}

// count returns how much would be uploaded.
func (t *tree) count() (files int, bytes int64) {
	for _, n := range t.nodes {
		if !n.IsDir() {
			files++
			bytes += n.size
		}
	}
	return files, bytes
}

// with returns t with other files in it, by path, each nil for a directory;
// directories above them are made. What t has in their places is left out.
func (t *tree) with(files map[string][]byte) *tree {
	out := &tree{dir: t.dir, nodes: make(map[string]*node, len(t.nodes)+len(files))}
	for name, n := range t.nodes {
		own := *n
		own.below = nil
		out.nodes[name] = &own
	}
	for name, data := range files {
		n := &node{name: path.Base(name), mode: 0o644, size: int64(len(data)), data: data}
		if data == nil {
			n.mode = fs.ModeDir | 0o755
		}
		out.nodes[name] = n
		for above := path.Dir(name); out.nodes[above] == nil; above = path.Dir(above) {
			out.nodes[above] = &node{name: path.Base(above), mode: fs.ModeDir | 0o755}
		}
	}
	out.link()
	return out
}

// without returns t less one file.
func (t *tree) without(name string) *tree {
	out := t.with(nil)
	delete(out.nodes, name)
	for _, n := range out.nodes {
		n.below = nil
	}
	out.link()
	return out
}

// has reports whether name is in t, and as what.
func (t *tree) has(name string) (dir, ok bool) {
	n := t.nodes[name]
	return n != nil && n.IsDir(), n != nil
}

func (t *tree) find(op, name string) (*node, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	n := t.nodes[name]
	if n == nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return n, nil
}

// Open implements fs.FS.
func (t *tree) Open(name string) (fs.File, error) {
	n, err := t.find("open", name)
	if err != nil {
		return nil, err
	}
	if n.IsDir() {
		return &openDir{node: n}, nil
	}
	if n.data != nil {
		return &openFile{node: n, Reader: strings.NewReader(string(n.data))}, nil
	}
	root, err := os.OpenRoot(t.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() != n.size {
		f.Close()
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("it has changed while it was uploaded")}
	}
	return &openFile{node: n, Reader: f, Closer: f}, nil
}

// Stat implements fs.StatFS.
func (t *tree) Stat(name string) (fs.FileInfo, error) { return t.find("stat", name) }

// ReadDir implements fs.ReadDirFS.
func (t *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := t.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !n.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a directory")}
	}
	return slices.Clone(n.below), nil
}

func (n *node) Name() string               { return n.name }
func (n *node) Size() int64                { return n.size }
func (n *node) Mode() fs.FileMode          { return n.mode }
func (n *node) Type() fs.FileMode          { return n.mode.Type() }
func (n *node) ModTime() time.Time         { return time.Time{} }
func (n *node) IsDir() bool                { return n.mode.IsDir() }
func (n *node) Sys() any                   { return nil }
func (n *node) Info() (fs.FileInfo, error) { return n, nil }

type openFile struct {
	io.Reader
	io.Closer
	node *node
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.node, nil }

func (f *openFile) Close() error {
	if f.Closer == nil {
		return nil
	}
	return f.Closer.Close()
}

type openDir struct {
	node *node
	next int
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.node, nil }
func (d *openDir) Close() error               { return nil }

func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.node.name, Err: errors.New("is a directory")}
}

// ReadDir implements fs.ReadDirFile.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	rest := d.node.below[d.next:]
	if n > 0 && len(rest) == 0 {
		return nil, io.EOF
	}
	if n > 0 && n < len(rest) {
		rest = rest[:n]
	}
	d.next += len(rest)
	return slices.Clone(rest), nil
}
