//go:build !linux || !(amd64 || arm64)

// Command sh is for Linux.
package main

func main() { panic("faults: sh: only for Linux") }
