// Package probe looks at a host: its numbers, its engines, and everything on
// it that is or may have been a sandbox.
//
// One POSIX shell script does the reading, in one command, and copies what it
// reads; everything is parsed here. See begin.sh and the other parts of the
// script for what is read and how, and parse.go for what becomes of it.
package probe

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	sandboxer "github.com/tegwick/sand-boxer"
)

// DefaultTimeout is CollectOptions.Timeout when zero.
const DefaultTimeout = 5 * time.Second

// MaxAnswer is the number of bytes after which the rest of a host's answer is
// dropped. What was in that rest is unknown, not absent.
const MaxAnswer = 64 << 20

// MaxRecords is the number of bytes of the tar of a host's records after which
// the rest is dropped, likewise: those of some 80,000 sandboxes.
const MaxRecords = 256 << 20

//go:embed *.sh
var sources embed.FS

// parts are the files of the script, in order.
var parts = []string{"begin.sh", "usage.sh", "docker.sh", "podman.sh", "machine.sh", "mounts.sh", "sandboxes.sh", "all.sh"}

// script is what is sent: its parts without their comments.
var script = sync.OnceValue(func() string {
	var whole, b strings.Builder
	for _, part := range parts {
		text, err := sources.ReadFile(part)
		if err != nil {
			panic(err) // it is compiled in
		}
		whole.Write(text)
	}
	for line := range strings.Lines(whole.String()) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			b.WriteString(line)
		}
	}
	return b.String()
})

// scriptVersion names the script in a snapshot.
var scriptVersion = sync.OnceValue(func() string {
	sum := sha256.Sum256([]byte(script()))
	return hex.EncodeToString(sum[:6])
})

var errNoAnswer = errors.New("inspect host: a command ran, and not the probe")

// A Collector reads a host with one POSIX shell script. The zero value is
// ready to use.
type Collector struct {
	// Sudo asks the engines through "sudo -n", by their own clients: podman is
	// then root's, and that of the user is not looked at. Where sudo refuses,
	// the engine is EngineForbidden.
	Sudo bool
}

var _ sandboxer.Collector = Collector{}

// Collect implements sandboxer.Collector. It runs one command on the host,
// which writes nothing there.
func (c Collector) Collect(ctx context.Context, host sandboxer.Host, opts sandboxer.CollectOptions) (sandboxer.Observation, error) {
	root, err := cleanRoot(opts.Root)
	if err != nil {
		return sandboxer.Observation{}, err
	}
	if opts.Sandbox != "" {
		if _, err := sandboxer.ParseRef(string(opts.Sandbox)); err != nil {
			return sandboxer.Observation{}, err
		}
	}
	nonce, err := newNonce()
	if err != nil {
		return sandboxer.Observation{}, err
	}
	now := opts.Now
	if now == nil {
		now = time.Now
	}
	sudo := ""
	if c.Sudo {
		sudo = "yes"
	}
	measure := ""
	if opts.Sizes {
		measure = "yes"
	}
	answer := &answer{nonce: nonce, sandbox: opts.Sandbox, now: now}
	var stderr bytes.Buffer
	asked := now()
	res, err := host.Run(ctx, sandboxer.Cmd{
		Args: []string{"sh", "-c", script(), "sandboxer-probe",
			nonce, root, seconds(cmp.Or(opts.Timeout, DefaultTimeout)), string(opts.Sandbox), sudo, measure},
		Stdout: answer,
		Stderr: &limited{w: &stderr, left: 64 << 10},
	})
	answered := now()
	data, early := answer.end()
	if err != nil {
		return sandboxer.Observation{}, fmt.Errorf("inspect host: %w", err)
	}
	res.Stderr = stderr.Bytes()
	ended := res.Err("inspect host")
	if !bytes.Contains(data, []byte("\n"+nonce+" begin ")) {
		return sandboxer.Observation{}, cmp.Or(ended, errNoAnswer)
	}
	obs := parse(data, request{nonce: nonce, root: root, sandbox: opts.Sandbox, sudo: c.Sudo, early: early})
	obs.Snapshot.Collection.Bytes = &answer.size
	if ended != nil { // part-way, and then the rest is unknown
		c := &obs.Snapshot.Collection
		c.Warnings = append(c.Warnings, ended.Error())
	}
	timing(&obs.Snapshot, asked, answer.clockAt, answered)
	return obs, nil
}

// timing fills in what only the controller's clock can tell. The host read its
// clock between asked and clockAt.
func timing(s *sandboxer.HostSnapshot, asked, clockAt, answered time.Time) {
	s.Collection.DurationMS = new(answered.Sub(asked).Milliseconds())
	if s.ObservedAt == nil || clockAt.IsZero() {
		return
	}
	half := clockAt.Sub(asked) / 2
	s.ClockOffsetMS = new(s.ObservedAt.Sub(asked.Add(half)).Milliseconds())
	s.ClockUncertaintyMS = new(int64(math.Ceil(float64(half) / float64(time.Millisecond))))
}

// cleanRoot checks a root before it goes into a script and into lines.
func cleanRoot(root string) (string, error) {
	if root == "" {
		return sandboxer.DefaultRoot, nil
	}
	rest, home := strings.CutPrefix(root, "~/")
	clean := path.Clean("/" + rest)
	odd := strings.ContainsFunc(root, func(r rune) bool { return r == '\\' || unicode.IsControl(r) })
	if odd || clean == "/" || !home && root[0] != '/' {
		return "", fmt.Errorf("root %q: want an absolute path, or one under ~/, of plain characters", root)
	}
	if home {
		return "~" + clean, nil
	}
	return clean, nil
}

func newNonce() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// seconds rounds up: timeout(1) of busybox takes whole seconds.
func seconds(d time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(d.Seconds()))))
}
