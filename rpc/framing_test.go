package rpc

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"supervisord/runtime/bound"
)

// framed are requests one after another, and what a lenient connection makes of
// them where that differs.
var framed = []struct {
	in, lenient string
	heads       []head
}{
	{in: "GET / HTTP/1.1\r\nHost: h\r\n\r\n", heads: []head{{"h", true}}},
	{
		in:      "GET / HTTP/1.1\r\n\r\n",
		lenient: "GET / HTTP/1.1\r\nHost:\r\n\r\n",
		heads:   []head{{"", true}},
	}, {
		in:      "GET / HTTP/1.1\nX: y\n\n",
		lenient: "GET / HTTP/1.1\nX: y\nHost:\r\n\n",
		heads:   []head{{"", true}},
	}, {
		in:      "POST / HTTP/1.1\r\nhost:  /s.sock \r\nContent-Length: 3\r\n\r\n\r\n\r\r\nGET / HTTP/1.1\r\nHos: h\r\n\r\n",
		lenient: "POST / HTTP/1.1\r\nHost:\r\nContent-Length: 3\r\n\r\n\r\n\r\r\nGET / HTTP/1.1\r\nHos: h\r\nHost:\r\n\r\n",
		heads:   []head{{"/s.sock", true}, {"", true}},
	},
	// A body is never taken for a header, nor the other way round.
	{in: "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n", heads: []head{{"h", true}}},
	{in: "GET / HTTP/1.0\r\n\r\n", heads: []head{{"", true}}},
	// Nothing is made of what is not plain, nor of what follows it.
	{in: "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n", heads: []head{{"", false}}},
	{in: "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nxGET / HTTP/1.1\r\n\r\n", heads: []head{{"", false}}},
	{in: "GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\nx", heads: []head{{"", false}}},
	{in: "GET / HTTP/1.1\r\nX: a\r\n Host: b\r\n\r\n", heads: []head{{"", false}}},
	{in: "GET / HTTP/1.1\r\nContent-Length:" + strings.Repeat(" ", 400) + "1\r\n\r\nx", heads: []head{{"", false}}},
	{in: "GET / HTTP/1.1\r\nHost: a\r\nHost: /b\r\n\r\n", heads: []head{{"/b", true}}},
	{in: "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 1000) + "\r\nHost: h\r\n\r\n", heads: []head{{"h", true}}},
	{in: "GET / HTTP/1.1\r\nHost", heads: nil},
	{in: "", heads: nil},
}

// TestFraming reads them in one piece and byte by byte.
func TestFraming(t *testing.T) {
	for _, tc := range framed {
		for _, lenient := range []bool{false, true} {
			want := tc.in
			if lenient && tc.lenient != "" {
				want = tc.lenient
			}
			for name, slow := range map[string]func(io.Reader) io.Reader{
				"whole": func(r io.Reader) io.Reader { return r }, "halves": iotest.HalfReader, "bytes": iotest.OneByteReader,
			} {
				f := &framedConn{Conn: readerConn{r: slow(strings.NewReader(tc.in))}, lenient: lenient}
				got, err := io.ReadAll(slow(f))
				if err != nil {
					t.Fatal(err)
				}
				// What is held back of an end that is missing nobody can use.
				if string(got) != want && !(lenient && strings.HasPrefix(want, string(got)) && len(tc.heads) == 0) {
					t.Errorf("%s, lenient %v: %q\nwant %q", name, lenient, got, want)
				}
				for _, want := range tc.heads {
					if h, known := takeHead(f); h != want || !known {
						t.Errorf("%.60q: head %v, want %v", tc.in, h, want)
					}
				}
				if h, known := takeHead(f); known {
					t.Errorf("%.60q: another head %v", tc.in, h)
				}
			}
		}
	}
}

// readerConn is a connection that can only be read.
type readerConn struct {
	net.Conn
	r io.Reader
}

func (c readerConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// FuzzFraming: what net/http reads through a connection is what it reads without it,
// byte for byte, but for the Host; and the heads are those of the requests.
func FuzzFraming(f *testing.F) {
	for _, tc := range framed {
		f.Add([]byte(tc.in))
	}
	for _, r := range requests {
		f.Add([]byte(r.request + r.request))
	}
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		defer b.Input(t)()
		strict := &framedConn{Conn: readerConn{r: bytes.NewReader(in)}}
		if out, err := io.ReadAll(strict); err != nil || !bytes.Equal(out, in) {
			t.Fatalf("%q became %q, %v", in, out, err)
		}
		lenient := &framedConn{Conn: readerConn{r: bytes.NewReader(in)}, lenient: true}
		through, plainly := bufio.NewReader(lenient), bufio.NewReader(bytes.NewReader(in))
		for i := 0; ; i++ {
			want, err := http.ReadRequest(plainly)
			if err != nil {
				return
			}
			got, err := http.ReadRequest(through)
			if err != nil {
				t.Fatalf("%q: request %d: %v", in, i, err)
			}
			h, known := takeHead(lenient)
			body, err := io.ReadAll(want.Body)
			body2, err2 := io.ReadAll(got.Body)
			if !bytes.Equal(body, body2) || (err == nil) != (err2 == nil) || want.Method != got.Method || want.RequestURI != got.RequestURI {
				t.Fatalf("%q: request %d: %v %q %v, want %v %q %v", in, i, got, body2, err2, want, body, err)
			}
			if !known {
				t.Fatalf("%q: request %d has no head", in, i)
			}
			if got.Host != want.Host && (got.Host != "" || validHost(want.Host)) {
				t.Fatalf("%q: request %d: host %q, want %q", in, i, got.Host, want.Host)
			}
			if want.URL.Host == "" && h.plain && h.host != want.Host && len(h.host) < maxHeadLine/2 && h.host != "/" {
				t.Fatalf("%q: request %d: the head has %q", in, i, h.host)
			}
			if !h.plain || err != nil {
				return // the connection is closed
			}
			if len(want.TransferEncoding) > 0 {
				t.Fatalf("%q: request %d is taken for a plain one", in, i)
			}
		}
	})
}
