package probe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// docker's answers, of which the fields wanted. The script makes the client
// print the same names as the API.
type (
	dockerVersion struct {
		Version, ApiVersion string
		Components          []struct{ Name string }
		Server              *dockerVersion // the client's form
	}
	dockerInfo struct {
		ID, Driver, CgroupDriver, DockerRootDir string
		SecurityOptions                         []string
		DefaultAddressPools                     []addressPool
	}
	dockerContainer struct {
		ID, State, ImageID string
		Names              []string
		Labels             map[string]string
	}
	dockerNetwork struct {
		ID, Name string
		Labels   map[string]string
		IPAM     struct{ Config []struct{ Subnet string } }
	}
	dockerVolume struct {
		Name   string
		Labels map[string]string
	}
	dockerImage struct {
		ID       string
		RepoTags []string
		Labels   map[string]string
	}
	dockerInspection struct {
		ID    string
		State struct {
			StartedAt, FinishedAt time.Time
			Pid                   int64
		}
		NetworkSettings struct {
			Ports map[string][]struct{ HostIp, HostPort string }
		}
	}
)

const podmansSocket = "its socket is podman's"

// docker reads docker's state and all it holds.
func (r *reading) docker() engine {
	const name = sandboxer.EngineDocker
	e := engine{}
	switch r.self.docker {
	case "api":
		e = r.dockerAPI()
	case "cli":
		e = r.dockerCLI()
	case "absent":
		e = newEngine(name, sandboxer.EngineAbsent, sandboxer.SourceAbsent, "")
		if r.self.tools["docker"] {
			e.info.Detail = new("a client, and neither a socket nor dockerd")
		}
	case "podman":
		e = newEngine(name, sandboxer.EngineAbsent, sandboxer.SourceAbsent, "")
		e.info.Detail = new(podmansSocket)
	case "down":
		e = newEngine(name, sandboxer.EngineDown, "down", "dockerd is installed, and its socket is not there")
	case "forbidden":
		e = newEngine(name, sandboxer.EngineForbidden, forbidden, "permission denied on its socket")
	case "no_sudo":
		e = newEngine(name, sandboxer.EngineForbidden, forbidden, noSudo)
	case "unasked":
		e = newEngine(name, sandboxer.EngineUnknown, parseError, "a socket, and neither curl nor a docker client to ask it with")
	case "no_timeout":
		e = newEngine(name, sandboxer.EngineUnknown, parseError, "not asked: the host has no timeout(1) to stop a client that hangs")
	default:
		e = newEngine(name, sandboxer.EngineUnknown, truncated, "")
	}
	if r.self.plugin && r.self.tools["docker"] {
		e.info.ComposeTools = append(e.info.ComposeTools, "docker compose")
	}
	if r.self.tools["docker-compose"] {
		e.info.ComposeTools = append(e.info.ComposeTools, "docker-compose")
	}
	r.whyEngine(0, e)
	return e
}

// whyEngine gives the reason for the values that an engine does not have.
func (r *reading) whyEngine(i int, e engine) {
	if e.info.Status == sandboxer.EngineOK {
		r.why.add(unsupported, fieldPath(i))
		return
	}
	r.why.add(e.reason(), fieldPath(i), fieldPath(i)+".*")
}

// An httpAnswer is one of the answers in a section that curl filled. Curl puts
// a mark behind each:
//
//	NONCE http 200 0.003 http://d/version
type httpAnswer struct {
	code    int
	seconds float64
	path    string
	body    []byte
}

// httpAnswers returns the answers, and what curl said after the last of them.
func httpAnswers(body []byte, nonce string) ([]httpAnswer, []byte) {
	mark := []byte("\n" + nonce + " http ")
	var answers []httpAnswer
	for {
		before, rest, found := bytes.Cut(body, mark)
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		words := strings.Fields(string(line))
		if !found || !whole || len(words) != 3 {
			return answers, body
		}
		_, path, _ := strings.Cut(strings.TrimPrefix(words[2], "http://"), "/")
		a := httpAnswer{body: before, path: "/" + path}
		a.code, _ = strconv.Atoi(words[0])
		a.seconds, _ = strconv.ParseFloat(words[1], 64)
		answers = append(answers, a)
		body = after
	}
}

func (r *reading) dockerAPI() engine {
	s, begun := r.sections["docker_api"]
	answers, said := httpAnswers(s.body, r.nonce)
	if !s.whole || s.code != 0 {
		s.body = said
		e := r.failed(sandboxer.EngineDocker, "docker_api", s, begun)
		if s.whole && s.code != curlNoConnect && e.info.Status == sandboxer.EngineDown {
			e = unreadable(sandboxer.EngineDocker, string(bytes.TrimSpace(said)))
		}
		return e
	}
	parts := map[string][]byte{}
	for _, a := range answers {
		if a.code == 401 || a.code == 403 {
			return newEngine(sandboxer.EngineDocker, sandboxer.EngineForbidden, forbidden, abbreviate(string(a.body)))
		}
		if a.code != 200 {
			return unreadable(sandboxer.EngineDocker, fmt.Sprintf("%s: status %d: %s", a.path, a.code, bytes.TrimSpace(a.body)))
		}
		parts[a.path] = a.body
	}
	var volumes struct{ Volumes json.RawMessage }
	if err := json.Unmarshal(parts["/volumes"], &volumes); err != nil {
		return unreadable(sandboxer.EngineDocker, "/volumes: "+err.Error())
	}
	e := readDocker(dockerParts{
		version: parts["/version"], info: parts["/info"], containers: parts["/containers/json?all=1"],
		networks: parts["/networks"], volumes: volumes.Volumes, images: parts["/images/json"],
	})
	if len(answers) > 0 {
		e.info.ResponseMS = new(int64(math.Round(answers[0].seconds * 1000)))
	}
	if !r.self.boxes {
		return e
	}
	times := r.sections["docker_api_times"]
	inspected, _ := httpAnswers(times.body, r.nonce)
	var all [][]byte
	for _, a := range inspected {
		if a.code == 200 { // one that is gone meanwhile has no times
			all = append(all, a.body)
		}
	}
	e.times(times, bytes.Join(all, nil))
	return e
}

func (r *reading) dockerCLI() engine {
	parts := dockerParts{}
	for _, p := range []struct {
		name string
		body *[]byte
	}{
		{"version", &parts.version}, {"info", &parts.info}, {"containers", &parts.containers},
		{"networks", &parts.networks}, {"volumes", &parts.volumes}, {"images", &parts.images},
	} {
		s, begun := r.sections["docker_cli_"+p.name]
		if !s.whole || s.code != 0 {
			return r.failed(sandboxer.EngineDocker, "docker_cli", s, begun)
		}
		*p.body = jsonIn(s.body)
	}
	e := readDocker(parts)
	if times := r.sections["docker_cli_times"]; r.self.boxes {
		e.times(times, times.body)
	}
	return e
}

func lastLine(b []byte) []byte {
	b = bytes.TrimSpace(b)
	return b[bytes.LastIndexByte(b, '\n')+1:]
}

// dockerParts are the bodies of docker's answers.
type dockerParts struct{ version, info, containers, networks, volumes, images []byte }

func readDocker(p dockerParts) engine {
	const name = sandboxer.EngineDocker
	e := newEngine(name, sandboxer.EngineOK, sandboxer.SourceComplete, "")
	var version dockerVersion
	if err := json.Unmarshal(p.version, &version); err != nil {
		return unreadable(name, "version: "+err.Error())
	}
	if version.Server != nil {
		version = *version.Server
	}
	if slices.ContainsFunc(version.Components, func(c struct{ Name string }) bool { return c.Name == "Podman Engine" }) {
		return newEngine(name, sandboxer.EngineAbsent, sandboxer.SourceAbsent, podmansSocket)
	}
	var info dockerInfo
	if err := json.Unmarshal(p.info, &info); err != nil {
		return unreadable(name, "info: "+err.Error())
	}
	e.info.Version, e.info.APIVersion = nonEmpty(version.Version), nonEmpty(version.ApiVersion)
	e.info.RootDir, e.info.StorageDriver = nonEmpty(info.DockerRootDir), nonEmpty(info.Driver)
	e.info.CgroupDriver, e.info.EngineID = nonEmpty(info.CgroupDriver), nonEmpty(info.ID)
	e.info.Rootless = new(slices.Contains(info.SecurityOptions, "name=rootless"))
	e.pools = info.DefaultAddressPools
	if err := e.readLists(p); err != nil {
		return unreadable(name, err.Error())
	}
	e.count()
	return e
}

func nonEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (e *engine) readLists(p dockerParts) error {
	const name = sandboxer.EngineDocker
	containers, err := decodeAll[dockerContainer](p.containers)
	if err != nil {
		return fmt.Errorf("containers: %w", err)
	}
	for _, c := range containers {
		var full string
		if len(c.Names) > 0 {
			full = strings.TrimPrefix(c.Names[0], "/")
		}
		t := newThing(name, sandboxer.KindContainer, c.ID, full, c.Labels)
		t.State, t.image = &c.State, c.ImageID
		e.things = append(e.things, t)
	}
	networks, err := decodeAll[dockerNetwork](p.networks)
	if err != nil {
		return fmt.Errorf("networks: %w", err)
	}
	for _, n := range networks {
		for _, c := range n.IPAM.Config {
			e.subnets = append(e.subnets, c.Subnet)
		}
		e.things = append(e.things, newThing(name, sandboxer.KindNetwork, n.ID, n.Name, n.Labels))
	}
	volumes, err := decodeAll[dockerVolume](p.volumes)
	if err != nil {
		return fmt.Errorf("volumes: %w", err)
	}
	for _, v := range volumes {
		e.things = append(e.things, newThing(name, sandboxer.KindVolume, v.Name, v.Name, v.Labels))
	}
	images, err := decodeAll[dockerImage](p.images)
	if err != nil {
		return fmt.Errorf("images: %w", err)
	}
	for _, i := range images {
		e.addImage(i.ID, i.RepoTags, i.Labels)
	}
	return nil
}

// addImage adds an image once for each of its names, without the tag
// "latest".
func (e *engine) addImage(id string, names []string, labels map[string]string) {
	added := false
	for _, n := range names {
		n = strings.TrimSuffix(n, ":latest")
		if n == "<none>:<none>" {
			continue
		}
		e.things = append(e.things, newThing(e.info.Name, sandboxer.KindImage, id, n, labels))
		added = true
	}
	if !added {
		e.things = append(e.things, newThing(e.info.Name, sandboxer.KindImage, id, id, labels))
	}
}
