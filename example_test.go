package sandboxer_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing/fstest"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/localhost"
	"github.com/tegwick/sand-boxer/probe"
)

// A look at this machine, by a Sandboxer that only looks.
func ExampleSandboxer_Inspect() {
	box := sandboxer.Sandboxer{Collector: probe.Collector{}}
	obs, err := box.Inspect(context.Background(), localhost.Host{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("memory known:", obs.Snapshot.Memory.TotalBytes != nil)
	fmt.Println("the same boot:", *sandboxer.Diff(obs.Snapshot, obs.Snapshot).SameBoot)
	// Output:
	// memory known: true
	// the same boot: true
}

// A look at several machines; one of them is out of reach.
func ExampleSandboxer_InspectAll() {
	box := sandboxer.Sandboxer{Collector: probe.Collector{}}
	hosts := []sandboxer.Host{localhost.Host{}, unplugged{}}
	for _, look := range box.InspectAll(context.Background(), hosts, sandboxer.InspectAllOptions{Timeout: time.Minute}) {
		if look.Err != nil {
			fmt.Println(look.Err)
			continue
		}
		fmt.Println(look.Host.Name()+": memory known:", look.Observation.Snapshot.Memory.TotalBytes != nil)
	}
	// Output:
	// local: memory known: true
	// inspect host: faraday: dial: no route to host
}

// An unplugged host cannot be reached.
type unplugged struct{}

func (unplugged) Name() string { return "faraday" }

func (h unplugged) Run(context.Context, sandboxer.Cmd) (sandboxer.Result, error) {
	return sandboxer.Result{}, &sandboxer.HostError{Host: h.Name(), Op: "dial", Err: syscall.EHOSTUNREACH}
}

func ExampleDiff() {
	boot := "9d1c"
	before := sandboxer.HostSnapshot{Identity: sandboxer.Identity{BootID: &boot}, Memory: sandboxer.Memory{AvailableBytes: new(int64(4_000_000_000))}}
	after := before
	after.Memory.AvailableBytes = new(int64(3_952_000_000))

	d := sandboxer.Diff(before, after)
	fmt.Printf("memory: %+.0f MB\n", *d.Host.MemoryAvailableBytes.Delta/1e6)
	fmt.Println("load known:", d.Host.Load1.Delta != nil)
	// Output:
	// memory: -48 MB
	// load known: false
}

// A host whose memory moves by up to 20 MB in five seconds by itself.
func ExampleNoiseHistory() {
	machine, boot := "b2f4", "9d1c"
	look := func(second int, available int64) sandboxer.HostSnapshot {
		at := time.Date(2026, 3, 1, 12, 0, second, 0, time.UTC)
		return sandboxer.HostSnapshot{
			ObservedAt: &at, Identity: sandboxer.Identity{MachineID: &machine, BootID: &boot}, Memory: sandboxer.Memory{AvailableBytes: &available},
		}
	}
	var noise sandboxer.NoiseHistory // kept by the caller; Sandboxer.Baseline makes one
	for i := range sandboxer.MinNoisePairs {
		noise = noise.Add(look(10*i, 4_000_000_000), look(10*i+5, 4_000_000_000-1_000_000*int64(i+1)))
	}
	for _, left := range []int64{3_985_000_000, 3_952_000_000} {
		d := noise.Diff(look(300, 4_000_000_000), look(304, left)).Host.MemoryAvailableBytes
		fmt.Printf("%+.0f MB, noise %.0f MB from %d pairs, significant: %v\n", *d.Delta/1e6, *d.NoiseFloor/1e6, d.NoisePairs, *d.Significant)
	}
	// Output:
	// -15 MB, noise 20 MB from 20 pairs, significant: false
	// -48 MB, noise 20 MB from 20 pairs, significant: true
}

func ExampleFindStale() {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	obs := sandboxer.Observation{
		Snapshot: sandboxer.HostSnapshot{ObservedAt: &now},
		Inventory: sandboxer.Inventory{
			RootState: sandboxer.RootOK,
			Sources: []sandboxer.Source{
				{Name: "directories", Status: sandboxer.SourceComplete},
				{Name: "registry", Status: sandboxer.SourceComplete},
			},
			Directories: []sandboxer.Directory{
				{Name: "fake99", Kind: "directory", Own: true, ValidID: true, LastChange: new(now.Add(-2 * time.Hour))},
			},
		},
	}
	for _, policy := range []sandboxer.StalePolicy{{}, {IncludeUnclaimed: true}} {
		for _, s := range sandboxer.FindStale(obs, policy).StaleCandidates {
			fmt.Println(s.Ref, s.Class, "kept because of", s.BlockedBy)
		}
	}
	// Output:
	// fake99 unclaimed kept because of [include_unclaimed]
	// fake99 unclaimed kept because of []
}

func ExampleAdmit() {
	a := sandboxer.Admit(sandboxer.HostSnapshot{
		DiskRootAvailBytes: new(int64(400_000_000)),
		Filesystems:        []sandboxer.Filesystem{{Path: "/", AvailRatio: new(0.01)}},
		Memory:             sandboxer.Memory{TotalBytes: new(int64(8e9)), AvailableBytes: new(int64(4e9))},
		Limits:             sandboxer.Limits{PidsUsed: new(int64(300)), PidMax: new(int64(32768))},
	})
	fmt.Println(a.Verdict)
	for _, r := range a.Reasons {
		fmt.Println(r.Code, r.Message)
	}
	// Output:
	// refuse
	// disk_full / has 1.0 % of its space left
}

func ExampleParseID() {
	id, err := sandboxer.ParseID("canary-4k9x0q2m7t3b")
	fmt.Println(id, err)
	_, err = sandboxer.ParseID("../etc")
	fmt.Println(err)
	// Output:
	// canary-4k9x0q2m7t3b <nil>
	// "../etc" is not a sandbox id: want 6 to 40 of a-z, 0-9 and -, not beginning with -
}

// A nicely runs the commands of another Host with the lowest priority.
type nicely struct{ sandboxer.Host }

func (h nicely) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	cmd.Args = slices.Concat([]string{"nice", "-n", "19"}, cmd.Args)
	return h.Host.Run(ctx, cmd)
}

// Whatever runs commands is a Host. The program's exit code is data; an error
// means that nobody knows what became of it.
func ExampleHost() {
	var host sandboxer.Host = nicely{localhost.Host{}}
	res, err := host.Run(context.Background(), sandboxer.Cmd{Args: []string{"nice"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.TrimSpace(string(res.Stdout)), res.Err("ask for the priority"))

	res, err = host.Run(context.Background(), sandboxer.Cmd{Args: []string{"sh", "-c", "echo no such luck >&2; exit 3"}})
	fmt.Println(res.ExitCode, err)
	fmt.Println(res.Err("try"))
	// Output:
	// 19 <nil>
	// 3 <nil>
	// try: exit status 3: no such luck
}

func ExampleWriteFile() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx, host := context.Background(), localhost.Host{}
	if err := sandboxer.WriteFile(ctx, host, dir+"/token", []byte("secret\n"), 0o600); err != nil {
		log.Fatal(err)
	}
	res, err := host.Run(ctx, sandboxer.Cmd{Args: []string{"stat", "-c", "%a %s", dir + "/token"}})
	fmt.Print(string(res.Stdout), err, "\n")

	err = sandboxer.WriteFile(ctx, host, dir+"/none/token", nil, 0o600)
	var failure *sandboxer.FileError
	fmt.Println(errors.Is(err, fs.ErrNotExist), errors.As(err, &failure) && failure.Unknown)
	// Output:
	// 600 7
	// <nil>
	// true false
}

func ExamplePutTree() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	site := fstest.MapFS{
		"index.html":    {Data: []byte("hello\n"), Mode: 0o644},
		"assets/-x.css": {Data: []byte("b{}\n"), Mode: 0o644},
	}
	ctx, host := context.Background(), localhost.Host{}
	for range 2 {
		err := sandboxer.PutTree(ctx, host, dir+"/site", site)
		fmt.Println(err == nil, errors.Is(err, fs.ErrExist))
	}
	res, err := host.Run(ctx, sandboxer.Cmd{Args: []string{"find", dir + "/site", "-type", "f", "-printf", "%P %s\n"}})
	if err != nil {
		log.Fatal(err)
	}
	for _, file := range slices.Sorted(strings.Lines(string(res.Stdout))) {
		fmt.Print(file)
	}
	// Output:
	// true false
	// false true
	// assets/-x.css 4
	// index.html 6
}
