package profile

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/interpolation"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/tegwick/sand-boxer"
)

const (
	dotEnv = ".env"

	// composeFile is the name under which the compose file is uploaded,
	// whatever that of the profile is called.
	composeFile = "compose.yaml"

	// projectName is never seen on a host: there it is the sandbox's id.
	projectName = "sandboxer-profile-3f9c1d"
)

// composeNames are the names of compose files, the preferred first.
var composeNames = []string{"compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"}

// A Profile is one of a directory with a compose file, loaded and looked
// through. It stands for the files as they were then.
type Profile struct {
	Name     string // base name of the directory
	Dir      string // absolute
	File     string // the compose file, absolute
	Summary  string // the first line of the compose file, if that is a comment
	Services []Service
	Networks []string  // those of the sandbox's own, as in the file
	Volumes  []string  // likewise
	Images   []string  // those that have to be on the host already
	Findings []Finding // the worst first
	Compose  []byte    // the compose file as it is uploaded
	Files    int       // how many would be uploaded
	Bytes    int64     // and how large they are together

	spec sandboxer.Spec
}

// A Service is one service of a Profile, in short.
type Service struct {
	Name    string
	Image   string   // empty where it is built from the profile
	Build   string   // directory it is built from, or empty
	Ports   []string // what it publishes, as "[IP:][HOST]:PORT/PROTOCOL"
	Volumes []string // what is mounted, as "SOURCE:TARGET"
	Ready   []string // the checks its label asks for
}

// Load reads the profile at path, a directory or a compose file. It starts
// nothing and reads nothing of this process's environment: variables of the
// compose file come from .env beside it, and SANDBOXER_ID, _NONCE, _IMAGE,
// _UID and _GID from the host. The error is a *LoadError; what a create would
// refuse is no error but a Finding.
//
// The library it is read with, compose-go, writes remarks to the standard
// logger of github.com/sirupsen/logrus.
func Load(ctx context.Context, path string) (*Profile, error) {
	p, err := load(ctx, path)
	if err != nil {
		return nil, loadError(path, err)
	}
	return p, nil
}

// Spec is what a sandbox of the profile is to be. Without a word in allow for
// each finding of level Refuse, or with one of level Error, the error is a
// *sandboxer.RefusedError; for a code that cannot be allowed it is an
// *AllowError.
func (p *Profile) Spec(allow ...Code) (sandboxer.Spec, error) {
	if err := checkAllow(allow); err != nil {
		return sandboxer.Spec{}, err
	}
	if err := refusal(p.Name, p.Findings, allow); err != nil {
		return sandboxer.Spec{}, err
	}
	return p.spec, nil
}

func load(ctx context.Context, path string) (*Profile, error) {
	p := &Profile{}
	if err := p.locate(path); err != nil {
		return nil, err
	}
	var found findings
	env, err := readEnv(p.Dir, &found)
	if err != nil {
		return nil, err
	}
	project, err := p.read(ctx, env, &found)
	if err != nil {
		return nil, err
	}
	files, err := scan(p.Dir, &found)
	if err != nil {
		return nil, err
	}
	own := filepath.Base(p.File)
	if own != composeFile { // what is not uploaded must not be found there
		files = files.without(own)
	}
	w := &writer{project: project, tree: files, found: &found, root: p.Dir, own: own, env: env}
	p.otherFiles(&found)
	if err := w.write(); err != nil {
		return nil, err
	}
	p.Compose, p.Services, p.Findings = w.file, w.services, found.sorted()
	upload := w.upload()
	p.Files, p.Bytes = upload.count()
	p.spec = sandboxer.Spec{
		Profile: p.Name,
		Files:   func(context.Context, sandboxer.Platform) (fs.FS, error) { return upload, nil },
		Compose: w.compose(),
	}
	p.Networks, p.Volumes, p.Images = p.spec.Compose.Networks, p.spec.Compose.Volumes, p.spec.Compose.Images
	return p, nil
}

// locate fills in what path means.
func (p *Profile) locate(path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return err
	}
	info, err := os.Stat(abs)
	if err != nil {
		return err
	}
	if info.IsDir() {
		name := slices.IndexFunc(composeNames, func(name string) bool {
			_, err := os.Stat(filepath.Join(abs, name))
			return err == nil
		})
		if name < 0 {
			return fmt.Errorf("it holds none of %s", strings.Join(composeNames, ", "))
		}
		p.Dir, p.File = abs, filepath.Join(abs, composeNames[name])
	} else {
		p.Dir, p.File = filepath.Dir(abs), abs
	}
	p.Name = filepath.Base(p.Dir)
	data, err := readPlain(p.File)
	if err != nil {
		return err
	}
	p.Summary = firstComment(data)
	return nil
}

func firstComment(data []byte) string {
	in := bufio.NewScanner(bytes.NewReader(data))
	in.Scan()
	if text, ok := strings.CutPrefix(in.Text(), "#"); ok {
		return abbreviate(strings.TrimSpace(text))
	}
	return ""
}

// readEnv reads .env of the profile, without what would change how compose
// tools work or what a host fills in.
func readEnv(dir string, found *findings) (types.Mapping, error) {
	env := types.Mapping{}
	file := filepath.Join(dir, dotEnv)
	real, err := filepath.EvalSymlinks(file)
	if errors.Is(err, os.ErrNotExist) {
		return env, nil
	} else if err != nil {
		return nil, err
	}
	data, err := readPlain(real)
	if err != nil {
		return nil, err
	}
	if _, inside := within(dir, real); !inside {
		found.refuse("outside_file", "", ".env is a link to a file outside the profile's directory")
	}
	values, err := dotenv.ParseWithLookup(bytes.NewReader(data), func(string) (string, bool) { return "", false })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var left []string
	for name, value := range values {
		if reserved(name) {
			left = append(left, name)
			continue
		}
		if !utf8.ValidString(name + value) {
			found.fail("environment", "", ".env: the value of %q is no text in UTF-8", name)
		}
		env[name] = value
	}
	if len(left) > 0 {
		slices.Sort(left)
		found.warn("env_ignored", "", ".env sets %s, which has no effect here", strings.Join(left, ", "))
	}
	return env, nil
}

func reserved(variable string) bool {
	for _, prefix := range []string{"COMPOSE_", "DOCKER_", "SANDBOXER_"} {
		if strings.HasPrefix(variable, prefix) {
			return true
		}
	}
	return false
}

// read loads the compose file with all it refers to.
func (p *Profile) read(ctx context.Context, env types.Mapping, found *findings) (project *types.Project, err error) {
	lookup := func(name string) (string, bool) {
		if name == "COMPOSE_PROJECT_NAME" {
			return placeholder("SANDBOXER_ID"), true
		}
		if slices.Contains(hostVariables, name) {
			return placeholder(name), true
		}
		value, ok := env[name]
		return value, ok
	}
	s := &sources{root: p.Dir, lookup: lookup, seen: map[string]bool{}, found: found}
	if err := s.look(p.File, p.Dir); err != nil {
		return nil, err
	}
	defer func() { // it asserts forms that no schema has checked
		if fault := recover(); fault != nil {
			err = fmt.Errorf("%s: no valid compose file (%v)", p.File, fault)
		}
	}()
	all := types.Mapping{}
	for name, value := range env {
		all[name] = value
	}
	for _, name := range hostVariables {
		all[name] = placeholder(name)
	}
	details := types.ConfigDetails{WorkingDir: p.Dir, ConfigFiles: []types.ConfigFile{{Filename: p.File}}, Environment: all}
	project, err = loader.LoadWithContext(ctx, details, func(o *loader.Options) {
		o.SetProjectName(projectName, true)
		o.ResolvePaths = false          // what is outside is seen by how it is written
		o.SkipResolveEnvironment = true // files are looked at first: see writer.readFiles
		o.SkipResolveLabels = true      // as above
		o.PruneUnnecessaryResources = true
		o.MaxNodeVisits = 100_000
		o.Interpolate = &interpolation.Options{
			LookupValue:     lookup,
			TypeCastMapping: o.Interpolate.TypeCastMapping,
			Substitute:      func(text string, m template.Mapping) (string, error) { return interpolate(text, m) },
		}
	})
	if err != nil {
		return nil, p.located(err)
	}
	return project, nil
}

// located makes sure that an error names the file.
func (p *Profile) located(err error) error {
	if strings.Contains(err.Error(), p.File) {
		return err
	}
	return fmt.Errorf("%s: %w", p.File, err)
}

// otherFiles says which files beside the compose file have no effect.
func (p *Profile) otherFiles(found *findings) {
	for _, name := range composeNames {
		ext := filepath.Ext(name)
		over := strings.TrimSuffix(name, ext) + ".override" + ext
		if _, err := os.Stat(filepath.Join(p.Dir, over)); err == nil {
			found.warn("override_file", "", "%s is not read: merge it into the compose file", over)
		}
	}
}
