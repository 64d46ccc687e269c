//go:build !linux

package canary

import (
	"fmt"
	"io"
)

func command(_ []string, _, stderr io.Writer, _ func(string) string) int {
	fmt.Fprint(stderr, mark+"It runs on linux only.\n")
	return 2
}
