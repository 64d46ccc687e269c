package main

import (
	"io"
	"strings"

	"github.com/tegwick/sand-boxer"
)

// A colour is what a terminal is told to write in: the parameter of SGR
// (ECMA-48, 8.3.117). Nothing is said by colour alone.
type colour string

const (
	noColour colour = ""
	red      colour = "31"
	green    colour = "32"
	yellow   colour = "33"
)

// colourful reports whether w shows colours, and whoever reads it wants them;
// see no-color.org.
func colourful(w io.Writer, getenv func(string) string) bool {
	_, tty := terminal(w)
	return tty && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// paint is text that has been cleaned, in a colour, if the page has them.
func (p *page) paint(c colour, text string) string {
	if !p.colours || c == noColour || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

func verdictColour(v sandboxer.AdmissionVerdict) colour {
	switch v {
	case sandboxer.AdmitOK:
		return green
	case sandboxer.AdmitRefuse:
		return red
	}
	return yellow
}

// bar shows a share of a whole as a bar of so many columns, or nothing where it
// is unknown.
func bar(share *float64, columns int) string {
	if share == nil {
		return ""
	}
	full := min(max(int(*share*float64(columns)+0.5), 0), columns)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", columns-full) + "]"
}
