// Package exporter combines exporters. Those that ship with the module are
// in packages below it.
package exporter

import (
	"context"
	"errors"
	"fmt"
	"sync"

	sandboxer "github.com/tegwick/sand-boxer"
)

var (
	_ sandboxer.Exporter         = Multi{}
	_ sandboxer.ArtifactExporter = Multi{}
)

// A Sink is an exporter and the name it goes by in documents and errors.
type Sink struct {
	Name     string // unique within a Multi
	Exporter sandboxer.Exporter
}

// Multi hands each document to several sinks, side by side: one that fails,
// or waits for its time to run out, keeps nothing from the others.
type Multi []Sink

// Export waits for all sinks. Its error joins one *SinkError for each that
// failed, in the order of m, and is nil only if all are done; Outcomes takes
// it apart.
func (m Multi) Export(ctx context.Context, doc sandboxer.Document) error {
	errs := make([]error, len(m))
	var all sync.WaitGroup
	for i, sink := range m {
		all.Go(func() { errs[i] = sink.wrap(sink.Exporter.Export(ctx, doc)) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// Outcomes returns the outcome of each sink of m, in order, given the error
// that Export returned, wrapped or not.
func (m Multi) Outcomes(err error) []sandboxer.ExportOutcome {
	failed := map[string]string{}
	collect(err, failed)
	out := make([]sandboxer.ExportOutcome, len(m))
	for i, sink := range m {
		out[i] = sandboxer.ExportOutcome{Sink: sink.Name, Status: "done"}
		if why, ok := failed[sink.Name]; ok {
			out[i].Status, out[i].Error = "failed", &why
		}
	}
	return out
}

// collect notes what the SinkErrors in err's tree say.
func collect(err error, failed map[string]string) {
	if sink, ok := err.(*SinkError); ok {
		failed[sink.Sink] = sink.Err.Error()
		return
	}
	switch err := err.(type) {
	case interface{ Unwrap() []error }:
		for _, e := range err.Unwrap() {
			collect(e, failed)
		}
	case interface{ Unwrap() error }:
		collect(err.Unwrap(), failed)
	}
}

// Artifact returns the path at which the first sink that keeps doc as a file
// will put it, or "".
func (m Multi) Artifact(doc sandboxer.Document) string {
	for _, sink := range m {
		if keeper, ok := sink.Exporter.(sandboxer.ArtifactExporter); ok {
			if path := keeper.Artifact(doc); path != "" {
				return path
			}
		}
	}
	return ""
}

// Check joins what is wrong with the sinks that keep files.
func (m Multi) Check() error {
	var errs []error
	for _, sink := range m {
		if keeper, ok := sink.Exporter.(sandboxer.ArtifactExporter); ok {
			errs = append(errs, sink.wrap(keeper.Check()))
		}
	}
	return errors.Join(errs...)
}

// A SinkError is one sink that failed.
type SinkError struct {
	Sink string // Sink.Name
	Err  error
}

// Error begins with the name of the sink.
func (e *SinkError) Error() string { return fmt.Sprintf("export to %s: %v", e.Sink, e.Err) }

// Unwrap returns the cause.
func (e *SinkError) Unwrap() error { return e.Err }

func (s Sink) wrap(err error) error {
	if err == nil {
		return nil
	}
	return &SinkError{s.Name, err}
}
