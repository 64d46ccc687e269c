package sandboxertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

func stdinNil(ctx context.Context, h sandboxer.Host) error {
	return same(ctx, h, shell("cat; echo end"), "end\n")
}

func stdinVerbatim(ctx context.Context, h sandboxer.Host) error {
	data := pattern(3 << 20)
	return errors.Join(
		same(ctx, h, sandboxer.Cmd{Args: []string{"cat"}, Stdin: bytes.NewReader(data)}, string(data)),
		same(ctx, h, sandboxer.Cmd{Args: []string{"cat"}, Stdin: strings.NewReader("x")}, "x"),
		same(ctx, h, sandboxer.Cmd{Args: []string{"cat"}, Stdin: strings.NewReader("")}, ""),
	)
}

func stdinIgnored(ctx context.Context, h sandboxer.Host) error {
	cmd := shell("echo done")
	cmd.Stdin = bytes.NewReader(pattern(8 << 20))
	return same(ctx, h, cmd, "done\n")
}

func stdinEndless(ctx context.Context, h sandboxer.Host) error {
	cmd := shell("read line; echo got $line")
	cmd.Stdin = repeat("again\n")
	return same(ctx, h, cmd, "got again\n")
}

func stdinBlocked(ctx context.Context, h sandboxer.Host) error {
	r, w := io.Pipe()
	defer w.Close()
	cmd := shell("echo done")
	cmd.Stdin = r
	return same(ctx, h, cmd, "done\n")
}

func stdinFails(ctx context.Context, h sandboxer.Host) error {
	broken := errors.New("broken reader")
	cmd := shell("cat >/dev/null; exit 3")
	cmd.Stdin = io.MultiReader(strings.NewReader("half"), failingReader{broken})
	return endsWith(ctx, h, cmd, 3, broken)
}

func outputApart(ctx context.Context, h sandboxer.Host) error {
	res, err := h.Run(ctx, shell(`printf 'o\000\377'; printf 'e\000\376' >&2`))
	if err != nil || string(res.Stdout) != "o\x00\xff" || string(res.Stderr) != "e\x00\xfe" {
		return fmt.Errorf("got %q, %q, %v, want %q, %q, no error", res.Stdout, res.Stderr, err, "o\x00\xff", "e\x00\xfe")
	}
	return nil
}

func outputMuch(ctx context.Context, h sandboxer.Host) error {
	return muchOutput(ctx, h, nil, nil)
}

func outputMuchWritten(ctx context.Context, h sandboxer.Host) error {
	var out, errs bytes.Buffer
	return muchOutput(ctx, h, &out, &errs)
}

func outputTruncated(ctx context.Context, h sandboxer.Host) error {
	data := pattern(sandboxer.MaxCapture + 1<<20 + 7)
	half := sandboxer.MaxCapture / 2
	res, err := h.Run(ctx, sandboxer.Cmd{Args: []string{"cat"}, Stdin: bytes.NewReader(data)})
	switch want := append(bytes.Clone(data[:half]), data[len(data)-half:]...); {
	case err != nil || res.ExitCode != 0:
		return fmt.Errorf("got exit %d, %v, want success", res.ExitCode, err)
	case !res.Truncated:
		return errors.New("got Truncated false, want true")
	case !bytes.Equal(res.Stdout, want):
		return fmt.Errorf("got %s, want both ends", difference(string(res.Stdout), string(want)))
	}
	return nil
}

func outputJustFits(ctx context.Context, h sandboxer.Host) error {
	data := pattern(sandboxer.MaxCapture)
	res, err := h.Run(ctx, sandboxer.Cmd{Args: []string{"cat"}, Stdin: bytes.NewReader(data)})
	if err != nil || res.Truncated || !bytes.Equal(res.Stdout, data) {
		return fmt.Errorf("got %d bytes, Truncated %v, %v, want %d, false, no error", len(res.Stdout), res.Truncated, err, len(data))
	}
	return nil
}

func outputAtOnce(ctx context.Context, h sandboxer.Host) error {
	r, w := io.Pipe()
	cmd := shell("echo ready; cat")
	cmd.Stdin = r
	var got bytes.Buffer
	cmd.Stdout = writerFunc(func(p []byte) (int, error) {
		if got.Len() == 0 {
			go func() { io.WriteString(w, "answer\n"); w.Close() }()
		}
		return got.Write(p)
	})
	if _, err := output(ctx, h, cmd); err != nil {
		return err
	}
	if got.String() != "ready\nanswer\n" {
		return fmt.Errorf("got %q, want %q", got.String(), "ready\nanswer\n")
	}
	return nil
}

func outputWriterFails(ctx context.Context, h sandboxer.Host) error {
	broken := errors.New("broken writer")
	cmd := shell(`i=0; while [ $i -lt 500 ]; do printf "$1"; printf x >&2; i=$((i+1)); done; exit 4`, strings.Repeat("x", 1024))
	cmd.Stdout = writerFunc(func([]byte) (int, error) { return 0, broken })
	return endsWith(ctx, h, cmd, 4, broken)
}

func outputHeldOpen(ctx context.Context, h sandboxer.Host) error {
	start := time.Now()
	res, err := h.Run(ctx, shell("sleep 60 & echo $!; exit 7"))
	took := time.Since(start)
	defer cleanUp(ctx, h, "kill", strings.TrimSpace(string(res.Stdout)))
	if err != nil || res.ExitCode != 7 || !res.OutputIncomplete || took > 30*time.Second {
		return fmt.Errorf("got exit %d, OutputIncomplete %v, %v after %v, want 7, true, no error, in seconds", res.ExitCode, res.OutputIncomplete, err, took)
	}
	return nil
}

func outputLetGo(ctx context.Context, h sandboxer.Host) error {
	res, err := h.Run(ctx, shell("sleep 60 </dev/null >/dev/null 2>&1 & echo $!"))
	pid := strings.TrimSpace(string(res.Stdout))
	defer cleanUp(ctx, h, "kill", pid)
	if err != nil || res.OutputIncomplete {
		return fmt.Errorf("got OutputIncomplete %v, %v, want false, no error", res.OutputIncomplete, err)
	}
	_, err = output(ctx, h, sandboxer.Cmd{Args: []string{"kill", "-0", pid}})
	return err
}

func sixteenAtOnce(ctx context.Context, h sandboxer.Host) error {
	errs := make([]error, 16)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			cmd := shell(`cat; echo "$1"; echo "$1" >&2`, fmt.Sprint(i))
			cmd.Stdin = strings.NewReader(strings.Repeat(fmt.Sprintln(i), 5000))
			errs[i] = same(ctx, h, cmd, strings.Repeat(fmt.Sprintln(i), 5001))
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// muchOutput writes 2 MiB to each stream, in turns.
func muchOutput(ctx context.Context, h sandboxer.Host, out, errs *bytes.Buffer) error {
	cmd := shell(`i=0; while [ $i -lt 512 ]; do printf %s "$1"; printf %s "$2" >&2; i=$((i+1)); done`,
		strings.Repeat("o", 4096), strings.Repeat("e", 4096))
	if out != nil {
		cmd.Stdout, cmd.Stderr = out, errs
	}
	res, err := h.Run(ctx, cmd)
	if out != nil {
		if len(res.Stdout)+len(res.Stderr) > 0 {
			return fmt.Errorf("got %d and %d bytes captured beside the writers, want none", len(res.Stdout), len(res.Stderr))
		}
		res.Stdout, res.Stderr = out.Bytes(), errs.Bytes()
	}
	o, e := bytes.Count(res.Stdout, []byte("o")), bytes.Count(res.Stderr, []byte("e"))
	if err != nil || res.ExitCode != 0 || o != 2<<20 || e != 2<<20 || o != len(res.Stdout) || e != len(res.Stderr) {
		return fmt.Errorf("got exit %d, %d of %d bytes and %d of %d, %v, want 0 and %d bytes each", res.ExitCode, o, len(res.Stdout), e, len(res.Stderr), err, 2<<20)
	}
	return nil
}

// endsWith checks that a command ran to its end, with code, and that err was
// reported then.
func endsWith(ctx context.Context, h sandboxer.Host, cmd sandboxer.Cmd, code int, want error) error {
	res, err := h.Run(ctx, cmd)
	he, bad := hostError(h, err)
	switch {
	case bad != nil:
		return bad
	case !errors.Is(err, want) || !he.Started:
		return fmt.Errorf("got %v (Started %v), want %v with Started", err, he.Started, want)
	case res.ExitCode != code:
		return fmt.Errorf("got exit %d beside the error, want %d", res.ExitCode, code)
	}
	return nil
}

// pattern returns n bytes in which no two places look alike.
func pattern(n int) []byte {
	b := make([]byte, 0, n+8)
	for i := 0; len(b) < n; i++ {
		b = append(b, byte(i), byte(i>>8), byte(i>>16), 0, '\n', 0xff)
	}
	return b[:n]
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

// repeat is a reader of the same line for ever.
type repeat string

func (r repeat) Read(p []byte) (int, error) { return copy(p, r), nil }
