package xmlrpc

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/bound"
)

func call(params string) string {
	return "<?xml version='1.0'?>\n<methodCall>\n<methodName>m</methodName>\n<params>\n" + params +
		"</params>\n</methodCall>\n"
}

// TestDecodeValue has a row for each incoming type of contract/rpc.md section 2.
func TestDecodeValue(t *testing.T) {
	for value, want := range map[string]any{
		"<value><int>7</int></value>":                           7,
		"<value><i4> -7\n</i4></value>":                         -7,
		"<value><int>4294967297</int></value>":                  integer(4294967297),
		"<value><boolean>1</boolean></value>":                   true,
		"<value><boolean>0</boolean></value>":                   false,
		"<value><boolean>true</boolean></value>":                false,
		"<value><string>a&amp;&lt;&#98;</string></value>":       "a&<b",
		"<value><string></string></value>":                      "",
		"<value><string/></value>":                              "",
		"<value> two words </value>":                            " two words ",
		"<value></value>":                                       "",
		"<value/>":                                              "",
		"<value><![CDATA[<raw>]]></value>":                      "<raw>",
		"<value>a<!-- no -->b</value>":                          "ab",
		"<value>\n<int>7</int>\n</value>":                       7,
		"<value><double>10.7</double></value>":                  10.7,
		"<value><dateTime.iso8601>x</dateTime.iso8601></value>": "x",
		"<value><base64>\naGVs\nbG8=\n</base64></value>":        []byte("hello"),
		"<value><nil/></value>":                                 nil,
		"<value><i8>12</i8></value>":                            "12",
		"<value><array><data></data></array></value>":           []any{},
		"<value><array><data><value>a</value><value><int>1</int></value></data></array></value>": []any{"a", 1},
		"<value><struct></struct></value>":                                                map[string]any{},
		"<value><struct><member><name>a</name><value>b</value></member></struct></value>": map[string]any{"a": "b"},
	} {
		_, params, err := DecodeCall(strings.NewReader(call("<param>" + value + "</param>")))
		if err != nil || len(params) != 1 || !reflect.DeepEqual(params[0], want) {
			t.Errorf("%s: got %#v, %v; want %#v", value, params, err, want)
		}
	}
}

func TestDecodeCall(t *testing.T) {
	for doc, want := range map[string]struct {
		method string
		params []any
	}{
		"<methodCall><methodName>m</methodName></methodCall>":                                                 {"m", nil},
		"<methodCall><methodName>m</methodName><params/></methodCall>":                                        {"m", nil},
		"<methodCall><params><param><value>1</value></param></params><methodName>m</methodName></methodCall>": {"m", []any{"1"}},
		"<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><methodCall><methodName>é</methodName></methodCall>":  {"é", nil},
		"<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><methodCall><methodName>m</methodName></methodCall> \n":    {"m", nil},
	} {
		method, params, err := DecodeCall(strings.NewReader(doc))
		if err != nil || method != want.method || !reflect.DeepEqual(params, want.params) {
			t.Errorf("%s: got %q %#v, %v", doc, method, params, err)
		}
	}
}

func TestDecodeCallRefuses(t *testing.T) {
	deep := strings.Repeat("<value><array><data>", 40)
	for name, doc := range map[string]string{
		"empty":           "",
		"blank":           "  \n",
		"text":            "hello",
		"half":            "<methodCall><methodName>m</methodName>",
		"crossed":         "<methodCall><methodName>m</methodCall></methodName>",
		"two roots":       call("") + "<a/>",
		"text after":      call("") + "x",
		"text before":     "x" + call(""),
		"bad int":         call("<param><value><int>x</int></value></param>"),
		"huge int":        call("<param><value><int>99999999999999999999</int></value></param>"),
		"bad double":      call("<param><value><double>x</double></value></param>"),
		"bad base64":      call("<param><value><base64>!</base64></value></param>"),
		"two values":      call("<param><value>1</value><value>2</value></param>"),
		"two types":       call("<param><value><int>1</int><int>2</int></value></param>"),
		"text beside":     call("<param><value>x<int>1</int></value></param>"),
		"no value":        call("<param></param>"),
		"nameless member": call("<param><value><struct><member><value>1</value></member></struct></value></param>"),
		"valueless":       call("<param><value><struct><member><name>a</name></member></struct></value></param>"),
		"entity":          call("<param><value>&nbsp;</value></param>"),
		"external entity": `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + call("<param><value>&x;</value></param>"),
		"not utf-8":       call("<param><value>\xff</value></param>"),
		"control":         call("<param><value>\x1b</value></param>"),
		"too deep":        call("<param>" + deep),
	} {
		if m, p, err := DecodeCall(strings.NewReader(doc)); err == nil || errors.Is(err, ErrNoMethod) {
			t.Errorf("%s: got %q %#v, %v; want an error", name, m, p, err)
		}
	}
	for _, doc := range []string{"<a/>", "<methodCall></methodCall>", "<methodCall><methodName/></methodCall>"} {
		if _, _, err := DecodeCall(strings.NewReader(doc)); !errors.Is(err, ErrNoMethod) {
			t.Errorf("%s: got %v, want ErrNoMethod", doc, err)
		}
	}
}

func TestDepth(t *testing.T) {
	_, _, err := DecodeCall(strings.NewReader(call("<param>" + strings.Repeat("<value><array><data>", 1<<20))))
	if !errors.Is(err, errDepth) {
		t.Errorf("got %v, want %v", err, errDepth)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestDecodePassesReadErrorsOn(t *testing.T) {
	if _, _, err := DecodeCall(broken{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("DecodeCall: %v", err)
	}
	if _, err := DecodeResponse(broken{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("DecodeResponse: %v", err)
	}
}

func TestDecodeResponse(t *testing.T) {
	for name, tc := range map[string]struct {
		doc  string
		want any
	}{
		"string":    {response("<value><string>3.0</string></value>\n"), "3.0"},
		"control":   {response("<value><string>a\x1b[0m\x00b</string></value>\n"), "a\uFFFD[0m\uFFFDb"},
		"not utf-8": {response("<value><string>a\xffb</string></value>\n"), "a\uFFFDb"},
	} {
		got, err := DecodeResponse(strings.NewReader(tc.doc))
		if err != nil || got != tc.want {
			t.Errorf("%s: got %#v, %v", name, got, err)
		}
	}
	_, err := DecodeResponse(strings.NewReader(string(EncodeFault(NewFault(NoFile, "x<y")))))
	var fault *Fault
	if !errors.As(err, &fault) || *fault != (Fault{NoFile, "NO_FILE: x<y"}) {
		t.Errorf("fault: got %v", err)
	}
	for _, doc := range []string{
		"", "<a/>", "<methodResponse></methodResponse>", response(""),
		"<methodResponse><fault><value>1</value></fault></methodResponse>",
		"<methodResponse><fault/></methodResponse>", response("<value>1</value>") + "x",
	} {
		if v, err := DecodeResponse(strings.NewReader(doc)); err == nil {
			t.Errorf("%q: got %#v, want an error", doc, v)
		}
	}
}

// TestRoundTrip sends values through both directions.
func TestRoundTrip(t *testing.T) {
	in := []any{"a\n<&>", -1, true, 2.5, []byte("bin\x00"), nil, []any{}, Struct{{"k", []any{"v"}}}}
	want := []any{"a\n<&>", -1, true, 2.5, []byte("bin\x00"), nil, []any{}, map[string]any{"k": []any{"v"}}}
	doc, err := AppendResponse(nil, in)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeResponse(strings.NewReader(string(doc)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Error(diff)
	}
}

// FuzzDecodeCall: no input makes the decoder panic, it understands what encoding/xml
// does, and understands it again after encoding.
func FuzzDecodeCall(f *testing.F) {
	f.Add("<methodCall><methodName>a.b</methodName></methodCall>")
	f.Add(call("<param><value><struct><member><name>a</name><value><i4>1</i4></value></member></struct></value></param>"))
	f.Add(call("<param><value><array><data><value><base64>AAAA</base64></value></data></array></value></param>"))
	f.Add(call("<param><value><nil/></value></param><param><value><double>1e9</double></value></param>"))
	f.Add(`<!DOCTYPE a [<!ENTITY x "y">]>` + call("<param><value>&x;</value></param>"))
	f.Add("<a/>]]><b.c>></b.c><1/><//></a/>")
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, doc string) {
		defer b.Input(t)()
		method, params, err := DecodeCall(strings.NewReader(doc))
		methodX, paramsX, errX := decodeCall(newXMLTokenizer(strings.NewReader(doc)))
		if method != methodX || fmt.Sprintf("%#v", params) != fmt.Sprintf("%#v", paramsX) || (err == nil) != (errX == nil) || errors.Is(err, ErrNoMethod) != errors.Is(errX, ErrNoMethod) {
			t.Fatalf("%q %#v, %v; encoding/xml has %q %#v, %v", method, params, err, methodX, paramsX, errX)
		}
		if err != nil {
			return
		}
		again, err := EncodeCall(method, ordered(params).([]any)...)
		if err != nil {
			return // a NaN, which XML-RPC cannot write
		}
		method2, params2, err := DecodeCall(strings.NewReader(string(again)))
		if err != nil {
			t.Fatalf("own document is refused: %v\n%s", err, again)
		}
		// The parser reads a lone carriage return as a newline.
		if strings.ContainsRune(string(again), '\r') {
			return
		}
		if method2 != method || !cmp.Equal(params2, params) && len(params)+len(params2) > 0 {
			t.Fatalf("%q %#v became %q %#v", method, params, method2, params2)
		}
	})
}

// FuzzDecodeResponse: no answer makes the decoder panic or take more than a little, and
// what it understands it understands again after encoding.
func FuzzDecodeResponse(f *testing.F) {
	f.Add(response("<value><struct><member><name>a</name><value><i4>1</i4></value></member></struct></value>"))
	f.Add(response("<value><array><data><value><boolean>1</boolean></value><value>\x01\xff</value></data></array></value>"))
	f.Add(response("<value><double>-1e300</double></value>"))
	f.Add(response(strings.Repeat("<value><array><data>", 2000)))
	f.Add(string(EncodeFault(&Fault{BadName, "BAD_NAME: x"})))
	f.Add(`<?xml version="1.0" encoding="latin1"?><methodResponse><fault><value><struct/></value></fault></methodResponse>`)
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, doc string) {
		defer b.Input(t)()
		v, err := DecodeResponse(strings.NewReader(doc))
		if fault := (*Fault)(nil); errors.As(err, &fault) {
			_, err2 := DecodeResponse(strings.NewReader(string(EncodeFault(fault))))
			if fault2 := (*Fault)(nil); !errors.As(err2, &fault2) || fault2.Code != fault.Code {
				t.Fatalf("%v became %v", err, err2)
			}
		}
		if err != nil {
			return
		}
		again, err := AppendResponse(nil, ordered(v))
		if err != nil {
			return // a NaN, which XML-RPC cannot write
		}
		v2, err := DecodeResponse(strings.NewReader(string(again)))
		if err != nil {
			t.Fatalf("own document is refused: %v\n%s", err, again)
		}
		if !strings.ContainsRune(string(again), '\r') && !cmp.Equal(v, v2) { // which is read as a newline
			t.Fatalf("%#v became %#v", v, v2)
		}
	})
}

// FuzzString: any string at all can be sent, and arrives unless it holds what
// XML cannot carry.
func FuzzString(f *testing.F) {
	for _, s := range []string{"", "a", "<&>", "\xff", "\x00", "\uFFFE", "é\r\n"} {
		f.Add(s)
	}
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, s string) {
		defer b.Input(t)()
		doc, err := AppendResponse(nil, s)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeResponse(strings.NewReader(string(doc)))
		if err != nil {
			t.Fatalf("%q: %v\n%s", s, err, doc)
		}
		want := strings.ReplaceAll(strings.ReplaceAll(string(legal([]byte(s))), "\r\n", "\n"), "\r", "\n")
		if got != want {
			t.Errorf("%q arrived as %q, want %q", s, got, want)
		}
	})
}

// ordered turns decoded maps into Structs, which can be encoded.
func ordered(v any) any {
	switch v := v.(type) {
	case []any:
		items := make([]any, len(v))
		for i := range v {
			items[i] = ordered(v[i])
		}
		return items
	case map[string]any:
		s := Struct{}
		for name, value := range v {
			s = append(s, Member{name, ordered(value)})
		}
		return s
	}
	return v
}

func BenchmarkDecodeCall(b *testing.B) {
	doc := call("<param>\n<value><string>web:web_00</string></value>\n</param>\n")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := DecodeCall(strings.NewReader(doc)); err != nil {
			b.Fatal(err)
		}
	}
}

// TestTake: what a document makes of itself in memory is asked for before it is
// taken, and a refusal ends the decoding.
func TestTake(t *testing.T) {
	refusal := errors.New("no more")
	for name, inside := range map[string]string{
		"values":   strings.Repeat("<value/>", 10_000),
		"structs":  strings.Repeat("<value><struct/></value>", 5_000),
		"members":  "<value><struct>" + strings.Repeat("<member><name>a</name><value/></member>", 5_000) + "</struct></value>",
		"base64":   "<value><base64>" + strings.Repeat("AAAA", 100_000) + "</base64></value>",
		"entities": "<value><string>" + strings.Repeat("&lt;", 200_000) + "</string></value>",
		"arrays":   strings.Repeat("<value><array><data/></array></value>", 5_000),
	} {
		doc := call("<param><value><array><data>" + inside + "</data></array></value></param>")
		asked := 0
		if _, _, err := (CallOptions{Take: func(n int) error { asked += n; return nil }}).Decode(doc); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, params, err := DecodeCall(strings.NewReader(doc))
		runtime.GC()
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		kept := int(after.HeapAlloc) - int(before.HeapAlloc) - len(doc)
		runtime.KeepAlive(params)
		if asked < kept*3/4 || asked == 0 {
			t.Errorf("%s: asked for %d bytes, has %d", name, asked, kept)
		}
		asked = 0
		_, _, err = CallOptions{Take: func(n int) error {
			if asked += n; asked > 100_000 {
				return refusal
			}
			return nil
		}}.Decode(doc)
		if !errors.Is(err, refusal) || asked > 600_000 {
			t.Errorf("%s: %v after %d bytes", name, err, asked)
		}
	}
}

// TestBareTypes: a type without a <value> around it is taken, as Supervisor does.
func TestBareTypes(t *testing.T) {
	for params, want := range map[string][]any{
		"<param><string>cat</string></param>":                                                  {"cat"},
		"<param><int>3</int></param><param><boolean>1</boolean></param>":                       {3, true},
		"<param><array><data><i4>1</i4><value>x</value></data></array></param>":                {[]any{1, "x"}},
		"<param><struct><member><name>a</name><int>1</int></member></struct></param>":          {map[string]any{"a": 1}},
		"<param><value><array><data><string>x</string></data></array></value></param>":         {[]any{"x"}},
		"<param>\n <base64>eA==</base64> </param>":                                             {[]byte("x")},
		"<param><comment>no value</comment><value><string>y</string></value></param>":          {"y"},
		"<param><value><struct><member><name>b</name><nil/></member></struct></value></param>": {map[string]any{"b": nil}},
	} {
		_, got, err := DecodeCall(strings.NewReader(call(params)))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", params, err, diff)
		}
	}
	for _, params := range []string{"<param/>", "<param><x/></param>", "<param><int>1</int><int>2</int></param>", "<param>cat</param>"} {
		if _, _, err := DecodeCall(strings.NewReader(call(params))); err == nil {
			t.Errorf("%s is taken", params)
		}
	}
}

// TestOddBoolean: words are false, and told.
func TestOddBoolean(t *testing.T) {
	var told []string
	_, params, err := CallOptions{OddBoolean: func(text string) { told = append(told, text) }}.Decode(
		call("<param><value><boolean>true</boolean></value></param><param><value><boolean>1</boolean></value></param>" +
			"<param><value><boolean>0</boolean></value></param><param><value><boolean>False</boolean></value></param>"))
	if err != nil || !cmp.Equal(params, []any{false, true, false, false}) || !cmp.Equal(told, []string{"true", "False"}) {
		t.Errorf("%v, %v, told %v", params, err, told)
	}
}
