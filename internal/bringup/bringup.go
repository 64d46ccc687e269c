// Package bringup holds what the provisioners have in common: a script that
// starts a sandbox and waits for it in one command, the form in which it says
// what came of that, and the reading of it.
package bringup

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/shellquote"
)

//go:embed common.sh
var common string

// MaxResult bounds the file that a sandbox is waited for.
const MaxResult = 1 << 20

// A Var is a variable of a script. Its name is ours; its value is data.
type Var struct{ Name, Value string }

// A Script is what Up runs on a host.
type Script struct {
	Vars []Var
	Body string   // POSIX shell; may use the functions of common.sh
	Args []string // its positional parameters
}

// Settings returns the variables that every script has.
func Settings(spec sandboxer.Spec, box sandboxer.Placement) []Var {
	wait := spec.WaitTimeout
	if wait == 0 {
		wait = sandboxer.DefaultWaitTimeout
	}
	seconds := (wait + time.Second - 1) / time.Second
	return []Var{
		{"dir", box.Dir}, {"id", string(box.ID)}, {"nonce", box.Nonce},
		{"ready_file", spec.ReadyFile}, {"wait", fmt.Sprint(int64(seconds))},
		{"result_limit", fmt.Sprint(MaxResult + 1)},
	}
}

// Run runs the script and reads its answer, which is complete unless err is
// set and otherwise what had arrived by then. A script that ran to its end
// gives no error, whatever it found.
func (s Script) Run(ctx context.Context, host sandboxer.Host) (Answer, error) {
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		return Answer{}, err
	}
	token := hex.EncodeToString(raw)
	args := append([]string{"sh", "-c", s.text(token), "sandboxer-up"}, s.Args...)
	res, err := host.Run(ctx, sandboxer.Cmd{Args: args})
	answer := Parse(res.Stdout, token)
	if err == nil && !answer.Complete {
		if err = res.Err("start the sandbox"); err == nil {
			err = fmt.Errorf("start the sandbox: its answer breaks off")
		}
	}
	return answer, err
}

func (s Script) text(token string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "token=%s\n", token)
	for _, v := range s.Vars {
		fmt.Fprintf(&b, "%s=%s\n", v.Name, shellquote.Quote(v.Value))
	}
	b.WriteString(common)
	b.WriteString(s.Body)
	return b.String()
}
