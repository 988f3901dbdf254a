package xmlrpc

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// Member is one named value of a Struct.
type Member struct {
	Name  string
	Value any
}

// Struct is an XML-RPC struct whose members are encoded in the order given.
// Decoding gives a map[string]any instead.
type Struct []Member

// Appender is a value that knows how to write itself: it appends one complete
// <value> element, newline included, and returns the longer slice. It is how a
// large answer avoids being built of Structs first.
type Appender interface {
	AppendValue(b []byte) []byte
}

const (
	prolog        = "<?xml version='1.0'?>\n"
	responseStart = prolog + "<methodResponse>\n<params>\n<param>\n"
	responseEnd   = "</param>\n</params>\n</methodResponse>\n"
)

// AppendResponseStart begins the document that answers a call; one value follows,
// then AppendResponseEnd.
func AppendResponseStart(b []byte) []byte { return append(b, responseStart...) }

// AppendResponseEnd ends the document that answers a call.
func AppendResponseEnd(b []byte) []byte { return append(b, responseEnd...) }

// EncodeFault is the document that answers a call with a fault.
func EncodeFault(f *Fault) []byte {
	b := append(make([]byte, 0, 384), prolog+"<methodResponse>\n<fault>\n"...)
	b = AppendFault(b, f)
	return append(b, "</fault>\n</methodResponse>\n"...)
}

// AppendFault appends the struct {faultCode, faultString} as one value, as it
// stands in a fault document and in the results of system.multicall.
func AppendFault(b []byte, f *Fault) []byte {
	b = AppendStructStart(b)
	b = AppendInt(AppendMemberStart(b, "faultCode"), int64(f.Code))
	b = AppendMemberEnd(b)
	b = AppendString(AppendMemberStart(b, "faultString"), f.Text)
	b = AppendMemberEnd(b)
	return AppendStructEnd(b)
}

// EncodeCall is the document that asks for a method. The types of parameters
// it takes are those of AppendValue.
func EncodeCall(method string, params ...any) ([]byte, error) {
	b := append(make([]byte, 0, 256), prolog+"<methodCall>\n<methodName>"...)
	b = AppendText(b, method)
	b = append(b, "</methodName>\n<params>\n"...)
	for i, p := range params {
		var err error
		b = append(b, "<param>\n"...)
		if b, err = AppendValue(b, p); err != nil {
			return nil, fmt.Errorf("cannot encode parameter %d of %s: %w", i+1, method, err)
		}
		b = append(b, "</param>\n"...)
	}
	return append(b, "</params>\n</methodCall>\n"...), nil
}

// AppendValue appends one <value> element. It takes int, int64, Code, bool,
// string, float64, []byte (base64), nil, Struct, []Member, []any, []string,
// []int, *Fault (the struct of its two members) and any Appender; another type
// is an error. Integers are written whole, also where they need more than the
// 32 bits that XML-RPC foresees: clients in use read them.
func AppendValue(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case Appender:
		return v.AppendValue(b), nil
	case string:
		return AppendString(b, v), nil
	case int:
		return AppendInt(b, int64(v)), nil
	case int64:
		return AppendInt(b, v), nil
	case Code:
		return AppendInt(b, int64(v)), nil
	case bool:
		return AppendBool(b, v), nil
	case nil:
		return append(b, "<value><nil/></value>"...), nil
	case float64:
		return appendDouble(b, v)
	case []byte:
		return appendBase64(b, v), nil
	case *Fault:
		return AppendFault(b, v), nil
	case Struct:
		return appendMembers(b, v)
	case []Member:
		return appendMembers(b, v)
	case []any:
		return appendArray(b, v, AppendValue)
	case []string:
		return appendArray(b, v, func(b []byte, s string) ([]byte, error) { return AppendString(b, s), nil })
	case []int:
		return appendArray(b, v, func(b []byte, n int) ([]byte, error) { return AppendInt(b, int64(n)), nil })
	}
	return b, fmt.Errorf("XML-RPC has no form for a %T", v)
}

func appendMembers(b []byte, members []Member) ([]byte, error) {
	var err error
	b = AppendStructStart(b)
	for _, m := range members {
		if b, err = AppendValue(AppendMemberStart(b, m.Name), m.Value); err != nil {
			return b, fmt.Errorf("member %s: %w", m.Name, err)
		}
		b = AppendMemberEnd(b)
	}
	return AppendStructEnd(b), nil
}

func appendArray[T any](b []byte, items []T, one func([]byte, T) ([]byte, error)) ([]byte, error) {
	var err error
	b = AppendArrayStart(b)
	for i, item := range items {
		if b, err = one(b, item); err != nil {
			return b, fmt.Errorf("item %d: %w", i, err)
		}
	}
	return AppendArrayEnd(b), nil
}

// AppendString appends a string value.
func AppendString(b []byte, s string) []byte {
	return AppendStringEnd(AppendText(AppendStringStart(b), s))
}

// AppendStringStart begins a string value; its text follows, then AppendStringEnd.
func AppendStringStart(b []byte) []byte { return append(b, "<value><string>"...) }

// AppendStringEnd ends a string value.
func AppendStringEnd(b []byte) []byte { return append(b, "</string></value>\n"...) }

// AppendInt appends an integer value.
func AppendInt(b []byte, n int64) []byte {
	b = append(b, "<value><int>"...)
	b = strconv.AppendInt(b, n, 10)
	return append(b, "</int></value>\n"...)
}

// AppendBool appends a boolean value.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, "<value><boolean>1</boolean></value>\n"...)
	}
	return append(b, "<value><boolean>0</boolean></value>\n"...)
}

// AppendArrayStart begins an array; its items follow, then AppendArrayEnd.
func AppendArrayStart(b []byte) []byte { return append(b, "<value><array><data>\n"...) }

// AppendArrayEnd ends an array.
func AppendArrayEnd(b []byte) []byte { return append(b, "</data></array></value>\n"...) }

// AppendStructStart begins a struct; its members follow, then AppendStructEnd.
func AppendStructStart(b []byte) []byte { return append(b, "<value><struct>\n"...) }

// AppendStructEnd ends a struct.
func AppendStructEnd(b []byte) []byte { return append(b, "</struct></value>\n"...) }

// AppendMemberStart begins a member; its one value follows, then AppendMemberEnd.
func AppendMemberStart(b []byte, name string) []byte {
	b = append(b, "<member>\n<name>"...)
	b = AppendText(b, name)
	return append(b, "</name>\n"...)
}

// AppendMemberEnd ends a member.
func AppendMemberEnd(b []byte) []byte { return append(b, "</member>\n"...) }

func appendDouble(b []byte, v float64) ([]byte, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return b, fmt.Errorf("XML-RPC has no form for the number %v", v)
	}
	b = append(b, "<value><double>"...)
	b = strconv.AppendFloat(b, v, 'g', -1, 64)
	return append(b, "</double></value>\n"...), nil
}

// appendBase64 writes lines of 76 characters, as MIME does.
func appendBase64(b, data []byte) []byte {
	const line = 57 // bytes that make 76 characters
	b = append(b, "<value><base64>\n"...)
	for len(data) > 0 {
		n := min(line, len(data))
		b = base64.StdEncoding.AppendEncode(b, data[:n])
		b = append(b, '\n')
		data = data[n:]
	}
	return append(b, "</base64></value>\n"...)
}

// plain marks the bytes that stand for themselves in XML text.
var plain = func() (t [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		t[c] = true
	}
	t['\t'], t['\n'], t['\r'] = true, true, true
	t['&'], t['<'], t['>'] = false, false, false
	return t
}()

// AppendText appends text as it stands inside a <string>: it escapes the three
// characters that Supervisor escapes and puts U+FFFD in place of what XML cannot
// carry.
func AppendText(b []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plain[c] {
			i++
			continue
		}
		size, with := 1, ""
		switch {
		case c == '&':
			with = "&amp;"
		case c == '<':
			with = "&lt;"
		case c == '>':
			with = "&gt;"
		case c < utf8.RuneSelf:
			with = "\uFFFD"
		default:
			var r rune
			r, size = utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 || r == 0xFFFE || r == 0xFFFF {
				with = "\uFFFD"
			}
		}
		if with != "" {
			b = append(b, s[start:i]...)
			b = append(b, with...)
			start = i + size
		}
		i += size
	}
	return append(b, s[start:]...)
}
