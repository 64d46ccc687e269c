package profile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxFile bounds each file that is read to load a profile.
const maxFile = 1 << 20

// sources finds out which files a compose file has read along with it, before
// anything reads them: by "include" and by "extends". All must lie in the
// directory of the profile and be plain files.
type sources struct {
	root   string // absolute, without symbolic links
	lookup func(string) (string, bool)
	seen   map[string]bool
	found  *findings
}

// maxSources bounds how many files one profile is made of.
const maxSources = 100

// look reads one file and those it names. base is what the paths of an
// include are relative to; of an extends it is the directory of the file.
func (s *sources) look(file, base string) error {
	if s.seen[file+"\x00"+base] {
		return nil
	}
	if len(s.seen) >= maxSources {
		return fmt.Errorf("%s: the profile is made of more than %d files", file, maxSources)
	}
	s.seen[file+"\x00"+base] = true
	data, err := readPlain(file)
	if err != nil {
		return err
	}
	for dec := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var doc sourceDoc
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil { // of the syntax, or of a form in which no compose file is
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := s.includes(doc.Include, file, base); err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(doc.Services)) {
			service := doc.Services[name]
			s.mountOptions(name, service.Volumes)
			if err := s.extends(service.Extends, file); err != nil {
				return err
			}
		}
	}
}

// sourceDoc is what of a compose file names other files.
type sourceDoc struct {
	Include  []any `yaml:"include"`
	Services map[string]struct {
		Extends any `yaml:"extends"`
		Volumes any `yaml:"volumes"`
	} `yaml:"services"`
}

func (s *sources) includes(entries []any, file, base string) error {
	for _, entry := range entries {
		var names []any
		switch e := entry.(type) {
		case string:
			names = []any{e}
		case map[string]any:
			if e["env_file"] != nil || e["project_directory"] != nil {
				return fmt.Errorf("%s: include: env_file and project_directory are not supported", file)
			}
			if list, ok := e["path"].([]any); ok {
				names = list
			} else {
				names = []any{e["path"]}
			}
		}
		within := ""
		for _, name := range names {
			path, err := s.resolve(name, base)
			if err != nil {
				return fmt.Errorf("%s: include %v: %w", file, name, err)
			}
			if within == "" { // the first one says what all of them are relative to
				within = filepath.Dir(path)
				if err := s.dotEnv(within); err != nil {
					return err
				}
			}
			if err := s.look(path, within); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *sources) extends(entry any, file string) error {
	e, ok := entry.(map[string]any)
	if !ok || e["file"] == nil {
		return nil
	}
	path, err := s.resolve(e["file"], filepath.Dir(file))
	if err != nil {
		return fmt.Errorf("%s: extends %v: %w", file, e["file"], err)
	}
	return s.look(path, filepath.Dir(path))
}

// knownOptions are those of the short form of a mount that the loader heeds.
// It drops others in silence.
var knownOptions = strings.Fields("ro rw nocopy z Z private rprivate shared rshared slave rslave")

// mountOptions says which options of mounts are dropped.
func (s *sources) mountOptions(service string, volumes any) {
	list, _ := volumes.([]any)
	for _, entry := range list {
		text, _ := entry.(string)
		text, err := interpolate(text, s.lookup)
		if err != nil {
			continue // the loader says it better
		}
		parts := strings.Split(text, ":")
		options := parts[len(parts)-1]
		if len(parts) < 3 || strings.HasPrefix(options, "/") {
			continue
		}
		for _, option := range strings.Split(options, ",") {
			if !slices.Contains(knownOptions, option) {
				s.found.warn("ignored_key", service, "mount %q: option %q is left out, as not every tool knows it", literal(text), option)
			}
		}
	}
}

// dotEnv checks the .env that an included file has beside it.
func (s *sources) dotEnv(dir string) error {
	file := filepath.Join(dir, dotEnv)
	real, err := filepath.EvalSymlinks(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, ok := within(s.root, real); !ok {
		return fmt.Errorf("%s: %w", file, errOutside)
	}
	_, err = readPlain(real)
	return err
}

var errOutside = errors.New("it is not in the profile's directory: copy it there")

// resolve returns the file that name means, if it is one of the profile.
func (s *sources) resolve(name any, base string) (string, error) {
	text, ok := name.(string)
	if !ok {
		return "", errors.New("not a file name")
	}
	text, err := interpolate(text, s.lookup)
	if err != nil {
		return "", err
	}
	if strings.Contains(text, "://") || strings.HasPrefix(text, "git@") || strings.HasPrefix(text, "oci:") || strings.HasPrefix(text, "~") {
		return "", errOutside
	}
	if !filepath.IsAbs(text) {
		text = filepath.Join(base, text)
	}
	real, err := filepath.EvalSymlinks(text)
	if err != nil {
		return "", err
	}
	if _, ok := within(s.root, real); !ok {
		return "", errOutside
	}
	return filepath.Clean(text), nil
}

// within returns path relative to dir, with slashes, if it lies in it or is
// dir itself.
func within(dir, path string) (string, bool) {
	rel, err := filepath.Rel(dir, path)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// readPlain reads a small file, and does not hang on what is none.
func readPlain(file string) ([]byte, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file", file)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s has %d bytes: at most %d are read", file, info.Size(), maxFile)
	}
	return os.ReadFile(file)
}
