package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/tegwick/sand-boxer"
)

// listText shows a person what a plan is about: last what goes, for the first
// lines may be off the screen.
func (a *app) listText(doc sandboxer.ReapPlanDocument) error {
	var list bytes.Buffer
	p := newPage(&list, columns(a.err.w))
	staysText(p, doc.Kept)
	planProofText(p, doc)
	goesText(p, doc)
	if err := p.flush(); err != nil {
		return err
	}
	a.err.printf("%s", list.String())
	return nil
}

// asks reports whether there is a person to be asked.
func (a *app) asks(f *reapFlags) bool {
	_, in := terminal(a.in)
	_, out := terminal(a.err.w) // a dumb one is one too
	return in && out && !f.yes
}

// consent shows a person the list and asks. A script has said what it wants by
// --apply: where nobody can answer, nobody is asked.
func (a *app) consent(ctx context.Context, doc sandboxer.ReapPlanDocument, f *reapFlags) error {
	if !a.asks(f) || len(doc.Candidates) == 0 {
		return nil
	}
	if err := a.listText(doc); err != nil {
		return err
	}
	a.err.printf("Remove %s from %s, below %s? %s [y/N]",
		plural(len(doc.Candidates), "thing", "things"), hostName(doc.Host), doc.Root, undoText(doc.Policy))
	said := make(chan string, 1)
	go func() { // abandoned where ctx ends first: the program ends then, too
		answer, _ := bufio.NewReader(a.in).ReadString('\n')
		said <- strings.ToLower(strings.TrimSpace(answer))
	}()
	select {
	case <-ctx.Done():
		return fmt.Errorf("nothing was removed: %w", ctx.Err())
	case answer := <-said:
		if answer == "y" || answer == "yes" {
			return nil
		}
	}
	return &sandboxer.RefusedError{
		Doing:   "reap",
		Reasons: []sandboxer.Reason{{Code: "not_confirmed", Message: "the answer was not yes: nothing was removed"}},
	}
}
