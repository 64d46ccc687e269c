package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// comments is what the source says that reflection cannot: invopop's own
// reader has neither constants nor a way to read one directory only.
type comments struct {
	types  map[string]string  // by type
	fields map[string]string  // by type.field
	values map[string][]value // constants, by type, in the order of the source
}

// A value is one constant of a string type.
type value struct{ text, comment string }

func readComments(dir string) (*comments, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	c := &comments{types: map[string]string{}, fields: map[string]string{}, values: map[string][]value{}}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if err := c.add(name, src); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// add reads one file.
func (c *comments) add(name string, src []byte) error {
	file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range gen.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				c.addType(gen, spec)
			case *ast.ValueSpec:
				c.addValues(spec)
			}
		}
	}
	return nil
}

// addType takes the comment of a type, which stands at the declaration unless
// several types share one, and those of its fields.
func (c *comments) addType(gen *ast.GenDecl, spec *ast.TypeSpec) {
	text := plain(spec.Doc)
	if text == "" {
		text = plain(gen.Doc)
	}
	c.types[spec.Name.Name] = text
	st, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, field := range st.Fields.List {
		text := strings.TrimSpace(plain(field.Doc) + " " + plain(field.Comment))
		for _, name := range field.Names {
			c.fields[spec.Name.Name+"."+name.Name] = text
		}
	}
}

// addValues takes constants declared as Name Type = "text".
func (c *comments) addValues(spec *ast.ValueSpec) {
	typ, ok := spec.Type.(*ast.Ident)
	if !ok {
		return
	}
	text := strings.TrimSpace(plain(spec.Doc) + " " + plain(spec.Comment))
	for _, expr := range spec.Values {
		lit, ok := expr.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			continue
		}
		if s, err := strconv.Unquote(lit.Value); err == nil {
			c.values[typ.Name] = append(c.values[typ.Name], value{s, text})
		}
	}
}

// plain returns a comment with one line per paragraph.
func plain(group *ast.CommentGroup) string {
	var parser comment.Parser
	printer := comment.Printer{TextWidth: -1}
	return strings.TrimSpace(string(printer.Text(parser.Parse(group.Text()))))
}

// check returns an error for each type and field without a comment. A field
// may leave it to its type, if that has one.
func (c *comments) check(types typeSet) error {
	var errs []error
	seen := map[string]bool{} // fields of embedded structs come up again
	for _, name := range slices.Sorted(maps.Keys(types)) {
		t := types[name]
		if c.types[name] == "" {
			errs = append(errs, fmt.Errorf("type %s has no comment", name))
		}
		if t.Kind() != reflect.Struct {
			continue
		}
		fields, err := fieldsOf(t)
		if err != nil {
			return err
		}
		for _, f := range fields {
			elem := f.typ
			if elem.Kind() == reflect.Pointer {
				elem = elem.Elem()
			}
			if types[elem.Name()] != elem && c.fields[f.goName] == "" && !seen[f.goName] {
				seen[f.goName] = true
				errs = append(errs, fmt.Errorf("field %s has no comment", f.goName))
			}
		}
	}
	return errors.Join(errs...)
}

// lookup answers invopop's questions for the comment of a type, or of one of
// its fields.
func (c *comments) lookup(t reflect.Type, field string) string {
	if field == "" {
		return c.types[t.Name()]
	}
	return c.fields[t.Name()+"."+field]
}

// describe is the comment of a string type and what its values mean.
func (c *comments) describe(name string) string {
	text := c.types[name]
	if text == "" || len(c.values[name]) == 0 {
		return text
	}
	var b strings.Builder
	b.WriteString(text + "\n\nKnown values:")
	for _, v := range c.values[name] {
		b.WriteString("\n- " + v.text)
		if v.comment != "" {
			b.WriteString(": " + v.comment)
		}
	}
	return b.String()
}
