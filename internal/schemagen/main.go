// Command schemagen writes the JSON Schemas of sandboxer's documents. It is
// run by go generate in the directory schema:
//
//	schemagen SOURCE OUT
//
// SOURCE is the directory of the root package, whose comments become
// descriptions; OUT receives one file per kind of document. What it cannot
// describe truthfully (a field without a comment, two types of one name, a
// type that marshals itself) is an error, and then nothing is written.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

func run(args []string, stderr io.Writer) int {
	if len(args) != 2 {
		fmt.Fprintln(stderr, "usage: schemagen SOURCE OUT")
		return 2
	}
	if err := write(args[0], args[1]); err != nil {
		fmt.Fprintf(stderr, "schemagen: %v\n", err)
		return 1
	}
	return 0
}

func write(source, out string) error {
	files, err := generate(source)
	if err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(out, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
