package capture_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tegwick/sand-boxer/internal/capture"
)

func TestBuffer(t *testing.T) {
	for _, tt := range []struct {
		name      string
		max       int
		writes    []string
		want      string
		truncated bool
	}{
		{"nothing", 8, nil, "", false},
		{"short", 8, []string{"abc"}, "abc", false},
		{"exactly full", 8, []string{"abcd", "efgh"}, "abcdefgh", false},
		{"one byte over", 8, []string{"abcdefgh", "i"}, "abcdfghi", true},
		{"byte by byte", 4, strings.Split("abcdefghijk", ""), "abjk", true},
		{"one huge write", 6, []string{strings.Repeat("x", 100) + "yz"}, "xxxxyz", true},
		{"ring wraps within a write", 8, []string{"abcdefgh", "ijk", "lmn"}, "abcdklmn", true},
		{"nothing may be kept", 0, []string{"abc"}, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := capture.Buffer{Max: tt.max}
			for _, w := range tt.writes {
				if n, err := b.Write([]byte(w)); n != len(w) || err != nil {
					t.Fatalf("Write(%q): got %d, %v, want %d, nil", w, n, err, len(w))
				}
			}
			if got := string(b.Bytes()); got != tt.want || b.Truncated() != tt.truncated {
				t.Errorf("%q into %d bytes: got %q, %v, want %q, %v", tt.writes, tt.max, got, b.Truncated(), tt.want, tt.truncated)
			}
		})
	}
}

func FuzzBuffer(f *testing.F) {
	f.Add([]byte("hello, world"), 5, 3)
	f.Fuzz(func(t *testing.T, data []byte, limit, step int) {
		if limit < 0 || limit > 1<<12 || step < 1 {
			return // not a size
		}
		b := capture.Buffer{Max: limit}
		for p := data; len(p) > 0; {
			k := min(step, len(p))
			b.Write(p[:k])
			p = p[k:]
		}
		half := limit / 2
		want := data
		if len(data) > 2*half {
			want = append(bytes.Clone(data[:half]), data[len(data)-half:]...)
		}
		if got := b.Bytes(); !bytes.Equal(got, want) || b.Truncated() != (len(data) > 2*half) {
			t.Errorf("%q into %d by %d: got %q, %v, want %q", data, limit, step, got, b.Truncated(), want)
		}
	})
}

func TestStreamKeepsReadingWhenItsWriterFails(t *testing.T) {
	broken := errors.New("disk full")
	s := capture.NewStream(writerFunc(func([]byte) (int, error) { return 0, broken }), 0, nil)
	r := &io.LimitedReader{R: endless{}, N: 1 << 20}
	s.Copy(r)
	if _, _, err := s.Stop(); err != broken || r.N != 0 {
		t.Errorf("got error %v with %d bytes unread, want %v with none", err, r.N, broken)
	}
}

func TestStreamFilter(t *testing.T) {
	s := capture.NewStream(nil, 100, func(p []byte) []byte { return bytes.ToUpper(bytes.TrimPrefix(p, []byte("noise "))) })
	s.Copy(strings.NewReader("noise data"))
	if got, _, _ := s.Stop(); string(got) != "DATA" {
		t.Errorf("got %q, want DATA", got)
	}
}

// Settle's patience in the tests below.
const quiet, total = 2 * time.Second, 20 * time.Second

// settled checks what Settle says of the streams, and when, to the second.
func settled(t *testing.T, ctx context.Context, want bool, after time.Duration, streams ...*capture.Stream) {
	t.Helper()
	start := time.Now()
	ok := capture.Settle(ctx, quiet, total, streams...)
	if took := time.Since(start); ok != want || took.Round(time.Second) != after {
		t.Errorf("got %v after %v, want %v after %v", ok, took, want, after)
	}
}

// piped starts a stream to dst that reads what is written to the pipe.
func piped(dst io.Writer) (*capture.Stream, *io.PipeWriter) {
	r, w := io.Pipe()
	s := capture.NewStream(dst, 1<<20, nil)
	go s.Copy(r)
	return s, w
}

func TestSettle(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"ended": func(t *testing.T) {
			s, w := piped(nil)
			w.Close()
			settled(t, t.Context(), true, 0, s)
		},
		"ends a little later": func(t *testing.T) {
			s, w := piped(nil)
			time.AfterFunc(time.Second, func() { w.Close() })
			settled(t, t.Context(), true, time.Second, s)
		},
		"slow destination": func(t *testing.T) {
			slow := writerFunc(func(p []byte) (int, error) { <-time.After(30 * time.Second); return len(p), nil })
			s, w := piped(slow)
			io.WriteString(w, "a")
			go func() { io.WriteString(w, "b"); w.Close() }()
			settled(t, t.Context(), true, time.Minute, s)
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
	}
}

func TestSettleGivesUp(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"held open in silence": func(t *testing.T) {
			s, w := piped(nil)
			defer w.Close()
			settled(t, t.Context(), false, quiet, s)
		},
		"one of two held open": func(t *testing.T) {
			a, aw := piped(nil)
			b, bw := piped(nil)
			aw.Close()
			defer bw.Close()
			settled(t, t.Context(), false, quiet, a, b)
		},
		"held open by something that keeps talking": func(t *testing.T) {
			s, w := piped(nil)
			talk := time.NewTicker(1003 * time.Millisecond) // not when Settle looks
			talked := make(chan struct{})
			go func() {
				defer close(talked)
				for range 60 {
					<-talk.C
					io.WriteString(w, ".") // fails once the pipe is closed
				}
			}()
			defer func() { w.Close(); <-talked }()
			settled(t, t.Context(), false, total, s)
		},
		"context ends": func(t *testing.T) {
			s, w := piped(nil)
			defer w.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			settled(t, ctx, false, time.Second, s)
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
	}
}

func TestStopSilencesAStream(t *testing.T) {
	s := capture.NewStream(nil, 100, nil)
	r, w := io.Pipe()
	go s.Copy(r)
	io.WriteString(w, "before")
	io.WriteString(w, "") // returns once Copy has come back for more
	if got, _, _ := s.Stop(); string(got) != "before" {
		t.Errorf("got %q, want %q", got, "before")
	}
	io.WriteString(w, "after")
	w.Close()
	<-s.Done()
	if got, _, _ := s.Stop(); string(got) != "before" {
		t.Errorf("after Stop: got %q, want %q", got, "before")
	}
}

func TestFeed(t *testing.T) {
	broken := errors.New("cable pulled")
	for _, tt := range []struct {
		name   string
		r      io.Reader
		accept int // bytes before the command stops reading
		want   int // bytes it got
		err    error
	}{
		{"all of it", strings.NewReader("hello"), 100, 5, nil},
		{"command stops reading", endless{}, 100 << 10, 96 << 10, nil},
		{"reader fails", io.MultiReader(strings.NewReader("he"), failing{broken}), 100, 2, broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &stdin{left: tt.accept}
			in := capture.Feed(w, tt.r)
			<-in.Done()
			if err := in.Linger(0); err != tt.err || w.Len() != tt.want || !w.closed {
				t.Errorf("got %d bytes, %v, closed %v, want %d, %v, closed", w.Len(), err, w.closed, tt.want, tt.err)
			}
		})
	}
}

func TestLingerStopsAnEndlessReader(t *testing.T) {
	w := &stdin{left: 1 << 40}
	w.discard = true
	in := capture.Feed(w, endless{})
	if err := in.Linger(time.Minute); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	<-in.Done()
}

func TestLingerAbandonsABlockedReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		in := capture.Feed(&stdin{left: 10}, r)
		synctest.Wait()
		start := time.Now()
		if err := in.Linger(time.Second); err != nil || time.Since(start) != time.Second {
			t.Errorf("got %v after %v, want no error after 1s", err, time.Since(start))
		}
		w.Close()
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'y'
	}
	return len(p), nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

type stdin struct {
	bytes.Buffer
	left   int
	closed bool

	discard bool
}

func (s *stdin) Write(p []byte) (int, error) {
	if s.discard {
		return len(p), nil
	}
	if s.left -= len(p); s.left < 0 {
		return 0, io.ErrClosedPipe
	}
	return s.Buffer.Write(p)
}

func (s *stdin) Close() error { s.closed = true; return nil }
