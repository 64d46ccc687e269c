package localhost_test

import (
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/localhost"
	"github.com/tegwick/sand-boxer/sandboxertest"
)

func TestHost(t *testing.T) {
	sandboxertest.TestHost(t, func(*testing.T) sandboxer.Host { return localhost.Host{} })
}
