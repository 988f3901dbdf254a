package client

import (
	"errors"
	"fmt"
	"math"
)

// fields reads the members of a struct. The first that is missing or has
// another type than expected is kept as err; what follows reads as zero.
type fields struct {
	members map[string]any
	err     error
}

func structOf(v any) *fields {
	m, ok := v.(map[string]any)
	if !ok {
		return &fields{err: fmt.Errorf("the answer contains a %T where a struct is expected", v)}
	}
	return &fields{members: m}
}

func field[T any](f *fields, name string) T {
	v, ok := f.members[name].(T)
	if !ok && f.err == nil {
		f.err = fmt.Errorf("the answer's member %s is %T, not %T", name, f.members[name], v)
	}
	return v
}

// optional is field for a member that may be missing.
func optional[T any](f *fields, name string) (v T) {
	if _, present := f.members[name]; present {
		return field[T](f, name)
	}
	return v
}

func (f *fields) string(name string) string { return field[string](f, name) }
func (f *fields) float(name string) float64 { return field[float64](f, name) }
func (f *fields) bool(name string) bool     { return field[bool](f, name) }

// int reads a number; one that needs more bits than an int has here is the largest
// or the smallest of them.
func (f *fields) int(name string) int {
	if n, ok := f.members[name].(int64); ok {
		return int(min(max(n, math.MinInt), math.MaxInt))
	}
	return field[int](f, name)
}

// list reads a member that is an array, each item with one.
func list[T any](f *fields, name string, one func(any) (T, error)) []T {
	items, err := listOf(field[[]any](f, name), one)
	if f.err == nil {
		f.err = err
	}
	return items
}

// listOf reads an array, each item with one.
func listOf[T any](v any, one func(any) (T, error)) ([]T, error) {
	array, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("the answer is %T where an array is expected", v)
	}
	items := make([]T, 0, len(array))
	for _, v := range array {
		item, err := one(v)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

func asString(v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", errors.New("the answer's array contains something other than a string")
	}
	return s, nil
}
