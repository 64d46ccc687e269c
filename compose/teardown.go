package compose

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/shellquote"
)

//go:embed teardown.sh
var teardownScript string

// What a record may name. Anything else in one was not written by Up.
var (
	fullID     = regexp.MustCompile(`^[0-9a-f]{64}$`)
	volumeName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$`)
	nonceForm  = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

// refused is a teardown that does nothing: its record proves nothing.
const refused = "echo 'remains record - invalid_record its id or nonce is malformed'\nexit 1\n"

func (t tool) teardown(rec sandboxer.Record) sandboxer.Script {
	if _, err := sandboxer.ParseID(string(rec.SandboxID)); err != nil || !nonceForm.MatchString(rec.Nonce) {
		return refused
	}
	unfinished := "no"
	if rec.State == sandboxer.StateProvisioning {
		unfinished = "yes"
	}
	var b strings.Builder
	for _, v := range [][2]string{
		{"id", string(rec.SandboxID)}, {"nonce", rec.Nonce}, {"image", imageName(rec.SandboxID)},
		{"known", strings.Join(known(rec), " ")}, {"unfinished", unfinished},
	} {
		fmt.Fprintf(&b, "%s=%s\n", v[0], shellquote.Quote(v[1]))
	}
	for _, v := range t.vars() {
		fmt.Fprintf(&b, "%s=%s\n", v.Name, shellquote.Quote(v.Value))
	}
	return sandboxer.Script(b.String() + t.asks + teardownScript)
}

// known returns what rec lists by that which identifies it. Other entries are
// passed over: they prove nothing, and what is really the sandbox's carries
// its labels.
func known(rec sandboxer.Record) []string {
	var refs []string
	for _, r := range rec.Resources {
		switch r.Kind {
		case sandboxer.KindContainer, sandboxer.KindNetwork:
			if fullID.MatchString(r.Ref) {
				refs = append(refs, r.Ref)
			}
		case sandboxer.KindVolume:
			if volumeName.MatchString(r.Ref) {
				refs = append(refs, r.Ref)
			}
		}
	}
	return refs
}
