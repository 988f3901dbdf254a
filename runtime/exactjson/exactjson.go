// Package exactjson is encoding/json for what is handed from one program to another: texts
// may be any bytes. JSON has no text but Unicode, and paths, variables and the words of the
// system are bytes. A text that is none, or begins with a NUL, is replaced by its bytes in
// base64 after a NUL.
//
// It imports nothing of ours.
package exactjson

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"unicode/utf8"
)

// bytesFollow is what such a text begins with.
const bytesFollow = "\x00"

// Marshal is json.Marshal for a pointer to something whose texts may be any bytes. What
// writes itself down (json.Marshaler) is left to that.
func Marshal(v any) ([]byte, error) {
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

// Unmarshal is its reverse.
func Unmarshal(data []byte, v any) error {
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

var writesItself = reflect.TypeFor[json.Marshaler]()

// eachText returns a copy of v with what f makes of every text in it that JSON shows.
func eachText(v reflect.Value, f func(string) string) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	if v.Kind() != reflect.Pointer && v.Type().Implements(writesItself) {
		return out
	}
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
			if field := v.Type().Field(i); field.IsExported() && field.Tag.Get("json") != "-" {
				out.Field(i).Set(eachText(v.Field(i), f))
			}
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
