package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// stateDir is where the command keeps what it remembers from one run to the
// next, on the machine that it is run on.
func stateDir(getenv func(string) string, what string) string {
	dir := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(getenv("HOME"), ".local", "state")
	}
	return filepath.Join(dir, "sandboxer", what)
}

// fileName is a name for a file about something that others have named: it
// cannot lead elsewhere, and what differs has different ones.
func fileName(of string) string {
	sum := sha256.Sum256([]byte(of))
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, of)
	return fmt.Sprintf("%.60s-%s", name, hex.EncodeToString(sum[:4]))
}

// readState returns what a file of the state says; of one that is not there,
// nothing.
func readState[T any](path string) (T, error) {
	var state, none T
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &state)
	}
	if err != nil {
		return none, err
	}
	return state, nil
}

// writeState replaces a file of the state, and makes its directory.
func writeState[T any](path string, state T) error {
	data, err := json.Marshal(state)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = writeWhole(path, append(data, '\n'))
	}
	return err
}
