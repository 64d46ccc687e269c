package sandboxer

import (
	"errors"
	"fmt"
	"strings"
)

// choose returns the first provisioner that can run spec on an engine that
// answered. Plain processes stand in only where no engine is installed, or
// where they are all that was asked for: an engine that is stopped or
// forbidden must not look healthy by being passed over.
func choose(all []Provisioner, spec Spec, snap HostSnapshot) (Provisioner, EngineInfo, error) {
	var trouble *EngineError // of the first engine that is installed and cannot be used
	var process Provisioner
	for _, p := range all {
		if p.Engine() == EngineProcess {
			process = p
			continue
		}
		info := engineInfo(snap, p.Engine())
		err := usable(p, spec, info)
		if err == nil {
			return p, info, nil
		}
		if trouble == nil || trouble.Status == EngineAbsent {
			trouble = err
		}
	}
	if process == nil {
		return nil, EngineInfo{}, trouble
	}
	if trouble != nil && trouble.Status == EngineAbsent {
		trouble = unserved(all, snap)
	}
	if trouble != nil {
		return nil, EngineInfo{}, trouble
	}
	info := engineInfo(snap, EngineProcess)
	if err := usable(process, spec, info); err != nil {
		return nil, EngineInfo{}, err
	}
	return process, info, nil
}

func engineInfo(snap HostSnapshot, name Engine) EngineInfo {
	if info := snap.Engine(name); info != nil {
		return *info
	}
	return EngineInfo{Name: name, Status: EngineUnknown}
}

// usable returns nil if p can run spec on the engine as it was observed.
func usable(p Provisioner, spec Spec, info EngineInfo) *EngineError {
	fail := func(err error) *EngineError {
		return &EngineError{Engine: info.Name, Status: info.Status, Err: err, Hint: engineHint(info)}
	}
	switch info.Status {
	case EngineOK, EngineUnused:
	case EngineAbsent:
		return fail(errors.New("it is not installed"))
	default:
		detail := "it does not answer"
		if info.Detail != nil {
			detail = strings.TrimSpace(*info.Detail)
		}
		return fail(errors.New(detail))
	}
	if !spec.fits(info.Name) {
		failure := fail(fmt.Errorf("profile %s cannot run on it", spec.Profile))
		if info.Name == EngineProcess {
			failure.Hint = "a profile needs a container engine; without one, only the canary runs"
		}
		return failure
	}
	if checker, ok := p.(EngineChecker); ok {
		if err := checker.Usable(info); err != nil {
			missing := fail(err)
			missing.Hint = "install it on the host, or choose another engine: --engine"
			return missing
		}
	}
	return nil
}

// unserved returns an installed engine that none of the provisioners drives.
func unserved(all []Provisioner, snap HostSnapshot) *EngineError {
	served := map[Engine]bool{EngineProcess: true}
	for _, p := range all {
		served[p.Engine()] = true
	}
	for _, info := range snap.Engines {
		if !served[info.Name] && info.Status != EngineAbsent {
			return &EngineError{
				Engine: info.Name, Status: info.Status,
				Err:  errors.New("it is installed, and there is no provisioner for it"),
				Hint: "to run without a container engine: --engine process",
			}
		}
	}
	return nil
}

func engineHint(info EngineInfo) string {
	engine := info.Name
	switch info.Status {
	case EngineAbsent:
		return "install it on the host, or run without a container engine: --engine process"
	case EngineDown:
		if engine == EnginePodman { // there is no daemon: its own words say what is wrong
			return "see what podman says on the host: podman info"
		}
		return fmt.Sprintf("start it on the host: systemctl start %s", engine)
	case EngineForbidden:
		if strings.HasPrefix(deref(info.Detail), "sudo") {
			return fmt.Sprintf("let the user on the host run %s by sudo without a password (NOPASSWD in sudoers)", engine)
		}
		if engine == EngineDocker {
			return "let the user on the host use it: usermod -aG docker USER, then log in again"
		}
	case EngineUnresponsive:
		return fmt.Sprintf("see what it is doing on the host: systemctl status %s", engine)
	}
	return ""
}
