package oracle

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeReply(t *testing.T) {
	const head, tail = "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n", "\n</param>\n</params>\n</methodResponse>\n"
	rows := []struct {
		name, value string
		want        any
	}{
		{"int", "<value><int>-3</int></value>", -3},
		{"i4", "<value><i4> 7 </i4></value>", 7},
		{"bool", "<value><boolean>1</boolean></value>", true},
		{"string keeps blanks", "<value><string> a &lt;b&gt;\n</string></value>", " a <b>\n"},
		{"bare text", "<value>x y</value>", "x y"},
		{"empty string", "<value><string></string></value>", ""},
		{"double", "<value><double>1.5</double></value>", 1.5},
		{"base64", "<value><base64>aGk=\n</base64></value>", []byte("hi")},
		{"empty array", "<value><array><data>\n</data></array></value>", []any{}},
		{"struct in array", "<value><array><data><value><struct>\n<member><name>pid</name><value><int>1</int></value></member>\n</struct></value></data></array></value>",
			[]any{map[string]any{"pid": 1}}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			got, err := decodeReply(strings.NewReader(head + r.value + tail))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(r.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	_, err := decodeReply(strings.NewReader("<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>10</int></value></member>" +
		"<member><name>faultString</name><value><string>BAD_NAME: x</string></value></member></struct></value></fault></methodResponse>"))
	var fault *Fault
	if !errors.As(err, &fault) || fault.Code != 10 || fault.Text != "BAD_NAME: x" {
		t.Errorf("got %v, want fault 10", err)
	}
	for _, bad := range []string{"", "<methodResponse>", "<methodResponse></methodResponse>", head + "<value><int>x</int></value>" + tail} {
		if v, err := decodeReply(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was taken as %v", bad, v)
		}
	}
}
