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
	data, err := json.Marshal(v)
	if err != nil || !bytes.Contains(data, []byte(`\ufffd`)) && !bytes.Contains(data, []byte(`\u0000`)) {
		return data, err // there is no byte that it has replaced, and no NUL
	}
	replaced := eachText(reflect.ValueOf(v), func(s string) string {
		if utf8.ValidString(s) && !strings.HasPrefix(s, bytesFollow) {
			return s
		}
		return bytesFollow + base64.StdEncoding.EncodeToString([]byte(s))
	})
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
	})
	reflect.ValueOf(v).Elem().Set(exact.Elem())
	return failed
}

// eachText returns a copy of v with what f makes of every text in it. All fields in it are
// exported.
func eachText(v reflect.Value, f func(string) string) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.String:
		out.SetString(f(v.String()))
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(eachText(v.Elem(), f))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			out.Field(i).Set(eachText(v.Field(i), f))
		}
	case reflect.Slice:
		if !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		}
		fallthrough
	case reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 { // which JSON has as base64
			out.Set(v)
			break
		}
		for i := range v.Len() {
			out.Index(i).Set(eachText(v.Index(i), f))
		}
	case reflect.Map:
		if !v.IsNil() {
			out.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
		}
		for at := v.MapRange(); at.Next(); {
			out.SetMapIndex(eachText(at.Key(), f), eachText(at.Value(), f))
		}
	}
	return out
}
