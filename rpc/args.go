package rpc

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"supervisord/rpc/xmlrpc"
	"supervisord/spec"
	"supervisord/spec/value"
)

// Args are the parameters of one call as they were decoded. Its methods read
// them the way Python would, since clients rely on it; what cannot be read is
// INCORRECT_PARAMETERS. Asking for an optional parameter that was not given
// yields the default.
//
// Source: contract/rpc.md section 2, parameter coercion.
type Args []any

// Name is a parameter that must be text.
func (a Args) Name(i int) (string, error) {
	switch v := a[i].(type) {
	case string:
		return v, nil
	case []byte:
		return string(v), nil
	}
	return "", badParameters
}

// Process is a parameter that must name one process; BAD_NAME for one that means a group.
func (a Args) Process(i int) (spec.Namespec, error) {
	name, err := a.Name(i)
	if err != nil {
		return spec.Namespec{}, err
	}
	n := spec.ParseNamespec(name)
	if n.WholeGroup() {
		return n, faultWith(xmlrpc.BadName, name)
	}
	return n, nil
}

// Text is a parameter of any type, as text.
func (a Args) Text(i int) string { return pyStr(a[i]) }

// Int is a number, or text that reads as one. Fractions are cut off.
func (a Args) Int(i int) (int64, error) {
	switch v := a[i].(type) {
	case int:
		return int64(v), nil
	case int64:
		return v, nil
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case float64:
		if v > -1<<62 && v < 1<<62 {
			return int64(v), nil
		}
	case string, []byte:
		if n, err := value.ParseInt(pyStr(v)); err == nil {
			return n, nil
		}
	}
	return 0, badParameters
}

// Bool is whether a parameter of any type counts as true: numbers other than 0,
// and what is not empty.
func (a Args) Bool(i int, absent bool) bool {
	if i >= len(a) {
		return absent
	}
	switch v := a[i].(type) {
	case bool:
		return v
	case int:
		return v != 0
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case []byte:
		return len(v) > 0
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return false
}

// Names is a list of texts; without the parameter, or with an empty list or no
// value in it, there are none.
func (a Args) Names(i int) ([]string, error) {
	if i >= len(a) || a[i] == nil {
		return nil, nil
	}
	items, ok := a[i].([]any)
	if !ok {
		return nil, badParameters
	}
	var names []string
	for j := range items {
		name, err := Args(items).Name(j)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// pyStr is a value as Python's str shows it, which is how Supervisor puts
// values of unforeseen types into faults and events.
func pyStr(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return pyRepr(v)
}

func pyRepr(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int:
		return strconv.Itoa(v)
	case float64:
		s := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(s, ".eIN") {
			s += ".0"
		}
		return s
	case string:
		return value.PyRepr(v)
	case []byte:
		return value.PyRepr(string(v))
	case []any:
		items := make([]string, len(v))
		for i := range v {
			items[i] = pyRepr(v[i])
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		items := make([]string, 0, len(v))
		for name := range v {
			items = append(items, value.PyRepr(name)+": "+pyRepr(v[name]))
		}
		slices.Sort(items)
		return "{" + strings.Join(items, ", ") + "}"
	}
	return fmt.Sprint(v)
}
