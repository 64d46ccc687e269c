package compose_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/compose"
	"github.com/tegwick/sand-boxer/test/lab"
)

// outsider starts a container that is not the sandbox's, from an image of its
// own, and takes it away when the test ends.
func (b *bench) outsider(args ...string) string {
	b.t.Helper()
	image := "localhost/outsider/" + string(b.box.ID)
	if b.ask("image", "ls", "-q", image) == "" {
		pipe := fmt.Sprintf(`tar -C %s/image/root -cf - . | "$@" import - %s`, b.box.Dir, image)
		if out, err := exec.Command("sh", append([]string{"-c", pipe, "sh"}, b.client()...)...).CombinedOutput(); err != nil {
			b.t.Fatalf("import: %v: %s", err, out)
		}
		b.later("image", "rm", image)
	}
	return b.run(image, args...)
}

// run starts a container of image that is not the sandbox's.
func (b *bench) run(image string, args ...string) string {
	b.t.Helper()
	args = append([]string{"run", "-d", "--entrypoint", "/program"}, args...)
	id := b.ask(append(args, image)...)
	b.later("rm", "-f", "-v", id)
	return id
}

// later runs the engine's client when the test ends, before the bench looks
// for what is left.
func (b *bench) later(args ...string) {
	b.t.Cleanup(func() { _, _ = b.try(args...) })
}

func (b *bench) alive(id string) {
	b.t.Helper()
	if got := b.ask("inspect", "--format", "{{.State.Status}}", id); got != "running" {
		b.t.Errorf("container %s of somebody else: got %s, want running", id, got)
	}
}

func (b *bench) labels() []string {
	var args []string
	for name, value := range b.box.Labels() {
		if b.engine.Program == "podman" { // whose labels are read as CSV
			value = strings.NewReplacer(",", "_", `"`, "_").Replace(value)
		}
		args = append(args, "--label", name+"="+value)
	}
	return append(args, "--label", "com.docker.compose.project="+string(b.box.ID))
}

// wantLine asserts one line, by its beginning and a part of the rest.
func wantLine(t *testing.T, lines []string, begin, part string) {
	t.Helper()
	if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, begin) && strings.Contains(l, part) }) {
		t.Errorf("got %q, want a line that begins with %q and has %q", lines, begin, part)
	}
}

func TestTeardownTwice(t *testing.T) { onEach(t, testTeardownTwice) }

func testTeardownTwice(t *testing.T, e lab.Engine) {
	b := newServing(t, e)
	_, rec := b.mustUp()
	if lines := b.teardown(rec, 0); len(lines) != 4 {
		t.Errorf("first: got %q, want four lines", lines)
	}
	if lines := b.teardown(rec, 0); len(lines) != 0 {
		t.Errorf("second: got %q, want none", lines)
	}
}

// What somebody has labelled as ours is theirs, and what is ours goes all the
// same.
func TestTeardownSpoofed(t *testing.T) { onEach(t, testTeardownSpoofed, "docker-v2", "podman") }

func testTeardownSpoofed(t *testing.T, e lab.Engine) {
	b := newServing(t, e)
	_, rec := b.mustUp()
	project := b.outsider("--label", "com.docker.compose.project="+string(b.box.ID), "--network", "none")
	claims := b.outsider("--label", "sandboxer.id="+string(b.box.ID), "--network", "none")
	lines := b.teardown(rec, 1)
	wantLine(t, lines, "remains container "+claims, "unproven")
	b.alive(claims)
	b.alive(project)
	if removed := len(slices.DeleteFunc(lines, func(l string) bool { return !strings.HasPrefix(l, "removed ") })); removed != 4 {
		t.Errorf("removed: got %d things, want 4", removed)
	}
}

// A container of an image that was committed from ours has all our labels, by
// inheritance.
func TestTeardownInheritedLabels(t *testing.T) {
	onEach(t, testTeardownInheritedLabels, "docker-v2", "podman")
}

func testTeardownInheritedLabels(t *testing.T, e lab.Engine) {
	b := newServing(t, e)
	_, rec := b.mustUp()
	image := "localhost/committed/" + string(b.box.ID)
	b.ask("commit", b.resource(rec, sandboxer.KindContainer), image)
	b.later("image", "rm", image)
	heir := b.run(image, "--network", "none", "--user", "0:0")
	for _, rec := range []sandboxer.Record{rec, b.record()} {
		lines := b.teardown(rec, 1)
		wantLine(t, lines, "remains container "+heir, "unproven")
		b.alive(heir)
	}
}

func (b *bench) resource(rec sandboxer.Record, kind sandboxer.ResourceKind) string {
	b.t.Helper()
	for _, r := range rec.Resources {
		if r.Kind == kind {
			return r.Ref
		}
	}
	b.t.Fatalf("no %s in %+v", kind, rec.Resources)
	return ""
}

// Without a record a container with our labels on it, and not on its image,
// is ours: an operation that was cut off has left it.
func TestTeardownUnrecorded(t *testing.T) {
	onEach(t, testTeardownUnrecorded, "docker-v2", "podman", "rootless")
}

func testTeardownUnrecorded(t *testing.T, e lab.Engine) {
	b := newServing(t, e)
	b.mustUp()
	if lines := b.teardown(b.record(), 0); len(lines) != 4 {
		t.Errorf("got %q, want four lines", lines)
	}
}

func TestTeardownOutsiders(t *testing.T) { onEach(t, testTeardownOutsiders, "docker-v2", "podman") }

func testTeardownOutsiders(t *testing.T, e lab.Engine) {
	for _, running := range []bool{true, false} {
		t.Run(fmt.Sprintf("running=%v", running), func(t *testing.T) {
			b := newServing(t, e)
			_, rec := b.mustUp()
			network, volume := b.resource(rec, sandboxer.KindNetwork), b.resource(rec, sandboxer.KindVolume)
			guest := b.outsider("--network", network)
			user := b.outsider("--network", "none", "-v", volume+":/data")
			if !running {
				b.ask("kill", guest, user)
			}
			lines := b.teardown(rec, 1)
			wantLine(t, lines, "remains network "+network, "outsider used by container "+guest)
			wantLine(t, lines, "remains volume "+volume, "outsider used by container "+user)
			wantLine(t, lines, "removed container ", "")
			wantLine(t, lines, "removed image ", "")
			if running {
				b.alive(guest)
				b.alive(user)
			}
			b.ask("rm", "-f", guest, user)
			if lines := b.teardown(rec, 0); len(lines) != 2 {
				t.Errorf("once they are gone: got %q, want network and volume removed", lines)
			}
		})
	}
}

// Somebody has brought more up under the same project name: it is not in the
// record and has no nonce.
func TestTeardownSameProject(t *testing.T) { onEach(t, testTeardownSameProject, "docker-v2", "podman") }

func testTeardownSameProject(t *testing.T, e lab.Engine) {
	b := newServing(t, e)
	_, rec := b.mustUp()
	network := b.resource(rec, sandboxer.KindNetwork)
	extra := b.outsider("--network", network, "--label", "com.docker.compose.project="+string(b.box.ID), "--label", "com.docker.compose.service=web")
	lines := b.teardown(rec, 1)
	wantLine(t, lines, "remains network "+network, "outsider")
	b.alive(extra)
}

func TestTeardownImageInUse(t *testing.T) { onEach(t, testTeardownImageInUse, "docker-v2", "podman") }

func testTeardownImageInUse(t *testing.T, e lab.Engine) {
	b := newServing(t, e)
	_, rec := b.mustUp()
	user := b.run("localhost/sandboxer/"+string(b.box.ID), "--network", "none")
	lines := b.teardown(rec, 1)
	wantLine(t, lines, "remains image localhost/sandboxer/"+string(b.box.ID), "not_removed")
	b.alive(user)
}

// podman-compose from 1.1.0 on makes a pod, which carries no label.
func TestTeardownPod(t *testing.T) {
	onEach(t, func(t *testing.T, e lab.Engine) {
		b := newServing(t, e)
		pod := b.ask("pod", "create", "--infra=false", "--name", "pod_"+string(b.box.ID))
		b.later("pod", "rm", "-f", pod)
		guest := b.outsider("--pod", pod)
		b.outsider(append(b.labels(), "--pod", pod)...)
		lines := b.teardown(b.record(), 1)
		wantLine(t, lines, "remains pod "+pod, "unproven")
		wantLine(t, lines, "removed container ", "")
		b.alive(guest)
		b.ask("rm", "-f", guest)
		b.outsider(append(b.labels(), "--pod", pod)...)
		lines = b.teardown(b.record(), 0)
		wantLine(t, lines, "removed pod "+pod, "")
		other := b.ask("pod", "create", "--infra=false", "--name", "pod_"+string(b.box.ID)+"-other")
		b.later("pod", "rm", "-f", other)
		if lines := b.teardown(b.record(), 0); len(lines) != 0 {
			t.Errorf("a pod of another name: got %q, want it left alone", lines)
		}
	}, "podman", "rootless")
}

// Each thing by itself is a state that a crash can leave.
func TestTeardownHalfStates(t *testing.T) { onEach(t, testTeardownHalfStates, "docker-v2", "podman") }

func testTeardownHalfStates(t *testing.T, e lab.Engine) {
	b := newServing(t, e)
	name := string(b.box.ID)
	labels := func(args ...string) []string { return append(args, b.labels()...) }
	for what, args := range map[string][]string{
		"network": append(labels("network", "create"), name+"_default"),
		"volume":  append(labels("volume", "create"), name+"_data"),
	} {
		b.ask(args...)
		if lines := b.teardown(b.record(), 0); len(lines) != 1 || !strings.HasPrefix(lines[0], "removed "+what) {
			t.Errorf("only a %s: got %q, want it removed", what, lines)
		}
	}
	stopped := b.outsider(labels("--network", "none")...)
	b.ask("kill", stopped)
	if lines := b.teardown(b.record(), 0); len(lines) != 1 || lines[0] != "removed container "+stopped+"\n" {
		t.Errorf("a stopped container: got %q, want it removed", lines)
	}
	paused := b.outsider(labels("--network", "none", "-v", "/anonymous")...)
	b.ask("pause", paused)
	if lines := b.teardown(b.record(), 0); len(lines) != 1 {
		t.Errorf("a paused container: got %q, want it removed", lines)
	}
	created := b.outsider(labels("--network", "none", "--restart", "always")...)
	if lines := b.teardown(b.record(), 0); len(lines) != 1 || lines[0] != "removed container "+created+"\n" {
		t.Errorf("one that restarts: got %q, want it removed", lines)
	}
}

// A create may be cut off anywhere. What docker is doing then it goes on
// doing, and it has to go as well.
func TestCancel(t *testing.T) { onEach(t, testCancel, "docker-v2", "podman", "rootless") }

func testCancel(t *testing.T, e lab.Engine) {
	moments := []time.Duration{20, 300, 400, 500, 650, 800}
	if e.Program == "podman" {
		moments = []time.Duration{300, 700, 1200}
	}
	for _, after := range moments {
		t.Run(fmt.Sprint(after*time.Millisecond), func(t *testing.T) {
			b := newServing(t, e)
			b.state = sandboxer.StateProvisioning
			b.write("compose.yaml", strings.Replace(serving, "ready=", "never=", 1))
			ctx, cancel := context.WithTimeout(t.Context(), after*time.Millisecond)
			defer cancel()
			_, err := b.upWith(ctx)
			var failure *sandboxer.PhaseError
			var host *sandboxer.HostError
			if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &failure) || !errors.As(err, &host) {
				t.Fatalf("got %v, want a PhaseError of a HostError of a deadline", err)
			}
			if host.Started && !host.Killed { // a slow machine may not come to the start
				t.Errorf("got %v, want the process group gone", host)
			}
			t.Logf("cut off in phase %s", failure.Phase)
		})
	}
}

func TestTeardownEngineDown(t *testing.T) { onEach(t, testTeardownEngineDown, "docker-v2", "podman") }

func testTeardownEngineDown(t *testing.T, e lab.Engine) {
	b := newServing(t, e)
	if e.Program == "docker" {
		b.env = []string{"DOCKER_HOST=unix:///nonexistent.sock"}
	} else { // it has no daemon that could be down
		b.prefix = lab.Without(t, e.Program)
	}
	t.Cleanup(func() { b.env, b.prefix = nil, nil }) // before the bench asks what is left
	if lines := b.teardown(b.record(), 2); len(lines) != 0 {
		t.Errorf("got %q, want nothing pretended", lines)
	}
}

func TestTeardownBadRecord(t *testing.T) {
	good := sandboxer.Record{SandboxID: "test-abcdef", Nonce: strings.Repeat("0a", 16)}
	tests := map[string]func(*sandboxer.Record){
		"id":    func(r *sandboxer.Record) { r.SandboxID = "../x" },
		"nonce": func(r *sandboxer.Record) { r.Nonce = "" },
		"shell": func(r *sandboxer.Record) { r.Nonce = "$(touch /tmp/x)" },
	}
	for name, spoil := range tests {
		rec := good
		spoil(&rec)
		out, err := exec.Command("sh", "-c", string(compose.Docker{}.Teardown(rec))).Output()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.HasPrefix(string(out), "remains record") {
			t.Errorf("%s: got %q (%v), want that it remains", name, out, err)
		}
	}
	good.Resources = []sandboxer.RecordedRef{
		{Kind: sandboxer.KindContainer, Ref: "-f; reboot"}, {Kind: sandboxer.KindVolume, Ref: "$(reboot)"},
		{Kind: sandboxer.KindNetwork, Ref: "host"}, {Kind: sandboxer.KindImage, Ref: "debian"},
	}
	if script := string(compose.Docker{}.Teardown(good)); strings.Contains(script, "reboot") || strings.Contains(script, "host'") || strings.Contains(script, "debian") {
		t.Error("a malformed reference got into the script")
	}
}
