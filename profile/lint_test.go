package profile_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/profile"
)

// directory makes a profile of files, by path; a body of "-> X" is a symbolic
// link to X, and of "/" a directory.
func directory(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "web")
	for name, body := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(body, "-> "); ok {
			err = os.Symlink(target, path)
		} else if body == "/" {
			err = os.MkdirAll(path, 0o755)
		} else {
			err = os.WriteFile(path, []byte(body), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// service is a compose file with one service that has these keys.
func service(keys ...string) map[string]string {
	return map[string]string{"compose.yaml": "services:\n  a:\n    image: busybox\n    " + strings.Join(keys, "\n    ") + "\n"}
}

func with(files map[string]string, more ...string) map[string]string {
	for i := 0; i < len(more); i += 2 {
		files[more[i]] += more[i+1]
	}
	return files
}

func TestFindings(t *testing.T) {
	built := func(keys string) map[string]string {
		return map[string]string{"compose.yaml": "services:\n  a:\n    build: {context: ., " + keys + "}\n", "Dockerfile": "FROM scratch\n"}
	}
	for _, c := range []struct {
		files map[string]string
		want  string // level:code of each finding
	}{
		{service(), ""},
		{service("restart: always"), ""},
		{service("restart: unless-stopped"), ""},
		{service("cap_add: [CHOWN, CAP_KILL]", "cap_drop: [ALL]"), ""},
		{service("security_opt: [\"no-new-privileges:true\"]"), ""},
		{service("ports: [\"127.0.0.1::80\"]"), ""},
		{service("volumes: [/data]"), ""},
		{service("tmpfs: /run"), ""},
		{with(service("volumes: [\"data:/data\"]"), "compose.yaml", "volumes: {data: {}}\n"), ""},
		{with(service("volumes: [\"./conf:/conf\"]"), "conf", "/"), ""},
		{service("container_name: mine"), "refuse:container_name"},
		{service("privileged: true"), "refuse:privileged"},
		{service("cap_add: [SYS_ADMIN]"), "refuse:cap_add"},
		{service("cap_add: [all]"), "refuse:cap_add"},
		{service("devices: [/dev/fuse]"), "refuse:devices"},
		{service("device_cgroup_rules: [\"c 1:3 rwm\"]"), "refuse:devices"},
		{service("security_opt: [seccomp=unconfined]"), "refuse:security_opt"},
		{service("security_opt: [\"label:disable\"]"), "refuse:security_opt"},
		{service("security_opt: [\"no-new-privileges:false\"]"), "refuse:security_opt"},
		{service("network_mode: host"), "refuse:host_network warning:tool_network_mode"},
		{service("network_mode: none"), "warning:tool_network_mode"},
		{service("network_mode: bridge"), "refuse:external_network warning:tool_network_mode"},
		{service("network_mode: container:other"), "refuse:foreign_container warning:tool_network_mode"},
		{service("pid: host"), "refuse:host_namespace warning:tool_ignores"},
		{service("ipc: host"), "refuse:host_namespace warning:tool_ignores"},
		{service("ipc: shareable"), "warning:tool_ignores"},
		{service("ipc: container:x"), "refuse:foreign_container warning:tool_ignores"},
		{service("userns_mode: host"), "refuse:host_namespace warning:tool_ignores"},
		{service("uts: host"), "error:host_namespace_key"},
		{service("cgroup: host"), "error:host_namespace_key"},
		{service("cgroup_parent: /x"), "refuse:cgroup_parent warning:tool_ignores"},
		{service("runtime: other"), "refuse:runtime warning:tool_ignores"},
		{service("volumes_from: [\"container:x\"]"), "refuse:foreign_container warning:tool_ignores"},
		{service("external_links: [x]"), "refuse:foreign_container"},
		{service("ports: [\"8080:80\"]"), "refuse:fixed_host_port warning:public_port"},
		{service("ports: [\"127.0.0.1:8080:80\"]"), "refuse:fixed_host_port"},
		{service("ports: [\"127.0.0.1:8000-8001:80-81\"]"), "refuse:fixed_host_port refuse:fixed_host_port"},
		{service("ports: [\"127.0.0.1:8000-8009:80\"]"), "refuse:fixed_host_port"},
		{service("ports: [{target: 80, published: \"8080\", host_ip: 127.0.0.1}]"), "refuse:fixed_host_port"},
		{service("ports: [\"80\"]"), "warning:public_port"},
		{service("ports: [\"0.0.0.0::80\"]"), "warning:public_port"},
		{service("ports: [\"[::1]::80\"]"), ""},
		{service("volumes: [\"/etc:/x\"]"), "refuse:host_path"},
		{service("volumes: [\"/etc/../srv:/x\"]"), "refuse:host_path"},
		{service("volumes: [\"~/x:/x\"]"), "refuse:host_path"},
		{service("volumes: [{type: bind, source: /srv, target: /x}]"), "refuse:host_path"},
		{service("volumes: [\"../x:/x\"]"), "error:outside_path"},
		{service("volumes: [\"./a/../../x:/x\"]"), "error:outside_path"},
		{service("volumes: [\"/var/run/docker.sock:/s\"]"), "refuse:engine_socket refuse:host_path"},
		{service("volumes: [\"//run//./docker.sock:/s\"]"), "refuse:engine_socket refuse:host_path"},
		{service("volumes: [\"/run/user/1000/podman/podman.sock:/s\"]"), "refuse:engine_socket refuse:host_path"},
		{service("volumes: [\"/run/user/1000:/s\"]"), "refuse:engine_socket refuse:host_path"},
		{service("volumes: [\"/:/host:ro\"]"), "refuse:engine_socket refuse:host_path"},
		{service("volumes: [\"/etc/../var/run/../run:/s\"]"), "refuse:engine_socket refuse:host_path"},
		{service("volumes: [\"/var:/s\"]"), "refuse:engine_socket refuse:host_path"},
		{service("volumes: [{type: bind, source: ./new, target: /x, bind: {propagation: rshared}}]"), "refuse:mount_propagation warning:missing_source"},
		{service("volumes: [\"./new:/x\"]"), "warning:missing_source"},
		{service("volumes: [\"/run/user/1000/bus:/s\"]"), "refuse:engine_socket refuse:host_path"},
		{service("volumes: [\"/var/run/user/1000/x/y:/s\"]"), "refuse:engine_socket refuse:host_path"},
		{service("volumes: [\"/proc/2/root/etc:/s\"]"), "refuse:engine_socket refuse:host_path"},
		{service("volumes: [\"/var/lib:/s\"]"), "refuse:engine_socket refuse:host_path"},
		{service("volumes: [\"/var/lib/docker/volumes:/s\"]"), "refuse:engine_socket refuse:host_path"},
		{service("volumes: [\"/run/containerd/x:/s\"]"), "refuse:engine_socket refuse:host_path"},
		{service("volumes: [\"/var/runner:/s\"]"), "refuse:host_path"},
		{service("volumes: [\"~:/s\"]"), "refuse:engine_socket refuse:host_path"},
		{service("volumes: [\"~/../../run:/s\"]"), "error:outside_path"},
		{service("volumes: [\".:/x\"]"), "error:reserved_name"},
		{service("volumes: [\"./:/x:ro\"]"), "error:reserved_name"},
		{service("volumes: [\"./a/..:/x\"]"), "error:reserved_name"},
		{service("volumes: [\"./1000:/x\", \"./${SANDBOXER_UID}/a:/y\"]"), "error:mount warning:missing_source"},
		{service("volumes: [\"./compose.yaml:/x:ro\"]"), "error:mount"},
		{map[string]string{"docker-compose.yml": "services: {a: {image: x, volumes: [\"./docker-compose.yml:/x\"]}}\n"}, "error:mount"},
		{map[string]string{"docker-compose.yml": "services: {a: {build: {context: ., dockerfile: docker-compose.yml}}}\n"}, "error:dockerfile"},
		{with(service("volumes: [\"./a:/a\", \"./a/b:/b:ro\"]"), "a/b", "/"), "refuse:nested_mount"},
		{with(service("volumes: [\"./a:/a:ro\", \"./a/b:/b\"]"), "a/b", "/"), ""},
		{with(service("volumes: [\"./a:/a\", \"./a:/b:ro\", \"./ab:/c\"]"), "a", "/", "ab", "/"), ""},
		{with(service("volumes: [\"./a/b/c:/b\"]", "secrets: [s]"), "compose.yaml", "  b: {image: x, volumes: [\"./a:/a\"]}\nsecrets: {s: {file: ./a/s}}\n", "a/b/c", "/", "a/s", "x"), "refuse:nested_mount refuse:nested_mount"},
		{service("volumes: [\"/srv:/a\", \"/srv/b:/b\"]"), "refuse:host_path refuse:host_path refuse:nested_mount"},
		{service("volumes: [{type: volume, source: \"..\", target: /x}]\nvolumes: {\"..\": {}}"), "error:volume_name"},
		{service("volumes: [\"data:/data\"]\nvolumes: {data: {name: /etc}}"), "error:volume_name refuse:global_name"},
		{service("volumes: [\"data:/data\"]\nvolumes: {data: {name: \"${SANDBOXER_ID}-x\"}}"), "refuse:global_name"},
		{service("volumes: [\"data:/data\"]\nvolumes: {data: {labels: {a: \"x,y\"}}}"), "error:volume_label"},
		{service("networks: [\".\"]\nnetworks: {\".\": {}}"), "error:network_name"},
		{service("networks: [n]\nnetworks: {n: {external: true, name: host}}"), "refuse:external_network refuse:host_network"},
		{service("networks: [n]\nnetworks: {n: {attachable: true}}"), "warning:ignored_key"},
		{service("volumes: [\"d:/data\"]\nvolumes: {d: {}}"), "error:mount"},
		{service("volumes: [{type: volume, source: d, target: /data}]\nvolumes: {d: {}}"), "error:mount"},
		{with(service("volumes: [\"./a:/x:ro,U\", \"./a:/y:O\", \"./a:/z:rw\"]"), "a", "/"), "warning:ignored_key warning:ignored_key"},
		{map[string]string{"compose.yaml": "services: {a: {image: x, volumes: !override [/x]}}\n"}, ""},
		{service("volumes: [{type: volume, source: data, target: /x, consistency: cached}]\nvolumes: {data: {}}"), "warning:ignored_key"},
		{service("logging: {driver: local, options: {max-size: 1m, max-file: 3, compress: \"true\"}}"), ""},
		{service("logging: {driver: syslog, options: {syslog-address: \"udp://x\"}}"), "refuse:logging refuse:logging"},
		{service("logging: {driver: k8s-file, options: {path: /etc/x}}"), "refuse:logging"},
		{service("logging: {options: {max-size: \"1m,path=/etc/x\"}}"), "refuse:logging"},
		{service("ports: [{target: 80, host_ip: 127.0.0.1, protocol: UDP}]"), ""},
		{service("ports: [{target: 80, host_ip: 127.0.0.1, protocol: \"tcp -v /:/x\"}]"), "error:port_protocol"},
		{service("expose: [80, \"81-82/udp\"]"), ""},
		{service("expose: [\"80/icmp\"]"), "error:expose"},
		{service("cap_drop: [\"ALL,x\"]"), "error:capability"},
		{service("cap_add: [\"CHOWN,SYS_ADMIN\"]"), "error:capability refuse:cap_add"},
		{with(service("env_file: ./e"), "e", "A=\xff\n"), "error:environment"},
		{with(service(), ".env", "A=\xff\n"), "error:environment"},
		{with(service(), ".env", "-> ../secret", "../secret", "A=1\n"), "refuse:outside_file"},
		{with(service("volumes: [\"./.env:/x:ro\"]"), ".env", "-> ../secret", "../secret", "A=1\n"), "refuse:outside_file"},
		{with(service("secrets: [{source: s, mode: 0400}]"), "compose.yaml", "secrets: {s: {file: ./s}}\n", "s", "x"), "warning:ignored_key"},
		{with(service("volumes: [\"./f/x:/x\"]"), "f", "file"), "error:mount"},
		{with(service("volumes: [\"./link:/x\"]"), "link", "-> /etc"), "error:symlink warning:missing_source"},
		{with(service("volumes: [\"./link/passwd:/x\"]"), "link", "-> /etc"), "error:symlink warning:missing_source"},
		{with(service(), "link", "-> nowhere"), "error:symlink"},
		{with(service(), "link", "-> sub", "sub", "/"), "error:symlink"},
		{with(service("volumes: [\"./link:/x\"]"), "link", "-> file", "file", "text"), ""},
		{with(service(), ".sandboxer/meta.json", "{}"), "error:reserved_name"},
		{service("volumes: [\"./.sandboxer:/x\"]"), "error:reserved_name"},
		{with(service("volumes: [\"data:/data\"]"), "compose.yaml", "volumes: {data: {external: true}}\n"), "refuse:external_volume"},
		{with(service("volumes: [\"data:/data\"]"), "compose.yaml", "volumes: {data: {name: x}}\n"), "refuse:global_name"},
		{with(service("volumes: [\"data:/data\"]"), "compose.yaml", "volumes: {data: {driver: nfs}}\n"), "refuse:volume_driver"},
		{with(service("volumes: [\"data:/data\"]"), "compose.yaml", "volumes: {data: {driver_opts: {type: none, o: bind, device: /}}}\n"), "refuse:volume_driver refuse:engine_socket refuse:host_path"},
		{with(service("networks: [n]"), "compose.yaml", "networks: {n: {external: true}}\n"), "refuse:external_network"},
		{with(service("networks: [n]"), "compose.yaml", "networks: {n: {name: x}}\n"), "refuse:global_name"},
		{with(service("networks: [n]"), "compose.yaml", "networks: {n: {driver: macvlan}}\n"), "refuse:network_driver"},
		{with(service("networks: [n]"), "compose.yaml", "networks: {n: {ipam: {config: [{subnet: 10.1.0.0/16}]}}}\n"), "refuse:fixed_address"},
		{with(service("networks: {n: {ipv4_address: 10.1.0.2}}"), "compose.yaml", "networks: {n: {}}\n"), "refuse:fixed_address warning:tool_networks"},
		{service("networks: {default: {aliases: [b]}}"), "warning:tool_networks"},
		{service("mac_address: \"02:00:00:00:00:01\""), "refuse:fixed_address"},
		{service("labels: {sandboxer.id: x}"), "error:reserved_label"},
		{service("labels: [com.docker.compose.project=x]"), "error:reserved_label"},
		{with(service("volumes: [\"data:/data\"]"), "compose.yaml", "volumes: {data: {labels: {sandboxer.nonce: x}}}\n"), "error:reserved_label"},
		{with(service("label_file: ./l"), "l", "sandboxer.id=x\n"), "error:reserved_label"},
		{service("labels: {sandboxer.ready: \"tcp:80\"}"), ""},
		{service("labels: {sandboxer.ready: \"http:80/x\"}"), "error:ready"},
		{service("labels: {sandboxer.ready: \"http:80/x, tcp:81\"}", "ports: [\"127.0.0.1::80\"]"), ""},
		{service("labels: {sandboxer.ready: \"udp:80\"}"), "error:ready"},
		{service("labels: {sandboxer.ready: \"tcp:0,tcp:70000,tcp:8a,http:80/a b\"}"), "error:ready error:ready error:ready error:ready"},
		{map[string]string{"compose.yaml": "services: !override\n  a: !override {image: x, command: !reset [y]}\n"}, ""},
		{service("scale: 2"), "error:scale"},
		{service("deploy: {replicas: 0}"), "error:scale"},
		{service("deploy: {placement: {constraints: [x]}, mode: global}"), "warning:swarm_key warning:swarm_key"},
		{service("deploy: {resources: {limits: {memory: 1m}}}"), ""},
		{service("pull_policy: always"), "warning:pull_policy"},
		{service("platform: linux/arm64"), "warning:platform"},
		{service("environment: [HOME]"), "error:undefined_variable"},
		{service("credential_spec: {file: x}"), "error:unsupported_key"},
		{service("gpus: all"), "error:unsupported_key"},
		{service("use_api_socket: true"), "error:unsupported_key"},
		{service("post_start: [{command: x}]"), "error:unsupported_key"},
		{service("volumes: [{type: image, source: x, target: /x}]"), "error:unsupported_key"},
		{with(service("secrets: [s]"), "compose.yaml", "secrets: {s: {file: ./s}}\n", "s", "x"), ""},
		{with(service("secrets: [s]"), "compose.yaml", "secrets: {s: {file: /etc/shadow}}\n"), "refuse:host_path"},
		{with(service("secrets: [s]"), "compose.yaml", "secrets: {s: {external: true}}\n"), "error:external_secret"},
		{with(service("secrets: [s]"), "compose.yaml", "secrets: {s: {environment: HOME}}\n"), "error:secret_source"},
		{with(service("configs: [s]"), "compose.yaml", "configs: {s: {file: ../s}}\n"), "error:outside_path"},
		{with(service("env_file: ../env"), "../env", "A=1\n"), "refuse:outside_file"},
		{with(service("env_file: link"), "link", "-> ../env", "../env", "A=1\n"), "error:symlink refuse:outside_file"},
		{service("env_file: [{path: nowhere, required: false}]"), ""},
		{with(service(), ".env", "COMPOSE_PROJECT_NAME=x\nDOCKER_HOST=tcp://x\nCOMPOSE_FILE=/etc/passwd\nSANDBOXER_ID=x\n"), "warning:env_ignored"},
		{with(service("volumes: [\"./.env:/env:ro\"]"), ".env", "A=1\n"), ""},
		{with(service("volumes: [\"./.env:/env\"]"), ".env", "A=1\n"), "error:env_mounted"},
		{with(service("volumes: [\"./.env:/env:ro\"]"), ".env", "SANDBOXER_ID=x\n"), "error:env_mounted warning:env_ignored"},
		{with(service(), "compose.override.yaml", "services: {}\n"), "warning:override_file"},
		{map[string]string{"compose.yaml": "services: {a: {image: \"${SANDBOXER_IMAGE}:b\"}}\n"}, "error:image"},
		{map[string]string{"compose.yaml": "services: {-a: {image: x}}\n"}, "error:service_name"},
		{map[string]string{"compose.yaml": "services: {a: {image: x, profiles: [p]}}\n"}, "error:no_service"},
		{map[string]string{"compose.yaml": "services: {a: {image: \"-v\"}}\n"}, "error:image"},
		{map[string]string{"compose.yaml": "services: {a: {image: localhost/sandboxer/other-1234}}\n"}, "error:image"},
		{map[string]string{"compose.yaml": "services: {a: {build: \"https://example.com/x.git\"}}\n"}, "error:remote_context"},
		{map[string]string{"compose.yaml": "services: {a: {build: ../x}}\n"}, "error:outside_path"},
		{map[string]string{"compose.yaml": "services: {a: {build: /etc}}\n"}, "error:build_context"},
		{map[string]string{"compose.yaml": "services: {a: {build: link}}\n", "link": "-> /etc"}, "error:symlink error:build_context"},
		{map[string]string{"compose.yaml": "services: {a: {build: .}}\n"}, "error:dockerfile"},
		{built("dockerfile: ../Dockerfile"), "error:outside_path"},
		{built("dockerfile: /etc/passwd"), "error:dockerfile"},
		{built("network: host"), "refuse:build_network"},
		{built("ssh: [default]"), "error:build_secret"},
		{built("additional_contexts: {x: /etc}"), "error:unsupported_key"},
		{built("tags: [x], pull: true, cache_from: [y]"), "warning:build_key warning:build_key warning:build_key"},
		{built("args: [HOME]"), ""},
		{built("labels: {sandboxer.id: x}"), "error:reserved_label"},
		{built("dockerfile_inline: FROM scratch"), "error:dockerfile error:unsupported_key"},
	} {
		name := c.files["compose.yaml"]
		p, err := profile.Load(t.Context(), directory(t, c.files))
		if err != nil {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
			continue
		}
		var got []string
		for _, f := range p.Findings {
			got = append(got, fmt.Sprintf("%s:%s", f.Level, f.Code))
		}
		want := strings.Fields(c.want)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v\n%v", name, got, want, p.Findings)
		}
		judged(t, p)
	}
}

// judged checks that a create takes a profile exactly if its findings say so.
func judged(t *testing.T, p *profile.Profile) {
	t.Helper()
	var allow []profile.Code
	hopeless, refused := false, false
	for _, f := range p.Findings {
		hopeless = hopeless || f.Level == profile.Error
		refused = refused || f.Level != profile.Warning
		if f.Level == profile.Refuse {
			allow = append(allow, f.Code)
		}
	}
	var refusal *sandboxer.RefusedError
	if _, err := p.Spec(); errors.As(err, &refusal) != refused {
		t.Errorf("%s: got %v, want it refused: %v", p.Compose, err, refused)
	}
	if _, err := p.Spec(allow...); errors.As(err, &refusal) != hopeless {
		t.Errorf("%s: with %v got %v, want it refused: %v", p.Compose, allow, err, hopeless)
	}
}

func TestUnreadable(t *testing.T) {
	t.Setenv("SECRET_OF_THE_CALLER", "x")
	for _, c := range []struct {
		files map[string]string
		want  string
	}{
		{map[string]string{"README": ""}, "it holds none of compose.yaml"},
		{map[string]string{"compose.yaml": ""}, "compose.yaml"},
		{map[string]string{"compose.yaml": "services:\n  a:\n   image: [\n"}, "line"},
		{map[string]string{"compose.yaml": "services: {a: {image: x, imge: y}}\n"}, "imge"},
		{map[string]string{"compose.yaml": "services:\n- a\n"}, "line 2"},
		{map[string]string{"compose.yaml": "services:\n  a: text\n"}, "line 2"},
		{map[string]string{"compose.yaml": "include: nowhere.yaml\n"}, "line 1"},
		{map[string]string{"compose.yaml": "servces: {}\n"}, "servces"},
		{map[string]string{"compose.yaml": "- a\n- b\n"}, "compose.yaml"},
		{map[string]string{"compose.yaml": "services: {a: {}}\n"}, "neither an image nor a build"},
		{map[string]string{"compose.yaml": "services: {a: {image: x, volumes: [\"data:/x\"]}}\n"}, "undefined volume"},
		{map[string]string{"compose.yaml": "services: {a: {image: x, depends_on: [b]}}\n"}, "undefined service"},
		{map[string]string{"compose.yaml": "services: {a: {image: \"${SECRET_OF_THE_CALLER}\"}}\n"}, `variable "SECRET_OF_THE_CALLER" is not set`},
		{map[string]string{"compose.yaml": "services: {a: {image: \"${X:?say what}\"}}\n"}, "say what"},
		{map[string]string{"compose.yaml": "services: {a: {image: \"$1\"}}\n"}, "write $$"},
		{map[string]string{"compose.yaml": "include: [../other.yaml]\n", "../other.yaml": "services: {a: {image: x}}\n"}, "not in the profile's directory"},
		{map[string]string{"compose.yaml": "include: [/dev/zero]\n"}, "not in the profile's directory"},
		{map[string]string{"compose.yaml": "include: [link]\n", "link": "-> /dev/zero"}, "not in the profile's directory"},
		{map[string]string{"compose.yaml": "include: [\"https://example.com/x.yaml\"]\n"}, "not in the profile's directory"},
		{map[string]string{"compose.yaml": "include: [{path: a.yaml, env_file: /dev/zero}]\n", "a.yaml": ""}, "not supported"},
		{map[string]string{"compose.yaml": "include: [sub/a.yaml]\n", "sub/a.yaml": "services: {a: {image: x}}\n", "sub/.env": "-> ../../env", "../env": "A=1\n"}, "not in the profile's directory"},
		{map[string]string{"compose.yaml": "include: [compose.yaml]\n"}, "cycle"},
		{map[string]string{"compose.yaml": "services: {a: {extends: {file: ../o.yaml, service: a}}}\n", "../o.yaml": "services: {a: {image: x}}\n"}, "not in the profile's directory"},
		{map[string]string{"compose.yaml": "services: {a: {image: x}}\n", ".env": "-> /dev/zero"}, "is no file"},
		{map[string]string{"compose.yaml": "services: {a: {image: x, env_file: nowhere}}\n"}, "nowhere"},
		{map[string]string{"compose.yaml": "services: {a: {image: x, env_file: sub}}\n", "sub": "/"}, "is no file"},
		{map[string]string{"compose.yaml": "#" + strings.Repeat("x", 1<<20)}, "at most"},
		{map[string]string{"compose.yaml": bomb()}, "alias"},
	} {
		p, err := profile.Load(t.Context(), directory(t, c.files))
		var load *profile.LoadError
		if !errors.As(err, &load) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.200s: got %v, %v, want %q", c.files["compose.yaml"], p, err, c.want)
		}
	}
}

// bomb is a small file that stands for a billion values.
func bomb() string {
	var b strings.Builder
	b.WriteString("x-0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := range 9 {
		fmt.Fprintf(&b, "x-%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	return b.String() + "services: {a: {image: x}}\n"
}

func TestAllow(t *testing.T) {
	p, err := profile.Load(t.Context(), directory(t, service("privileged: true")))
	if err != nil {
		t.Fatal(err)
	}
	var bad *profile.AllowError
	for _, code := range []profile.Code{"", "nothing", "public_port", "outside_path"} {
		if _, err := p.Spec("privileged", code); !errors.As(err, &bad) {
			t.Errorf("Spec(%q): got %v, want an AllowError", code, err)
		}
	}
	if spec, err := p.Spec("privileged"); err != nil || spec.Profile != "web" {
		t.Errorf("got %+v, %v, want the spec", spec, err)
	}
	_, err = p.Spec("cap_add")
	if got, want := sandboxer.Hint(err), "--allow privileged"; !strings.Contains(got, want) {
		t.Errorf("got hint %q, want %q", got, want)
	}
}
