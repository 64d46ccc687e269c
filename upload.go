package sandboxer

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"strings"

	"github.com/tegwick/sand-boxer/internal/onhost"
)

// An upload is a file tree on its way to a host: a gzipped tar whose last
// entry proves that all of it arrived.
type upload struct {
	tree   fs.FS
	marker string // of the last entry; empty: there is none
	sum    hash.Hash
	feed   *feed
}

func newUpload(tree fs.FS, marker string) *upload {
	return &upload{tree: tree, marker: marker, sum: sha256.New()}
}

// stream returns the archive, made as it is read, until finish.
func (u *upload) stream() io.Reader {
	u.feed = newFeed(u.write)
	return u.feed
}

// finish ends the making and returns the digest of the files' names, modes
// and contents. An error is one of reading the files; a host that stopped
// listening is none of it.
func (u *upload) finish() (digest string, err error) {
	if err := u.feed.stop(); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(u.sum.Sum(nil)), nil
}

// write uses the fastest compression: on a local network the processor is
// the bottleneck, and a canary is mostly machine code.
func (u *upload) write(w io.Writer) error {
	zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(zip)
	if err := fs.WalkDir(u.tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		return u.add(archive, name, d)
	}); err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	if err := u.end(archive); err != nil {
		return err
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return zip.Close()
}

// end writes the last entry.
func (u *upload) end(archive *tar.Writer) error {
	if u.marker == "" {
		return nil
	}
	last := &tar.Header{Typeflag: tar.TypeReg, Name: onhost.Marker, Mode: 0o600, Size: int64(len(u.marker))}
	if err := archive.WriteHeader(last); err != nil {
		return err
	}
	_, err := io.WriteString(archive, u.marker)
	return err
}

// add writes one entry. Times and owners are left out: they are not the
// host's, and the digest is to depend on contents only. (tar.FileInfoHeader
// would look the owner up, on some machines in a directory service.)
func (u *upload) add(archive *tar.Writer, name string, d fs.DirEntry) error {
	if strings.HasPrefix(name, ".sandboxer") {
		return fmt.Errorf("%q: names beginning with .sandboxer are reserved", name)
	}
	info, err := d.Info()
	if err != nil {
		return err
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return fmt.Errorf("%q: neither a file nor a directory", name)
	}
	head := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(info.Mode().Perm()), Size: info.Size()}
	if info.IsDir() {
		head.Typeflag, head.Name, head.Size = tar.TypeDir, name+"/", 0
	}
	fmt.Fprintf(u.sum, "%q %o %d\n", head.Name, head.Mode, head.Size)
	if err := archive.WriteHeader(head); err != nil {
		return err
	}
	if info.IsDir() {
		return nil
	}
	f, err := u.tree.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(io.MultiWriter(archive, u.sum), f)
	return err
}
