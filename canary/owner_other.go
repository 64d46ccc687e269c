//go:build !unix

package canary

// checkOwner cannot tell who may write to a file here.
func checkOwner(string) error { return nil }
