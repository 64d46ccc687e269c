package profile

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/compose-spec/compose-go/v2/types"
)

// serviceName is what every compose tool takes, and a shell as one word.
var serviceName = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,62}$`)

// service looks through one service and returns it as it is written.
func (w *writer) service(s *types.ServiceConfig) object {
	o, short := object{}, Service{Name: s.Name}
	if !serviceName.MatchString(s.Name) {
		w.found.fail("service_name", s.Name, "the name is not of at most 63 letters, digits, ., _ and -, or begins with . or -")
	}
	w.unsupported(s)
	w.image(s, o, &short)
	w.process(s, o)
	w.environment(s, o)
	w.labels(s.Name, "it", s.Labels, o)
	w.ready(s, &short)
	w.limits(s, o)
	w.rights(s, o)
	w.namespaces(s, o)
	w.attach(s, o)
	w.ports(s, o, &short)
	w.mounts(s, o, &short)
	w.order(s, o)
	w.tools(s)
	w.services = append(w.services, short)
	return o
}

// handled are the keys that some function of the writer looks at.
var handled = strings.Fields(`profiles extends name
	image build platform pull_policy
	command entrypoint working_dir user hostname domainname init tty stdin_open stop_signal stop_grace_period restart healthcheck logging
	environment env_file labels label_file annotations
	cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset mem_limit mem_reservation memswap_limit
	mem_swappiness oom_kill_disable oom_score_adj pids_limit shm_size ulimits sysctls storage_opt scale deploy blkio_config
	privileged cap_add cap_drop security_opt read_only group_add devices device_cgroup_rules gpus runtime cgroup_parent cgroup
	network_mode pid ipc uts userns_mode container_name
	networks dns dns_opt dns_search extra_hosts expose ports links external_links mac_address
	volumes volumes_from tmpfs secrets configs
	depends_on develop attach`)

// unsupported names every key that nothing here knows, so that nothing of a
// profile is dropped in silence.
func (w *writer) unsupported(s *types.ServiceConfig) {
	for key := range setKeys(reflect.ValueOf(*s)) {
		if !slices.Contains(handled, key) {
			w.found.fail("unsupported_key", s.Name, "%s is not supported", key)
		}
	}
	for key, set := range map[string]bool{"develop": s.Develop != nil, "attach": s.Attach != nil, "annotations": len(s.Annotations) > 0, "cgroup": s.Cgroup == "private"} {
		if set {
			w.found.warn("ignored_key", s.Name, "%s is left out, as not every tool knows it", key)
		}
	}
}

// setKeys yields the YAML names of the fields of v that are not zero.
func setKeys(v reflect.Value) func(func(string) bool) {
	var keys []string
	var walk func(reflect.Value)
	walk = func(v reflect.Value) {
		for i := range v.NumField() {
			tag := v.Type().Field(i).Tag.Get("yaml")
			name, options, _ := strings.Cut(tag, ",")
			switch {
			case name == "" && strings.Contains(options, "inline"):
				walk(v.Field(i))
			case name == "#extensions" || name == "-" || name == "" || v.Field(i).IsZero():
			default:
				keys = append(keys, name)
			}
		}
	}
	walk(v)
	slices.Sort(keys)
	return slices.Values(keys)
}

// readFiles reads env_file and label_file of all services into them.
func (w *writer) readFiles() error {
	for name, s := range w.project.Services {
		var files []types.EnvFile
		for _, f := range s.EnvFiles {
			path, ok, err := w.sideFile(name, "env_file", f.Path, bool(f.Required))
			if err != nil {
				return err
			}
			if ok {
				f.Path = path
				files = append(files, f)
			}
		}
		var labels []string
		for _, f := range s.LabelFiles {
			path, ok, err := w.sideFile(name, "label_file", f, true)
			if err != nil {
				return err
			}
			if ok {
				labels = append(labels, path)
			}
		}
		s.EnvFiles, s.LabelFiles = files, labels
		w.project.Services[name] = s
	}
	project, err := w.project.WithServicesEnvironmentResolved(true)
	if err != nil {
		return err
	}
	if project, err = project.WithServicesLabelsResolved(true); err != nil {
		return err
	}
	w.project = project
	return nil
}

// sideFile returns the absolute path of a file that is read on this machine.
func (w *writer) sideFile(service, what, name string, required bool) (path string, ok bool, err error) {
	if strings.HasPrefix(name, "~") {
		w.found.fail("outside_path", service, "%s %q: ~ is nobody's here", what, name)
		return "", false, nil
	}
	path = name
	if !filepath.IsAbs(path) {
		path = filepath.Join(w.root, path)
	}
	real, err := filepath.EvalSymlinks(path)
	if os.IsNotExist(err) && !required {
		return "", false, nil
	} else if err != nil {
		return "", false, fmt.Errorf("service %q: %s: %w", service, what, err)
	}
	if _, inside := within(w.root, real); !inside {
		w.found.refuse("outside_file", service, "%s %q is a file outside the profile's directory", what, name)
	}
	if _, err := readPlain(real); err != nil {
		return "", false, fmt.Errorf("service %q: %s: %w", service, what, err)
	}
	return path, true, nil
}

// environment writes the variables of a container. One without a value would
// be taken from whoever runs the compose tool on the host.
func (w *writer) environment(s *types.ServiceConfig, o object) {
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.Environment)) {
		value := s.Environment[name]
		switch {
		case value == nil:
			w.found.fail("undefined_variable", s.Name, "environment: %q has no value: give it one, or set it in .env of the profile", name)
		case name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(*value, 0), !utf8.ValidString(name + *value):
			w.found.fail("environment", s.Name, "environment: %q cannot be the name or value of a variable", name)
		default:
			out[name] = *value
		}
	}
	if len(out) > 0 {
		o["environment"] = out
	}
}

// process writes what runs, and how.
func (w *writer) process(s *types.ServiceConfig, o object) {
	if s.Command != nil {
		o["command"] = []string(s.Command)
	}
	if s.Entrypoint != nil {
		o["entrypoint"] = []string(s.Entrypoint)
	}
	set(o, "working_dir", s.WorkingDir)
	set(o, "user", s.User)
	set(o, "hostname", s.Hostname)
	set(o, "domainname", s.DomainName)
	set(o, "tty", s.Tty)
	set(o, "stdin_open", s.StdinOpen)
	set(o, "stop_signal", s.StopSignal)
	if s.Init != nil {
		o["init"] = *s.Init
	}
	if s.StopGracePeriod != nil {
		// Up to whole seconds: podman-compose takes no fraction.
		whole := (time.Duration(*s.StopGracePeriod) + time.Second - 1).Truncate(time.Second)
		o["stop_grace_period"] = types.Duration(whole).String()
	}
	w.restart(s, o)
	if l := s.Logging; l != nil {
		o["logging"] = w.logging(s.Name, l)
	}
	if h := s.HealthCheck; h != nil {
		o["healthcheck"] = w.healthcheck(s.Name, h)
	}
}

// restart: a policy that starts a container again after a reboot of the host
// is fine, as records and labels outlive that too.
func (w *writer) restart(s *types.ServiceConfig, o object) {
	policy := s.Restart
	if s.Deploy != nil && s.Deploy.RestartPolicy != nil && policy == "" {
		switch p := s.Deploy.RestartPolicy; p.Condition {
		case "none":
			policy = "no"
		case "on-failure":
			policy = "on-failure"
			if p.MaxAttempts != nil {
				policy += ":" + strconv.FormatUint(*p.MaxAttempts, 10)
			}
		default:
			policy = "always"
		}
	}
	set(o, "restart", policy)
}

func (w *writer) healthcheck(service string, h *types.HealthCheckConfig) object {
	o := object{}
	if h.Disable {
		o["disable"] = true
		return o
	}
	setList(o, "test", []string(h.Test))
	for key, d := range map[string]*types.Duration{"interval": h.Interval, "timeout": h.Timeout, "start_period": h.StartPeriod} {
		if d != nil {
			o[key] = d.String()
		}
	}
	if h.Retries != nil {
		o["retries"] = *h.Retries
	}
	if h.StartInterval != nil {
		w.found.warn("ignored_key", service, "healthcheck.start_interval is left out, as not every tool knows it")
	}
	return o
}

// limits writes what a container may use. docker-compose 1.29 heeds only the
// keys outside "deploy".
func (w *writer) limits(s *types.ServiceConfig, o object) {
	set(o, "cpu_count", s.CPUCount)
	set(o, "cpu_percent", s.CPUPercent)
	set(o, "cpu_period", s.CPUPeriod)
	set(o, "cpu_quota", s.CPUQuota)
	set(o, "cpu_rt_period", s.CPURTPeriod)
	set(o, "cpu_rt_runtime", s.CPURTRuntime)
	set(o, "cpu_shares", s.CPUShares)
	set(o, "cpuset", s.CPUSet)
	set(o, "oom_kill_disable", s.OomKillDisable)
	set(o, "oom_score_adj", s.OomScoreAdj)
	set(o, "memswap_limit", int64(s.MemSwapLimit))
	set(o, "mem_swappiness", int64(s.MemSwappiness))
	set(o, "shm_size", int64(s.ShmSize))
	cpus, memory, reserved, pids := s.CPUS, s.MemLimit, s.MemReservation, s.PidsLimit
	if s.Deploy != nil {
		w.deploy(s)
		if l := s.Deploy.Resources.Limits; l != nil {
			cpus = max(cpus, l.NanoCPUs.Value())
			memory, pids = max(memory, l.MemoryBytes), max(pids, l.Pids)
		}
		if r := s.Deploy.Resources.Reservations; r != nil {
			reserved = max(reserved, r.MemoryBytes)
		}
	}
	if cpus != 0 {
		o["cpus"], _ = strconv.ParseFloat(strconv.FormatFloat(float64(cpus), 'f', 6, 32), 64)
	}
	set(o, "mem_limit", int64(memory))
	set(o, "mem_reservation", int64(reserved))
	set(o, "pids_limit", pids)
	if len(s.Sysctls) > 0 {
		o["sysctls"] = pairs(s.Sysctls)
	}
	if len(s.StorageOpt) > 0 {
		o["storage_opt"] = s.StorageOpt
	}
	if s.BlkioConfig != nil {
		w.found.warn("ignored_key", s.Name, "blkio_config is left out")
	}
	ulimits := object{}
	for name, u := range s.Ulimits {
		switch {
		case u == nil:
		case u.Single != 0:
			ulimits[name] = u.Single
		default:
			ulimits[name] = object{"soft": u.Soft, "hard": u.Hard}
		}
	}
	if len(ulimits) > 0 {
		o["ulimits"] = ulimits
	}
}

// pairs lists a mapping as "key=value", sorted: podman-compose takes the keys
// alone of some mappings.
func pairs(m map[string]string) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		out = append(out, key+"="+m[key])
	}
	return out
}

// deploy: of what is meant for a swarm only limits mean something here.
func (w *writer) deploy(s *types.ServiceConfig) {
	d := s.Deploy
	for key, set := range map[string]bool{
		"mode": d.Mode != "" && d.Mode != "replicated", "labels": len(d.Labels) > 0, "update_config": d.UpdateConfig != nil,
		"rollback_config": d.RollbackConfig != nil, "endpoint_mode": d.EndpointMode != "",
		"placement": len(d.Placement.Constraints) > 0 || len(d.Placement.Preferences) > 0 || d.Placement.MaxReplicas > 0,
	} {
		if set {
			w.found.warn("swarm_key", s.Name, "deploy.%s is for a swarm, and left out", key)
		}
	}
	for _, r := range []*types.Resource{d.Resources.Limits, d.Resources.Reservations} {
		if r != nil && (len(r.Devices) > 0 || len(r.GenericResources) > 0) {
			w.found.fail("unsupported_key", s.Name, "deploy.resources: devices and generic_resources are not supported")
		}
	}
}
