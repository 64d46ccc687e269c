package sshhost_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/test/lab"
)

// TestCancelWithABlockedWriter: a Write that blocks delays the call until the
// context ends, and no longer.
func TestCancelWithABlockedWriter(t *testing.T) {
	l := lab.Open(t)
	h := open(t, "lab-dash", l.SSHConfig, nil)
	blocked, release := make(chan struct{}), make(chan struct{})
	t.Cleanup(sync.OnceFunc(func() { close(release) })) // ahead of the host's Close
	block := sync.OnceFunc(func() { close(blocked); <-release })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := make(chan error, 1)
	go func() {
		_, err := h.Run(ctx, sandboxer.Cmd{Args: []string{"yes"}, Stdout: writerFunc(func(p []byte) (int, error) { block(); return len(p), nil })})
		result <- err
	}()
	<-blocked
	cancel()
	select {
	case err := <-result:
		var he *sandboxer.HostError
		if !errors.Is(err, context.Canceled) || !errors.As(err, &he) || !he.Killed {
			t.Errorf("got %v, want context.Canceled, killed", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("got no end of a cancelled call while its writer blocks")
	}
}
