// Package validate checks documents against the JSON Schemas of package
// schema. It is a package of its own because it needs a validator, which
// those who only print or read schemas do not.
package validate

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/schema"
)

// An Error is a document that does not follow its schema.
type Error struct {
	Kind     sandboxer.Kind
	Problems []Problem // at least one, by Pointer
}

// Error gives one problem per line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = fmt.Sprintf("%s: %s", e.Kind, p)
	}
	return strings.Join(lines, "\n")
}

// A Problem is one place where a document differs from its schema.
type Problem struct {
	Pointer string // JSON pointer (RFC 6901); empty is the whole document
	Message string
}

// String returns "pointer: message".
func (p Problem) String() string {
	if p.Pointer == "" {
		return "document: " + p.Message
	}
	return p.Pointer + ": " + p.Message
}

// Document checks one document against the schema for its own "kind", formats
// included, and returns that kind. One that differs from the schema is an
// *Error; any other error means that there is no document, or no schema for
// it.
func Document(data []byte) (sandboxer.Kind, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return "", fmt.Errorf("read document: %w", err)
	}
	object, ok := doc.(map[string]any)
	if !ok {
		return "", errors.New("read document: not a JSON object")
	}
	text, ok := object["kind"].(string)
	if !ok {
		return "", errors.New(`read document: no "kind" to choose a schema by`)
	}
	docKind := sandboxer.Kind(text)
	compiled, err := compile(docKind)
	if err != nil {
		return docKind, err
	}
	var invalid *jsonschema.ValidationError
	switch err := compiled.Validate(doc); {
	case errors.As(err, &invalid):
		return docKind, &Error{docKind, problems(invalid)}
	case err != nil:
		return docKind, fmt.Errorf("validate: %w", err)
	}
	return docKind, nil
}

func compile(k sandboxer.Kind) (*jsonschema.Schema, error) {
	data, err := schema.Read(k.SchemaFile())
	if err != nil {
		return nil, fmt.Errorf("no schema for documents of kind %q", k)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read schema for %s: %w", k, err)
	}
	id := sandboxer.SchemaBase + k.SchemaFile()
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.UseLoader(jsonschema.SchemeURLLoader{}) // loads nothing: a schema is complete in itself
	compiler.AssertFormat()
	if err := compiler.AddResource(id, doc); err != nil {
		return nil, fmt.Errorf("add schema for %s: %w", k, err)
	}
	compiled, err := compiler.Compile(id)
	if err != nil {
		return nil, fmt.Errorf("compile schema for %s: %w", k, err)
	}
	return compiled, nil
}

// problems flattens the tree of errors, whose inner nodes only say which
// keyword led on.
func problems(root *jsonschema.ValidationError) []Problem {
	printer := message.NewPrinter(language.English)
	var out []Problem
	for _, leaf := range leaves(root) {
		var pointer strings.Builder
		for _, token := range leaf.InstanceLocation {
			pointer.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(token))
		}
		out = append(out, Problem{pointer.String(), leaf.ErrorKind.LocalizedString(printer)})
	}
	slices.SortFunc(out, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Pointer, b.Pointer), cmp.Compare(a.Message, b.Message))
	})
	return out
}

func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	causes := e.Causes
	if _, ok := e.ErrorKind.(*kind.AnyOf); ok {
		causes = slices.DeleteFunc(slices.Clone(causes), wantsNull)
	}
	var out []*jsonschema.ValidationError
	for _, cause := range causes {
		out = append(out, leaves(cause)...)
	}
	if len(causes) < len(e.Causes) && len(out) == 1 {
		orNull(out[0], e)
	}
	return out
}

// wantsNull reports whether e is the branch of an optional value that would
// have taken null. That it failed is not what is wrong with the value.
func wantsNull(e *jsonschema.ValidationError) bool {
	k, ok := e.ErrorKind.(*kind.Type)
	return ok && slices.Equal(k.Want, []string{"null"})
}

// orNull makes the message of a value of the wrong type mention null.
func orNull(leaf, optional *jsonschema.ValidationError) {
	k, ok := leaf.ErrorKind.(*kind.Type)
	if ok && slices.Equal(leaf.InstanceLocation, optional.InstanceLocation) {
		leaf.ErrorKind = &kind.Type{Got: k.Got, Want: append([]string{"null"}, k.Want...)}
	}
}
