// Command crowd runs "true" on each of the hosts named, by ssh, keeps every
// connection until the last host has answered, and prints what that took, as
// JSON. It is a process of its own so that its memory is nobody else's.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/sshhost"
)

// figures are what is printed.
type figures struct {
	Hosts      int     `json:"hosts"`
	Seconds    float64 `json:"seconds"`     // until the last one had answered
	StartBytes int64   `json:"start_bytes"` // resident, before the first
	OpenBytes  int64   `json:"open_bytes"`  // resident, with all connections open
	PeakBytes  int64   `json:"peak_bytes"`  // resident, at most
}

func main() {
	config := flag.String("config", "", "ssh_config")
	parallel := flag.Int("parallel", 10, "how many at a time")
	flag.Parse()
	f, err := run(context.Background(), *config, flag.Args(), *parallel)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(f)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "crowd: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, config string, names []string, parallel int) (figures, error) {
	before, err := memory("VmRSS")
	if err != nil {
		return figures{}, err
	}
	hosts, errs := make([]*sshhost.Host, len(names)), make([]error, len(names))
	next := make(chan int)
	begun := time.Now()
	var all sync.WaitGroup
	for range parallel {
		all.Go(func() {
			for i := range next {
				hosts[i] = sshhost.New(names[i], sshhost.Config{ConfigFile: config})
				var res sandboxer.Result
				if res, errs[i] = hosts[i].Run(ctx, sandboxer.Cmd{Args: []string{"true"}}); errs[i] == nil {
					errs[i] = res.Err("true")
				}
			}
		})
	}
	for i := range names {
		next <- i
	}
	close(next)
	all.Wait()
	f := figures{Hosts: len(names), Seconds: time.Since(begun).Seconds(), StartBytes: before}
	if f.OpenBytes, err = memory("VmRSS"); err != nil {
		return f, err
	}
	for _, h := range hosts {
		h.Close()
	}
	if f.PeakBytes, err = memory("VmHWM"); err != nil {
		return f, err
	}
	return f, errors.Join(errs...)
}

// memory reads a line of proc(5) status, as in `VmHWM:	    9876 kB`.
func memory(field string) (int64, error) {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, err
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) == 3 && words[0] == field+":" {
			kilobytes, err := strconv.ParseInt(words[1], 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("no %s in /proc/self/status", field)
}
