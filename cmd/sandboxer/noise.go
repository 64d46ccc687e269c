package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tegwick/sand-boxer"
)

// noise is what this machine remembers of a host's noise: a
// Sandboxer.Noise. What cannot be read is said, and begun anew.
func (a *app) noise(host sandboxer.Host, of sandboxer.Identity) sandboxer.NoiseHistory {
	if of.MachineID == nil || of.BootID == nil {
		return sandboxer.NoiseHistory{}
	}
	history, err := readState[sandboxer.NoiseHistory](noiseFile(a.getenv, host.Name(), *of.MachineID, *of.BootID))
	if err != nil {
		a.noiseWarned.Do(func() {
			a.err.printf("sandboxer: warning: what was known of the noise of %s cannot be read, and is begun anew: %v", host.Name(), err)
		})
	}
	return history
}

// measure takes so many pairs of looks at a host, and remembers them also where
// it could not take all.
func (a *app) measure(ctx context.Context, s session, pairs int, lag time.Duration) (taken int, all sandboxer.NoiseHistory, err error) {
	fresh, err := s.box.Baseline(ctx, s.host, sandboxer.BaselineOptions{Pairs: pairs, Lag: lag})
	if len(fresh.Pairs) == 0 {
		return 0, fresh, err
	}
	if err != nil {
		err = fmt.Errorf("%w (%s of %d kept)", err, plural(len(fresh.Pairs), "pair", "pairs"), pairs)
	}
	all, unkept := a.remember(s.host, fresh)
	return len(fresh.Pairs), all, errors.Join(err, unkept)
}

// remember adds pairs to what is known of a host's noise, and forgets its
// earlier boots. What is there is read only now: another run may have added to
// it while this one measured.
func (a *app) remember(host sandboxer.Host, fresh sandboxer.NoiseHistory) (sandboxer.NoiseHistory, error) {
	all := a.noise(host, sandboxer.Identity{MachineID: &fresh.MachineID, BootID: &fresh.BootID}).Merge(fresh)
	path := noiseFile(a.getenv, host.Name(), fresh.MachineID, fresh.BootID)
	err := writeState(path, all)
	if err == nil {
		err = forgetOthers(path)
	}
	if err != nil {
		return all, fmt.Errorf("remember the noise of %s: %w", host.Name(), err)
	}
	return all, nil
}

// noiseFile is where the noise of one boot of a host is kept: HOST.BOOT.json,
// where no HOST has a dot.
func noiseFile(getenv func(string) string, host, machineID, bootID string) string {
	sum := sha256.Sum256([]byte(machineID + "\x00" + bootID))
	return filepath.Join(stateDir(getenv, "baseline"), fileName(host)+"."+hex.EncodeToString(sum[:8])+".json")
}

// forgetOthers removes the files of other boots of the same host.
func forgetOthers(path string) error {
	dir, name := filepath.Split(path)
	host, _, _ := strings.Cut(name, ".")
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), host+".") && e.Name() != name {
			if gone := os.Remove(filepath.Join(dir, e.Name())); !errors.Is(gone, fs.ErrNotExist) {
				err = errors.Join(err, gone)
			}
		}
	}
	return err
}
