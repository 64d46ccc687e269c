package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"
)

// A page is the text form of a document: fields, and tables below titles.
// Whatever is put on it is cleaned, as much of it comes from hosts.
type page struct {
	width   int  // of the terminal it is for; 0: lines are as long as they are
	colours bool // for a terminal that shows them
	out     io.Writer
	buf     bytes.Buffer
	tab     *tabwriter.Writer
}

func newPage(w io.Writer, width int) *page {
	p := &page{out: w, width: width}
	p.tab = tabwriter.NewWriter(&p.buf, 0, 8, 2, ' ', 0)
	return p
}

// field adds "name: value", aligned with the fields next to it.
func (p *page) field(name, value string) { p.fieldIn(noColour, name, value) }

// fieldIn is field with its value in a colour.
func (p *page) fieldIn(c colour, name, value string) {
	fmt.Fprintf(p.tab, "%s:\t%s\n", name, p.paint(c, clean(value)))
}

// gap sets what follows apart from what is there.
func (p *page) gap() {
	p.tab.Flush()
	if p.buf.Len() > 0 {
		p.buf.WriteByte('\n')
	}
}

// title begins a part of its own: a line that says what it is about, and
// what there is to say of it in a word or two.
func (p *page) title(name, value string) {
	p.gap()
	p.buf.WriteString(strings.TrimRight(name+": "+clean(value), " ") + "\n")
}

// line adds a line as it is.
func (p *page) line(text string) {
	p.tab.Flush()
	p.buf.WriteString(clean(text) + "\n")
}

// note adds a line in a colour, indented, and folded to the width of the page.
func (p *page) note(c colour, indent, text string) {
	p.tab.Flush()
	for _, part := range fold(clean(text), p.width-len(indent)) {
		p.buf.WriteString(indent + p.paint(c, part) + "\n")
		if !strings.HasPrefix(indent, "    ") {
			indent += "  "
		}
	}
}

// table adds rows below their header, indented; nothing at all without rows.
// The last column is folded to the width of the page. A row with fewer cells
// than the header has its last one go on over the columns that it leaves out.
func (p *page) table(indent string, header []string, rows [][]string) {
	p.tab.Flush()
	if len(rows) == 0 {
		return
	}
	widths := make([]int, len(header))
	cleaned := make([][]string, 0, len(rows)+1)
	for _, row := range append([][]string{header}, rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			if cells[i] = clean(cell); cells[i] == "" {
				cells[i] = none
			}
			if i < len(row)-1 {
				widths[i] = max(widths[i], utf8.RuneCountInString(cells[i])+2)
			}
		}
		cleaned = append(cleaned, cells)
	}
	for _, cells := range cleaned {
		p.row(indent, cells, widths)
	}
}

// row writes cells at the widths given, the last one folded.
func (p *page) row(indent string, cells []string, widths []int) {
	before, last := indent, len(cells)-1
	for i, cell := range cells[:last] {
		before += fmt.Sprintf("%-*s", widths[i], cell)
	}
	margin := utf8.RuneCountInString(before)
	for _, part := range fold(cells[last], p.width-margin) {
		p.buf.WriteString(before + part + "\n")
		before = strings.Repeat(" ", margin)
	}
}

// fold breaks text between words into lines of at most room columns. Where
// there is no room to speak of it stays whole.
func fold(text string, room int) []string {
	if room < 20 || utf8.RuneCountInString(text) <= room {
		return []string{text}
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > room {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimLeft(line+" "+word, " ")
	}
	return append(lines, line)
}

// flush writes the page out, without the blanks that padding leaves at the
// ends of lines.
func (p *page) flush() error {
	p.tab.Flush()
	lines := strings.Split(p.buf.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	_, err := io.WriteString(p.out, strings.Join(lines, "\n"))
	return err
}

const (
	blank   = " "   // the row above says it
	none    = "-"   // there is none
	unknown = "n/a" // there may be one: it could not be read
)

func text[T ~string](v *T) string {
	if v == nil {
		return none
	}
	return string(*v)
}

func count(n *int64) string {
	if n == nil {
		return unknown
	}
	return strconv.FormatInt(*n, 10)
}

func number(f *float64, decimals int) string {
	if f == nil {
		return unknown
	}
	return strconv.FormatFloat(*f, 'f', decimals, 64)
}

func ratio(f *float64) string {
	if f == nil {
		return unknown
	}
	return fmt.Sprintf("%.0f %%", *f*100)
}

func yesNo(b *bool) string {
	switch {
	case b == nil:
		return unknown
	case *b:
		return "yes"
	}
	return "no"
}

func instant(t *time.Time) string {
	if t == nil {
		return none
	}
	return t.UTC().Format(time.RFC3339)
}

func size(n *int64) string {
	if n == nil {
		return unknown
	}
	return bytesText(float64(*n))
}

// bytesText prints a number of bytes with the decimal unit that leaves one to
// three digits before the point.
func bytesText(n float64) string {
	for _, unit := range []struct {
		name string
		size float64
	}{{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}} {
		if math.Abs(n) >= unit.size {
			return fmt.Sprintf("%.1f %s", n/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%.0f B", n)
}

// span prints a length of time with its two largest units: 2d4h, 3h12m, 45s.
func span(seconds *float64) string {
	if seconds == nil {
		return unknown
	}
	s, sign := int64(math.Abs(*seconds)), ""
	if *seconds <= -1 {
		sign = "-"
	}
	d, h, m := s/86400, s/3600%24, s/60%60
	switch {
	case d > 0:
		return fmt.Sprintf("%s%dd%dh", sign, d, h)
	case h > 0:
		return fmt.Sprintf("%s%dh%dm", sign, h, m)
	case m > 0:
		return fmt.Sprintf("%s%dm%ds", sign, m, s%60)
	}
	return fmt.Sprintf("%s%ds", sign, s)
}

// since prints the time from t to now, on one clock.
func since(t, now *time.Time) string {
	if t == nil || now == nil {
		return unknown
	}
	s := now.Sub(*t).Seconds()
	return span(&s)
}

// quote shows input in a message, and not too much of it.
func quote(s string) string { return strconv.Quote(cut(s, 60)) }
