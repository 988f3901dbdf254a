package exact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
)

// Versions before the form of CBOR wrote JSON. Of its texts, those that are no Unicode or
// begin with a NUL were replaced by their bytes in base64, after a NUL.
const bytesFollow = "\x00"

// isJSON reports whether data is in that form: a struct is an object in it, and no struct
// begins so in CBOR.
func isJSON(data []byte) bool { return len(data) > 0 && data[0] == '{' }

func unmarshalJSON(data []byte, v any) error {
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

var readsItself = reflect.TypeFor[json.Unmarshaler]()

// eachText returns a copy of v with what f makes of every text in it that JSON shows.
func eachText(v reflect.Value, f func(string) string) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	if v.Kind() != reflect.Pointer && reflect.PointerTo(v.Type()).Implements(readsItself) {
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
