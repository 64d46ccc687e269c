// Package memfs is a read-only file system held in memory. Unlike
// testing/fstest.MapFS it is fit for a program: it is checked once, when it
// is made, and a file is read without a copy of the whole tree being walked.
package memfs

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// A File is one file, or with fs.ModeDir in its mode a directory. Other
// types of file are not supported.
type File struct {
	Mode fs.FileMode // permissions, setuid, setgid, sticky, and fs.ModeDir
	Data []byte      // content; it is not copied and not to be changed
}

// FS is a file system made by New. It is safe for concurrent use.
type FS struct {
	nodes map[string]*node
}

// A node is one name of the tree, and its own FileInfo and DirEntry.
type node struct {
	name  string // base name
	file  File
	below []fs.DirEntry // of a directory, by name
}

var (
	_ fs.ReadDirFS  = (*FS)(nil)
	_ fs.ReadFileFS = (*FS)(nil)
	_ fs.StatFS     = (*FS)(nil)
)

// New makes a file system of files, by path. Directories that are not listed
// themselves are there with mode 0755. Times are all zero, so that the same
// files always make the same archive.
func New(files map[string]File) (*FS, error) {
	f := &FS{nodes: map[string]*node{".": {name: ".", file: File{Mode: fs.ModeDir | 0o755}}}}
	for name, file := range files {
		if !fs.ValidPath(name) {
			return nil, &fs.PathError{Op: "add", Path: name, Err: fs.ErrInvalid}
		}
		if file.Mode.Type()&^fs.ModeDir != 0 || file.Mode.IsDir() && file.Data != nil {
			return nil, &fs.PathError{Op: "add", Path: name, Err: fmt.Errorf("neither a file nor a directory: %v", file.Mode)}
		}
		f.nodes[name] = &node{name: path.Base(name), file: file}
	}
	for name := range files {
		for name != "." {
			name = path.Dir(name)
			if f.nodes[name] == nil {
				f.nodes[name] = &node{name: path.Base(name), file: File{Mode: fs.ModeDir | 0o755}}
			}
		}
	}
	return f, f.link()
}

// link tells each directory what is in it.
func (f *FS) link() error {
	for name, n := range f.nodes {
		if name == "." {
			continue
		}
		parent := f.nodes[path.Dir(name)]
		if !parent.IsDir() {
			return &fs.PathError{Op: "add", Path: name, Err: fmt.Errorf("%q is not a directory", path.Dir(name))}
		}
		parent.below = append(parent.below, n)
	}
	for _, n := range f.nodes {
		slices.SortFunc(n.below, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
	return nil
}

func (f *FS) find(op, name string) (*node, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	n := f.nodes[name]
	if n == nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return n, nil
}

// Open implements fs.FS.
func (f *FS) Open(name string) (fs.File, error) {
	n, err := f.find("open", name)
	if err != nil {
		return nil, err
	}
	if n.IsDir() {
		return &openDir{node: n, path: name}, nil
	}
	return &openFile{node: n, Reader: bytes.NewReader(n.file.Data)}, nil
}

// Stat implements fs.StatFS.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	n, err := f.find("stat", name)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// ReadDir implements fs.ReadDirFS.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := f.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !n.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	return slices.Clone(n.below), nil
}

// ReadFile implements fs.ReadFileFS. The caller owns what it returns.
func (f *FS) ReadFile(name string) ([]byte, error) {
	n, err := f.find("read", name)
	if err != nil {
		return nil, err
	}
	if n.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	return append([]byte{}, n.file.Data...), nil
}

func (n *node) Name() string               { return n.name }
func (n *node) Size() int64                { return int64(len(n.file.Data)) }
func (n *node) Mode() fs.FileMode          { return n.file.Mode }
func (n *node) Type() fs.FileMode          { return n.file.Mode.Type() }
func (n *node) ModTime() time.Time         { return time.Time{} }
func (n *node) IsDir() bool                { return n.file.Mode.IsDir() }
func (n *node) Sys() any                   { return nil }
func (n *node) Info() (fs.FileInfo, error) { return n, nil }
func (n *node) String() string             { return fs.FormatFileInfo(n) }

type openFile struct {
	*bytes.Reader
	node *node
}

func (o *openFile) Stat() (fs.FileInfo, error) { return o.node, nil }
func (o *openFile) Close() error               { return nil }

type openDir struct {
	node *node
	path string
	next int
}

func (o *openDir) Stat() (fs.FileInfo, error) { return o.node, nil }
func (o *openDir) Close() error               { return nil }

func (o *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: o.path, Err: fs.ErrInvalid}
}

// ReadDir implements fs.ReadDirFile.
func (o *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	rest := o.node.below[o.next:]
	if n > 0 {
		if len(rest) == 0 {
			return nil, io.EOF
		}
		rest = rest[:min(n, len(rest))]
	}
	o.next += len(rest)
	return slices.Clone(rest), nil
}
