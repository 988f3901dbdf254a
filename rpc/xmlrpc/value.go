package xmlrpc

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

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
				return text.String(), nil
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
	switch name {
	case "int", "i4":
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("%.40q is no integer", text)
		}
		return n, nil
	case "boolean":
		return text == "1", nil
	case "double":
		f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			return nil, fmt.Errorf("%.40q is no number", text)
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

func (d *decoder) array() (any, error) {
	items := []any{}
	err := d.children(func(name string) error {
		if name != "data" {
			return d.skip()
		}
		return d.children(func(name string) error {
			if name != "value" {
				return d.skip()
			}
			v, err := d.value()
			items = append(items, v)
			return err
		})
	})
	return items, err
}

func (d *decoder) structure() (any, error) {
	members := map[string]any{}
	err := d.children(func(name string) error {
		if name != "member" {
			return d.skip()
		}
		var key string
		var value any
		keys, values := 0, 0
		err := d.children(func(name string) (err error) {
			switch name {
			case "name":
				keys++
				key, err = d.text()
			case "value":
				values++
				value, err = d.value()
			default:
				err = d.skip()
			}
			return err
		})
		if err == nil && (keys != 1 || values != 1) {
			err = errors.New("a member has one name and one value")
		}
		members[key] = value
		return err
	})
	return members, err
}
