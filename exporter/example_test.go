package exporter_test

import (
	"context"
	"errors"
	"fmt"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/exporter"
)

// printer is an exporter that prints.
type printer struct{}

func (printer) Export(_ context.Context, doc sandboxer.Document) error {
	fmt.Println("got", doc.DocumentHeader().Kind)
	return nil
}

// offline is an exporter that cannot reach anybody.
type offline struct{}

func (offline) Export(context.Context, sandboxer.Document) error {
	return errors.New("no route to host")
}

func ExampleMulti() {
	sinks := exporter.Multi{
		{Name: "hub", Exporter: offline{}},
		{Name: "printer", Exporter: printer{}},
	}
	doc := sandboxer.DoctorReport{Header: sandboxer.Header{Kind: sandboxer.KindDoctorReport}}
	err := sinks.Export(context.Background(), doc)
	fmt.Println(err)
	for _, outcome := range sinks.Outcomes(err) {
		fmt.Println(outcome.Sink, outcome.Status)
	}
	// Output:
	// got DoctorReport
	// export to hub: no route to host
	// hub failed
	// printer done
}
