package xmlrpc

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// isValue reports whether an element is a value: <value>, or one of the types without
// a <value> around it, which Supervisor takes as well and some clients send.
func isValue(element string) bool {
	switch element {
	case "value", "int", "i4", "boolean", "string", "double", "dateTime.iso8601", "base64", "array", "struct", "nil":
		return true
	}
	return false
}

// valueIn reads the content of an element that isValue knows.
func (d *decoder) valueIn(element string) (any, error) {
	if err := d.take(itemBytes); err != nil {
		return nil, err
	}
	if element == "value" {
		return d.value()
	}
	return d.typed(element)
}

// value reads the content of a <value>: one typed element, or plain text.
func (d *decoder) value() (v any, err error) {
	var text pieces
	typed := false
	for {
		t, err := d.token()
		if err != nil {
			return nil, unexpected(err)
		}
		switch t.kind {
		case charData:
			text.add(t.text)
		case startTag:
			if typed {
				return nil, errors.New("a value has one type")
			}
			typed = true
			if v, err = d.typed(t.text); err != nil {
				return nil, err
			}
		case endTag:
			if !typed {
				return text.String(), d.take(len(text.String()))
			}
			return v, blank(text.String())
		}
	}
}

// typed reads the content of a type's element.
func (d *decoder) typed(name string) (any, error) {
	switch name {
	case "array":
		return d.array()
	case "struct":
		return d.structure()
	}
	text, err := d.text()
	if err != nil {
		return nil, err
	}
	if err := d.take(len(text)); err != nil {
		return nil, err
	}
	switch name {
	case "int", "i4":
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%.40q is not an integer", text)
		}
		return integer(n), nil
	case "boolean":
		if text != "1" && text != "0" && d.options.OddBoolean != nil {
			d.options.OddBoolean(text)
		}
		return text == "1", nil
	case "double":
		f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			return nil, fmt.Errorf("%.40q is not a number", text)
		}
		return f, nil
	case "base64":
		data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			return nil, errors.New("a base64 value is damaged")
		}
		return data, nil
	case "nil":
		return nil, nil
	}
	return text, nil
}

// integer is n as an int; where an int has 32 bits, as an int64 if it needs one.
func integer(n int64) any {
	if int64(int(n)) == n {
		return int(n)
	}
	return n
}

func (d *decoder) array() (any, error) {
	items := []any{}
	if err := d.take(itemBytes); err != nil {
		return nil, err
	}
	err := d.children(func(name string) error {
		if name != "data" {
			return d.skip()
		}
		return d.children(func(name string) error {
			if !isValue(name) {
				return d.skip()
			}
			v, err := d.valueIn(name)
			items = append(items, v)
			return err
		})
	})
	return items, err
}

func (d *decoder) structure() (any, error) {
	if err := d.take(mapBytes); err != nil {
		return nil, err
	}
	members := map[string]any{}
	err := d.children(func(name string) error {
		if name != "member" {
			return d.skip()
		}
		var key string
		var value any
		keys, values := 0, 0
		err := d.children(func(name string) (err error) {
			switch {
			case name == "name":
				keys++
				key, err = d.text()
			case isValue(name):
				values++
				value, err = d.valueIn(name)
			default:
				err = d.skip()
			}
			return err
		})
		if err == nil {
			err = d.take(memberBytes + len(key))
		}
		if err == nil && (keys != 1 || values != 1) {
			err = errors.New("a member has one name and one value")
		}
		members[key] = value
		return err
	})
	return members, err
}
