package canary

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/tegwick/sand-boxer"
)

// A document is the content of ResultFile.
type document struct {
	sandboxer.CanaryResult
	SandboxID sandboxer.ID `json:"sandbox_id"`
	Port      int          `json:"port"`
	PID       int          `json:"pid"`
	StartedAt time.Time    `json:"started_at"`
}

// write puts the document at path, whole or not at all: whoever waits for the
// file may read it as soon as it is there, also if the host crashes.
func (d document) write(path string) error {
	data, err := json.Marshal(d)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".result-*")
	if err != nil {
		return err
	}
	_, err = temp.Write(append(data, '\n'))
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
