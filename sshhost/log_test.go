package sshhost_test

import (
	"log/slog"
	"testing"
)

// testLogger logs to the test's own output.
func testLogger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}
