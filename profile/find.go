package profile

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// UserDir is where users keep profiles of their own, each a directory:
// $XDG_CONFIG_HOME/sandboxer/profiles, or ~/.config/sandboxer/profiles. It is
// empty where neither is known.
func UserDir() string {
	base := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(base) { // so the XDG Base Directory Specification
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		base = filepath.Join(home, ".config")
	}
	return filepath.Join(base, "sandboxer", "profiles")
}

// userProfiles lists the directories of dir, by name.
func userProfiles(dir string) []Info {
	var all []Info
	entries, _ := os.ReadDir(dir) // none there is the usual case
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if info, err := os.Stat(path); err != nil || !info.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		all = append(all, Info{Name: e.Name(), Path: path, Summary: summary(path)})
	}
	return all
}

func summary(dir string) string {
	p := &Profile{}
	if err := p.locate(dir); err != nil {
		return ""
	}
	return p.Summary
}

// Find returns the path of the profile that name means and that is not built
// in: of the user's own of that name, or the path that it is itself. An
// argument is a path if it holds a slash, or is ".", "..", or the name of a
// compose file or a directory with one. The error is a *NameError.
func Find(name string) (string, error) {
	if strings.ContainsAny(name, `/\`) || name == "." || name == ".." {
		if _, err := os.Stat(name); err != nil {
			return "", &NameError{Name: name, Reason: reason(err), Hint: "a path names a directory that holds a compose file, or that file"}
		}
		return name, nil
	}
	if !strings.HasPrefix(name, ".") && name != "" {
		if dir := UserDir(); dir != "" {
			path := filepath.Join(dir, name)
			if info, err := os.Stat(path); err == nil && info.IsDir() {
				return path, nil
			}
		}
	}
	if info, err := os.Stat(name); err == nil && (!info.IsDir() && isComposeFile(name) || info.IsDir() && holdsComposeFile(name)) {
		return name, nil
	}
	return "", unknown(name)
}

func reason(err error) string {
	if errors.Is(err, os.ErrNotExist) {
		return "there is no such file or directory"
	}
	return err.Error()
}

func isComposeFile(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

func holdsComposeFile(dir string) bool {
	return slices.ContainsFunc(composeNames, func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	})
}

// Open loads the profile that name means, if it is not built in: Find, then
// Load.
func Open(ctx context.Context, name string) (*Profile, error) {
	path, err := Find(name)
	if err != nil {
		return nil, err
	}
	return Load(ctx, path)
}
