package xmlrpc

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// value is what Supervisor writes around one value of a response.
func response(value string) string {
	return "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n" + value +
		"</param>\n</params>\n</methodResponse>\n"
}

func TestAppendResponse(t *testing.T) {
	for name, tc := range map[string]struct {
		value any
		want  string
	}{
		"string":        {"3.0", "<value><string>3.0</string></value>\n"},
		"empty string":  {"", "<value><string></string></value>\n"},
		"escapes":       {`<a href="x">&'`, "<value><string>&lt;a href=\"x\"&gt;&amp;'</string></value>\n"},
		"int":           {-7, "<value><int>-7</int></value>\n"},
		"large int":     {int64(3 << 30), "<value><int>3221225472</int></value>\n"},
		"true":          {true, "<value><boolean>1</boolean></value>\n"},
		"false":         {false, "<value><boolean>0</boolean></value>\n"},
		"double":        {1.5, "<value><double>1.5</double></value>\n"},
		"nil":           {nil, "<value><nil/></value>"},
		"empty array":   {[]any{}, "<value><array><data>\n</data></array></value>\n"},
		"empty struct":  {Struct{}, "<value><struct>\n</struct></value>\n"},
		"base64":        {[]byte("\x00\xff"), "<value><base64>\nAP8=\n</base64></value>\n"},
		"code":          {Success, "<value><int>80</int></value>\n"},
		"utf-8":         {"héllo ✓ \U0001F600", "<value><string>héllo ✓ \U0001F600</string></value>\n"},
		"invalid utf-8": {"a\xffb\xc3", "<value><string>a\uFFFDb\uFFFD</string></value>\n"},
		"control":       {"\x1b[31m\x00\ttab\r\n", "<value><string>\uFFFD[31m\uFFFD\ttab\r\n</string></value>\n"},
		"noncharacter":  {"a\uFFFEb", "<value><string>a\uFFFDb</string></value>\n"},
		"strings": {[]string{"a", "b"}, "<value><array><data>\n<value><string>a</string></value>\n" +
			"<value><string>b</string></value>\n</data></array></value>\n"},
		"ints": {[]int{0, 2}, "<value><array><data>\n<value><int>0</int></value>\n" +
			"<value><int>2</int></value>\n</data></array></value>\n"},
		"nested": {[]any{Struct{{"b", 1}, {"a", []any{true}}}}, "<value><array><data>\n<value><struct>\n" +
			"<member>\n<name>b</name>\n<value><int>1</int></value>\n</member>\n" +
			"<member>\n<name>a</name>\n<value><array><data>\n<value><boolean>1</boolean></value>\n" +
			"</data></array></value>\n</member>\n</struct></value>\n</data></array></value>\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := AppendResponse(nil, tc.value)
			if err != nil {
				t.Fatal(err)
			}
			if want := response(tc.want); string(got) != want {
				t.Errorf("got %q\nwant %q", got, want)
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, v := range []any{
		struct{}{}, math.NaN(), math.Inf(1), []any{uint8(1)}, Struct{{"x", map[string]any{}}},
	} {
		if b, err := AppendResponse(nil, v); err == nil {
			t.Errorf("AppendResponse(nil, %#v) = %q, want an error", v, b)
		}
		if b, err := EncodeCall("m", v); err == nil {
			t.Errorf("EncodeCall(%#v) = %q, want an error", v, b)
		}
	}
}

func TestEncodeFault(t *testing.T) {
	want := "<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n" +
		"<member>\n<name>faultCode</name>\n<value><int>10</int></value>\n</member>\n" +
		"<member>\n<name>faultString</name>\n<value><string>BAD_NAME: nope</string></value>\n</member>\n" +
		"</struct></value>\n</fault>\n</methodResponse>\n"
	if got := string(EncodeFault(NewFault(BadName, "nope"))); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestEncodeCall(t *testing.T) {
	got, err := EncodeCall("supervisor.startProcess", "a<b", true)
	want := "<?xml version='1.0'?>\n<methodCall>\n<methodName>supervisor.startProcess</methodName>\n" +
		"<params>\n<param>\n<value><string>a&lt;b</string></value>\n</param>\n" +
		"<param>\n<value><boolean>1</boolean></value>\n</param>\n</params>\n</methodCall>\n"
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
	got, err = EncodeCall("m")
	want = "<?xml version='1.0'?>\n<methodCall>\n<methodName>m</methodName>\n<params>\n</params>\n</methodCall>\n"
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
}

func TestBase64Lines(t *testing.T) {
	got, err := AppendValue(nil, []byte(strings.Repeat("x", 58)))
	want := "<value><base64>\n" + strings.Repeat("eHh4", 19) + "\neA==\n</base64></value>\n"
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
}

func TestFaultText(t *testing.T) {
	for _, c := range Codes {
		if c.String() == "UNKNOWN" || NewFault(c, "").Text != c.String() {
			t.Errorf("code %d has no name", c)
		}
		if f := NewFault(c, "a: b"); f.Extra() != "a: b" {
			t.Errorf("Extra of %q = %q", f.Text, f.Extra())
		}
	}
	if len(codeNames) != len(Codes) {
		t.Errorf("%d names for %d codes", len(codeNames), len(Codes))
	}
	if got := Code(12345).String(); got != "UNKNOWN" {
		t.Errorf("a number that is no code is called %q", got)
	}
	f := NewFault(BadName, "")
	if f.Error() != "[10] BAD_NAME" || f.Extra() != "" {
		t.Errorf("got %q with extra %q", f.Error(), f.Extra())
	}
	var as *Fault
	if !errors.As(error(f), &as) {
		t.Error("a fault is no error of its own type")
	}
}

func BenchmarkAppendString(b *testing.B) {
	s := strings.Repeat("an ordinary line of text, 48 characters long ...", 20)
	buf := make([]byte, 0, 2048)
	b.SetBytes(int64(len(s)))
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendString(buf[:0], s)
	}
}
