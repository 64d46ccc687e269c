package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"

	"github.com/tegwick/sand-boxer/test/lab"
)

// benchPackages is the verb by which bench has root install what it needs.
const benchPackages = "bench-packages"

// benchAll runs benchmarks in a lab, one package after another. They compare
// whole programs, so there is no race detector in them.
func benchAll(ctx context.Context, dir string, args []string) error {
	if err := prepareBench(ctx); err != nil {
		say("%v", err) // the benchmarks say what they miss
	}
	if len(args) == 0 {
		args = []string{"-bench", ".", "./probe", "./sshhost", "./test/bench"}
	}
	parts := requirable(slices.Concat(lab.Parts(), lab.BenchParts()))
	_, err := goTest(ctx, dir, parts, append([]string{"-run", "^$", "-p", "1", "-timeout=40m", "-benchtime=10x"}, args...))
	return err
}

// prepareBench installs what only benchmarks need.
func prepareBench(ctx context.Context) error {
	if os.Geteuid() == 0 {
		return installPackages(ctx, benchNeeds())
	}
	if len(missing(benchNeeds())) == 0 {
		return nil
	}
	root, err := rootPrefix(ctx)
	if err != nil {
		return fmt.Errorf("neither root nor sudo without a password: installing nothing")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	argv := append(root, self, benchPackages)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	return cmd.Run()
}
