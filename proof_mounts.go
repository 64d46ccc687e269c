package sandboxer

// proveMounts is about the user's own view; the host's script looks again, and
// for what others may have mounted.
func (f *staleFinder) proveMounts(p *proof, dir string) {
	_, known := f.obs.Snapshot.Objects[Mounts]
	at := f.mountIn(dir)
	switch {
	case !known:
		p.skip(ProofMounts, "the look at the host does not tell")
	case at != "":
		p.mounted(at)
	default:
		p.pass(ProofMounts, "none below it")
	}
}

func (p *proof) mounted(at string) { p.fail(ProofMounts, BlockMount, "%s is a mount point", at) }

// mountIn returns what is mounted at or below a directory, or "".
func (f *staleFinder) mountIn(dir string) string {
	for _, at := range f.obs.Snapshot.Objects[Mounts] {
		if within(at, dir) {
			return at
		}
	}
	return ""
}

// untouched reports whether a directory was not looked at, as something is
// mounted there that may hang: all that is known of it is its name.
func (f *staleFinder) untouched(inode int64, dir string) bool {
	return inode == 0 && f.mountIn(dir) != ""
}
