package compose

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
)

var (
	// serviceName is what compose tools take for a service, less what a shell
	// would not take as one word.
	serviceName = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]*$`)

	// resourceName is what engines take for a volume or a network: another
	// form would be a path to some tool, or an option.
	resourceName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

	// imageForm is a word that may name an image: "redis:7",
	// "localhost:5000/a/b@sha256:…".
	imageForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._/:@-]*$`)

	// pathForm is a path of a URL, with what may follow it: "/healthz?full=1".
	pathForm = regexp.MustCompile(`^/[a-zA-Z0-9._~!$&'()*+,;=:@%/?-]*$`)
)

// check returns an error unless the tool can be told of all that spec wants.
func (t tool) check(spec sandboxer.Spec) error {
	c := spec.Compose
	if c == nil {
		return errors.New("the profile has no compose file")
	}
	if len(c.Services) == 0 {
		return errors.New("the profile names no service")
	}
	if len(c.Builds) > 0 && c.Rootfs != "" {
		return errors.New("the profile has both an image to build and a directory that is one")
	}
	for _, name := range []string{c.File, c.Rootfs, spec.ReadyFile} {
		if name != "" && !fs.ValidPath(name) {
			return fmt.Errorf("%q is no path within the profile's files", name)
		}
	}
	if t.engine == sandboxer.EnginePodman && strings.Contains(c.File, "/") {
		return fmt.Errorf("%s needs the compose file in the profile's own directory, not %q", t.name, c.File)
	}
	return checkNames(c)
}

// checkNames refuses what the script would not get as one word.
func checkNames(c *sandboxer.Compose) error {
	for _, name := range slices.Concat(c.Services, c.Builds) {
		if !serviceName.MatchString(name) {
			return fmt.Errorf("%q is no name of a service", name)
		}
	}
	for _, name := range slices.Concat(c.Networks, c.Volumes) {
		if !resourceName.MatchString(name) {
			return fmt.Errorf("%q is no name of a network or a volume", name)
		}
	}
	for _, name := range c.Images {
		if !imageForm.MatchString(name) {
			return fmt.Errorf("%q is no name of an image", name)
		}
	}
	for _, r := range c.Ready {
		switch {
		case !slices.Contains(c.Services, r.Service):
			return fmt.Errorf("a check for readiness is of %q, which is none of the services", r.Service)
		case r.Port < 1 || r.Port > 65535:
			return fmt.Errorf("port %d of the check for service %s: want 1 to 65535", r.Port, r.Service)
		case r.HTTP != "" && !pathForm.MatchString(r.HTTP):
			return fmt.Errorf("%q of the check for service %s: want a path such as \"/healthz\"", r.HTTP, r.Service)
		}
	}
	return nil
}
