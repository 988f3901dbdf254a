package value

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// ExpandError says why a value cannot be expanded. As an error it is
// Supervisor's text, which holds every name that is known.
type ExpandError struct {
	value, subject string
	names          *Names
	at             string // the value from the percent sign that is wrong
	name           string // the known name that stands there, "" for none
	why            error
	unknown        *unknownName // why, if that is it
	unknowns       []string     // it and all that follow it in the value
}

// unknownName is the error for a name that no layer knows.
type unknownName struct{ name string }

func (e *unknownName) Error() string { return "unknown name " + e.name }

// Error is Supervisor's text.
func (e *ExpandError) Error() string {
	if e.unknown != nil {
		return fmt.Sprintf("Format string %s for %s contains names (%s) which cannot be expanded. Available names: %s",
			PyRepr(e.value), PyRepr(e.subject), PyRepr(e.unknown.name), strings.Join(e.names.all(), ", "))
	}
	return fmt.Sprintf("Format string %s for %s is badly formatted: %v", PyRepr(e.value), PyRepr(e.subject), e.why)
}

// Plain says the same in ours and in short: without the whole value, which stands
// in the file, and without the names that are known. Of a secret value no more is
// shown than the character after the percent sign.
func (e *ExpandError) Plain(secret bool) string {
	if e.unknown != nil {
		var names []string
		for _, name := range e.unknowns {
			names = append(names, "%("+name+")s")
		}
		if len(names) == 1 {
			return names[0] + " is not known here"
		}
		return Listed(names) + " are not known here"
	}
	length := 12
	switch {
	case e.name != "":
		length = utf8.RuneCountInString(e.name) + 4
	case secret:
		length = 2
	}
	at := firstRunes(e.at, length)
	if at != e.at {
		at += "…"
	}
	return fmt.Sprintf("cannot expand %s: %v", PyRepr(at), e.why)
}

// Listed words some things, at least one: a, b and c.
func Listed(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// Hint says what would be right.
func (e *ExpandError) Hint() string {
	switch {
	case e.unknown == nil && e.name != "":
		return "write %(" + e.name + ")s"
	case e.unknown == nil:
		return "a literal percent sign is %%"
	}
	var hints []string
	for _, name := range e.unknowns {
		if hint := e.hintFor(name); !slices.Contains(hints, hint) {
			hints = append(hints, hint)
		}
	}
	return strings.Join(hints, "; ")
}

// hintFor says what one unknown name was probably meant to be.
func (e *ExpandError) hintFor(unknown string) string {
	var variables, others []string
	for _, name := range e.names.all() {
		if variable, ok := strings.CutPrefix(name, "ENV_"); ok {
			variables = append(variables, variable)
		} else {
			others = append(others, name)
		}
	}
	if variable, ok := strings.CutPrefix(unknown, "ENV_"); ok {
		hint := "the environment has no variable " + variable
		if near := Nearest(variable, variables); near != "" {
			hint += "; did you mean " + near + "?"
		}
		return hint
	}
	if near := Nearest(unknown, others); near != "" {
		return "did you mean %(" + near + ")s?"
	}
	return "known here: " + strings.Join(append(others, "ENV_X for each variable X of the environment"), ", ")
}
