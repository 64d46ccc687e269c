package process_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/process"
	"github.com/tegwick/sand-boxer/test/lab"
)

// A program that will not go is killed, with all that it has started, however
// far that has run away.
func TestTeardownStubborn(t *testing.T) {
	for _, path := range []string{os.Getenv("PATH"), lab.PathWithout(t, "unshare")} {
		b := newBench(t, "trap '' TERM\n(setsid sleep 1000 &)\nnohup sleep 1001 &\necho {} >out/result.json\nwhile :; do sleep 0.05; done\n")
		b.host = wrapped{b.host, []string{"env", "PATH=" + path}}
		_, rec := b.mustUp()
		lines := b.teardown(rec, 0)
		if len(lines) < 4 {
			t.Errorf("got %q, want the supervisor, the program and both sleeps", lines)
		}
	}
}

// A number that is another's by now, or that does not carry the nonce, is no
// proof.
func TestTeardownForeign(t *testing.T) {
	b := newBench(t, serving)
	other := exec.Command("sleep", "1000")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() { gone <- other.Wait() }()
	t.Cleanup(func() {
		_ = other.Process.Kill()
		<-gone
	})
	pid := strconv.Itoa(other.Process.Pid)
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	start := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))[19]
	rec := b.record()
	with := func(ref string) sandboxer.Record {
		rec.Resources = []sandboxer.RecordedRef{{Kind: sandboxer.KindProcess, Ref: ref}}
		return rec
	}
	if lines := b.teardown(with(pid+":1"), 0); len(lines) != 0 {
		t.Errorf("another start: got %q, want it passed over", lines)
	}
	if lines := b.teardown(with(pid+":"+start), 1); len(lines) != 1 || !strings.HasPrefix(lines[0], "remains process "+pid+":"+start+" unproven") {
		t.Errorf("no nonce: got %q, want that it remains", lines)
	}
	if lines := b.teardown(with("1; kill "+pid), 0); len(lines) != 0 {
		t.Errorf("a malformed reference: got %q, want it passed over", lines)
	}
	select {
	case err := <-gone:
		t.Errorf("the other process has ended: %v", err)
	default:
	}
}

func TestTeardownBadRecord(t *testing.T) {
	out, err := exec.Command("sh", "-c", string(process.Provisioner{}.Teardown(sandboxer.Record{Nonce: "x'; reboot"}))).Output()
	if err == nil || !strings.HasPrefix(string(out), "remains record") {
		t.Errorf("got %q (%v), want that it remains", out, err)
	}
}
