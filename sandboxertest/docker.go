package sandboxertest

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// A docker is what the fake's docker holds. Its client is a script that leaves
// its arguments in a directory, names that in a pipe, and is told when the
// answer lies there.
type docker struct {
	dir string

	mu      sync.Mutex
	things  []dockerThing
	silent  bool
	pipe    *os.File
	stopped chan struct{}
}

// A dockerThing is a container, network, volume or image.
type dockerThing struct {
	kind    sandboxer.ResourceKind
	id      string // of a volume, its name
	name    string
	labels  map[string]string
	state   string // of a container
	image   string // id of a container's image
	started time.Time
	ended   time.Time
}

// dockerClient is the script in the host's PATH.
func dockerClient(dir string) string {
	return strings.ReplaceAll(`call=$(mktemp -d '@DIR@/calls/XXXXXXXX') && mkfifo "$call/done" || exit 125
exec 3<>"$call/done"
printf '%s\0' "$@" >"$call/args"
echo "$call" >'@DIR@/requests'
read -r code <&3
cat "$call/stdout"
cat "$call/stderr" >&2
rm -rf "$call"
exit "$code"
`, "@DIR@", dir)
}

func newDocker(dir string) *docker {
	return &docker{dir: dir, stopped: make(chan struct{})}
}

// serve answers clients until stop.
func (d *docker) serve() error {
	if err := os.Mkdir(d.dir+"/calls", 0o700); err != nil {
		return err
	}
	if err := syscall.Mkfifo(d.dir+"/requests", 0o600); err != nil {
		return err
	}
	pipe, err := os.OpenFile(d.dir+"/requests", os.O_RDWR, 0) // not the end at which the last client leaves
	if err != nil {
		return err
	}
	d.pipe = pipe
	go func() {
		defer close(d.stopped)
		for lines := bufio.NewScanner(pipe); lines.Scan(); {
			d.mu.Lock()
			silent := d.silent
			d.mu.Unlock()
			if !silent {
				d.call(lines.Text())
			}
		}
	}()
	return nil
}

func (d *docker) stop() {
	if d.pipe != nil {
		d.pipe.Close()
		<-d.stopped
	}
}

func (d *docker) silence(silent bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.silent = silent
}

// call answers one client. One that is gone by now is not missed.
func (d *docker) call(dir string) {
	data, err := os.ReadFile(dir + "/args")
	if err != nil {
		return
	}
	args := strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
	var stdout bytes.Buffer
	code, message := 0, ""
	if err := d.run(args, &stdout); err != nil {
		code, message = 1, err.Error()+"\n"
	}
	if os.WriteFile(dir+"/stdout", stdout.Bytes(), 0o600) != nil || os.WriteFile(dir+"/stderr", []byte(message), 0o600) != nil {
		return
	}
	done, err := os.OpenFile(dir+"/done", os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer done.Close()
	_, _ = fmt.Fprintln(done, code) // the client may be gone
}

// add gives docker what a sandbox of its own has.
func (d *docker) add(rec *sandboxer.Record, exited bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := string(rec.SandboxID)
	labels := map[string]string{
		sandboxer.LabelID: id, sandboxer.LabelNonce: rec.Nonce, sandboxer.LabelOwner: rec.Owner.User, sandboxer.LabelSchema: "1",
		"com.docker.compose.project": id,
	}
	service := map[string]string{"com.docker.compose.service": "main"}
	for k, v := range labels {
		service[k] = v
	}
	image := dockerThing{kind: sandboxer.KindImage, id: "sha256:" + fullID(id+" image"), name: "localhost/sandboxer/" + id + ":latest"}
	box := dockerThing{
		kind: sandboxer.KindContainer, id: fullID(id + " container"), name: id + "-main-1", labels: service,
		state: "running", image: image.id, started: rec.CreatedAt,
	}
	if exited {
		box.state, box.ended = "exited", rec.CreatedAt
	}
	added := []dockerThing{
		box, image,
		{kind: sandboxer.KindNetwork, id: fullID(id + " network"), name: id + "_default", labels: labels},
		{kind: sandboxer.KindVolume, id: id + "_data", name: id + "_data", labels: labels},
	}
	for _, t := range added {
		rec.Resources = append(rec.Resources, sandboxer.RecordedRef{Kind: t.kind, Ref: t.id})
	}
	d.things = append(d.things, added...)
}

// fullID makes an id of docker's form, the same one for the same text.
func fullID(text string) string {
	const digits = 64
	hex := fmt.Sprintf("%x", text)
	return (hex + strings.Repeat("0", digits))[:digits]
}

// forget removes what belongs to a sandbox.
func (d *docker) forget(id sandboxer.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.things = slices.DeleteFunc(d.things, func(t dockerThing) bool {
		return t.labels[sandboxer.LabelID] == string(id) || t.name == "localhost/sandboxer/"+string(id)+":latest"
	})
}
