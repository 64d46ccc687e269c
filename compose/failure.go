package compose

import (
	"errors"
	"fmt"
	"strings"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/bringup"
)

// explain makes an error of the frames fault, containers and log.
func explain(answer bringup.Answer, containers []container, spec sandboxer.Spec, box sandboxer.Placement) *sandboxer.PhaseError {
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
	switch fault.Arg(0) {
	case "unwritable":
		failure.Err = fmt.Errorf("cannot write in %s: %s", box.Dir, cause("", said))
		failure.Hint = "make room on the host"
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
		failure.Err = fmt.Errorf("service %s does not stay up: %d restarts, the last after %s", failure.Service, c.Restarts, status(c))
	case "ended":
		failure.Err = fmt.Errorf("all services have ended and there is no %s", spec.ReadyFile)
	case "timeout":
		failure.Err = late(containers, spec)
	default:
		failure.Err = fmt.Errorf("the engine does not answer: %s", cause("", said))
	}
	failure.Hint = hint(c, append(said, failure.Log...))
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

func late(containers []container, spec sandboxer.Spec) error {
	wait := spec.WaitTimeout
	if wait == 0 {
		wait = sandboxer.DefaultWaitTimeout
	}
	var not []string
	for _, c := range containers {
		if c.State.Status != "running" {
			not = append(not, fmt.Sprintf("service %s is %s", c.Service, c.State.Status))
		}
	}
	if len(not) == 0 && spec.ReadyFile != "" {
		not = append(not, "its services run, and there is no "+spec.ReadyFile)
	}
	return fmt.Errorf("not ready after %v: %s", wait.Round(time.Second), strings.Join(not, ", "))
}

// hints are remedies for what engines are known to say, each with a sample.
var hints = []struct{ text, hint string }{
	// could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network
	{"non-overlapping IPv4 address pool", poolHint},
	// all predefined address pools have been fully subnetted (docker 26 and later)
	{"predefined address pools", poolHint},
	// write /data/x: no space left on device
	{"no space left on device", "make room on the host: docker system df shows what docker holds of it"},
	// Bind for 127.0.0.1:8080 failed: port is already allocated
	{"port is already allocated", portHint},
	// listen tcp4 0.0.0.0:80: bind: address already in use
	{"address already in use", portHint},
	// permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock
	{"permission denied while trying to connect to the", "let the user on the host use docker: usermod -aG docker USER, then log in again"},
	// Error response from daemon: No such image: redis:7
	{"No such image", imageHint},
	{"pull access denied", imageHint},
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
	poolHint  = "docker has no addresses left for another network: remove networks that nobody uses (docker network prune), or widen default-address-pools in /etc/docker/daemon.json"
	portHint  = "free that port on the host, or publish to one that docker chooses: \"127.0.0.1::8080\""
	imageHint = "sandboxer pulls nothing: docker pull the image on the host first"
)

// hint returns what mends a failure, if something is known to.
func hint(c container, said []string) string {
	if c.State.OOMKilled {
		return "raise mem_limit of the service"
	}
	text := strings.ToLower(c.State.Error + "\n" + strings.Join(said, "\n")) // shells and programs differ
	for _, h := range hints {
		if strings.Contains(text, strings.ToLower(h.text)) {
			return h.hint
		}
	}
	return ""
}
