package profile

import (
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// image writes where the image of s comes from: it is built from the profile,
// which gives it a name of the sandbox's own; it is that of a service which is
// built; or it is on the host already, as none is ever pulled.
func (w *writer) image(s *types.ServiceConfig, o object, short *Service) {
	set(o, "platform", s.Platform)
	if s.Platform != "" {
		w.found.warn("platform", s.Name, "platform %q: a host of another one needs an emulator, and podman-compose 1.0.3 pays no heed", s.Platform)
	}
	switch s.PullPolicy {
	case "", "never", "missing", "if_not_present", "build":
	default:
		w.found.warn("pull_policy", s.Name, "pull_policy %q: nothing is ever pulled", s.PullPolicy)
	}
	own := placeholder("SANDBOXER_IMAGE")
	if s.Build != nil {
		w.spec.Builds = append(w.spec.Builds, s.Name)
		o["build"] = w.build(s, short)
		return
	}
	builder, shared := w.built[s.Image]
	if service, ok := strings.CutPrefix(s.Image, own+":"); ok {
		builder, shared = service, w.project.Services[service].Build != nil
	}
	switch {
	case shared:
		o["image"] = own + ":" + builder
		short.Image = "(that of " + builder + ")"
	case strings.Contains(s.Image, own), strings.HasPrefix(s.Image, "localhost/sandboxer/"):
		w.found.fail("image", s.Name, "image %q: no service of the profile builds it", literal(s.Image))
	case s.Image == "" || strings.HasPrefix(s.Image, "-") || strings.ContainsAny(s.Image, " \t\n\r") || literal(s.Image) != s.Image:
		w.found.fail("image", s.Name, "image %q: not the name of an image", literal(s.Image))
	default:
		o["image"], short.Image = s.Image, s.Image
		w.spec.Images = append(w.spec.Images, s.Image)
	}
}

var handledInBuild = strings.Fields(`context dockerfile args labels network target shm_size extra_hosts
	cache_from cache_to no_cache no_cache_filter pull tags platforms provenance sbom
	ssh secrets privileged entitlements`)

func (w *writer) build(s *types.ServiceConfig, short *Service) object {
	b, o := s.Build, object{}
	for key := range setKeys(reflect.ValueOf(*b)) {
		if !slices.Contains(handledInBuild, key) {
			w.found.fail("unsupported_key", s.Name, "build.%s is not supported, as not every tool knows it", key)
		}
	}
	for key, set := range map[string]bool{
		"cache_from": len(b.CacheFrom) > 0, "cache_to": len(b.CacheTo) > 0, "no_cache": b.NoCache, "no_cache_filter": len(b.NoCacheFilter) > 0,
		"pull": b.Pull, "tags": len(b.Tags) > 0, "platforms": len(b.Platforms) > 0, "provenance": b.Provenance != "", "sbom": b.SBOM != "",
	} {
		if set {
			w.found.warn("build_key", s.Name, "build.%s is left out: an image is built once, for its sandbox alone", key)
		}
	}
	if len(b.SSH) > 0 || len(b.Secrets) > 0 {
		w.found.fail("build_secret", s.Name, "build: ssh and secrets of this machine are not on the host")
	}
	if b.Privileged || len(b.Entitlements) > 0 {
		w.found.fail("unsupported_key", s.Name, "build: privileged and entitlements are not supported")
	}
	switch b.Network {
	case "", "none", "default":
	default:
		w.found.refuse("build_network", s.Name, "build.network %q", b.Network)
	}
	set(o, "network", b.Network)
	set(o, "target", b.Target)
	set(o, "shm_size", int64(b.ShmSize))
	setList(o, "extra_hosts", sorted(b.ExtraHosts.AsList(":")))
	w.labels("", fmt.Sprintf("build of service %q", s.Name), b.Labels, o)
	w.buildArgs(s, o)
	w.buildContext(s, o, short)
	return o
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

func (w *writer) buildArgs(s *types.ServiceConfig, o object) {
	args := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.Build.Args)) {
		if value := s.Build.Args[name]; value != nil {
			args[name] = *value
		} else {
			w.found.fail("undefined_variable", s.Name, "build.args: %q has no value: give it one, or set it in .env of the profile", name)
		}
	}
	if len(args) > 0 {
		o["args"] = args
	}
}

// buildContext: both the directory and the Dockerfile must be of the profile.
func (w *writer) buildContext(s *types.ServiceConfig, o object, short *Service) {
	name := s.Build.Context
	if strings.Contains(name, "://") || strings.HasPrefix(name, "git@") || strings.HasPrefix(name, "github.com/") || strings.HasPrefix(name, types.ServicePrefix) {
		w.found.fail("remote_context", s.Name, "build.context %q is not a directory of the profile: put a copy there", name)
		return
	}
	context, isLocal, ok := w.local(s.Name, "build.context", name)
	if !ok {
		return
	}
	if dir, there := w.tree.has(context); !isLocal || !there || !dir {
		w.found.fail("build_context", s.Name, "build.context %q is not a directory of the profile", name)
		return
	}
	o["context"], short.Build = dotted(context), dotted(context)
	file := s.Build.Dockerfile
	within, isLocal, ok := w.local(s.Name, "build.dockerfile", path.Join(context, file))
	if strings.HasPrefix(file, "/") {
		within, isLocal, ok = w.local(s.Name, "build.dockerfile", file)
	}
	if !ok {
		return
	}
	if dir, there := w.tree.has(within); !isLocal || !there || dir {
		w.found.fail("dockerfile", s.Name, "build.dockerfile %q is not a file of the profile", file)
		return
	}
	// Always said: without it podman-compose looks for a Containerfile first.
	o["dockerfile"] = relative(context, within)
}

// dotted is a path within the profile as no tool takes it for a name.
func dotted(rel string) string {
	if rel == "." {
		return rel
	}
	return "./" + rel
}

// relative is the path of file, seen from dir; both are within the profile.
func relative(dir, file string) string {
	if dir == "." {
		return file
	}
	if rest, ok := strings.CutPrefix(file, dir+"/"); ok {
		return rest
	}
	return strings.Repeat("../", strings.Count(dir, "/")+1) + file
}
