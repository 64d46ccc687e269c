package main

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	sandboxer "github.com/tegwick/sand-boxer"
)

// A document is a kind and the Go type that is printed as it.
type document struct {
	kind sandboxer.Kind
	typ  reflect.Type
}

func documents() []document {
	return []document{
		{sandboxer.KindHostSnapshot, reflect.TypeFor[sandboxer.SnapshotDocument]()},
		{sandboxer.KindHostSnapshotList, reflect.TypeFor[sandboxer.HostSnapshotList]()},
		{sandboxer.KindInventory, reflect.TypeFor[sandboxer.InventoryDocument]()},
		{sandboxer.KindInventoryList, reflect.TypeFor[sandboxer.InventoryList]()},
		{sandboxer.KindStaleReport, reflect.TypeFor[sandboxer.StaleDocument]()},
		{sandboxer.KindStaleReportList, reflect.TypeFor[sandboxer.StaleReportList]()},
		{sandboxer.KindSandboxStatus, reflect.TypeFor[sandboxer.SandboxStatus]()},
		{sandboxer.KindSandboxStatusList, reflect.TypeFor[sandboxer.SandboxStatusList]()},
		{sandboxer.KindIntrospectionReport, reflect.TypeFor[sandboxer.IntrospectionDocument]()},
		{sandboxer.KindBaseline, reflect.TypeFor[sandboxer.BaselineDocument]()},
		{sandboxer.KindDoctorReport, reflect.TypeFor[sandboxer.DoctorReport]()},
		{sandboxer.KindReapPlan, reflect.TypeFor[sandboxer.ReapPlanDocument]()},
		{sandboxer.KindReapResult, reflect.TypeFor[sandboxer.ReapResultDocument]()},
		{sandboxer.KindAlert, reflect.TypeFor[sandboxer.AlertDocument]()},
		{sandboxer.KindAuditLog, reflect.TypeFor[sandboxer.AuditDocument]()},
		{sandboxer.KindError, reflect.TypeFor[sandboxer.ErrorDocument]()},
	}
}

// generate returns the schema files by name, made from the documents and the
// comments of the root package in the directory source.
func generate(source string) (map[string][]byte, error) {
	text, err := readComments(source)
	if err != nil {
		return nil, fmt.Errorf("read comments: %w", err)
	}
	docs := documents()
	types := typeSet{} // of all documents, so that a name means the same in each
	for _, doc := range docs {
		if err := types.add(doc.typ); err != nil {
			return nil, fmt.Errorf("%s: %w", doc.kind, err)
		}
	}
	if err := errors.Join(text.check(types), text.checkKinds(docs)); err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, doc := range docs {
		if files[doc.kind.SchemaFile()], err = text.schema(doc); err != nil {
			return nil, fmt.Errorf("%s: %w", doc.kind, err)
		}
	}
	return files, nil
}

// checkKinds makes sure that documents has forgotten no kind.
func (c *comments) checkKinds(docs []document) error {
	var errs []error
	for _, v := range c.values["Kind"] {
		kind := sandboxer.Kind(v.text)
		known := slices.ContainsFunc(docs, func(d document) bool { return d.kind == kind })
		if kind.SchemaFile() != "" && !known {
			errs = append(errs, fmt.Errorf("kind %s has a schema file and no Go type", kind))
		}
	}
	return errors.Join(errs...)
}
