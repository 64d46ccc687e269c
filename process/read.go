package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/bringup"
)

// read turns the answer of up.sh into what was started and, where that is not
// a sandbox that is ready, why.
func read(answer bringup.Answer, spec sandboxer.Spec, box sandboxer.Placement) (sandboxer.Started, error) {
	started := sandboxer.Started{
		Isolation: answer.Find("isolation").Arg(0),
		StartMS:   startMS(answer.Find("uptimes").Body),
	}
	if ref, ok := identity(answer.Find("process").Body); ok {
		state := "running"
		started.Resources = []sandboxer.Resource{{
			Engine: sandboxer.EngineProcess, Kind: sandboxer.KindProcess, Ref: ref, Name: path.Base(spec.Process[0]),
			State: &state, SandboxID: &box.ID, Nonce: box.Nonce,
		}}
	}
	if fault := answer.Find("fault"); fault.Name != "" {
		return started, explain(answer, spec, box)
	}
	if err := answer.Fill(&started); err != nil {
		return started, &sandboxer.PhaseError{Phase: answer.Phase(sandboxer.PhaseStart), Err: err}
	}
	readPort(answer, &started)
	return started, nil
}

// identity reads the line "PID STARTTIME".
func identity(line []byte) (string, bool) {
	pid, start, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
	ref := pid + ":" + start
	return ref, identityForm.MatchString(ref)
}

// startMS is the difference of two readings of /proc/uptime, each a line like
// "4027.11 7411.30": when the supervisor was asked for, and just before the
// program. They count hundredths.
func startMS(body []byte) *int64 {
	var at []float64
	for line := range strings.Lines(string(body)) {
		first, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		seconds, err := strconv.ParseFloat(first, 64)
		if err != nil {
			return nil
		}
		at = append(at, seconds)
	}
	if len(at) != 2 || !(at[1] >= at[0]) || at[1] > math.MaxInt32 {
		return nil
	}
	ms := int64(math.Round((at[1] - at[0]) * 1000))
	return &ms
}

// readPort takes the port that the program says it listens on. If the script
// took another one out of the file, its check was of something else and counts
// as not run.
func readPort(answer bringup.Answer, started *sandboxer.Started) {
	var result struct {
		Port int64 `json:"port"`
	}
	if err := json.Unmarshal(started.Result, &result); err != nil || result.Port < 1 || result.Port > 65535 {
		result.Port = 0
	}
	if answer.Find("port").Arg(0) != strconv.FormatInt(result.Port, 10) {
		started.HostCheck, started.HostStatus = nil, nil
	}
	if result.Port != 0 {
		started.Ports = []sandboxer.Port{{
			Service: "process", Protocol: "tcp", HostIP: "127.0.0.1", HostPort: result.Port, ContainerPort: result.Port,
		}}
	}
}

// Exit statuses of a shell that could not run a program.
const (
	notRunnable = "126"
	notFound    = "127"
)

// explain makes an error of the frames fault and log.
func explain(answer bringup.Answer, spec sandboxer.Spec, box sandboxer.Placement) *sandboxer.PhaseError {
	fault := answer.Find("fault")
	failure := &sandboxer.PhaseError{
		Phase: answer.Phase(sandboxer.PhaseStart),
		Log:   bringup.LogLines(answer.Find("log").Body),
	}
	program, status := spec.Process[0], fault.Arg(1)
	switch fault.Arg(0) {
	case "no_setsid":
		failure.Err = errors.New("the host has no setsid in PATH")
		failure.Hint = "install util-linux on the host"
	case "unwritable":
		failure.Err = fmt.Errorf("cannot write in %s: %s", box.Dir, strings.Join(failure.Log, "; "))
		failure.Hint = "make room on the host"
	case "timeout":
		wait := spec.WaitTimeout
		if wait == 0 {
			wait = sandboxer.DefaultWaitTimeout
		}
		failure.Err = fmt.Errorf("not ready after %v: %s runs, and there is no %s", wait.Round(time.Second), program, spec.ReadyFile)
	case "ended":
		switch {
		case status == notRunnable:
			failure.Phase = sandboxer.PhaseStart
			failure.Err = fmt.Errorf("%s cannot be run in %s", program, box.Dir)
			failure.Hint = "where that file system is mounted noexec, use another: --root ~/.sandboxer"
		case status == notFound:
			failure.Phase = sandboxer.PhaseStart
			failure.Err = fmt.Errorf("%s is not found in %s", program, box.Dir)
		case status == "0":
			failure.Err = fmt.Errorf("%s has ended and there is no %s", program, spec.ReadyFile)
		default:
			failure.Err = fmt.Errorf("%s ended with exit status %s", program, status)
		}
	default:
		failure.Err = fmt.Errorf("%s was killed, or could not be started", program)
	}
	return failure
}
