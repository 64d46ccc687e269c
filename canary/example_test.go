package canary_test

import (
	"context"
	"fmt"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/canary"
)

func ExampleSpec() {
	spec := canary.Spec(canary.Self())
	fmt.Println(spec.Profile, spec.Canary)
	fmt.Println("ready with", spec.ReadyFile)
	fmt.Println("as a process:", spec.Process)
	// Output:
	// profile.sandbox-canary true
	// ready with out/result.json
	// as a process: [image/root/sandboxer __canary]
}

func ExampleFile() {
	spec := canary.Spec(canary.File("/etc/hostname"))
	_, err := spec.Files(context.Background(), sandboxer.Platform{OS: "linux", Arch: "arm64"})
	fmt.Println(err)
	fmt.Println("hint:", sandboxer.Hint(err))
	// Output:
	// create: prepare: no program to send as a canary to linux/arm64: /etc/hostname: not an ELF program
	// hint: put sandboxer-linux-arm64 of a release beside this program, or build it and name it with --canary-binary: CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build -o sandboxer-linux-arm64 github.com/tegwick/sand-boxer/cmd/sandboxer
}
