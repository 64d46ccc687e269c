package probe_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
)

// ann makes m a machine of an ordinary user who has a directory for what runs.
func ann(t *testing.T, m *machine) {
	t.Helper()
	m.script("id", "echo 'uid=1000(ann) gid=1000(ann)'\n")
	m.env = append(m.env, "XDG_RUNTIME_DIR="+m.home)
}

// Where podman keeps things decides whether it is asked, and tells one podman
// from another.
func TestPodmanStorage(t *testing.T) {
	for _, c := range []struct {
		name, conf, path string // under home
		env, want        string
	}{
		{"not said", "", "", "", "/.local/share/containers/storage"},
		{"by XDG_DATA_HOME", "", "", "XDG_DATA_HOME=/data", "/data/containers/storage"},
		{"by the user", "[storage]\n# graphroot = \"/no\"\ngraphroot = \"$HOME/big/$UID\"\n", "/.config/containers/storage.conf", "", "/big/1000"},
		{"by the user, not said", "[storage]\ndriver = \"vfs\"\n", "/.config/containers/storage.conf", "", "/.local/share/containers/storage"},
		{"by CONTAINERS_STORAGE_CONF", "[storage]\n  graphroot='$HOME/other'\n", "/my.conf", "CONTAINERS_STORAGE_CONF=/my.conf", "/other"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			ann(t, m)
			if key, value, ok := strings.Cut(c.env, "="); ok {
				m.env = append(m.env, key+"="+m.home+value)
			}
			if c.path != "" {
				m.write(m.home+c.path, c.conf, 0o600)
			}
			m.script("podman", emptyPodman)
			for _, want := range []sandboxer.EngineState{sandboxer.EngineUnused, sandboxer.EngineOK} {
				obs := m.collect(sandboxer.CollectOptions{})
				info := obs.Snapshot.Engine(sandboxer.EnginePodman)
				if info.Status != want || deref(info.RootDir) != m.home+c.want {
					t.Errorf("got %s, root_dir %q, want %s, %q", info.Status, deref(info.RootDir), want, m.home+c.want)
				}
				must(t, os.MkdirAll(m.home+c.want, 0o700))
			}
		})
	}
}

// Without the directory for what runs, podman would make another one.
func TestPodmanWithoutRuntimeDirectory(t *testing.T) {
	m := newMachine(t)
	m.script("id", "echo 'uid=54321(ann) gid=1000(ann)'\n")
	must(t, os.MkdirAll(m.home+"/.local/share/containers/storage", 0o700))
	m.script("podman", "touch "+m.home+"/asked\n")
	m.link("touch")
	obs := m.collect(sandboxer.CollectOptions{})
	info := obs.Snapshot.Engine(sandboxer.EnginePodman)
	if info.Status != sandboxer.EngineDown || obs.Inventory.Source("podman").Complete() || !strings.Contains(deref(info.Detail), "/run/user/54321") {
		t.Errorf("got %s, complete %t, detail %q, want down, incomplete, with the directory", info.Status, obs.Inventory.Source("podman").Complete(), deref(info.Detail))
	}
	if _, err := os.Stat(m.home + "/asked"); err == nil {
		t.Error("podman was asked, and would have made a directory")
	}
}

// Pods are a sandbox's if their containers are, or if they are empty and bear
// its name.
func TestPods(t *testing.T) {
	m := newMachine(t)
	ann(t, m)
	must(t, os.MkdirAll(m.home+"/.local/share/containers/storage", 0o700))
	rec := m.record("mine-0000001")
	rec.Engine = sandboxer.EnginePodman
	m.put(rec, "both")
	type object = map[string]any
	labels := object{sandboxer.LabelID: "mine-0000001", sandboxer.LabelNonce: rec.Nonce}
	containers, err := json.Marshal([]object{
		{"Id": "c1", "Names": []string{"c1"}, "State": "running", "Labels": labels, "Pod": "p1", "PodName": "pod_mine-0000001"},
		{"Id": "c2", "Names": []string{"c2"}, "State": "running", "IsInfra": true, "Pod": "p1", "PodName": "pod_mine-0000001"},
		{"Id": "c3", "Names": []string{"c3"}, "State": "running", "Labels": labels, "Pod": "p2", "PodName": "mixed"},
		{"Id": "c4", "Names": []string{"c4"}, "State": "running", "Pod": "p2", "PodName": "mixed"},
		{"Id": "c5", "Names": []string{"c5"}, "State": "created", "Labels": object{sandboxer.LabelID: "gone-0000001"}, "Pod": "p3", "PodName": "pod_gone-0000001"},
	})
	must(t, err)
	pods := `[{"Id":"p1","Name":"pod_mine-0000001","Status":"Running"},{"Id":"p2","Name":"mixed","Status":"Running"},
{"Id":"p3","Name":"pod_gone-0000001","Status":"Created"},
{"Id":"p4","Name":"pod_mine-0000001","Status":"Created"},{"Id":"p5","Name":"pod_somebodys","Status":"Created"}]`
	m.write(m.home+"/ps.json", string(containers), 0o600)
	m.write(m.home+"/pods.json", pods, 0o600)
	m.script("podman", `case "$1" in ps) cat `+m.home+`/ps.json; exit ;; pod) cat `+m.home+`/pods.json; exit ;; esac
`+emptyPodman)
	obs := m.collect(sandboxer.CollectOptions{})
	refs := func(all []sandboxer.Resource) string {
		var got []string
		for _, r := range all {
			got = append(got, string(r.Kind)+" "+r.Ref)
		}
		return strings.Join(got, ", ")
	}
	if got, want := refs(find(t, obs, "mine-0000001").Resources), "container c1, container c3, pod p1, pod p4"; got != want {
		t.Errorf("resources: got %s, want %s", got, want)
	}
	if got, want := refs(obs.Inventory.Leftovers), "container c5, pod p3"; got != want {
		t.Errorf("leftovers: got %s, want %s", got, want)
	}
}

// A docker that is podman is not asked, so nothing counts twice.
func TestPodmansSocket(t *testing.T) {
	m := newMachine(t)
	ann(t, m)
	must(t, os.MkdirAll(m.home+"/podman", 0o700))
	m.env[0] = "DOCKER_HOST=unix://" + m.home + "/podman/podman.sock"
	listen(t, m)
	m.script("docker", "touch "+m.home+"/asked\n")
	m.link("touch", "curl")
	obs := m.collect(sandboxer.CollectOptions{})
	info := obs.Snapshot.Engine(sandboxer.EngineDocker)
	if info.Status != sandboxer.EngineAbsent || deref(info.Detail) != "its socket is podman's" || !obs.Inventory.Source("docker").Complete() {
		t.Errorf("got %s, %q, want absent, and why", info.Status, deref(info.Detail))
	}
	if _, err := os.Stat(m.home + "/asked"); err == nil {
		t.Error("the client was run")
	}
}

// Behind a port, forbidden is told from down.
func TestDockerByTCP(t *testing.T) {
	for _, c := range []struct {
		name string
		code int
		want sandboxer.EngineState
	}{
		{"forbidden", http.StatusForbidden, sandboxer.EngineForbidden},
		{"wants a name", http.StatusUnauthorized, sandboxer.EngineForbidden},
		{"broken", http.StatusInternalServerError, sandboxer.EngineUnknown},
		{"down", 0, sandboxer.EngineDown},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(c.code) }))
			defer srv.Close()
			if c.code == 0 {
				srv.Close()
			}
			m := newMachine(t)
			m.link("curl")
			m.env[0] = "DOCKER_HOST=tcp://" + srv.Listener.Addr().String()
			obs := m.collect(sandboxer.CollectOptions{})
			if got := obs.Snapshot.Engine(sandboxer.EngineDocker); got.Status != c.want {
				t.Errorf("got %s, %q, want %s", got.Status, deref(got.Detail), c.want)
			}
		})
	}
}
