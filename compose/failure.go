package compose

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/bringup"
)

// explain makes an error of the frames fault, containers and log.
func (t tool) explain(answer bringup.Answer, containers []container, spec sandboxer.Spec, box sandboxer.Placement) *sandboxer.PhaseError {
	fault := answer.Find("fault")
	said := bringup.LogLines(fault.Body)
	failure := &sandboxer.PhaseError{Phase: answer.Phase(sandboxer.PhaseStart), Service: fault.Arg(1)}
	var c container // at fault; its zero value where it is not known
	for _, each := range containers {
		if each.Service == failure.Service {
			c = each
			break
		}
	}
	if log := answer.Find("log"); log.Name != "" {
		failure.Log = bringup.LogLines(log.Body)
	}
	if last := cause("", said); strings.HasPrefix(last, "sudo: ") {
		failure.Service = ""
		failure.Err = errors.New(last)
		failure.Hint = sudoHint
		return failure
	}
	switch fault.Arg(0) {
	case "unwritable":
		failure.Err = fmt.Errorf("cannot write in %s: %s", box.Dir, cause("", said))
		failure.Hint = "make room on the host"
		return failure
	case "image":
		failure.Phase, failure.Service = sandboxer.PhaseStart, ""
		failure.Err = fmt.Errorf("image %s: %s", fault.Arg(1), cause("", said))
		failure.Hint = fmt.Sprintf("sandboxer pulls nothing: %s pull %s on the host first, or %s load it", t.engine, fault.Arg(1), t.engine)
		return failure
	case "tool":
		failure.Log = said
		failure.Err = fmt.Errorf("%q cannot be used: %s", t.command(), cause("", said))
		failure.Hint = "install it on the host, or name another one: --compose-cmd"
		return failure
	case "build":
		failure.Log = said
		failure.Err = errors.New(cause("", said))
	case "missing", "unstarted":
		failure.Phase = sandboxer.PhaseStart
		failure.Log = said
		failure.Err = fmt.Errorf("service %s was not started: %s", failure.Service, cause(c.State.Error, said))
	case "exited":
		failure.Err = fmt.Errorf("service %s ended with %s", failure.Service, status(c))
	case "looping":
		failure.Err = fmt.Errorf("service %s does not stay up: %d restarts", failure.Service, c.Restarts)
		if c.State.ExitCode != 0 { // podman forgets it when it starts the next
			failure.Err = fmt.Errorf("%w, the last after %s", failure.Err, status(c))
		}
	case "ended":
		failure.Err = fmt.Errorf("all services have ended and there is no %s", spec.ReadyFile)
	case "unready":
		failure.Err = unready(fault, cause("", said), spec)
	case "timeout":
		failure.Err = late(containers, spec)
	default:
		failure.Err = fmt.Errorf("the engine does not answer: %s", cause("", said))
	}
	failure.Hint = hint(c, string(fault.Body)+string(answer.Find("log").Body))
	return failure
}

// cause returns what the engine says or, where it says nothing, the last of
// the lines a tool has printed.
func cause(engine string, said []string) string {
	switch {
	case engine != "":
		return engine
	case len(said) > 0:
		return strings.TrimSpace(said[len(said)-1])
	}
	return "no reason given"
}

func status(c container) string {
	s := fmt.Sprintf("exit status %d", c.State.ExitCode)
	if c.State.OOMKilled {
		s += " (killed: out of memory)"
	}
	return s
}

// waited is how long a sandbox was waited for.
func waited(spec sandboxer.Spec) time.Duration {
	return cmp.Or(spec.WaitTimeout, sandboxer.DefaultWaitTimeout).Round(time.Second)
}

// unready is about a check that did not hold: SERVICE PORT PATH.
func unready(fault bringup.Frame, last string, spec sandboxer.Spec) error {
	what := "listens on port " + fault.Arg(2)
	if path := fault.Arg(3); path != "" {
		what = "answers GET " + path + " on port " + fault.Arg(2)
	}
	return fmt.Errorf("not ready within %v: service %s never %s: %s", waited(spec), fault.Arg(1), what, last)
}

func late(containers []container, spec sandboxer.Spec) error {
	var not []string
	for _, c := range containers {
		if c.State.Status != "running" {
			not = append(not, fmt.Sprintf("service %s is %s", c.Service, c.State.Status))
		}
	}
	if len(not) == 0 && spec.ReadyFile != "" {
		not = append(not, "its services run, and there is no "+spec.ReadyFile)
	}
	return fmt.Errorf("not ready after %v: %s", waited(spec), strings.Join(not, ", "))
}

// hints are remedies for what engines are known to say, each with a sample.
var hints = []struct{ text, hint string }{
	// could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network
	{"non-overlapping IPv4 address pool", poolHint},
	// all predefined address pools have been fully subnetted (docker 26 and later)
	{"predefined address pools", poolHint},
	// Error: could not find free subnet from subnet pools
	{"free subnet from subnet pools", "podman has no addresses left for another network: remove networks that nobody uses (podman network prune), or widen default_subnet_pools in containers.conf"},
	// failed to mount runtime directory for rootless netns: no such file or directory
	{"runtime directory for rootless netns", "a podman was killed while it made the user's network: podman system migrate mends that, and stops the user's containers"},
	// write /data/x: no space left on device
	{"no space left on device", "make room on the host: docker system df, or podman system df, shows what the engine holds of it"},
	// Bind for 127.0.0.1:8080 failed: port is already allocated
	{"port is already allocated", portHint},
	// listen tcp4 0.0.0.0:80: bind: address already in use
	// Error: cannot listen on the TCP port: listen tcp4 127.0.0.1:80: bind: address already in use
	{"address already in use", portHint},
	// permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock
	{"permission denied while trying to connect to the", "let the user on the host use docker: usermod -aG docker USER, then log in again"},
	// Error response from daemon: No such image: redis:7
	{"No such image", imageHint},
	{"pull access denied", imageHint},
	// Error: localhost/none/such:1: image not known
	{"image not known", imageHint},
	// Error response from daemon: Minimum memory limit allowed is 6MB
	{"Minimum memory limit", memoryHint},
	// runc create failed: unable to start container process: container init was OOM-killed (memory limit too low?)
	{"memory limit too low", memoryHint},
	// unable to set memory limit to 1048576 (current usage: 2342912, peak usage: 2355200)
	{"unable to set memory limit", memoryHint},
	// runtime: failed to create new OS thread (have 2 already; errno=11)
	{"failed to create new OS thread", pidsHint},
	// sh: can't fork: Resource temporarily unavailable
	{"resource temporarily unavailable", pidsHint},
	// the container name "/x" is already in use by container "5e6c…"
	{"is already in use by", "another container has that name: leave container_name out of the compose file"},
	// ERROR: Version in "./compose.yaml" is unsupported. You might be seeing this error because you're using the wrong Compose file version
	{"wrong Compose file version", "docker-compose 1 knows less than version 2: see what its message names, or install the plugin docker compose"},
	// ValueError: can't merge value of data of type <class 'dict'> and <class 'str'>
	{"can't merge value of", "podman-compose merges only like with like: write labels, networks and volumes as maps, as in \"labels: {a: b}\""},
	// the --mount option requires BuildKit. Refer to https://docs.docker.com/go/buildkit/
	{"requires BuildKit", "unset DOCKER_BUILDKIT in the environment of the user on the host"},
	// standard_init_linux.go:228: exec user process caused: exec format error
	{"exec format error", "the program in the image is built for another architecture than the host's"},
	// invalid mount config for type "bind": bind source path does not exist: /tmp/sandboxer/x/out
	{"bind source path does not exist", "docker cannot see the directory (a docker from snap sees no /tmp): use --root ~/.sandboxer"},
	// Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?
	{"Cannot connect to the Docker daemon", "start it on the host: systemctl start docker"},
}

const (
	sudoHint   = "let the user on the host run the engine and the compose tool by sudo without a password (NOPASSWD in sudoers)"
	poolHint   = "docker has no addresses left for another network: remove networks that nobody uses (docker network prune), or widen default-address-pools in /etc/docker/daemon.json"
	memoryHint = "raise mem_limit of the service"
	pidsHint   = "raise pids_limit of the service"
	portHint   = "free that port on the host, or publish to one that the engine chooses: \"127.0.0.1::8080\""
	imageHint  = "sandboxer pulls nothing: pull the image on the host first, or load it there"
)

// hint returns what mends a failure, if something is known to.
func hint(c container, said string) string {
	if c.State.OOMKilled {
		return memoryHint
	}
	text := strings.ToLower(c.State.Error + "\n" + said) // shells and programs differ
	for _, h := range hints {
		if strings.Contains(text, strings.ToLower(h.text)) {
			return h.hint
		}
	}
	if c.State.ExitCode == 128+9 { // podman does not always know who killed it
		return "something killed it: if it needs more memory than it may have, raise mem_limit of the service"
	}
	return ""
}
