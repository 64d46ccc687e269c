// Command test runs the tests of sandboxer against real parts.
//
//	go run ./test                                run every test
//	go run ./test -- -run TestRun ./sshhost      pass arguments to go test -race
//	go run ./test -no-skips                      fail if any test skips
//	go run ./test lab                            start a lab and keep it until Ctrl-C
//	go run ./test prepare                        only install and build what the lab needs
//	go run ./test bench                          run every benchmark, beside what it is compared with
//	go run ./test bench -- -bench Inspect ./test/bench
//
// As root, or with a sudo that asks no password, it installs what is missing
// from Debian's packages, starts an sshd and a dockerd, makes users for them
// and for podman, and stops and removes all of that afterwards; the packages
// stay. What only benchmarks need is installed by bench, and by nothing else.
// Otherwise the tests that need those parts skip, and say which. A lab that is
// already running is used and left running. SANDBOXER_LAB names one;
// SANDBOXER_REQUIRE lists the parts without which tests fail and not skip, by
// default all of them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal kills us; the lab ends all the same
	err := dispatch(ctx, os.Args[1:])
	var failed testsFailed
	switch {
	case err == nil:
	case errors.As(err, &failed):
		os.Exit(failed.code) // go test has said why
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
	noSkips := flags.Bool("no-skips", false, "fail if a test skips")
	tied := flags.Bool("tied", false, "stop the lab when standard input ends")
	_ = flags.Parse(args) // ExitOnError
	if err := extendPath(); err != nil {
		return err
	}
	if *tied {
		ctx = tie(ctx)
	}
	switch verb {
	case "test":
		return testAll(ctx, *dir, *noSkips, flags.Args())
	case "lab":
		return labAlone(ctx, *dir, *plugin)
	case "prepare":
		return prepare(ctx)
	case "bench":
		return benchAll(ctx, *dir, flags.Args())
	case benchPackages:
		return installPackages(ctx, benchNeeds())
	default:
		return fmt.Errorf("unknown verb %q: want bench, lab or prepare, or nothing", verb)
	}
}

// labAlone keeps a lab until ctx is done.
func labAlone(ctx context.Context, dir, plugin string) (err error) {
	if plugin == "" {
		if plugin, err = buildTools(ctx); err != nil {
			return err
		}
	}
	if os.Geteuid() == 0 {
		return keepLab(ctx, dir, plugin)
	}
	root, err := rootPrefix(ctx)
	if err != nil {
		return fmt.Errorf("a lab needs root, for users and servers: sudo -n true: %w", err)
	}
	state, leave, err := spawnLab(ctx, root, dir, plugin)
	if err != nil {
		return err
	}
	defer leave()
	printExports(state)
	<-ctx.Done()
	return nil
}

// prepare does what the first run of a lab would: it takes minutes, and may be
// done beside something else.
func prepare(ctx context.Context) error {
	if os.Geteuid() == 0 {
		if err := installPackages(ctx, needs()); err != nil {
			return err
		}
	}
	_, err := buildTools(ctx)
	return err
}

// buildTools builds what the lab needs and Debian does not have.
func buildTools(ctx context.Context) (plugin string, err error) {
	root, err := goCommand(ctx, ".", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return "", err
	}
	return buildCompose(ctx, filepath.Join(root, "test", "tools"))
}

// extendPath adds the directories of the administrator's commands to PATH.
func extendPath() error {
	return os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
}

// say prints a line of progress.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "lab: "+format+"\n", args...)
}
