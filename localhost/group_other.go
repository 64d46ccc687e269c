//go:build !linux

package localhost

// onlyZombies cannot be known here without another program's help; a process
// nobody reaps counts as alive.
func onlyZombies(int) bool { return false }
