package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/tegwick/sand-boxer"
)

// streamFrom is how many things a list has that is printed one by one: all of
// it in memory, once as text and once more indented, would be most of what the
// program takes.
const streamFrom = 500

// sparing makes the garbage collector come more often, before a look at what may
// be very many: otherwise as much again as is in use would be waiting for it.
func sparing() { debug.SetGCPercent(50) }

// frugal makes it keep up where there is much to judge.
func frugal(obs sandboxer.Observation) {
	if len(obs.Inventory.Sandboxes)+len(obs.Inventory.Directories) > streamFrom {
		debug.SetMemoryLimit(48 << 20)
	}
}

// stream prints what answer would, but each row on a line of its own, and keeps
// none of it. It reports whether doc is one that it knows.
func (a *app) stream(doc any) (bool, error) {
	switch doc := doc.(type) {
	case sandboxer.StaleDocument:
		rows := doc.StaleCandidates
		doc.StaleCandidates = nil
		return a.streamRows(doc, "stale_candidates", rows)
	case sandboxer.ReapPlanDocument:
		rows := doc.Kept
		doc.Kept = nil
		return a.streamRows(doc, "kept", rows)
	}
	return false, nil
}

// streamRows prints doc, in which the list of that name is null, with rows in
// it.
func (a *app) streamRows(doc any, name string, rows []sandboxer.StaleSandbox) (bool, error) {
	if len(rows) < streamFrom {
		return false, nil
	}
	frame, err := indented(doc)
	if err != nil {
		return true, err
	}
	gap := fmt.Appendf(nil, "\n  %q: null", name)
	before, after, found := bytes.Cut(frame, gap)
	if !found || bytes.Contains(after, gap) {
		return true, errors.New("encode the answer: it has no place for its rows")
	}
	a.answered = true
	out := bufio.NewWriterSize(a.out, 64<<10)
	fmt.Fprintf(out, "%s\n  %q: [", before, name)
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	for i, row := range rows {
		line.Reset()
		if err := e.Encode(row); err != nil {
			return true, fmt.Errorf("encode the answer: %w", err)
		}
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString("\n    ")
		out.Write(bytes.TrimSuffix(line.Bytes(), []byte("\n")))
	}
	fmt.Fprintf(out, "\n  ]%s", after)
	if err := out.Flush(); err != nil {
		return true, fmt.Errorf("write standard output: %w", err)
	}
	return true, nil
}

// indented is v as answer prints it.
func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return b.Bytes(), nil
}
