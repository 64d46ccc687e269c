// Program is what runs in the sandboxes of the tests: it does what its
// arguments say, in order, and stays.
package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	for _, arg := range os.Args[1:] {
		verb, value, _ := strings.Cut(arg, "=")
		switch verb {
		case "say":
			fmt.Println(value)
		case "exit":
			code, _ := strconv.Atoi(value)
			os.Exit(code)
		case "listen":
			l, err := net.Listen("tcp", value)
			check(err)
			go answer(l)
		case "serve": // GET /503 has status 503; /late has 204, after 503 for a second
			l, err := net.Listen("tcp", value)
			check(err)
			go serve(l)
		case "eat": // MiB
			eaten = make([]byte, 1<<20*must(strconv.Atoi(value)))
			for i := 0; i < len(eaten); i += 512 {
				eaten[i] = 1
			}
		case "burn": // that much CPU time
			d, err := time.ParseDuration(value)
			check(err)
			burn(d)
		case "ready": // ready=FILE:CONTENT
			file, content, _ := strings.Cut(value, ":")
			check(os.WriteFile(file+".new", []byte(content), 0o644))
			check(os.Rename(file+".new", file))
		case "after":
			d, err := time.ParseDuration(value)
			check(err)
			time.Sleep(d)
		case "help":
			help(os.Args[2], os.Args[3])
			return
		case "open": // a FIFO, so that whoever reads it knows that it runs
			check(must(os.OpenFile(value, os.O_WRONLY, 0)).Close())
		case "dial": // run on the host
			fmt.Print(dial(os.Getenv("SANDBOXER_PORT")))
			return
		}
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
}

func answer(l net.Listener) {
	for {
		c, err := l.Accept()
		check(err)
		fmt.Fprint(c, "hello")
		c.Close()
	}
}

var eaten []byte

// burn keeps one core busy until all of the program has had that much time.
func burn(d time.Duration) {
	for {
		var used syscall.Rusage
		check(syscall.Getrusage(syscall.RUSAGE_SELF, &used))
		if time.Duration(used.Utime.Nano()+used.Stime.Nano()) >= d {
			return
		}
		for range 1_000_000 {
			burnt++
		}
	}
}

var burnt int

func serve(l net.Listener) {
	begin := time.Now()
	for {
		c := must(l.Accept())
		request := make([]byte, 4096)
		n, _ := c.Read(request)
		_, path, _ := strings.Cut(string(request[:n]), " /")
		path, _, _ = strings.Cut(path, " ")
		path, _, _ = strings.Cut(path, "?")
		if path == "late" {
			path = "204"
			if time.Since(begin) < time.Second {
				path = "503"
			}
		}
		fmt.Fprintf(c, "HTTP/1.1 %s Some\r\nLocation: /404\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", path)
		c.Close()
	}
}

func must[T any](v T, err error) T {
	check(err)
	return v
}

func dial(addr string) string {
	c, err := net.Dial("tcp", addr)
	check(err)
	b := make([]byte, 5)
	n, err := c.Read(b)
	check(err)
	return string(b[:n])
}

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
}
