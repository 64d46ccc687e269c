package sandboxer

import (
	"errors"
	"fmt"
	"strings"
)

// mendEngine is what makes an engine usable that is not.
func (d *doctor) mendEngine(e EngineInfo, why *EngineError) string {
	detail := deref(e.Detail)
	refused := strings.Contains(detail, "sudo") || strings.HasPrefix(detail, "Sorry, user ")
	switch {
	case e.Status == EngineForbidden && detail == "the host has no sudo":
		return "leave sudo out of --compose-cmd"
	case e.Status == EngineForbidden && refused:
		return fmt.Sprintf(`echo "%s ALL=(root) NOPASSWD: $(command -v %s)" | sudo tee -a /etc/sudoers.d/sandboxer`, d.user(), e.Name)
	case e.Name == EnginePodman && e.Status == EngineDown && d.isFalse(d.obs.Facts.RuntimeDir):
		return d.mendRuntimeDir()
	case e.Name == EnginePodman && e.Status == EngineDown:
		return "see what it says: podman info"
	case e.Name == EnginePodman && e.Status == EngineUnresponsive:
		return "see what holds it up: ps -fu " + d.user() + " | grep podman"
	case e.Name == EnginePodman && len(e.ComposeTools) == 0 && (e.Status == EngineOK || e.Status == EngineUnused):
		return d.install("podman-compose")
	case e.Name == EngineDocker && e.Status == EngineForbidden:
		return "sudo usermod -aG docker " + d.user() + "   # then log in again"
	case e.Name == EngineDocker && e.Status == EngineDown && d.obs.Facts.DockerHost != "":
		return mendDockerHost
	case e.Name == EngineDocker && e.Status == EngineDown:
		return "sudo systemctl start docker"
	}
	return strings.ReplaceAll(Hint(why), "USER", d.user())
}

// mendCreate is what lets a create go on: what mends the engine that it would
// have used.
func (d *doctor) mendCreate(err error) string {
	var why *EngineError
	if errors.As(err, &why) {
		if e := d.obs.Snapshot.Engine(why.Engine); e != nil {
			return d.mendEngine(*e, why)
		}
	}
	return Hint(err)
}

func (*doctor) isFalse(b *bool) bool { return b != nil && !*b }

// beside looks at what would make trouble on an engine that answers.
func (d *doctor) beside(e EngineInfo) {
	d.snap(e)
	if e.Name == EngineDocker {
		d.remote()
		d.pools()
	}
	if on := d.obs.Facts.SELinuxEnforcing; on != nil && *on {
		d.add(fmt.Sprintf("engine.%s.selinux", e.Name), Warn, "end bind mounts of a profile in :Z, as in ./data:/data:Z",
			"SELinux is enforcing: containers may not read directories bound into them")
	}
}

const mendDockerHost = "docker context use default; unset DOCKER_HOST DOCKER_CONTEXT   # and in the user's profile"

// remote: directories on this host are none on another.
func (d *doctor) remote() {
	const check = "engine.docker.remote"
	if host := d.obs.Facts.DockerHost; host != "" {
		d.add(check, Fail, mendDockerHost,
			"docker's client is told to look at %s: sandboxes would get empty directories there", host)
		return
	}
	d.add(check, Pass, "", "docker is on this host")
}

// fewPools is when networks are about to run out.
const fewPools = 5

func (d *doctor) pools() {
	const check, mend = "engine.docker.address_pools", "docker network prune   # removes every network that no container uses"
	switch free := d.obs.Facts.AddressPoolsFree; {
	case free == nil:
		d.add(check, Unknown, "compare with 31, unless daemon.json has pools: docker network ls -q | wc -l", "nobody can tell how many networks docker can still make")
	case *free == 0:
		d.add(check, Fail, mend, "docker has no addresses left for another network")
	case *free < fewPools:
		d.add(check, Warn, mend, "docker has addresses left for %d networks", *free)
	default:
		d.add(check, Pass, "", "docker has addresses left for %d networks", *free)
	}
}

// snap looks for the docker that Ubuntu's snap confines: it sees the home
// directories, save what is hidden in them, and a /tmp of its own.
func (d *doctor) snap(e EngineInfo) {
	if !strings.HasPrefix(deref(e.RootDir), "/var/snap/") {
		return
	}
	check, root, home := fmt.Sprintf("engine.%s.snap", e.Name), d.obs.Inventory.Root, d.obs.Facts.Home
	below, ok := strings.CutPrefix(root, home+"/")
	if home != "" && ok && !strings.HasPrefix(below, ".") {
		d.add(check, Pass, "", "%s is a snap, and sees %s", e.Name, root)
		return
	}
	d.add(check, Fail, "use --root '~/sandboxer' (not a hidden directory), or an engine that is no snap", "%s is a snap, and does not see %s", e.Name, root)
}
