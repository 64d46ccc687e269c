package faults

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"syscall"
)

// clientVar holds the order for a process of this test that is a client.
const clientVar = "SBX_FAULTS_CLIENT"

// An order is what a client is to do.
type order struct {
	World  world
	Op     string
	Target target
}

// dieAsClient runs an operation in a process of its own.
func (w *world) dieAsClient(op operation, what target) {
	w.t.Helper()
	data, err := json.Marshal(order{World: *w, Op: op.name, Target: what})
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), clientVar+"="+string(data))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL) {
		w.t.Errorf("client: %v\n%s", err, out)
	}
}

func clientMain(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	ops := operations()
	at := slices.IndexFunc(ops, func(op operation) bool { return op.name == o.Op })
	host, end := o.World.reach()
	defer end()
	return ops[at].run(context.Background(), o.World.box(), o.World.watched(host), o.Target)
}
