package e2e

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
)

// A docker that answers well, keeps its things under the same path and is
// another one says nothing about a sandbox: as that of another machine does,
// where docker's client is led to it.
func TestCase22OtherDocker(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		c.wantUntouched(c.made(c.profile(web), ""), c.dockerBehind(another, 0o666))
	}, "docker-v2/local")
}

// Neither does the podman that a variable leads podman's client to, as that of
// another machine.
func TestCase22OtherPodman(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		c.wantUntouched(c.made(c.profile(web), ""), c.podmanElsewhere())
	}, onPodman)
}

// wantUntouched holds that a reap leaves a sandbox alone whose engine a
// variable hides.
func (c *console) wantUntouched(s sandboxer.Sandbox, variable string) {
	c.t.Helper()
	for _, thing := range slices.Backward(things(s)) { // the container goes first
		kind, ref, _ := strings.Cut(thing, " ")
		c.later(strings.Replace(kind+" rm "+ref, "container rm", "container rm -f", 1))
	}
	elsewhere := c.having(variable)
	out, errs, _ := elsewhere.run(elsewhere.sandboxer("reap-stale --apply --allow-young --keep-trash 0"))
	if got := decode[sandboxer.ReapResult](c.t, out); got.RemovedCount != 0 {
		c.t.Errorf("got %+v, want nothing removed\n%s", got.Items, errs)
	}
	c.alive(c.part(s, sandboxer.KindContainer))
	if _, err := os.Stat(s.Dir); err != nil {
		c.t.Error(err)
	}
	c.must(c.sandboxer("destroy " + string(s.SandboxID)))
	c.wantHeld(false, things(s)...)
}

// podmanElsewhere starts the service of a podman that holds nothing, and
// returns the variable that leads to it.
func (c *console) podmanElsewhere() string {
	c.t.Helper()
	storage := c.otherStorage()
	networks := filepath.Join(filepath.Dir(storage), "networks")
	if err := os.Mkdir(networks, 0o755); err != nil {
		c.t.Fatal(err)
	}
	variable := "CONTAINER_HOST=unix://" + filepath.Dir(storage) + "/podman.sock"
	service := exec.Command("podman", "--network-config-dir", networks, "system", "service", "--time", "0", strings.TrimPrefix(variable, "CONTAINER_HOST="))
	service.Env = append(os.Environ(), "CONTAINERS_STORAGE_CONF="+storage)
	if err := service.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		_ = service.Process.Kill()
		_ = service.Wait()
	})
	c.onSite("for n in $(seq 300); do " + variable + " timeout 10 podman info >/dev/null 2>&1 && exit; sleep 0.1; done; exit 1")
	return variable
}

// another is a docker like this one that holds nothing.
func another(w http.ResponseWriter, r *http.Request, docker http.Handler) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/containers/json"), strings.HasSuffix(r.URL.Path, "/networks"), strings.HasSuffix(r.URL.Path, "/images/json"):
		_, _ = io.WriteString(w, "[]\n")
	case strings.HasSuffix(r.URL.Path, "/volumes"):
		_, _ = io.WriteString(w, `{"Volumes": [], "Warnings": null}`+"\n")
	case strings.HasSuffix(r.URL.Path, "/info"):
		answer := &kept{header: http.Header{}}
		docker.ServeHTTP(answer, r)
		before, after, _ := strings.Cut(answer.body.String(), `"ID":"`)
		_, after, _ = strings.Cut(after, `"`)
		_, _ = io.WriteString(w, before+`"ID":"AAAA:BBBB:CCCC:DDDD:EEEE:FFFF:GGGG:HHHH:IIII:JJJJ:KKKK:LLLL"`+after)
	default:
		docker.ServeHTTP(w, r)
	}
}
