// Command program is both services of the profile beside it: "serve" answers
// with what "work" has counted in a volume that they share.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

const counter = "/data/count"

func main() {
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(args []string) error {
	// A process with number 1 has no default for SIGTERM.
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	switch {
	case len(args) == 1 && args[0] == "serve":
		return serve(stop)
	case len(args) == 2 && args[0] == "work":
		return work(args[1], stop)
	}
	return fmt.Errorf("usage: program serve | work INTERVAL")
}

func serve(stop <-chan os.Signal) error {
	failed := make(chan error, 1)
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		count, err := os.ReadFile(counter)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "counted %s\n", count)
	})
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if _, err := os.Stat(counter); err != nil {
			http.Error(w, "the worker has not counted yet", http.StatusServiceUnavailable)
		}
	})
	go func() { failed <- http.ListenAndServe(":8080", nil) }()
	select {
	case err := <-failed:
		return err
	case <-stop:
		return nil
	}
}

func work(interval string, stop <-chan os.Signal) error {
	every, err := time.ParseDuration(interval)
	if err != nil {
		return err
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := 1; ; n++ {
		if err := os.WriteFile(counter+".new", []byte(strconv.Itoa(n)), 0o644); err != nil {
			return err
		}
		if err := os.Rename(counter+".new", counter); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-stop:
			return nil
		}
	}
}
