package canary

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/tegwick/sand-boxer"
)

// command is a program started as a canary: alone in the sandbox, "dial" on
// the host (Spec.HostCheck), "eat" as the sandbox's child that dies, "purge" in
// the container of a Helper.
func command(args []string, stdout, stderr io.Writer, getenv func(string) string) int {
	switch {
	case len(args) == 0:
		if err := live(getenv, stderr); err != nil {
			fmt.Fprintf(stderr, "sandboxer canary: %v\n", err)
			return 1
		}
		return 0
	case len(args) == 1 && args[0] == "dial":
		ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
		defer cancel()
		check := timed(func() sandboxer.CanaryCheck { return dial(ctx, ".", getenv("SANDBOXER_PORT")) })
		if err := json.NewEncoder(stdout).Encode(check); err != nil {
			return 1
		}
		return 0
	case len(args) == 2 && args[0] == "eat":
		return eat(args[1], stderr)
	case len(args) == 3 && args[0] == "purge":
		if err := purge(args[1], args[2]); err != nil {
			fmt.Fprintf(stderr, "sandboxer: purge: %v\n", err)
			return 1
		}
		return 0
	}
	fmt.Fprint(stderr, mark+"It is started by sandboxer, not by hand.\n")
	return 2
}

// live is the canary's life in its sandbox.
func live(getenv func(string) string, log io.Writer) error {
	begin := time.Now()
	env, err := readEnvironment(getenv)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	server, err := listen(env)
	if err != nil {
		return err
	}
	defer server.close()

	doc := document{
		SandboxID: env.id, Port: server.port(), PID: os.Getpid(), StartedAt: begin.UTC(),
		CanaryResult: checkAll(ctx, env),
	}
	if ctx.Err() != nil {
		return nil // told to stop before there was a result
	}
	for _, c := range doc.Checks {
		fmt.Fprintf(log, "%s: %s: %s\n", c.Name, c.Status, c.Message)
	}
	if err := doc.write(env.out); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	fmt.Fprintf(log, "ready: %s\n", doc.Status)
	if os.Getpid() == 1 {
		stopReaping := reap()
		defer stopReaping()
	}
	<-ctx.Done()
	return nil
}

// reap waits for children that this process has not started: as the first
// process of its namespace it inherits every orphan. It is to be called when
// the canary has no more children of its own to wait for. The function it
// returns stops it.
func reap() (stop func()) {
	died := make(chan os.Signal, 1)
	signal.Notify(died, syscall.SIGCHLD)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range died {
			for {
				if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 && err != syscall.EINTR {
					break
				}
			}
		}
	}()
	return func() {
		signal.Stop(died)
		close(died)
		<-done
	}
}
