package xmlrpc

import (
	"io"
	"strings"
)

// DecodeCall is Decode of what r gives.
func DecodeCall(r io.Reader) (method string, params []any, err error) {
	var doc strings.Builder
	if sized, ok := r.(interface{ Len() int }); ok {
		doc.Grow(sized.Len())
	}
	if _, err := io.Copy(&doc, r); err != nil {
		return "", nil, err
	}
	return CallOptions{}.Decode(doc.String())
}

func decodeCall(t tokenizer) (method string, params []any, err error) { return CallOptions{}.decode(t) }

// AppendResponse appends the document that answers a call with v. The types it
// takes are those of AppendValue. On an error the buffer comes back with its
// content undefined.
func AppendResponse(b []byte, v any) ([]byte, error) {
	b, err := AppendValue(append(b, responseStart...), v)
	return append(b, responseEnd...), err
}
