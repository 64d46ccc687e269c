package profile

import (
	"errors"
	"fmt"
	"strings"
)

// Variables that only the host can fill in. In the file that is uploaded they
// stand as they are, and are the only variables in it.
var hostVariables = []string{"SANDBOXER_ID", "SANDBOXER_NONCE", "SANDBOXER_IMAGE", "SANDBOXER_UID", "SANDBOXER_GID"}

// placeholder stands for a variable of the host while a profile is loaded. The
// character is of a private use area; a profile that holds it says the same
// as one that names the variable.
func placeholder(name string) string { return "\ue000" + name + "\ue000" }

// literal returns s as compose tools read it back: nothing in it is a
// variable but those of the host.
func literal(s string) string {
	s = strings.ReplaceAll(s, "$", "$$")
	s = strings.ReplaceAll(s, projectName, placeholder("SANDBOXER_ID")) // the loader fills in COMPOSE_PROJECT_NAME itself
	for _, name := range hostVariables {
		s = strings.ReplaceAll(s, placeholder(name), "${"+name+"}")
	}
	return s
}

// variableError is a variable that has no value.
type variableError struct {
	name   string
	reason string // as the profile gives it in ${NAME:?reason}
}

func (e *variableError) Error() string {
	if e.reason != "" {
		return fmt.Sprintf("variable %q is not set: %s", e.name, e.reason)
	}
	return fmt.Sprintf("variable %q is not set", e.name)
}

func (e *variableError) hint() string {
	return fmt.Sprintf("give it a value in the profile's .env, or a default: ${%s:-value}; the environment of this process is not read", e.name)
}

var errFormat = errors.New("a $ that begins no variable: write $$ for the sign itself")

// interpolate fills in the variables of text: $NAME, ${NAME}, and with one of
// the operators :- - :? ? :+ + and a word, in which there may be further
// variables. $$ is the sign. Unlike with compose tools, a variable without
// value or default is an error.
// (https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md)
func interpolate(text string, lookup func(string) (string, bool)) (string, error) {
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "$")
		out.WriteString(before)
		if !ok {
			return out.String(), nil
		}
		switch n := nameLength(rest); {
		case strings.HasPrefix(rest, "$"):
			out.WriteByte('$')
			text = rest[1:]
		case n > 0:
			value, ok := lookup(rest[:n])
			if !ok {
				return "", &variableError{name: rest[:n]}
			}
			out.WriteString(value)
			text = rest[n:]
		case strings.HasPrefix(rest, "{"):
			end := closing(rest)
			if end < 0 {
				return "", errFormat
			}
			value, err := braced(rest[1:end], lookup)
			if err != nil {
				return "", err
			}
			out.WriteString(value)
			text = rest[end+1:]
		default:
			return "", errFormat
		}
		if out.Len() > maxFile {
			return "", errors.New("the value is too long")
		}
	}
}

func nameLength(s string) int {
	n := 0
	for n < len(s) && (s[n] == '_' || 'a' <= s[n] && s[n] <= 'z' || 'A' <= s[n] && s[n] <= 'Z' || n > 0 && '0' <= s[n] && s[n] <= '9') {
		n++
	}
	return n
}

// closing returns the index of the brace that closes the first one of s, or
// -1.
func closing(s string) int {
	depth := 0
	for i := range len(s) {
		switch {
		case s[i] == '{' && (i == 0 || s[i-1] == '$'):
			depth++
		case s[i] == '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// braced is the value of what stands between ${ and }.
func braced(s string, lookup func(string) (string, bool)) (string, error) {
	n := nameLength(s)
	name, word := s[:n], s[n:]
	if name == "" {
		return "", errFormat
	}
	value, set := lookup(name)
	if word == "" {
		if !set {
			return "", &variableError{name: name}
		}
		return value, nil
	}
	if strings.HasPrefix(word, ":") {
		word = word[1:]
		set = set && value != ""
	}
	if word == "" {
		return "", errFormat
	}
	operator, word := word[0], word[1:]
	switch operator {
	case '-':
		if set {
			return value, nil
		}
		return interpolate(word, lookup)
	case '+':
		if !set {
			return "", nil
		}
		return interpolate(word, lookup)
	case '?':
		if set {
			return value, nil
		}
		reason, err := interpolate(word, lookup)
		if err != nil {
			return "", err
		}
		return "", &variableError{name, reason}
	}
	return "", errFormat
}
