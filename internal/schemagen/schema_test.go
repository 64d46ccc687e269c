package main

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	sandboxer "github.com/tegwick/sand-boxer"
)

// Report has one field of each form.
type Report struct {
	sandboxer.Header
	Size

	Color   Color            `json:"color"`
	Colors  []Color          `json:"colors"`
	Maybe   *Color           `json:"maybe"`
	Part    *Part            `json:"part"`
	Parts   []*Part          `json:"parts"`
	ByColor map[Color]Part   `json:"by_color"`
	ByName  map[string]*bool `json:"by_name"`
	Omitted *int             `json:"omitted,omitempty"`
	Latency int64            `json:"latency_ms"`
	CPUTime *float64         `json:"cpu_seconds_total"`
	At      *time.Time       `json:"at"`
	Hidden  chan int         `json:"-"`
}

type (
	Color string
	Size  struct {
		SizeBytes int64 `json:"size_bytes"`
	}
	Part struct {
		FreeRatio *float64 `json:"free_ratio"`
	}
)

// TestProperties shows what becomes of each.
func TestProperties(t *testing.T) {
	c := &comments{
		types:  map[string]string{"Color": "A Color."},
		fields: map[string]string{"Report.Maybe": "not always"},
		values: map[string][]value{"Color": {{"red", "hot"}, {"blue", ""}}},
	}
	data, err := c.schema(document{sandboxer.KindError, reflect.TypeFor[Report]()})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		ID         string `json:"$id"`
		Required   []string
		Properties map[string]json.RawMessage
		Defs       map[string]json.RawMessage `json:"$defs"`
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(got.Required, "omitted") || !slices.Contains(got.Required, "maybe") {
		t.Errorf("required: got %q, want maybe, and not omitted", got.Required)
	}
	if strings.Contains(string(data), `"additionalProperties": false`) {
		t.Error("got a closed object, want all of them open")
	}
	for name, want := range map[string]string{
		"schema":            `{"type":"string","const":"https://tegwick.github.io/sand-boxer/schema/v1/error.v1.schema.json"}`,
		"kind":              `{"$ref":"#/$defs/Kind","const":"Error"}`,
		"size_bytes":        `{"type":"integer","minimum":0,"maximum":9007199254740991,"x-unit":"bytes"}`,
		"color":             `{"$ref":"#/$defs/Color"}`,
		"colors":            `{"type":["array","null"],"items":{"$ref":"#/$defs/Color"}}`,
		"maybe":             `{"anyOf":[{"$ref":"#/$defs/Color"},{"type":"null"}],"description":"not always"}`,
		"part":              `{"anyOf":[{"$ref":"#/$defs/Part"},{"type":"null"}]}`,
		"parts":             `{"type":["array","null"],"items":{"anyOf":[{"$ref":"#/$defs/Part"},{"type":"null"}]}}`,
		"by_color":          `{"type":["object","null"],"additionalProperties":{"$ref":"#/$defs/Part"},"propertyNames":{"$ref":"#/$defs/Color"}}`,
		"by_name":           `{"type":["object","null"],"additionalProperties":{"type":["boolean","null"]}}`,
		"omitted":           `{"type":"integer","minimum":0,"maximum":9007199254740991}`,
		"latency_ms":        `{"type":"integer","minimum":-9007199254740991,"maximum":9007199254740991,"x-unit":"milliseconds"}`,
		"cpu_seconds_total": `{"type":["number","null"],"x-unit":"seconds"}`,
		"at":                `{"type":["string","null"],"format":"date-time","pattern":"Z$"}`,
		"Hidden":            ``,
		"Header":            ``,
		"Size":              ``,
	} {
		compareJSON(t, name, got.Properties[name], want)
	}
	compareJSON(t, "Color", got.Defs["Color"],
		`{"type":"string","description":"A Color.\n\nKnown values:\n- red: hot\n- blue","examples":["red","blue"]}`)
}

func compareJSON(t *testing.T, name string, got json.RawMessage, want string) {
	t.Helper()
	var g, w any
	if len(got) > 0 {
		if err := json.Unmarshal(got, &g); err != nil {
			t.Fatal(err)
		}
	}
	if want != "" {
		if err := json.Unmarshal([]byte(want), &w); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// Twin has a field whose type is called like another.
type Twin struct {
	Ours   Finding           `json:"ours"`
	Theirs sandboxer.Finding `json:"theirs"`
}
type Finding struct{}
type (
	Shadow struct {
		Size
		Again int64 `json:"size_bytes"`
	}
	Boxed[T any] struct {
		Value T `json:"value"`
	}
	Odd    []string
	lower  struct{}
	Itself struct{}
)

// MarshalText makes Itself a type whose JSON reflection cannot know.
func (Itself) MarshalText() ([]byte, error) { return nil, nil }

func TestRefusedTypes(t *testing.T) {
	for _, tt := range []struct {
		value any
		want  string
	}{
		{Twin{}, "two types are called Finding"},
		{Shadow{}, `both Size.SizeBytes and Shadow.Again are "size_bytes" in JSON`},
		{Boxed[int]{}, `a type called "Boxed[int]"`},
		{lower{}, `a type called "lower"`},
		{struct{}{}, `a type called ""`},
		{Itself{}, "marshals itself"},
		{json.RawMessage{}, "marshals itself"},
		{Odd{}, "named type main.Odd of kind slice"},
		{time.Second, "named type time.Duration of kind int64"},
		{[]byte{}, "no schema for bytes"},
		{[]any{}, "no schema for interface {}"},
		{map[int]string{}, "its keys are no strings"},
		{uint64(0), "no schema for uint64"},
	} {
		typ := reflect.TypeOf(tt.value)
		if err := (typeSet{}).add(typ); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: got error %v, want %q", typ, err, tt.want)
		}
	}
}

func TestRefusedFields(t *testing.T) {
	for _, tt := range []struct {
		value any
		want  string
	}{
		{struct {
			A int `json:"a,string"`
		}{}, `A: no schema for the JSON option "string"`},
		{struct{ A int }{}, "A has no JSON name"},
		{struct {
			*Size
		}{}, "Size has no JSON name"},
	} {
		typ := reflect.TypeOf(tt.value)
		if _, err := fieldsOf(typ); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: got error %v, want %q", typ, err, tt.want)
		}
	}
}

func TestUnits(t *testing.T) {
	for _, tt := range []struct{ name, unit, least string }{
		{"total_bytes", "bytes", "0"},
		{"bytes", "bytes", "0"},
		{"busy_seconds_total", "seconds", "0"},
		{"uptime_seconds", "seconds", "-" + maxInteger},
		{"clock_offset_ms", "milliseconds", "-" + maxInteger},
		{"some_stall_us_total", "microseconds", "0"},
		{"avail_ratio", "ratio", "0"},
		{"zone_celsius", "celsius", "0"},
		{"disk_root_avail_gb", "gigabytes", "0"},
		{"forks_total", "count", "0"},
		{"load1", "", "0"},
		{"items", "", "0"},
	} {
		if got := unitOf(tt.name); got != tt.unit {
			t.Errorf("unitOf(%q): got %q, want %q", tt.name, got, tt.unit)
		}
		if got := minimumOf(tt.name); got != tt.least {
			t.Errorf("minimumOf(%q): got %s, want %s", tt.name, got, tt.least)
		}
	}
}
