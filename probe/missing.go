package probe

import (
	"reflect"
	"strconv"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
)

// Reasons of sandboxer.Missing.
const (
	unsupported = "unsupported"
	disabled    = "disabled"
	permission  = "permission"
	absent      = "absent"
	timedOut    = "timeout"
	parseError  = "parse_error"
	truncated   = "truncated"
)

// reasons says why fields are unknown, by JSON path or the beginning of one.
type reasons map[string]string

// add notes a reason; the first one noted for a field stays.
func (w reasons) add(reason string, fields ...string) {
	for _, f := range fields {
		if _, ok := w[f]; !ok {
			w[f] = reason
		}
	}
}

// of returns the reason noted for the longest beginning of field.
func (w reasons) of(field string) string {
	for at := field; ; {
		if reason, ok := w[at]; ok {
			return reason
		}
		i := strings.LastIndexAny(at, ".[")
		if i < 0 {
			return absent
		}
		at = at[:i]
	}
}

// noReason are nulls that say what they have to.
var noReason = []string{".detail", "collection.duration_ms", "clock_offset_ms", "clock_uncertainty_ms"}

// missing lists every null of the snapshot. Where a whole part is null or not
// applicable, such as an engine that is not there, it is listed once.
func (r *reading) missing() []sandboxer.Missing {
	list := []sandboxer.Missing{}
	var walk func(v reflect.Value, at string)
	walk = func(v reflect.Value, at string) {
		switch v.Kind() {
		case reflect.Pointer:
			if v.IsNil() {
				list = append(list, sandboxer.Missing{Field: at, Reason: r.why.of(at)})
			} else if v.Elem().Kind() == reflect.Struct && v.Elem().NumField() > 0 && v.Elem().Type().PkgPath() != "time" {
				walk(v.Elem(), at)
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i), at+"["+strconv.Itoa(i)+"]")
			}
		case reflect.Struct:
			if reason, all := r.why[at+".*"]; all {
				list = append(list, sandboxer.Missing{Field: at, Reason: reason})
				return
			}
			for i := range v.NumField() {
				name := v.Type().Field(i).Tag.Get("json")
				if name == "" || name == "-" {
					continue
				}
				if at != "" {
					name = at + "." + name
				}
				if v.Field(i).Kind() == reflect.Pointer && hasAnySuffix(name, noReason) {
					continue
				}
				walk(v.Field(i), name)
			}
		}
	}
	walk(reflect.ValueOf(r.obs.Snapshot), "")
	return list
}

func hasAnySuffix(s string, suffixes []string) bool {
	for _, suffix := range suffixes {
		if strings.HasSuffix(s, suffix) {
			return true
		}
	}
	return false
}

// partial reports whether something is missing that this host could have
// told.
func (r *reading) partial(list []sandboxer.Missing) bool {
	if !r.sections["all"].whole {
		return true
	}
	for _, m := range list {
		switch m.Reason {
		case unsupported, disabled, absent:
		default:
			return true
		}
	}
	return false
}
