package compose

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/bringup"
)

// Lines as docker 20.10 gave them to up.sh, ids shortened.
const (
	captured = `state web running 0 0 2026-11-23T21:57:37.527405671Z 5e6cf9f4
port web 8080/tcp 32768 127.0.0.1
json {"Id":"5e6cf9f4","Name":"/test-5933da-web-1","Created":"2026-11-23T21:57:37.200405671Z","Image":"sha256:5617cf12","ImageName":"localhost/sandboxer/test-5933da","Service":"web","State":{"Status":"running","Running":true,"Paused":false,"Restarting":false,"OOMKilled":false,"Dead":false,"Pid":4711,"ExitCode":0,"Error":"","StartedAt":"2026-11-23T21:57:37.527405671Z","FinishedAt":"0001-01-01T00:00:00Z"},"Restarts":0,"Ports":{"8080/tcp":[{"HostIp":"127.0.0.1","HostPort":"32768"}],"9090/tcp":null}}
`
	killed = `json {"Id":"aa","Name":"/x-web-1","Created":"2026-11-23T21:57:37Z","Service":"web","State":{"Status":"exited","OOMKilled":true,"ExitCode":137,"Error":"","StartedAt":"2026-11-23T21:57:38Z","FinishedAt":"2026-11-23T21:57:39Z"},"Restarts":0,"Ports":{}}
`
	taken = `json {"Id":"aa","Name":"/x-web-1","Created":"2026-11-23T21:57:37Z","Service":"web","State":{"Status":"created","ExitCode":128,"Error":"driver failed programming external connectivity on endpoint x: Bind for 127.0.0.1:80 failed: port is already allocated","StartedAt":"0001-01-01T00:00:00Z","FinishedAt":"0001-01-01T00:00:00Z"},"Restarts":0,"Ports":{}}
`
)

var (
	testBox  = sandboxer.Placement{ID: "test-5933da", Nonce: "0a"}
	testSpec = sandboxer.Spec{ReadyFile: "out/r", Compose: &sandboxer.Compose{Services: []string{"web", "db"}}}
)

func answer(frames ...string) bringup.Answer {
	return bringup.Parse([]byte("\nT "+strings.Join(frames, "\nT ")+"\nT end\n"), "T")
}

func TestRead(t *testing.T) {
	started, err := Docker{}.tool().read(answer("phase wait\n", "networks\nabc test-5933da_default\n", "volumes\ntest-5933da_data\n",
		"containers\n"+captured, "result\n{}\n", "check\nhello", "checked 0\n"), testSpec, testBox)
	if err != nil {
		t.Fatal(err)
	}
	if got := *started.StartMS; got != 327 {
		t.Errorf("start: got %d ms, want 327", got)
	}
	if len(started.Ports) != 1 || started.Ports[0] != (sandboxer.Port{Service: "web", Protocol: "tcp", HostIP: "127.0.0.1", HostPort: 32768, ContainerPort: 8080}) {
		t.Errorf("ports: got %+v, want the one that is published", started.Ports)
	}
	var refs []string
	for _, r := range started.Resources {
		refs = append(refs, string(r.Kind)+" "+r.Ref+" "+r.Name)
	}
	want := "container 5e6cf9f4 test-5933da-web-1, network abc test-5933da_default, volume test-5933da_data test-5933da_data, image sha256:5617cf12 localhost/sandboxer/test-5933da"
	if got := strings.Join(refs, ", "); got != want {
		t.Errorf("resources: got %s, want %s", got, want)
	}
	if started.Resources[0].EndedAt != nil || started.Resources[0].StartedAt == nil {
		t.Errorf("times: got %+v, want a start and no end", started.Resources[0])
	}
}

func TestExplain(t *testing.T) {
	tests := []struct {
		name   string
		answer bringup.Answer
		phase  sandboxer.Phase
		err    string
		hint   string
	}{
		{"out of memory", answer("phase wait\n", "fault exited web\n", "containers\n"+killed, "log\nx\n"),
			"wait", "service web ended with exit status 137 (killed: out of memory)", "mem_limit"},
		{"port taken", answer("phase wait\n", "fault unstarted web\nError response from daemon: it failed\n", "containers\n"+taken),
			"start", "service web was not started: driver failed", "free that port"},
		{"address pools", answer("phase start\n", "fault missing web\nfailed to create network x: Error response from daemon: could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network\n"),
			"start", "service web was not started: failed to create network", "docker network prune"},
		{"disk full", answer("phase build\n", "fault build\nError response from daemon: write /program: no space left on device\n"),
			"build", "no space left on device", "make room"},
		{"permission", answer("phase build\n", "fault build\npermission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: x\n"),
			"build", "permission denied", "usermod -aG docker"},
		{"address pools of podman", answer("phase start\n", "fault missing web\nError: could not find free subnet from subnet pools\n"),
			"start", "could not find free subnet", "podman network prune"},
		{"port taken by another program", answer("phase start\n", "fault unstarted web\nError: cannot listen on the TCP port: listen tcp4 127.0.0.1:18086: bind: address already in use\n"),
			"start", "address already in use", "free that port"},
		{"disk full for podman", answer("phase build\n", "fault build\nError: writing blob: adding layer with blob \"sha256:94\": processing tar file(write /program: no space left on device): exit status 1\n"),
			"build", "no space left", "podman system df"},
		{"image missing", answer("fault image redis:7\nError: inspecting object: redis:7: image not known\n"),
			"start", "image redis:7: Error: inspecting object", "docker pull redis:7 on the host first"},
		{"pids limit", answer("phase wait\n", "fault exited web\n", "log\nruntime: failed to create new OS thread (have 2 already; errno=11)\n"),
			"wait", "service web ended", "pids_limit"},
		{"memory limit below the least", answer("phase start\n", "fault missing web\nError response from daemon: Minimum memory limit allowed is 6MB\n"),
			"start", "Minimum memory limit", "mem_limit"},
		{"another architecture", answer("phase wait\n", "fault exited web\n", "log\nexec /program: exec format error\n"),
			"wait", "service web ended", "architecture"},
		{"sudo asks", answer("phase build\n", "fault build\nsudo: a password is required\n"),
			"build", "sudo: a password is required", "NOPASSWD"},
		{"no tool", answer("phase start\n", "fault tool\ndocker: 'compose' is not a docker command.\n"),
			"start", "\"docker compose\" cannot be used: docker: 'compose' is not", "--compose-cmd"},
		{"a check", answer("phase wait\n", "fault unready web 80 /healthz\nhttp://127.0.0.1:32768/healthz: status 503\n"),
			"wait", "not ready within 2m0s: service web never answers GET /healthz on port 80: http://127.0.0.1:32768/healthz: status 503", ""},
		{"nothing said", answer("phase build\n", "fault build\n"), "build", "no reason given", ""},
		{"engine gone", answer("phase wait\n", "fault engine\nCannot connect to the Docker daemon at unix:///x\n"),
			"wait", "the engine does not answer: Cannot connect", "systemctl start docker"},
		{"late", answer("phase wait\n", "fault timeout\n", "containers\n"+killed),
			"wait", "not ready after 2m0s: service web is exited", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Docker{}.tool().read(test.answer, testSpec, testBox)
			var failure *sandboxer.PhaseError
			if !errors.As(err, &failure) {
				t.Fatalf("got %v, want a PhaseError", err)
			}
			if failure.Phase != test.phase || !strings.Contains(failure.Err.Error(), test.err) {
				t.Errorf("got %s: %v, want %s: …%s…", failure.Phase, failure.Err, test.phase, test.err)
			}
			if test.hint == "" && failure.Hint != "" || !strings.Contains(failure.Hint, test.hint) {
				t.Errorf("hint: got %q, want %q in it", failure.Hint, test.hint)
			}
		})
	}
}

// What the engine prints is never trusted to be well-formed.
func FuzzRead(f *testing.F) {
	f.Add("containers\n"+captured, "networks\na b\n", "fault exited web\nx\n")
	f.Add("containers\n"+killed, "volumes\n\n\n", "checked 0\n")
	f.Add("containers\njson {\"Ports\":{\"x\":[{}]}}\n", "result\n", "checked -\n")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		started, err := Docker{}.tool().read(answer(a, b, c), testSpec, testBox)
		var failure *sandboxer.PhaseError
		if err != nil && (!errors.As(err, &failure) || failure.Err == nil) {
			t.Errorf("got %v, want a PhaseError with a cause", err)
		}
		for _, r := range started.Resources {
			if r.Kind == sandboxer.KindNetwork && r.Ref == "" {
				t.Errorf("got %+v, want no resource without a reference", r)
			}
		}
	})
}

func FuzzOverride(f *testing.F) {
	f.Add("o'hara: \"x\"\n- y $HOME")
	f.Fuzz(func(t *testing.T, owner string) {
		box := sandboxer.Placement{ID: testBox.ID, Owner: sandboxer.Owner{User: owner}}
		data, err := Docker{}.tool().override(sandboxer.Compose{Services: []string{"web"}}, box)
		if err != nil {
			t.Fatal(err)
		}
		var back map[string]map[string]map[string]map[string]string
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatalf("override %s: %v", data, err)
		}
		// The compose tool makes one of each two.
		got := strings.ReplaceAll(back["services"]["web"]["labels"]["sandboxer.owner"], "$$", "$")
		if utf8.ValidString(owner) && got != owner {
			t.Errorf("owner: got %q, want %q", got, owner)
		}
	})
}

func TestUsable(t *testing.T) {
	if err := (Docker{}).Usable(sandboxer.EngineInfo{ComposeTools: []string{"docker-compose", "docker compose"}}); err != nil {
		t.Errorf("with the plugin: got %v, want none", err)
	}
	if err := (Docker{}).Usable(sandboxer.EngineInfo{ComposeTools: []string{"docker-compose"}}); err == nil {
		t.Error("without the plugin: got no error, want one")
	}
}

func TestReadVersion(t *testing.T) {
	tests := []struct {
		tool tool
		said string
		want string
	}{
		{Docker{}.tool(), "2.40.3\n", "docker compose 2.40.3"},
		{Docker{Sudo: true}.tool(), "v2.3.4-desktop.1\n", "sudo docker compose 2.3.4-desktop.1"},
		{DockerCompose{}.tool(), "1.29.2\n", "docker-compose 1.29.2"},
		{DockerCompose{Program: "/opt/dc"}.tool(), "docker-compose version 1.25.0, build unknown\n", "docker-compose 1.25.0"},
		{Podman{}.tool(), "podman version 4.3.1\n['podman', '--version', '']\nusing podman version: 4.3.1\npodman-composer version  1.0.3\n", "podman-compose 1.0.3"},
		{Podman{}.tool(), "podman-compose version 1.5.0\npodman version 5.4.2\n", "podman-compose 1.5.0"},
		{Docker{}.tool(), "docker: 'compose' is not a docker command.\n", ""},
	}
	for _, test := range tests {
		if got := test.tool.readVersion([]byte(test.said)); got != test.want {
			t.Errorf("%q: got %q, want %q", test.said, got, test.want)
		}
	}
}

func TestRootless(t *testing.T) {
	yes, no := true, false
	tests := []struct {
		tool tool
		uid  int64
		said *bool
		want bool
	}{
		{Docker{}.tool(), 1000, &no, false},
		{Docker{}.tool(), 1000, nil, false},
		{Docker{}.tool(), 1000, &yes, true},
		{Podman{}.tool(), 1000, nil, true},
		{Podman{}.tool(), 0, nil, false},
		{Podman{}.tool(), 1000, &yes, true},
		{Podman{Sudo: true}.tool(), 1000, nil, false},
		{Podman{Sudo: true}.tool(), 1000, &yes, false},
	}
	for _, test := range tests {
		box := sandboxer.Placement{Owner: sandboxer.Owner{UID: test.uid}, Engine: sandboxer.EngineInfo{Rootless: test.said}}
		if got := test.tool.rootless(box); got != test.want {
			t.Errorf("%s for uid %d, sudo %v: got %v, want %v", test.tool.name, test.uid, test.tool.sudo, got, test.want)
		}
	}
}
