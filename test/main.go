// Command test runs the tests of sandboxer against real parts.
//
//	go run ./test                                run every test
//	go run ./test -- -run TestRun ./sshhost      pass arguments to go test -race
//	go run ./test lab                            start a lab and keep it until Ctrl-C
//	go run ./test build                          only build what the lab needs and cache it
//
// As root, or with a sudo that asks no password, it installs what is missing
// from Debian's packages, starts an sshd and a dockerd, makes users for them,
// and stops and removes all of that afterwards. Otherwise the tests that need
// those parts skip, and say which. A lab that is already running is used and
// left running. SANDBOXER_LAB names one; SANDBOXER_REQUIRE lists the parts
// without which tests fail and not skip, by default all of them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tegwick/sand-boxer/test/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := dispatch(ctx, os.Args[1:])
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		os.Exit(exit.ExitCode()) // it has said why
	default:
		say("%v", err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, args []string) error {
	verb := "test"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		verb, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("go run ./test "+verb, flag.ExitOnError)
	dir := flags.String("dir", defaultDir, "directory of the lab, which is removed when it stops")
	plugin := flags.String("compose", "", "use this docker compose plugin and build none")
	tied := flags.Bool("tied", false, "stop when standard input ends")
	_ = flags.Parse(args) // ExitOnError
	switch verb {
	case "test":
		return testAll(ctx, *dir, flags.Args())
	case "build":
		_, err := buildTools(ctx)
		return err
	case "lab":
		if *plugin == "" {
			var err error
			if *plugin, err = buildTools(ctx); err != nil {
				return err
			}
		}
		return keepLab(ctx, *dir, *plugin, *tied)
	default:
		return fmt.Errorf("unknown verb %q: want test, lab or build", verb)
	}
}

// testAll runs go test -race in a lab and returns its error.
func testAll(ctx context.Context, dir string, args []string) error {
	if len(args) == 0 {
		args = []string{"./..."}
	}
	state, leave, err := enterLab(ctx, dir)
	if err != nil {
		return err
	}
	defer leave()
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-race"}, args...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = os.Environ()
	if state != "" {
		cmd.Env = append(cmd.Env, lab.StateVar+"="+state)
		if _, set := os.LookupEnv(lab.RequireVar); !set {
			cmd.Env = append(cmd.Env, lab.RequireVar+"="+strings.Join(lab.Parts(), ","))
		}
	}
	// A group of its own, so that we pass every signal on, once, to all of it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 20 * time.Second
	return cmd.Run()
}

// buildTools builds what the lab needs and Debian does not have.
func buildTools(ctx context.Context) (plugin string, err error) {
	root, err := goCommand(ctx, ".", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return "", err
	}
	return buildCompose(ctx, filepath.Join(root, "test", "tools"))
}

// say prints a line of progress.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "lab: "+format+"\n", args...)
}
