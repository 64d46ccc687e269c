package validate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/schema"
)

func TestMetaschema(t *testing.T) {
	meta, err := jsonschema.NewCompiler().Compile(jsonschema.Draft2020.String())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(schema.Names()), len(documentTypes); got != want {
		t.Errorf("got %d schemas, want %d", got, want)
	}
	for _, name := range schema.Names() {
		data, err := schema.Read(name)
		if err != nil {
			t.Error(err)
			continue
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := meta.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestValid covers what Go can write: nothing set, everything set, and much
// in between.
func TestValid(t *testing.T) {
	for k := range documentTypes {
		fills := map[string]*filler{"zero": nil, "full": {}}
		for seed := range uint64(20) {
			fills[fmt.Sprint("random ", seed)] = &filler{rand.New(rand.NewPCG(1, seed))}
		}
		for name, fill := range fills {
			data := document(t, k, fill)
			if got, err := Document(data); err != nil || got != k {
				t.Errorf("%s %s: got %s, %v, want it valid\n%s", name, k, got, err, data)
			}
		}
	}
}

func FuzzValid(f *testing.F) {
	kinds := slices.Sorted(maps.Keys(documentTypes))
	f.Add(uint64(1), uint8(0))
	f.Fuzz(func(t *testing.T, seed uint64, kind uint8) {
		k := kinds[int(kind)%len(kinds)]
		data := document(t, k, &filler{rand.New(rand.NewPCG(2, seed))})
		if _, err := Document(data); err != nil {
			t.Errorf("%s: got %v, want it valid\n%s", k, err, data)
		}
	})
}

func FuzzDocument(f *testing.F) {
	for k := range documentTypes {
		f.Add(document(f, k, nil))
	}
	f.Add([]byte(`{"kind":7}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := Document(data)
		if err == nil && documentTypes[k] == nil {
			t.Errorf("got a valid document of kind %q, want only known kinds", k)
		}
		if err != nil && err.Error() == "" {
			t.Error("got an error that says nothing")
		}
	})
}

// TestOpen checks that a reader of today takes the documents of tomorrow.
func TestOpen(t *testing.T) {
	for k := range documentTypes {
		doc := decode(t, document(t, k, &filler{}))
		for _, n := range nodes(doc) {
			if object, ok := n.value.(map[string]any); ok && object[mapKey] == nil {
				object["a_field_of_the_future"] = []any{"any", "thing"}
			}
		}
		if _, err := Document(encode(t, doc)); err != nil {
			t.Errorf("%s with unknown fields: got %v, want it valid", k, err)
		}
	}
}

func TestProblems(t *testing.T) {
	full := func(k sandboxer.Kind) map[string]any { return decode(t, document(t, k, &filler{})).(map[string]any) }
	for _, tt := range []struct {
		name    string
		kind    sandboxer.Kind
		pointer string // of the value to set
		value   any
		want    string // a problem
	}{
		{"schema of another kind", sandboxer.KindError, "/schema", sandboxer.SchemaBase + "stale.v1.schema.json", "/schema: value must be"},
		{"text for a count", sandboxer.KindHostSnapshot, "/cpu/logical_count", "two", "/cpu/logical_count: got string, want null or integer"},
		{"negative count", sandboxer.KindHostSnapshot, "/cpu/forks_total", -1, "/cpu/forks_total: minimum"},
		{"count too large for a double", sandboxer.KindHostSnapshot, "/memory/total_bytes", json.Number("9007199254740992"), "/memory/total_bytes: maximum"},
		{"half a count", sandboxer.KindInventory, "/sandboxes/0/ports/0/host_port", 0.5, "/sandboxes/0/ports/0/host_port: got number, want integer"},
		{"date without time", sandboxer.KindHostSnapshot, "/generated_at", "2026-02-03", "/generated_at:"},
		{"no such day", sandboxer.KindHostSnapshot, "/observed_at", "2026-02-30T00:00:00Z", "/observed_at:"},
		{"local time", sandboxer.KindHostSnapshot, "/observed_at", "2026-02-03T04:05:06+01:00", "/observed_at:"},
		{"seconds since 1970", sandboxer.KindHostSnapshot, "/observed_at", 1770091506, "/observed_at: got number, want null or string"},
		{"null that Go cannot write", sandboxer.KindSandboxStatus, "/state", nil, "/state: got null, want string"},
		{"null object that Go cannot write", sandboxer.KindSandboxStatus, "/telemetry/admission", nil, "/telemetry/admission: got null, want object"},
		{"text for an optional object", sandboxer.KindSandboxStatus, "/telemetry/before", "none", "/telemetry/before: got string, want null or object"},
		{"deep in an optional object", sandboxer.KindSandboxStatus, "/telemetry/before/load/load1", "high", "/telemetry/before/load/load1: got string, want null or number"},
		{"object for a list", sandboxer.KindStaleReport, "/stale_candidates", map[string]any{}, "/stale_candidates: got object, want null or array"},
		{"list in a map", sandboxer.KindSandboxStatus, "/telemetry/provision_delta/objects/containers", []any{}, "/telemetry/provision_delta/objects/containers: got array, want object"},
		{"key with a slash", sandboxer.KindSandboxStatus, "/telemetry/residual/objects/a~1b", 1, "/telemetry/residual/objects/a~1b: got number, want object"},
	} {
		doc := full(tt.kind)
		set(t, doc, tt.pointer, tt.value)
		_, err := Document(encode(t, doc))
		var invalid *Error
		if !errors.As(err, &invalid) {
			t.Errorf("%s: got %v, want an *Error", tt.name, err)
			continue
		}
		if len(invalid.Problems) != 1 || !strings.HasPrefix(invalid.Problems[0].String(), tt.want) {
			t.Errorf("%s: got %q, want only %q", tt.name, invalid.Problems, tt.want)
		}
	}
}

// TestOtherKind checks that one kind of document does not pass for another.
func TestOtherKind(t *testing.T) {
	for k := range documentTypes {
		for other := range documentTypes {
			doc := decode(t, document(t, k, &filler{})).(map[string]any)
			doc["kind"] = string(other)
			if _, err := Document(encode(t, doc)); (err == nil) != (k == other) {
				t.Errorf("%s that says it is %s: got %v", k, other, err)
			}
		}
	}
}

func TestNoDocument(t *testing.T) {
	for _, tt := range []struct{ data, want string }{
		{``, "read document: EOF"},
		{`{`, "read document: unexpected EOF"},
		{`{}{}`, "read document:"},
		{`[]`, "read document: not a JSON object"},
		{`null`, "read document: not a JSON object"},
		{`{}`, `read document: no "kind"`},
		{`{"kind":null}`, `read document: no "kind"`},
		{`{"kind":""}`, `no schema for documents of kind ""`},
		{`{"kind":"Secret"}`, `no schema for documents of kind "Secret"`},
		{`{"kind":"../validate"}`, `no schema for documents of kind "../validate"`},
	} {
		_, err := Document([]byte(tt.data))
		var invalid *Error
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) || errors.As(err, &invalid) {
			t.Errorf("Document(%s): got error %v, want %q", tt.data, err, tt.want)
		}
	}
}
