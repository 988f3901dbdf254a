package runtime

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"unicode/utf8"
)

// JSON has no text but Unicode; paths, variables and the words of the system are bytes. A
// text that is none, or begins as its replacement does, is replaced by its bytes in base64
// after a NUL.
const bytesFollow = "\x00"

// marshalExactly is json.Marshal for a pointer to something whose texts may be any bytes.
func marshalExactly(v any) ([]byte, error) {
	inexact := false
	eachText(reflect.ValueOf(v), func(s string) string {
		inexact = inexact || !utf8.ValidString(s) || strings.HasPrefix(s, bytesFollow)
		return s
	}, false)
	if !inexact {
		return json.Marshal(v)
	}
	replaced := eachText(reflect.ValueOf(v), func(s string) string {
		if utf8.ValidString(s) && !strings.HasPrefix(s, bytesFollow) {
			return s
		}
		return bytesFollow + base64.StdEncoding.EncodeToString([]byte(s))
	}, true)
	return json.Marshal(replaced.Interface())
}

// unmarshalExactly is its reverse.
func unmarshalExactly(data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return err
	}
	if !bytes.Contains(data, []byte(`\u0000`)) {
		return nil
	}
	var failed error
	exact := eachText(reflect.ValueOf(v), func(s string) string {
		text, replaced := strings.CutPrefix(s, bytesFollow)
		if !replaced {
			return s
		}
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			failed = err
		}
		return string(b)
	}, true)
	reflect.ValueOf(v).Elem().Set(exact.Elem())
	return failed
}

// eachText calls f with every text in v, and returns a copy of v with what f returns, or v
// if there is to be none.
func eachText(v reflect.Value, f func(string) string, copied bool) reflect.Value {
	out := v
	if copied {
		out = reflect.New(v.Type()).Elem()
		out.Set(v)
	}
	switch v.Kind() {
	case reflect.String:
		if s := f(v.String()); copied {
			out.SetString(s)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			if e := eachText(v.Elem(), f, copied); copied {
				out.Set(reflect.New(v.Type().Elem()))
				out.Elem().Set(e)
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if e := eachText(v.Field(i), f, copied); copied {
				out.Field(i).Set(e)
			}
		}
	case reflect.Slice:
		if v.IsNil() || v.Type().Elem().Kind() == reflect.Uint8 {
			break
		}
		if copied {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		}
		for i := range v.Len() {
			if e := eachText(v.Index(i), f, copied); copied {
				out.Index(i).Set(e)
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			if e := eachText(v.Index(i), f, copied); copied {
				out.Index(i).Set(e)
			}
		}
	case reflect.Map:
		if v.IsNil() {
			break
		}
		if copied {
			out.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
		}
		for at := v.MapRange(); at.Next(); {
			key, value := eachText(at.Key(), f, copied), eachText(at.Value(), f, copied)
			if copied {
				out.SetMapIndex(key, value)
			}
		}
	}
	return out
}
