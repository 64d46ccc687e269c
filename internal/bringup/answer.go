package bringup

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	sandboxer "github.com/tegwick/sand-boxer"
)

// An Answer is what a script said, in frames: a line with the token and the
// frame's head, then its body, which may be anything, up to the next such
// line.
//
//	3f0a…c1 state web running
//	…
//	3f0a…c1 end
type Answer struct {
	Frames   []Frame
	Complete bool // the script came to its end
}

// A Frame is one part of an Answer.
type Frame struct {
	Name string
	Args []string
	Body []byte
}

// Parse reads the output of a script. It never fails: output that is no
// answer has no frames.
func Parse(out []byte, token string) Answer {
	var a Answer
	mark := []byte("\n" + token + " ")
	_, rest, more := bytes.Cut(out, mark)
	for more {
		var frame []byte
		frame, rest, more = bytes.Cut(rest, mark)
		head, body, _ := bytes.Cut(frame, []byte("\n"))
		words := strings.Fields(string(head))
		if len(words) == 0 {
			continue
		}
		if words[0] == "end" {
			a.Complete = true
			return a
		}
		a.Frames = append(a.Frames, Frame{Name: words[0], Args: words[1:], Body: body})
	}
	return a
}

// Find returns the first frame of that name; its Name is empty where there is
// none.
func (a Answer) Find(name string) Frame {
	for _, f := range a.Frames {
		if f.Name == name {
			return f
		}
	}
	return Frame{}
}

// Arg returns an argument of the frame's head, or "".
func (f Frame) Arg(i int) string {
	if i < len(f.Args) {
		return f.Args[i]
	}
	return ""
}

// Phase returns the last phase the script has begun, or fallback.
func (a Answer) Phase(fallback sandboxer.Phase) sandboxer.Phase {
	for _, f := range a.Frames {
		if f.Name == "phase" && f.Arg(0) != "" {
			fallback = sandboxer.Phase(f.Arg(0))
		}
	}
	return fallback
}

// Fill puts what the frames result, check and checked say into s.
func (a Answer) Fill(s *sandboxer.Started) error {
	if f := a.Find("result"); f.Name != "" {
		if len(f.Body) > MaxResult {
			return fmt.Errorf("the file it was waited for is larger than %d bytes", MaxResult)
		}
		s.Result = f.Body
	}
	if f := a.Find("checked"); f.Name != "" {
		code, err := strconv.Atoi(f.Arg(0))
		if err != nil {
			return fmt.Errorf("status of the check from the host: %w", err)
		}
		s.HostCheck, s.HostStatus = a.Find("check").Body, &code
	}
	return nil
}

// Bounds of what is quoted of a log.
const (
	maxLogLines = 20
	maxLogLine  = 500
)

// LogLines returns the last lines of a log, fit to be shown: no control
// characters, no empty lines, none too long.
func LogLines(log []byte) []string {
	lines := []string{}
	for line := range strings.Lines(strings.ToValidUTF8(string(log), "\uFFFD")) {
		line = strings.TrimRightFunc(line[strings.LastIndexByte(strings.TrimRight(line, "\r\n"), '\r')+1:], unicode.IsSpace)
		line = strings.Map(func(r rune) rune {
			if r == '\t' {
				return ' '
			}
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, line)
		if line == "" {
			continue
		}
		if r := []rune(line); len(r) > maxLogLine {
			line = string(r[:maxLogLine]) + "..."
		}
		lines = append(lines, line)
	}
	return lines[max(0, len(lines)-maxLogLines):]
}
