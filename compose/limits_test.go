package compose_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/compose"
	"github.com/tegwick/sand-boxer/test/lab"
)

// mustFail brings the sandbox up in vain. What is made of it goes when the
// test ends.
func (b *bench) mustFail(err, hint string) {
	b.t.Helper()
	_, got := b.up()
	var failure *sandboxer.PhaseError
	if !errors.As(got, &failure) {
		b.t.Fatalf("got %v, want a PhaseError", got)
	}
	if !strings.Contains(got.Error(), err) || !strings.Contains(failure.Hint, hint) {
		b.t.Errorf("got %v (hint %q, log %q), want …%s… and a hint with %q", got, failure.Hint, failure.Log, err, hint)
	}
	b.t.Logf("%v | hint: %s", got, failure.Hint)
}

const small = `
services:
  web:
    image: ${SANDBOXER_IMAGE}
    entrypoint: [/program]
    command: [%s]
    %s
`

func TestPortTaken(t *testing.T) {
	onEach(t, func(t *testing.T, e lab.Engine) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		b := newBench(t, e, fmt.Sprintf(small, "say=x", fmt.Sprintf(`ports: ["%s:8080"]`, l.Addr())), "web")
		b.mustFail("service web was not started", "free that port")
	})
}

func TestMemoryTooSmall(t *testing.T) {
	onEach(t, func(t *testing.T, e lab.Engine) {
		b := newBench(t, e, fmt.Sprintf(small, `"eat=64"`, "mem_limit: 20m"), "web")
		b.mustFail("exit status 137", "raise mem_limit")
	}, "docker-v2", "podman") // rootless podman has no limits where the control groups are of version 1
}

func TestTooFewProcesses(t *testing.T) {
	onEach(t, func(t *testing.T, e lab.Engine) {
		b := newBench(t, e, fmt.Sprintf(small, "say=x", "pids_limit: 1"), "web")
		b.mustFail("service web", "raise pids_limit")
	}, "docker-v2") // podman-compose 1.0.3 drops the limit
}

func TestOtherArchitecture(t *testing.T) {
	onEach(t, func(t *testing.T, e lab.Engine) {
		b := newBench(t, e, fmt.Sprintf(small, "say=x", ""), "web")
		b.write("image/root/program", "\x7fELF\x02\x01\x01")
		b.mustFail("service web", "another architecture")
	}, "docker-v2", "podman")
}

// docker's own pools are for some thirty networks.
func TestAddressPoolsOfDocker(t *testing.T) {
	b := newServing(t, dockerV2())
	for i := range 64 {
		name := fmt.Sprintf("%s-%d", b.box.ID, i)
		if _, err := b.try("network", "create", "--label", "sandboxer.test="+string(b.box.ID), name); err != nil {
			break
		}
		b.later("network", "rm", name)
	}
	b.mustFail("service web was not started", "docker network prune")
}

func TestAddressPoolsOfPodman(t *testing.T) {
	for _, e := range lab.Engines() {
		if e.Name != "podman" {
			continue
		}
		conf := filepath.Join(lab.OpenDir(t), "containers.conf") // goes after the bench
		b := newServing(t, e)
		text := "[containers]\ndefault_ulimits=[\"nofile=1024:4096\",\"nproc=1024:4096\"]\n[engine]\nruntime=\"runc\"\ncgroup_manager=\"cgroupfs\"\nevents_logger=\"file\"\n" +
			"[network]\ndefault_subnet_pools=[{base=\"10.199.0.0/24\",size=24}]\n"
		if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		b.env = []string{"CONTAINERS_CONF=" + conf}
		b.ask("network", "create", string(b.box.ID)+"-other")
		b.later("network", "rm", string(b.box.ID)+"-other")
		b.mustFail("service web was not started", "podman network prune")
	}
}

// A tool that drives another engine is not used, whatever it is called.
func TestToolOfAnotherEngine(t *testing.T) {
	for name, c := range map[string]struct{ drives, part, want string }{
		"docker-compose": {"podman-compose", "podman-compose", "podman-compose: error: unrecognized"},
		"podman-compose": {"docker-compose", "compose-v1", "it drives docker, and says: docker-compose version 1."},
	} {
		t.Run(name, func(t *testing.T) {
			lab.Require(t, c.part)
			path := filepath.Join(lab.OpenDir(t), name)
			if err := os.WriteFile(path, []byte("#!/bin/sh\nexec "+c.drives+" \"$@\"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			var with sandboxer.Provisioner = compose.DockerCompose{Program: path}
			if name == "podman-compose" {
				with = compose.Podman{Program: path}
			}
			b := newServing(t, engineOf(with))
			b.with = with
			b.mustFail("cannot be used: "+c.want, "--compose-cmd")
		})
	}
}

// engineOf is an engine of the lab for a provisioner.
func engineOf(p sandboxer.Provisioner) lab.Engine {
	all := lab.Engines()
	return all[slices.IndexFunc(all, func(e lab.Engine) bool { return e.Program == string(p.Engine()) })]
}

// A tool that is named and not there is named in the error.
func TestNoSuchTool(t *testing.T) {
	for want, with := range map[string]sandboxer.Provisioner{
		`"/opt/none/docker-compose" cannot be used`: compose.DockerCompose{Program: "/opt/none/docker-compose"},
		`"/opt/none/podman-compose" cannot be used`: compose.Podman{Program: "/opt/none/podman-compose"},
		`"/opt/none/docker compose" cannot be used`: compose.Docker{Program: "/opt/none/docker"},
	} {
		t.Run(want, func(t *testing.T) {
			b := newServing(t, engineOf(with))
			usable := b.with
			b.with = with
			b.mustFail(want, "--compose-cmd")
			b.with = usable
		})
	}
}
