package probe_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/test/lab"
)

// controllersOf are those of version 1 that anything is read of, and where
// version 2 is: by itself, or beside them.
var controllersOf = []string{"cpu", "cpuacct", "memory", "pids", "blkio", "unified", "."}

// A stay is a process that stays in control groups of its own, one below those
// that are named by an id, and has used a little.
type stay struct {
	id   string
	pid  int
	dirs map[string]string // of the groups with the id, by controller
}

func newStay(t *testing.T, letter string) stay {
	t.Helper()
	s := stay{id: strings.Repeat(letter, 64), dirs: map[string]string{}}
	cmd := exec.Command("sh", "-c", "read go; i=0; while [ $i -lt 50000 ]; do i=$((i + 1)); done; echo done; read end")
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
		for _, dir := range s.dirs {
			for _, d := range []string{dir + "/inside", dir, filepath.Dir(dir)} {
				_ = os.Remove(d) // the last is not empty while another test has one
			}
		}
	})
	s.pid = cmd.Process.Pid
	for _, c := range controllersOf {
		top := filepath.Join("/sys/fs/cgroup", c)
		if _, err := os.Stat(top + "/cgroup.procs"); err != nil {
			continue
		}
		dir := fmt.Sprintf("%s/sandboxer-%d/docker-%s.scope", top, os.Getpid(), s.id)
		s.dirs[c] = dir
		if err := errors.Join(os.MkdirAll(dir+"/inside", 0o755), os.WriteFile(dir+"/inside/cgroup.procs", []byte(strconv.Itoa(s.pid)), 0o644)); err != nil {
			if errors.Is(err, fs.ErrPermission) || c == "." {
				// As in a container: the parsers' tests have both versions. CI takes no skip.
				t.Skipf("no control group can be made here: %v", err)
			}
			t.Fatal(err)
		}
	}
	if len(s.dirs) == 0 {
		// There is nothing that could be compared. CI takes no skip.
		t.Skip("control groups are not mounted at /sys/fs/cgroup")
	}
	_, err = in.Write([]byte("go\n"))
	must(t, err)
	_, err = out.Read(make([]byte, 8))
	must(t, err)
	return s
}

// number is what a file of one of its groups says.
func (s stay) number(t *testing.T, controller, file string) int64 {
	t.Helper()
	data, err := os.ReadFile(s.dirs[controller] + "/" + file)
	must(t, err)
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	must(t, err)
	return n
}

// asDocker is a container of a sandbox as docker shows it by inspection.
func (s stay) asDocker(rec sandboxer.Record) string {
	trap := fmt.Sprintf(`\"Pid\":1,\"sandboxer.id\":\"%s\" \"Pid\": 1`, rec.SandboxID)
	return fmt.Sprintf(`{"Id":"%s","Path":"%s","State":{"Status":"running","Pid":%d,"ExitCode":0,"StartedAt":"2025-11-23T20:00:30.5Z"},`+
		`"NetworkSettings":{"Ports":{}},"Config":{"Labels":{"a":"%s","sandboxer.id":"%s"}}}`, s.id, trap, s.pid, trap, rec.SandboxID)
}

// inList is the same in a list.
func (s stay) inList(rec sandboxer.Record) string {
	return fmt.Sprintf(`{"Id":"%s","Names":["/%s-web-1"],"State":"running","Labels":{"sandboxer.id":"%s","sandboxer.nonce":"%s"}}`,
		s.id, rec.SandboxID, rec.SandboxID, rec.Nonce)
}

// asPodman is a container in podman's list.
func (s stay) asPodman(rec sandboxer.Record) string {
	return fmt.Sprintf(`  {
    "Command": [
      "echo \"Pid\": 1, \"sandboxer.id\": \"%s\""
    ],
    "Id": "%s",
    "Labels": {
      "sandboxer.id": "%s",
      "sandboxer.nonce": "%s"
    },
    "Names": [
      "%s_web_1"
    ],
    "Pid": %d,
    "State": "running",
    "StartedAt": 1763928030
  }`, rec.SandboxID, s.id, rec.SandboxID, rec.Nonce, rec.SandboxID, s.pid)
}

// serveDocker answers at the machine's socket as a docker does.
func (m *machine) serveDocker(list string, inspected map[string]string) {
	m.t.Helper()
	m.link("curl")
	_, socket, _ := strings.Cut(m.env[0], "unix://")
	l, err := net.Listen("unix", socket)
	must(m.t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body := "[]"
		switch path := req.URL.Path; {
		case path == "/version":
			body = `{"Version":"20.10.24","ApiVersion":"1.41"}`
		case path == "/info":
			body = `{"DockerRootDir":"/var/lib/docker"}`
		case path == "/volumes":
			body = `{"Volumes":[]}`
		case path == "/containers/json":
			body = list
		case strings.HasPrefix(path, "/containers/"):
			body = inspected[strings.Split(path, "/")[2]]
		}
		fmt.Fprint(w, body)
	})}
	go func() { _ = server.Serve(l) }()
	m.t.Cleanup(func() { server.Close() })
}

// What a sandbox used is found through its containers' processes, whatever
// engine has them and whatever shell looks; and nothing of another sandbox.
func TestUsageOfAHost(t *testing.T) {
	lab.Require(t, "root", "dash", "bash", "mksh", "busybox")
	busybox, err := exec.LookPath("busybox")
	must(t, err)
	applets := t.TempDir()
	for _, tool := range tools {
		must(t, os.Symlink(busybox, filepath.Join(applets, tool)))
	}
	mine, others := newStay(t, "5"), newStay(t, "a")
	for _, engine := range []sandboxer.Engine{sandboxer.EngineDocker, "docker by its client", sandboxer.EnginePodman} {
		for _, shell := range [][]string{{"dash"}, {"bash"}, {"mksh"}, {"busybox", "sh"}, {applets + "/sh"}} {
			t.Run(fmt.Sprintf("%s/%s", engine, filepath.Join(shell...)), func(t *testing.T) {
				m := newMachine(t)
				m.shell = shell
				if shell[0] == applets+"/sh" {
					m.bin = applets
					if engine != sandboxer.EngineDocker {
						m.bin = t.TempDir()
						m.link("sh") // for the client
						for _, tool := range tools[1:] {
							must(t, os.Symlink(busybox, filepath.Join(m.bin, tool)))
						}
					}
				}
				checkUsage(t, m.usageOf(engine, mine, others), mine)
			})
		}
	}
}

// usageOf makes two sandboxes of an engine, with a container each, and asks
// for the first.
func (m *machine) usageOf(engine sandboxer.Engine, mine, others stay) *sandboxer.SandboxCost {
	m.t.Helper()
	rec, other := m.record("box-0000"), m.record("box-0000-1")
	other.Nonce = strings.Repeat("f", 32)
	if engine == sandboxer.EnginePodman {
		rec.Engine, other.Engine = engine, engine
	}
	m.put(rec, "both")
	m.put(other, "both")
	list := "[" + others.inList(other) + "," + mine.inList(rec) + "]"
	switch engine {
	case sandboxer.EngineDocker:
		m.serveDocker(list, map[string]string{mine.id: mine.asDocker(rec), others.id: others.asDocker(other)})
	case sandboxer.EnginePodman:
		must(m.t, os.Mkdir(m.home+"/storage", 0o700))
		m.write(m.home+"/storage.conf", "graphroot = \"$HOME/storage\"\n", 0o600)
		m.env = append(m.env, "CONTAINERS_STORAGE_CONF="+m.home+"/storage.conf")
		m.write(m.home+"/list", "[\n"+others.asPodman(other)+",\n"+mine.asPodman(rec)+"\n]\n", 0o600)
		m.script("podman", "case $1 in ps) exec cat "+m.home+"/list ;; esac\n"+emptyPodman)
	default:
		m.script("dockerd", "")
		m.env[0] = "DOCKER_CONTEXT=here"
		m.write(m.home+"/list", others.inList(other)+"\n"+mine.inList(rec)+"\n", 0o600)
		m.write(m.home+"/"+mine.id, mine.asDocker(rec)+"\n", 0o600)
		m.write(m.home+"/"+others.id, others.asDocker(other)+"\n", 0o600)
		m.script("docker", "cd "+m.home+"\ncase $*,$1 in\n*--filter*) echo "+others.id+"="+string(other.SandboxID)+"; echo "+mine.id+"="+string(rec.SandboxID)+" ;;\n"+
			"*,inspect) shift 5; cat \"$@\" ;;\n*,ps) cat list ;;\nesac\n"+emptyDocker)
	}
	obs := m.collect(sandboxer.CollectOptions{Sandbox: rec.SandboxID})
	if obs.Cost == nil {
		data, _ := json.Marshal(obs.Inventory)
		m.t.Fatalf("got no cost, want one: %s", data)
	}
	return obs.Cost
}

// checkUsage compares with the kernel's files, of a process that does nothing
// meanwhile.
func checkUsage(t *testing.T, got *sandboxer.SandboxCost, want stay) {
	t.Helper()
	if len(got.Containers) != 1 || got.Containers[0].Ref != want.id {
		t.Fatalf("got containers %+v, want %s alone", got.Containers, want.id)
	}
	if diff := cmp.Diff(got.Containers[0].Usage, got.Usage); diff != "" {
		t.Errorf("sum (-container +sum):\n%s", diff)
	}
	if want.dirs["cpuacct"] == "" { // version 2, of which not all has to be enabled here
		if got.CPUSeconds == nil || *got.CPUSeconds == 0 || got.Source != "cgroup_v2" {
			t.Errorf("got cpu_seconds %s, source %s, want some of cgroup_v2: %v", show(got.CPUSeconds), got.Source, got.Missing)
		}
		return
	}
	if got.Source != "cgroup_v1" {
		t.Errorf("source: got %s, want cgroup_v1", got.Source)
	}
	// The kernel charges a group for 64 pages at a time, on each CPU, and takes
	// back whenever it likes what is not used of them: see section 5.5 of
	// Documentation/admin-guide/cgroup-v1/memory.rst.
	charges := int64(64 * os.Getpagesize() * runtime.NumCPU())
	for _, c := range []struct {
		field            string
		got              *int64
		controller, file string
		slack            int64
	}{
		{"memory_current_bytes", got.MemoryCurrentBytes, "memory", "memory.usage_in_bytes", charges},
		{"memory_peak_bytes", got.MemoryPeakBytes, "memory", "memory.max_usage_in_bytes", charges},
		{"pids_current", got.PidsCurrent, "pids", "pids.current", 0},
	} {
		if n := want.number(t, c.controller, c.file); c.got == nil || max(*c.got-n, n-*c.got) > c.slack || n == 0 {
			t.Errorf("%s: got %s, want %d, and some: %v", c.field, show(c.got), n, got.Missing)
		}
	}
	if got.CPUSeconds == nil || *got.CPUSeconds == 0 {
		t.Errorf("cpu_seconds: got %s, want some", show(got.CPUSeconds))
	}
	for field, n := range map[string]*int64{"memory_anon_bytes": got.MemoryAnonBytes, "io_read_bytes": got.IOReadBytes, "oom_kills": got.OOMKills, "cpu_periods": got.CPUPeriods} {
		if n == nil {
			t.Errorf("%s: got null, want a number: %v", field, got.Missing)
		}
	}
}

// Where only version 2 is mounted, what it has is found there.
func TestUsageOfVersion2(t *testing.T) {
	lab.Require(t, "root", "netns")
	mine, others := newStay(t, "7"), newStay(t, "b")
	if mine.dirs["unified"] == "" {
		// On a machine of version 2 alone TestUsageOfAHost is this test. CI takes no skip.
		t.Skip("version 2 is not mounted beside version 1")
	}
	m := newMachine(t)
	m.shell = []string{"unshare", "-m", "sh", "-c", `PATH=/usr/bin:/bin:/usr/sbin:/sbin umount /sys/fs/cgroup/cpu* /sys/fs/cgroup/memory /sys/fs/cgroup/pids /sys/fs/cgroup/blkio
exec sh "$@"`, "sh"}
	got := m.usageOf(sandboxer.EngineDocker, mine, others)
	mine.dirs = map[string]string{"unified": mine.dirs["unified"]}
	checkUsage(t, got, mine)
}

// A look for a sandbox's sake costs three forks more, to keep what the engine
// says of it, to find the control groups, and to read them; and two of the
// engine's own, where there are other sandboxes.
func TestForksOfUsage(t *testing.T) {
	lab.Require(t, "root")
	mine, others := newStay(t, "6"), newStay(t, "c")
	m := newMachine(t)
	m.usageOf(sandboxer.EngineDocker, mine, others)
	forks := func(sandbox sandboxer.ID) int {
		counted := *m
		m.link("unshare", "cut")
		counted.shell = []string{m.bin + "/unshare", "--pid", "--fork", m.bin + "/sh", "-c", countForks, "sh"}
		counted.collect(sandboxer.CollectOptions{Sandbox: sandbox})
		last, err := strconv.Atoi(strings.TrimSpace(counted.said))
		must(t, err)
		return last - 3
	}
	without, with := forks(""), forks("box-0000")
	t.Logf("%d forks without a sandbox, %d with one", without, with)
	if with > without+5 {
		t.Errorf("got %d forks, want at most 5 more than the %d of a look for none", with, without)
	}
}
