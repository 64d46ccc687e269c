package probe

import (
	"bytes"
	"strconv"
	"strings"
)

// A section is one part of the script's output:
//
//	NONCE begin fs
//	ef53 4096 4096 66053021 62021458 19843753 16777216 16192078 /
//
//	NONCE end fs 0
//
// with an empty line before each mark, so that what is between may be any
// bytes. Nobody who wrote those can have known the nonce.
type section struct {
	body  []byte
	code  int  // exit status of what was run for it
	whole bool // its end mark was there
}

// split takes the script's output apart. Of several sections of one name the
// first counts.
func split(out []byte, nonce string) map[string]section {
	sections := map[string]section{}
	mark := []byte("\n" + nonce + " ")
	var name string
	var start int // of the section's body
	for pos := 0; ; {
		i := bytes.Index(out[pos:], mark)
		if i < 0 {
			return sections
		}
		begin := pos + i
		size := bytes.IndexByte(out[begin+1:], '\n')
		if size < 0 {
			return sections
		}
		words := strings.Fields(string(out[begin+len(mark) : begin+1+size]))
		pos = begin + 1 + size // the line end may be the next mark's first byte
		switch {
		case len(words) == 2 && words[0] == "begin":
			name, start = words[1], pos+1
			if _, dup := sections[name]; !dup {
				sections[name] = section{}
			}
		case len(words) == 3 && words[0] == "end" && words[1] == name && !sections[name].whole:
			code, err := strconv.Atoi(words[2])
			if err != nil {
				code = -1
			}
			sections[name] = section{body: out[min(start, begin):begin], code: code, whole: true}
		}
	}
}
