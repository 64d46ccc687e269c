package main

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"
)

var (
	timeType      = reflect.TypeFor[time.Time]()
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()

	plainName = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
)

// A field is a property of a struct as encoding/json writes it: fields of
// embedded structs count as the outer one's own.
type field struct {
	name      string // in JSON
	typ       reflect.Type
	omittable bool // has omitempty or omitzero
	goName    string
}

// fieldsOf lists the properties of a struct. It refuses what encoding/json
// would resolve silently: two fields of one name, names not given by a tag.
func fieldsOf(t reflect.Type) ([]field, error) {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case tag == "-":
			continue
		case f.Anonymous && tag == "" && f.Type.Kind() == reflect.Struct:
			inner, err := fieldsOf(f.Type)
			if err != nil {
				return nil, err
			}
			out = append(out, inner...)
			continue
		case !f.IsExported():
			continue
		case tag == "":
			return nil, fmt.Errorf("%s.%s has no JSON name", t.Name(), f.Name)
		}
		omittable, err := omits(options)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t.Name(), f.Name, err)
		}
		out = append(out, field{name: tag, typ: f.Type, omittable: omittable, goName: t.Name() + "." + f.Name})
	}
	seen := map[string]string{}
	for _, f := range out {
		if other, ok := seen[f.name]; ok {
			return nil, fmt.Errorf("%s: both %s and %s are %q in JSON", t.Name(), other, f.goName, f.name)
		}
		seen[f.name] = f.goName
	}
	return out, nil
}

// omits reads the options of a JSON tag.
func omits(options string) (bool, error) {
	omits := false
	for _, option := range strings.Split(options, ",") {
		switch option {
		case "":
		case "omitempty", "omitzero":
			omits = true
		default:
			return false, fmt.Errorf("no schema for the JSON option %q", option)
		}
	}
	return omits, nil
}

// A typeSet holds the named types a document is made of. Schemas name types
// without their package, so no two may share a name.
type typeSet map[string]reflect.Type

// add takes t and all that it holds, or says why no schema can be made of it.
func (s typeSet) add(t reflect.Type) error {
	if t == timeType {
		return nil
	}
	if reflect.PointerTo(t).Implements(jsonMarshaler) || reflect.PointerTo(t).Implements(textMarshaler) {
		return fmt.Errorf("%s marshals itself", t)
	}
	switch t.Kind() {
	case reflect.Struct:
		return s.addStruct(t)
	case reflect.String:
		if t.PkgPath() == "" {
			return nil
		}
		_, err := s.claim(t)
		return err
	}
	if t.Name() != "" && t.PkgPath() != "" {
		return fmt.Errorf("no schema for the named type %s of kind %s", t, t.Kind())
	}
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64:
		return nil
	case reflect.Pointer:
		return s.add(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return errors.New("no schema for bytes")
		}
		return s.add(t.Elem())
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			return fmt.Errorf("no schema for %s: its keys are no strings", t)
		}
		return errors.Join(s.add(t.Key()), s.add(t.Elem()))
	}
	return fmt.Errorf("no schema for %s", t)
}

func (s typeSet) addStruct(t reflect.Type) error {
	known, err := s.claim(t)
	if known || err != nil {
		return err
	}
	fields, err := fieldsOf(t)
	if err != nil {
		return err
	}
	var errs []error
	for _, f := range fields {
		if err := s.add(f.typ); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.goName, err))
		}
	}
	return errors.Join(errs...)
}

// claim takes the name of t, and reports whether it was t's already.
func (s typeSet) claim(t reflect.Type) (known bool, err error) {
	if !plainName.MatchString(t.Name()) {
		return false, fmt.Errorf("no schema for a type called %q", t.Name())
	}
	if other, ok := s[t.Name()]; ok {
		if other != t {
			return false, fmt.Errorf("two types are called %s: that of %q and that of %q", t.Name(), other.PkgPath(), t.PkgPath())
		}
		return true, nil
	}
	s[t.Name()] = t
	return false, nil
}
