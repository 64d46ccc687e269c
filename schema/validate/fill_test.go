package validate

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// documentTypes are the Go types of all documents. They are written down
// here once more: the list of the generator is one of the things tested.
var documentTypes = map[sandboxer.Kind]reflect.Type{
	sandboxer.KindHostSnapshot:        reflect.TypeFor[sandboxer.SnapshotDocument](),
	sandboxer.KindHostSnapshotList:    reflect.TypeFor[sandboxer.HostSnapshotList](),
	sandboxer.KindInventory:           reflect.TypeFor[sandboxer.InventoryDocument](),
	sandboxer.KindInventoryList:       reflect.TypeFor[sandboxer.InventoryList](),
	sandboxer.KindStaleReport:         reflect.TypeFor[sandboxer.StaleDocument](),
	sandboxer.KindStaleReportList:     reflect.TypeFor[sandboxer.StaleReportList](),
	sandboxer.KindSandboxStatus:       reflect.TypeFor[sandboxer.SandboxStatus](),
	sandboxer.KindSandboxStatusList:   reflect.TypeFor[sandboxer.SandboxStatusList](),
	sandboxer.KindIntrospectionReport: reflect.TypeFor[sandboxer.IntrospectionDocument](),
	sandboxer.KindBaseline:            reflect.TypeFor[sandboxer.BaselineDocument](),
	sandboxer.KindDoctorReport:        reflect.TypeFor[sandboxer.DoctorReport](),
	sandboxer.KindReapPlan:            reflect.TypeFor[sandboxer.ReapPlanDocument](),
	sandboxer.KindReapResult:          reflect.TypeFor[sandboxer.ReapResultDocument](),
	sandboxer.KindAlert:               reflect.TypeFor[sandboxer.AlertDocument](),
	sandboxer.KindAuditLog:            reflect.TypeFor[sandboxer.AuditDocument](),
	sandboxer.KindError:               reflect.TypeFor[sandboxer.ErrorDocument](),
}

// A filler gives every field of a document a value.
type filler struct{ rand *rand.Rand } // nil: the same value each time, and nothing left out

// mapKey is the key that a filled map has. It is no property, so a document
// without it is as valid.
const mapKey = "a key"

// document returns the JSON of a document of kind k. A nil filler leaves all
// but the two fields that say what the document is at their zero values.
func document(t testing.TB, k sandboxer.Kind, fill *filler) []byte {
	t.Helper()
	v := reflect.New(documentTypes[k]).Elem()
	if fill != nil {
		fill.value(v)
	}
	header := v.FieldByName("Header").Addr().Interface().(*sandboxer.Header)
	header.Kind = k
	header.Schema = sandboxer.SchemaBase + k.SchemaFile()
	data, err := json.Marshal(v.Interface())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (f *filler) value(v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(f.time()))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("json") != "-" {
				f.value(v.Field(i))
			}
		}
	case reflect.Pointer:
		if f.omit() {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		f.value(v.Elem())
	case reflect.Slice:
		if f.omit() {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), f.length(), 3))
		for i := range v.Len() {
			f.value(v.Index(i))
		}
	case reflect.Map:
		if f.omit() {
			return
		}
		elem := reflect.New(v.Type().Elem()).Elem()
		f.value(elem)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf(mapKey).Convert(v.Type().Key()), elem)
	case reflect.String:
		v.SetString(f.string())
	case reflect.Bool:
		v.SetBool(f.rand == nil || f.rand.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(f.int())
	case reflect.Float64:
		v.SetFloat(f.float())
	default:
		panic("no value for " + v.Type().String())
	}
}

func (f *filler) omit() bool { return f.rand != nil && f.rand.IntN(4) == 0 }

func (f *filler) length() int {
	if f.rand == nil {
		return 1
	}
	return f.rand.IntN(3)
}

func (f *filler) string() string {
	if f.rand == nil {
		return "text"
	}
	text := make([]rune, f.rand.IntN(8))
	for i := range text {
		text[i] = rune(f.rand.Int32N(0x10ffff))
	}
	return string(text)
}

func (f *filler) int() int64 {
	if f.rand == nil {
		return 7
	}
	return f.rand.Int64N(1<<53) >> f.rand.IntN(53)
}

func (f *filler) float() float64 {
	if f.rand == nil {
		return 0.5
	}
	return f.rand.NormFloat64() * 1e9
}

func (f *filler) time() time.Time {
	if f.rand == nil {
		return time.Date(2026, 2, 3, 4, 5, 6, 789e6, time.UTC)
	}
	return time.Unix(f.rand.Int64N(253402300800), f.rand.Int64N(1e9)).UTC() // to the end of 9999
}
