package sshhost_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/test/lab"
)

// zeros is an input without an end that counts what was taken of it.
type zeros struct{ taken atomic.Int64 }

func (z *zeros) Read(p []byte) (int, error) {
	clear(p)
	z.taken.Add(int64(len(p)))
	return len(p), nil
}

// TestInputNobodyReads: of a hundred MiB that a command does not want, what
// fits on the way is all that is read.
func TestInputNobodyReads(t *testing.T) {
	l := lab.Open(t)
	h := open(t, "lab-dash", l.SSHConfig, nil)
	const all = 100 << 20
	for _, tt := range []struct {
		name string
		args []string
		want int
	}{
		{"ends well", []string{"true"}, 0},
		{"fails", []string{"sh", "-c", "exit 9"}, 9},
		{"takes a little", []string{"sh", "-c", "head -c 10 >/dev/null; exit 3"}, 3},
	} {
		z := new(zeros)
		res, err := h.Run(t.Context(), sandboxer.Cmd{Args: tt.args, Stdin: io.LimitReader(z, all)})
		if err != nil || res.ExitCode != tt.want {
			t.Errorf("%s: got exit %d, %v, want %d, no error", tt.name, res.ExitCode, err, tt.want)
		}
		if n := z.taken.Load(); n > all/4 {
			t.Errorf("%s: got %d bytes read of %d, want no more than is in flight", tt.name, n, all)
		}
	}
}

// TestMuchOutputOnBothStreams: 30 MiB on each, at the same time, arrive whole.
func TestMuchOutputOnBothStreams(t *testing.T) {
	l := lab.Open(t)
	h := open(t, "lab-dash", l.SSHConfig, nil)
	const each = 30 << 20
	var out, errs atomic.Int64
	count := func(n *atomic.Int64) io.Writer {
		return writerFunc(func(p []byte) (int, error) { n.Add(int64(len(p))); return len(p), nil })
	}
	script := fmt.Sprintf("head -c %[1]d /dev/zero & head -c %[1]d /dev/zero >&2; wait", each)
	_, err := h.Run(t.Context(), sandboxer.Cmd{Args: []string{"sh", "-c", script}, Stdout: count(&out), Stderr: count(&errs)})
	if err != nil || out.Load() != each || errs.Load() != each {
		t.Errorf("got %d and %d bytes, %v, want %d each", out.Load(), errs.Load(), err, each)
	}
}

// TestWriterThatBlocks: one that does holds up its own command and no other.
func TestWriterThatBlocks(t *testing.T) {
	l := lab.Open(t)
	h := open(t, "lab-dash", l.SSHConfig, nil)
	blocked, release := make(chan struct{}), make(chan struct{})
	block := sync.OnceFunc(func() { close(blocked); <-release })
	const flood = 8 << 20 // more than is on the way at most
	var out int
	result := make(chan error, 1)
	go func() {
		_, err := h.Run(t.Context(), sandboxer.Cmd{
			Args:   []string{"head", "-c", fmt.Sprint(flood), "/dev/zero"},
			Stdout: writerFunc(func(p []byte) (int, error) { block(); out += len(p); return len(p), nil }),
		})
		result <- err
	}()
	<-blocked
	res, err := h.Run(t.Context(), sandboxer.Cmd{Args: []string{"head", "-c", "5000000", "/dev/zero"}})
	if err != nil || len(res.Stdout) != 5000000 {
		t.Errorf("another command: got %d bytes, %v, want 5000000", len(res.Stdout), err)
	}
	close(release)
	if err := <-result; err != nil || out != flood {
		t.Errorf("the command whose writer blocked: got %d bytes, %v, want %d", out, err, flood)
	}
}

// TestSlowWriterLeavesTheOtherStream: what one stream has on the way does not
// hold up the other.
func TestSlowWriterLeavesTheOtherStream(t *testing.T) {
	l := lab.Open(t)
	h := open(t, "lab-dash", l.SSHConfig, nil)
	const slow, fast = 1 << 20, 30 << 20
	var out, errs int64
	complete := make(chan struct{})
	script := fmt.Sprintf("head -c %d /dev/zero >&2; head -c %d /dev/zero", slow, fast)
	_, err := h.Run(t.Context(), sandboxer.Cmd{
		Args: []string{"sh", "-c", script},
		Stdout: writerFunc(func(p []byte) (int, error) {
			if out += int64(len(p)); out == fast {
				close(complete)
			}
			return len(p), nil
		}),
		Stderr: writerFunc(func(p []byte) (int, error) {
			<-complete
			errs += int64(len(p))
			return len(p), nil
		}),
	})
	if err != nil || out != fast || errs != slow {
		t.Errorf("got %d and %d bytes, %v, want %d and %d", out, errs, err, fast, slow)
	}
}

// TestRekeyOfALongUpload: new keys, many times, in the midst of 64 MiB.
func TestRekeyOfALongUpload(t *testing.T) {
	srv := lab.SSHD(t, lab.SSHDOptions{HostKeys: []string{"ed25519"}, Config: []string{"RekeyLimit 1M", "LogLevel DEBUG"}})
	h := open(t, "lab-dash", srv.SSHConfig, nil)
	lab.Require(t, "sshd")
	sum := sha256.New()
	var i uint64
	data := readerFunc(func(p []byte) (int, error) {
		n := 0
		for ; n+8 <= len(p); n += 8 {
			i++
			copy(p[n:], fmt.Sprintf("%08x", i))
		}
		return n, nil
	})
	in := io.TeeReader(io.LimitReader(data, 64<<20), sum)
	res, err := h.Run(t.Context(), sandboxer.Cmd{Args: []string{"sha256sum"}, Stdin: in})
	if want := fmt.Sprintf("%x", sum.Sum(nil)); err != nil || !strings.HasPrefix(string(res.Stdout), want) {
		t.Errorf("got %q, %v, want %s", res.Stdout, err, want)
	}
	if n := strings.Count(readFile(t, srv.Log), "SSH2_MSG_NEWKEYS received"); n < 10 {
		t.Errorf("got %d key exchanges in the server's log, want one for each MiB or so", n)
	}
}
