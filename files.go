package sandboxer

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"

	"github.com/tegwick/sand-boxer/internal/hostfile"
	"github.com/tegwick/sand-boxer/internal/onhost"
)

// WriteFile makes content the file at path on a host, with exactly the
// permission bits of perm: whole, or not at all. The path is absolute, as the
// host has it, and its directory must be there.
//
// It is one command. That writes content under a name that cannot be guessed
// in the same directory, closed to all others, compares its SHA-256 with the
// one of content, makes it durable where the host has a sync for files, and
// renames it. Whoever opens path at any time sees the old file or the new one.
// Content goes over standard input and no part of it is seen in the host's
// list of processes.
//
// The file at path is replaced, not written to: it is a new one that belongs
// to the user on the host, whoever the old one belonged to, and other hard
// links keep the old content. A symbolic link at path is replaced too,
// and what it leads to stays as it is; links on the way there are followed. A
// directory at path, or a link to one, is an error.
//
// An error is a *FileError: it says whether path may have changed. What is
// made beside it is removed on the host by the command itself, also where the
// link is cut; only one that is killed at once, or a host that crashes, leaves
// a file .sandboxer-… there. WriteFile may be called concurrently, also for one
// path: one of the contents wins.
func WriteFile(ctx context.Context, host Host, path string, content []byte, perm fs.FileMode) error {
	const op = "write"
	if err := hostfile.CheckPath(path); err != nil {
		return &FileError{Op: op, Path: path, Err: err}
	}
	if perm&^fs.ModePerm != 0 {
		return &FileError{Op: op, Path: path, Err: fmt.Errorf("mode %v: want permission bits only", perm)}
	}
	nonce := rand.Text()
	input, size := hostfile.Input(nonce, content, perm)
	sent := &counted{Reader: input}
	return put(ctx, host, op, path, nonce, Cmd{Args: hostfile.Write(path), Stdin: sent}, func() (bool, error) {
		return sent.n.Load() == size, nil
	})
}

// PutTree makes a new directory on a host that holds all of tree: whole, or
// not at all. The path dir is absolute, as the host has it; the directory it is
// in must be there, and dir itself must not: an error that wraps fs.ErrExist,
// also where it is a dangling link.
//
// It is one command. That unpacks what it gets into a directory beside dir,
// closed to all others, whose name cannot be guessed; proves that names,
// modes, sizes and contents are what was sent, and that there is nothing else;
// makes them durable where the host has a sync for files; and renames it. The
// host needs tar, gzip, stat, find and xargs as GNU, busybox and others have
// them.
//
// Tree may hold regular files and directories that their owner may read, for
// what cannot be read cannot be proven, under any names that have neither a NUL
// nor a slash in them. Anything else is refused before the host is asked.
// Permission bits are kept, those of tree itself for
// dir (embed.FS has directories that nobody may write to); times and owners are
// the host's. A tree that changes meanwhile is an error.
//
// Tree is read twice, its contents once. They are sent as they are read,
// compressed: the memory used does not depend on them, only on the length of
// the longest list of one directory. A Read of tree that is under way when ctx
// ends is waited for.
//
// An error is a *FileError: it says whether dir may be there. What is made
// beside it goes as with WriteFile. PutTree may be called concurrently, also
// for one dir: one of the trees wins, and for the others it exists.
func PutTree(ctx context.Context, host Host, dir string, tree fs.FS) error {
	const op = "put"
	if err := hostfile.CheckPath(dir); err != nil {
		return &FileError{Op: op, Path: dir, Err: err}
	}
	nonce := rand.Text()
	t, err := hostfile.NewTree(tree, nonce)
	if err != nil {
		return &FileError{Op: op, Path: dir, Err: err}
	}
	input := newFeed(t.Write)
	return put(ctx, host, op, dir, nonce, Cmd{Args: hostfile.Put(dir), Stdin: input}, func() (bool, error) {
		err := input.stop()
		return t.Proven(), err
	})
}

// put runs a script of hostfile. Once it has ended, sent reports whether all
// that the script needs may have been sent, and what kept it from that.
func put(ctx context.Context, host Host, op, path, nonce string, cmd Cmd, sent func() (bool, error)) error {
	res, err := host.Run(ctx, cmd)
	all, unread := sent()
	if unread != nil && errors.Is(err, unread) {
		err = unread // a host is no part of it
	}
	failure := &FileError{Op: op, Path: path, Err: err}
	if err != nil {
		failure.Unknown = all && !neverRan(err)
		return failure
	}
	answer, err := hostfile.ParseAnswer(res.Stdout)
	switch {
	case err != nil:
		// A script that was killed, or a shell that is none.
		failure.Err, failure.Said, failure.Unknown = cmp.Or(res.Err(op), err), string(res.Stderr), all
		return failure
	case answer.Done:
		return nil
	}
	failure.Err, failure.Said = cause(op, answer), answer.Said
	if answer.Left {
		failure.Left = hostfile.Temp(path, nonce)
	}
	return failure
}

// cause turns an answer into what callers branch on.
func cause(op string, answer hostfile.Answer) error {
	said := answer.Cause()
	switch answer.Code {
	case hostfile.Exists:
		return fs.ErrExist
	case hostfile.Directory:
		return errors.New("there is a directory")
	case hostfile.Ended:
		return errors.New("it was ended")
	case hostfile.Altered:
		return cmp.Or(said, ErrAltered)
	case hostfile.Parent:
		return cmp.Or(said, errors.New("its directory cannot be entered"))
	case hostfile.Failed:
		return cmp.Or(said, errors.New("the host could not do it"))
	}
	return refusal(op, &onhost.Refusal{Code: answer.Code, Message: answer.Said})
}

// A counted reader tells how much was read.
type counted struct {
	io.Reader
	n atomic.Int64
}

// Read reads.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}
