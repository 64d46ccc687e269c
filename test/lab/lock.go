package lab

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// EngineLockFile is the name of the file, in the lab's directory, that
// EngineLock locks.
const EngineLockFile = "engine.lock"

// EngineLock keeps every other test, in whatever process, that calls it on the
// same lab out until this test ends. A test that counts containers, networks,
// volumes or images needs it, of docker or of podman: all share the engines.
func EngineLock(t testing.TB) {
	t.Helper()
	if os.Getenv(StateVar) == "" {
		Require(t, "dockerd") // which says that there is no lab
	}
	l, err := Read(os.Getenv(StateVar))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(l.Dir, EngineLockFile), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() }) // which unlocks
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == syscall.EWOULDBLOCK {
		t.Log("waiting for another test to leave the engine")
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		t.Fatalf("lock the engine: %v", err)
	}
}
