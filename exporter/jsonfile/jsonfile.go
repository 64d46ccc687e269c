// Package jsonfile keeps documents as JSON files in a directory of the
// machine that sandboxer runs on.
//
// The report of a sandbox is <sandbox_id>.json, and each further report of
// that sandbox replaces it: after a destroy the file holds both deltas. Any
// other document, and the report of a create that ended before there was an
// id, is <kind>-<report_id>.json; kinds begin in upper case and ids do not,
// so that the two never meet.
//
// A file is complete or not there at all: it is written beside its place,
// flushed to the disk and renamed. What a crash leaves is called .tmp-… and
// is removed by a later export.
package jsonfile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"

	sandboxer "github.com/tegwick/sand-boxer"
)

var (
	_ sandboxer.Exporter         = Exporter{}
	_ sandboxer.ArtifactExporter = Exporter{}
)

// An Exporter keeps documents in a directory, which it creates for its user
// alone (0700; files are 0600). Several may use one directory, in one process
// or many.
type Exporter struct {
	Dir string // empty is DefaultDir()
}

// DefaultDir returns $XDG_DATA_HOME/sandboxer/telemetry, by default
// ~/.local/share/sandboxer/telemetry. It is empty if the user has no home
// directory either.
func DefaultDir() string {
	data := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(data) { // such a value is to be ignored, says the XDG specification
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		data = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(data, "sandboxer", "telemetry")
}

// Export writes doc to its file. What became of the export itself is not
// part of what is exported: export is null in the file.
func (e Exporter) Export(ctx context.Context, doc sandboxer.Document) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name, err := fileName(doc)
	if err != nil {
		return err
	}
	dir, err := e.dir()
	if err != nil {
		return err
	}
	data, err := encode(doc)
	if err != nil {
		return err
	}
	if err := store(dir, name, data); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Join(dir, name), cause(err))
	}
	return nil
}

// Artifact returns the absolute path of the file for doc, or "" if there can
// be none.
func (e Exporter) Artifact(doc sandboxer.Document) string {
	name, err := fileName(doc)
	if err != nil {
		return ""
	}
	dir, err := e.dir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, name)
}

// probeSize is above the size of most documents, so that a disk that is all
// but full is noticed before there is something to lose.
const probeSize = 64 << 10

// Check creates the directory if need be and writes a file into it, which it
// removes again. If that does not work it returns a *sandboxer.RefusedError
// with the reason "artifact_dir", whose hint says what to do.
func (e Exporter) Check() error {
	dir, err := e.dir()
	if err != nil {
		return refused(err.Error(), "set XDG_DATA_HOME to a directory you may write to")
	}
	if err := probe(dir); err != nil {
		hint := "make it writable, or choose another directory"
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			hint = "free some space there, or choose another directory"
		}
		if dir == DefaultDir() {
			hint += " with XDG_DATA_HOME"
		}
		return refused(fmt.Sprintf("cannot write to %s: %v", dir, cause(err)), hint)
	}
	return nil
}

func refused(message, hint string) error {
	return &sandboxer.RefusedError{
		Doing:   "keep reports",
		Reasons: []sandboxer.Reason{{Code: "artifact_dir", Message: message}},
		Hint:    hint,
	}
}

func (e Exporter) dir() (string, error) {
	dir := e.Dir
	if dir == "" {
		dir = DefaultDir()
	}
	if dir == "" {
		return "", errors.New("no directory for reports: neither XDG_DATA_HOME nor HOME is set")
	}
	return filepath.Abs(dir)
}

// What is made a file name, beside ids, is one word that can be no path.
var (
	kindPattern   = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,63}$`)
	reportPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
)

func fileName(doc sandboxer.Document) (string, error) {
	if id := sandboxOf(doc); id != "" {
		if _, err := sandboxer.ParseID(string(id)); err != nil {
			return "", err
		}
		return string(id) + ".json", nil
	}
	h := doc.DocumentHeader()
	if !kindPattern.MatchString(string(h.Kind)) {
		return "", fmt.Errorf("kind %q cannot be part of a file name", h.Kind)
	}
	if !reportPattern.MatchString(h.ReportID) {
		return "", fmt.Errorf("report id %q cannot be part of a file name", h.ReportID)
	}
	return fmt.Sprintf("%s-%s.json", h.Kind, h.ReportID), nil
}

// sandboxOf returns the id of the sandbox that doc is the report of, or "".
func sandboxOf(doc sandboxer.Document) sandboxer.ID {
	switch doc := doc.(type) {
	case sandboxer.SandboxStatus:
		return doc.SandboxID
	case *sandboxer.SandboxStatus:
		return doc.SandboxID
	}
	return ""
}

// encode returns the bytes of the file: what the command prints, but for
// export.
func encode(doc sandboxer.Document) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(withoutOutcomes(doc)); err != nil {
		return nil, fmt.Errorf("encode %s: %w", doc.DocumentHeader().Kind, err)
	}
	return b.Bytes(), nil
}

// withoutOutcomes returns doc, or a copy of it where it has outcomes.
func withoutOutcomes(doc sandboxer.Document) sandboxer.Document {
	switch doc := doc.(type) {
	case sandboxer.SandboxStatus:
		doc.Export = nil
		return doc
	case *sandboxer.SandboxStatus:
		return withoutOutcomes(*doc)
	case sandboxer.SandboxStatusList:
		doc.Items = slices.Clone(doc.Items)
		for i := range doc.Items {
			doc.Items[i].Export = nil
		}
		return doc
	case *sandboxer.SandboxStatusList:
		return withoutOutcomes(*doc)
	}
	return doc
}

// cause drops what package os adds to an error: the operation and a path,
// which is that of a temporary file here.
func cause(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}
