package validate

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	sandboxer "github.com/tegwick/sand-boxer"
)

// TestMutations breaks a full document in one place at a time, at each of its
// places: with a value of another type, and by leaving it out.
func TestMutations(t *testing.T) {
	elsewhere := map[sandboxer.Kind][]string{ // the parts that are documents by themselves, or twins
		sandboxer.KindHostSnapshotList:    {"/items/0/"},
		sandboxer.KindInventoryList:       {"/items/0/"},
		sandboxer.KindStaleReportList:     {"/items/0/"},
		sandboxer.KindSandboxStatusList:   {"/items/0/"},
		sandboxer.KindSandboxStatus:       {"/telemetry/"},
		sandboxer.KindIntrospectionReport: {"/before/", "/after/", "/inventory/", "/destroy_delta/"},
	}
	for k := range documentTypes {
		compiled, err := compile(k)
		if err != nil {
			t.Fatal(err)
		}
		doc := decode(t, document(t, k, &filler{}))
		count := 0
		reject := func(what, pointer string) {
			count++
			if compiled.Validate(doc) == nil {
				t.Errorf("%s: %s %s: got it valid, want it rejected", k, what, pointer)
			}
		}
		for _, n := range nodes(doc) {
			within := func(part string) bool { return strings.HasPrefix(n.pointer, part) }
			if n.parent == nil || slices.ContainsFunc(elsewhere[k], within) {
				continue
			}
			for _, wrong := range []any{"text", json.Number("0.25"), json.Number("1e300"), []any{}} {
				if sameType(n.value, wrong) {
					continue
				}
				n.put(wrong)
				reject("wrong type at", n.pointer)
			}
			n.put(n.value)
			if object, ok := n.parent.(map[string]any); ok && n.key != mapKey {
				delete(object, n.key)
				reject("without", n.pointer)
				n.put(n.value)
			}
		}
		if err := compiled.Validate(doc); err != nil {
			t.Errorf("%s: the document was not put together again: %v", k, err)
		}
		t.Logf("%s: %d mutations", k, count)
	}
}

// sameType reports whether b may stand where a does. For a number that is so
// where a has a fraction: no b is an integer that a document may hold.
func sameType(a, b any) bool {
	switch a := a.(type) {
	case string:
		_, ok := b.(string)
		return ok
	case json.Number:
		_, ok := b.(json.Number)
		return ok && strings.Contains(a.String(), ".")
	case bool:
		_, ok := b.(bool)
		return ok
	case []any:
		_, ok := b.([]any)
		return ok
	case map[string]any:
		_, ok := b.(map[string]any)
		return ok
	}
	return false
}

// A node is one value of a document and where it stands.
type node struct {
	pointer string
	value   any
	parent  any // map[string]any or []any; nil for the document
	key     string
	index   int
}

func (n node) put(value any) {
	switch parent := n.parent.(type) {
	case map[string]any:
		parent[n.key] = value
	case []any:
		parent[n.index] = value
	}
}

// nodes lists all values of a document, the outer before the inner.
func nodes(doc any) []node {
	all := []node{{value: doc}}
	for i := 0; i < len(all); i++ {
		switch value := all[i].value.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(value)) {
				all = append(all, node{all[i].pointer + "/" + key, value[key], value, key, 0})
			}
		case []any:
			for j, elem := range value {
				all = append(all, node{all[i].pointer + "/" + strconv.Itoa(j), elem, value, "", j})
			}
		}
	}
	return all
}

// set puts value where a JSON pointer points.
func set(t *testing.T, doc any, pointer string, value any) {
	t.Helper()
	tokens := strings.Split(pointer, "/")[1:]
	for i, token := range tokens {
		token = strings.ReplaceAll(token, "~1", "/")
		last := i == len(tokens)-1
		switch at := doc.(type) {
		case map[string]any:
			if last {
				at[token] = value
			}
			doc = at[token]
		case []any:
			j, err := strconv.Atoi(token)
			if err != nil {
				t.Fatal(err)
			}
			if last {
				at[j] = value
			}
			doc = at[j]
		default:
			t.Fatalf("set %s: nothing at %q", pointer, token)
		}
	}
}

func decode(t *testing.T, data []byte) any {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func encode(t *testing.T, doc any) []byte {
	t.Helper()
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
