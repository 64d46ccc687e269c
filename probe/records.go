package probe

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"path"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
)

// maxReport bounds what is kept of a stored report.
const maxReport = 4 << 20

// A stored is a file as the tar carried it.
type stored struct {
	data []byte
	uid  int64
	bad  bool // not a regular file, or too large
	rec  *sandboxer.Record
	err  error // why data is no record
}

// An archive is what the script read of the sandboxes' files. Only what its
// own list of names fits is looked at.
type archive struct {
	metadata  map[sandboxer.ID]stored // root/ID/.sandboxer/meta.json
	registry  map[sandboxer.ID]stored // state/registry/ID.json
	process   map[sandboxer.ID]stored // root/ID/.sandboxer/process
	report    []byte                  // root/ID/.sandboxer/report.json, of the sandbox asked for
	destroyed []byte                  // state/registry/destroyed/ID.json, likewise
	proof     bool                    // it had what every tar of the script has
	whole     bool
}

func (r *reading) archive() archive {
	if r.sections["records_none"].whole {
		return archive{whole: true}
	}
	s, zipped := r.sections["records_gzip"]
	if !zipped {
		s = r.sections["records"]
	}
	switch {
	case !s.whole:
		return archive{}
	case r.early != nil:
		return *r.early
	}
	return readArchive(bytes.NewReader(s.body), zipped, r.sandbox)
}

// readArchive reads tars to their end. Of the report and the last record it
// takes those of the sandbox wanted.
func readArchive(in io.Reader, zipped bool, want sandboxer.ID) archive {
	a := archive{
		metadata: map[sandboxer.ID]stored{}, registry: map[sandboxer.ID]stored{}, process: map[sandboxer.ID]stored{},
	}
	if zipped {
		z, err := gzip.NewReader(in)
		if err != nil {
			return a
		}
		in = z
	}
	limit := &io.LimitedReader{R: in, N: MaxRecords}
	a.whole = a.readAll(bufio.NewReaderSize(limit, 64<<10), want) && limit.N > 0
	return a
}

// readAll reads tars, one after the other, each with its end and padding. It
// reports whether the last one is there to its end, and the proof in it that
// there was one.
func (a *archive) readAll(in *bufio.Reader, want sandboxer.ID) bool {
	block := make([]byte, 512)
	for {
		head, err := in.Peek(len(block))
		if err == io.EOF && len(head) == 0 {
			return a.proof
		}
		if err != nil {
			return false
		}
		if bytes.Equal(head, block) { // padding
			in.Discard(len(block))
			continue
		}
		end := &endWatch{r: in}
		if err := a.read(tar.NewReader(end), want); err != nil || end.seen {
			return false
		}
	}
}

// An endWatch notes that its reader had no more. A tar that is whole is read
// to its end mark, and not beyond.
type endWatch struct {
	r    io.Reader
	seen bool
}

func (e *endWatch) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if n == 0 && err != nil {
		e.seen = true
	}
	return n, err
}

// proofName is a file that the script puts into every tar.
const proofName = "dev/null"

// read takes what it knows by name and skips the rest.
func (a *archive) read(t *tar.Reader, want sandboxer.ID) error {
	buf := make([]byte, sandboxer.MaxRecord+1)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if strings.TrimPrefix(h.Name, "/") == proofName {
			a.proof = true
		}
		id, put := a.place(h.Name, want)
		switch {
		case put == nil && id == "":
		case put == nil: // the report
			if h.Typeflag == tar.TypeReg && h.Size <= maxReport {
				if a.report, err = io.ReadAll(t); err != nil {
					return err
				}
			}
		case h.Typeflag != tar.TypeReg || h.Size > sandboxer.MaxRecord:
			put(stored{uid: int64(h.Uid), bad: true})
		default:
			n, err := io.ReadFull(t, buf[:h.Size])
			if err != nil {
				return err
			}
			put(a.keep(id, buf[:n], int64(h.Uid)))
		}
	}
}

// place returns the sandbox that a name belongs to and where its content goes;
// for the report wanted, no place. A name of no known form has neither.
func (a *archive) place(name string, want sandboxer.ID) (sandboxer.ID, func(stored)) {
	rest, under := strings.CutPrefix(name, "./")
	if !under {
		dir, file := path.Split(name)
		base, ok := strings.CutSuffix(file, ".json")
		id, err := sandboxer.ParseID(base)
		switch {
		case !ok || err != nil:
		case strings.HasSuffix(dir, "/registry/"):
			return id, func(s stored) { a.registry[id] = s }
		case strings.HasSuffix(dir, "/registry/destroyed/") && id == want:
			return id, func(s stored) { a.destroyed = s.data }
		}
		return "", nil
	}
	first, file, _ := strings.Cut(rest, "/.sandboxer/")
	id, err := sandboxer.ParseID(first)
	switch {
	case err != nil:
	case file == "meta.json":
		return id, func(s stored) { a.metadata[id] = s }
	case file == "process":
		return id, func(s stored) { a.process[id] = s }
	case file == "report.json" && id == want:
		return id, nil
	}
	return "", nil
}

// keep makes b, which is copied, a record. Mostly the other one of the sandbox
// is the same, which is read once.
func (a *archive) keep(id sandboxer.ID, b []byte, uid int64) stored {
	for _, m := range []map[sandboxer.ID]stored{a.metadata, a.registry} {
		if have := m[id]; have.data != nil && bytes.Equal(have.data, b) {
			return stored{data: have.data, uid: uid, rec: have.rec, err: have.err}
		}
	}
	s := stored{data: bytes.Clone(b), uid: uid}
	s.rec, s.err = sandboxer.ParseRecord(s.data)
	return s
}
