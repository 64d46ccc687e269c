package sshhost_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// A hearing is an sshd that refuses every key and writes down which it was
// offered.
type hearing struct {
	*lab.Server
	heard int // bytes of the log
}

func newHearing(t *testing.T) *hearing {
	t.Helper()
	return &hearing{Server: lab.SSHD(t, lab.SSHDOptions{
		HostKeys: []string{"ed25519"},
		Config:   []string{"AuthorizedKeysFile none", "MaxAuthTries 100", "LogLevel VERBOSE"},
	})}
}

var refusedKey = regexp.MustCompile(`Failed publickey for \S+ from \S+ port \d+ ssh2: ([A-Z0-9-]+) (SHA256:\S+)`)

// offers returns the keys that were offered since the last call, as "TYPE
// FINGERPRINT". It waits for the end of the one connection that there was.
func (s *hearing) offers(t *testing.T) []string {
	t.Helper()
	deadline, tick := time.After(10*time.Second), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for {
		text := readFile(t, s.Log)[s.heard:]
		_, login, _ := strings.Cut(text, "Connection from ")
		if strings.Contains(login, "[preauth]") {
			s.heard += len(text)
			var keys []string
			for _, m := range refusedKey.FindAllStringSubmatch(text, -1) {
				keys = append(keys, m[1]+" "+m[2])
			}
			return keys
		}
		select {
		case <-deadline:
			t.Fatalf("got log %q, want the end of a connection", text)
		case <-tick.C:
		}
	}
}

// TestOffersWhatSSHOffers has OpenSSH and this package log in by the same
// configuration, and compares what the server was offered. Those that are not
// named, but held by the agent, may come at another place: ssh tries them
// ahead of those it has to read from a file, and here what is named comes
// first.
func TestOffersWhatSSHOffers(t *testing.T) {
	s := newHearing(t)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	keys, apart := offerKeys(t)
	fromHome := strings.Repeat("../", strings.Count(me.HomeDir, "/")) + keys["a"][1:]
	t.Setenv("SBX_KEY_DIR", filepath.Dir(keys["a"]))
	agent := lab.Agent(t, keys["agent1"], keys["agent2"], keys["a"])
	web := writeFile(t, "web "+keyLine(t, s.HostKeys, "ed25519"))
	included := writeFile(t, "Host lab-agent", "IdentityFile "+keys["b"])
	for _, tt := range []struct {
		name  string
		lines []string
		want  int // offers
	}{
		{"one file", []string{"IdentityFile " + keys["a"]}, 1},
		{"several files, in their order", []string{"IdentityFile " + keys["c"], "IdentityFile " + keys["a"], "IdentityFile " + keys["b"], "IdentityFile " + keys["rsa"]}, 4},
		{"a file twice", []string{"IdentityFile " + keys["a"], "IdentityFile " + keys["a"]}, 1},
		{"a file that is not there", []string{"IdentityFile /nonexistent/key", "IdentityFile " + keys["a"]}, 1},
		{"Include", []string{"Include " + included, "IdentityFile " + keys["a"]}, 2},
		{"Match exec", []string{"Match exec \"test lab-agent = %n\"", "IdentityFile " + keys["b"], "Match exec false", "IdentityFile " + keys["c"]}, 1},
		{"Match originalhost", []string{"Match originalhost lab-agent", "IdentityFile " + keys["b"], "Match originalhost other", "IdentityFile " + keys["c"]}, 1},
		{"Match final", []string{"Match final host 127.0.0.1", "IdentityFile " + keys["c"]}, 1},
		{"Match user", []string{"User sbxlab-bash", "Match user sbxlab-bash", "IdentityFile " + keys["c"], "Match user other", "IdentityFile " + keys["a"]}, 1},
		{"~", []string{"IdentityFile ~/" + fromHome}, 1},
		{"%d", []string{"IdentityFile %d/" + fromHome}, 1},
		{"${VARIABLE}", []string{"IdentityFile ${SBX_KEY_DIR}/id"}, 1},
		{"tokens of the host", []string{"HostKeyAlias web", "UserKnownHostsFile " + web, "IdentityFile " + tokens(t, keys["a"], s, "lab-agent,127.0.0.1,PORT,sbxlab-bash,web", "%n,%h,%p,%r,%k")}, 1},
		{"tokens of this machine", []string{"IdentityFile " + tokens(t, keys["a"], s, "%,"+me.Username+","+me.Uid, "%%,%u,%i")}, 1},
		{"an agent", []string{"IdentityAgent " + agent}, 3},
		{"an agent by a variable", []string{"IdentityAgent $SBX_AGENT"}, 3},
		{"an agent and a file", []string{"IdentityAgent " + agent, "IdentityFile " + keys["b"]}, 4},
		{"an agent and a file that it holds", []string{"IdentityAgent " + agent, "IdentityFile " + keys["a"], "IdentityFile " + keys["c"]}, 4},
		{"an agent and IdentitiesOnly", []string{"IdentityAgent " + agent, "IdentitiesOnly yes", "IdentityFile " + keys["a"], "IdentityFile " + keys["c"]}, 2},
		{"a public half, held by an agent", []string{"IdentityAgent " + agent, "IdentitiesOnly yes", "IdentityFile " + keys["agent2"] + ".pub"}, 1},
		{"a certificate beside its key", []string{"IdentityFile " + keys["certified"]}, 2},
		{"CertificateFile", []string{"CertificateFile " + apart, "IdentityFile " + keys["b"]}, 2},
		{"PubkeyAuthentication no", []string{"PubkeyAuthentication no", "IdentityFile " + keys["a"]}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("SBX_AGENT", agent)
			lines := append([]string{"Match originalhost lab-agent"}, tt.lines...)
			cfg := config(t, s.SSHConfig, append(lines, "Match all", "IdentityAgent none")...)
			_ = exec.Command("ssh", "-F", cfg, "lab-agent", "true").Run() // it is refused
			theirs := s.offers(t)
			unreachable(t, open(t, "lab-agent", cfg, nil), "auth", sshhost.ErrAuth)
			ours := s.offers(t)
			if a, b := sorted(ours), sorted(theirs); !slices.Equal(a, b) || len(ours) != tt.want {
				t.Errorf("got %q offered, ssh offers %q; want the same, %d", ours, theirs, tt.want)
			}
			if a, b := named(t, ours, tt.lines, keys), named(t, theirs, tt.lines, keys); !slices.Equal(a, b) {
				t.Errorf("got those of files in the order %q, ssh has %q", a, b)
			}
		})
	}
}

// TestNamedKeysComeFirst: a server counts the keys it refuses, so what was named
// is offered ahead of what the agent merely has. ssh has it the other way
// round.
func TestNamedKeysComeFirst(t *testing.T) {
	s := newHearing(t)
	held, file := newKey(t, "-t", "ed25519"), newKey(t, "-t", "ed25519")
	cfg := config(t, s.SSHConfig, "Host lab-agent", "IdentityAgent "+lab.Agent(t, held), "IdentityFile "+file)
	unreachable(t, open(t, "lab-agent", cfg, nil), "auth", sshhost.ErrAuth)
	if got, want := s.offers(t), []string{fingerprintOf(t, file), fingerprintOf(t, held)}; !slices.Equal(got, want) {
		t.Errorf("got %q offered, want %q", got, want)
	}
	_ = exec.Command("ssh", "-F", cfg, "lab-agent", "true").Run() // it is refused
	if got, want := s.offers(t), []string{fingerprintOf(t, held), fingerprintOf(t, file)}; !slices.Equal(got, want) {
		t.Errorf("got %q offered by ssh, want %q", got, want)
	}
}

// offerKeys returns key files by what they are to tell, and the certificate of
// b, which does not lie beside it.
func offerKeys(t *testing.T) (keys map[string]string, apart string) {
	t.Helper()
	keys = make(map[string]string)
	for _, name := range []string{"a", "b", "c", "agent1", "agent2", "ca", "certified"} {
		keys[name] = newKey(t, "-t", "ed25519")
	}
	keys["rsa"] = newKey(t, "-t", "rsa", "-b", "2048")
	for _, name := range []string{"certified", "b"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-s", keys["ca"], "-I", "test", "-n", "sbxlab-bash", keys[name]+".pub").CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen -s: %v: %s", err, out)
		}
	}
	apart = filepath.Join(t.TempDir(), "apart.pub")
	if err := os.Rename(keys["b"]+"-cert.pub", apart); err != nil {
		t.Fatal(err)
	}
	return keys, apart
}

// tokens puts the key at a path that holds the values, and returns one that
// holds the tokens for them.
func tokens(t *testing.T, key string, s *hearing, values, tokens string) string {
	t.Helper()
	dir := t.TempDir()
	values = strings.Replace(values, "PORT", s.Addr[strings.LastIndexByte(s.Addr, ':')+1:], 1)
	if out, err := exec.Command("cp", key, filepath.Join(dir, values)).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
	return filepath.Join(dir, tokens)
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// named returns those of the offers that are plain keys whose files the lines
// name, by name.
func named(t *testing.T, offers, lines []string, keys map[string]string) []string {
	t.Helper()
	var names []string
	for _, offer := range offers {
		for _, name := range []string{"a", "b", "c", "rsa"} {
			if slices.Contains(lines, "IdentityFile "+keys[name]) && offer == fingerprintOf(t, keys[name]) {
				names = append(names, name)
			}
		}
	}
	return names
}

// fingerprintOf returns a key as sshd logs it.
func fingerprintOf(t *testing.T, key string) string {
	t.Helper()
	out, err := exec.Command("ssh-keygen", "-lf", key+".pub").Output()
	fields := strings.Fields(string(out))
	if err != nil || len(fields) < 4 {
		t.Fatalf("ssh-keygen -l: got %q, %v", out, err)
	}
	return fmt.Sprintf("%s %s", strings.Trim(fields[len(fields)-1], "()"), fields[1])
}
