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
		case "ready": // ready=FILE:CONTENT
			file, content, _ := strings.Cut(value, ":")
			check(os.WriteFile(file+".new", []byte(content), 0o644))
			check(os.Rename(file+".new", file))
		case "after":
			d, err := time.ParseDuration(value)
			check(err)
			time.Sleep(d)
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
