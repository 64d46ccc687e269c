package sshhost

import (
	"bytes"
	"strings"
	"testing"
)

func TestFrame(t *testing.T) {
	for _, tt := range []struct {
		name   string
		chunks []string
		want   string
		pid    int
		noise  string
	}{
		{"at once", []string{"MARK 4711\nhello\n"}, "hello\n", 4711, ""},
		{"byte by byte", strings.Split("MARK 4711\nhello", ""), "hello", 4711, ""},
		{"after noise", []string{"Welcome!\nMARK 12\nout"}, "out", 12, "Welcome!\n"},
		{"after noise without a line end", []string{"prompt> MARK 12\nout"}, "out", 12, "prompt> "},
		{"nothing follows", []string{"MARK 12\n"}, "", 12, ""},
		{"output looks like the marker", []string{"MARK 12\nMARK 13\n"}, "MARK 13\n", 12, ""},
		{"a traced command line", []string{"+ exec sh -c ... 300 MARK\nMARK 12\nout"}, "out", 12, "+ exec sh -c ... 300 MARK\n"},
		{"an echoed script", []string{"echo MARK $$\nMARK 12\nout"}, "out", 12, "echo MARK $$\n"},
		{"no process id", []string{"MARK \nMARK x\nMARK 0\nMARK 1\nMARK -5\nMARK 12\n"}, "", 12, "MARK \nMARK x\nMARK 0\nMARK 1\nMARK -5\n"},
		{"never", []string{"This account is currently not available.\n"}, "", 0, "This account is currently not available.\n"},
		{"cut short", []string{"MARK 47"}, "", 0, "MARK 47"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &frame{marker: []byte("MARK ")}
			var got []byte
			for _, c := range tt.chunks {
				got = append(got, f.filter([]byte(c))...)
			}
			pid, noise := f.state()
			if string(got) != tt.want || pid != tt.pid || string(noise) != tt.noise {
				t.Errorf("%q: got %q, pid %d, noise %q, want %q, %d, %q", tt.chunks, got, pid, noise, tt.want, tt.pid, tt.noise)
			}
		})
	}
}

func TestFrameForgetsOldNoise(t *testing.T) {
	f := &frame{marker: []byte("MARK ")}
	for range 100 {
		f.filter(bytes.Repeat([]byte("y\n"), 16<<10))
	}
	if _, noise := f.state(); len(noise) > 2*maxNoise {
		t.Errorf("got %d bytes of noise kept, want at most %d", len(noise), 2*maxNoise)
	}
	if got := f.filter([]byte("MARK 12\nout")); string(got) != "out" {
		t.Errorf("after much noise: got %q, want %q", got, "out")
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte("noise"), []byte("out"), 3)
	f.Add([]byte("MARK1"), []byte("MARK 2\n"), 1)
	f.Fuzz(func(t *testing.T, noise, out []byte, step int) {
		if step < 1 || bytes.Contains(noise, []byte("MARK ")) || len(noise) > maxNoise {
			return // the marker is random, and not in what is printed ahead of it
		}
		fr := &frame{marker: []byte("MARK ")}
		var got []byte
		for p := bytes.Join([][]byte{noise, []byte("MARK 4711\n"), out}, nil); len(p) > 0; {
			k := min(step, len(p))
			got = append(got, fr.filter(p[:k])...)
			p = p[k:]
		}
		pid, before := fr.state()
		if !bytes.Equal(got, out) || pid != 4711 || !bytes.Equal(before, noise) {
			t.Errorf("got %q, pid %d, noise %q, want %q, 4711, %q", got, pid, before, out, noise)
		}
	})
}

func TestLastWords(t *testing.T) {
	for in, want := range map[string]string{
		"":                                   "",
		"This account\r\nis closed.\n":       "This account is closed.",
		"\x1b[31mred\x1b[0m\x00\a":           "[31mred [0m",
		strings.Repeat("x", 400) + " end":    "…" + strings.Repeat("x", maxWords-4) + " end",
		"not \xff utf-8":                     "not ? utf-8",
		strings.Repeat("é", 200) + "tail \n": "…" + strings.Repeat("é", 148) + "tail",
	} {
		if got := lastWords([]byte(in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
