package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime/bound"
)

// saying is a connection to a server that says a text, whatever it is asked, and
// hangs up.
type saying struct{ io.Reader }

func (saying) Write(p []byte) (int, error)      { return len(p), nil }
func (saying) Close() error                     { return nil }
func (saying) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (saying) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (saying) SetDeadline(time.Time) error      { return nil }
func (saying) SetReadDeadline(time.Time) error  { return nil }
func (saying) SetWriteDeadline(time.Time) error { return nil }

// calls are one call for each type of answer.
var calls = []func(context.Context, *Client) (any, error){
	func(ctx context.Context, c *Client) (any, error) { return c.APIVersion(ctx) },
	func(ctx context.Context, c *Client) (any, error) { return c.PID(ctx) },
	func(ctx context.Context, c *Client) (any, error) { return c.AllProcessInfo(ctx) },
	func(ctx context.Context, c *Client) (any, error) { return c.AllConfigInfo(ctx) },
	func(ctx context.Context, c *Client) (any, error) { return c.Listeners(ctx) },
	func(ctx context.Context, c *Client) (any, error) { return c.ReconcileState(ctx) },
	func(ctx context.Context, c *Client) (any, error) { return c.Files(ctx) },
	func(ctx context.Context, c *Client) (any, error) { return c.History(ctx, 0) },
	func(ctx context.Context, c *Client) (any, error) {
		s, err := c.Stream(ctx, "/mainlogtail")
		if err != nil {
			return nil, err
		}
		defer s.Close()
		return io.Copy(io.Discard, s)
	},
}

// FuzzAnswer is a server that answers anything: each call gets a value, a fault or an
// *Error that says which server it was.
func FuzzAnswer(f *testing.F) {
	http200 := func(body []byte) []byte {
		return append([]byte("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\n\r\n"), body...)
	}
	process := xmlrpc.Struct{{Name: "name", Value: "a"}, {Name: "group", Value: "a"}, {Name: "start", Value: 1}, {Name: "state", Value: 20}, {Name: "pid", Value: 1}}
	for _, v := range []any{"3.0", 1, []any{process}, []any{process, xmlrpc.Struct{}}, process, []any{}, true, nil} {
		doc, err := response(v)
		if err != nil {
			f.Fatal(err)
		}
		for i := range calls {
			f.Add(http200(doc), byte(i))
		}
	}
	f.Add(http200(xmlrpc.EncodeFault(xmlrpc.NewFault(xmlrpc.BadName, "x"))), byte(0))
	for _, text := range []string{
		"", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\n\r\nno!", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\nx",
		"SSH-2.0-OpenSSH\r\n",
	} {
		f.Add([]byte(text), byte(8))
	}
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, answer []byte, which byte) {
		defer b.Input(t)()
		c, err := New(Options{URL: "http://localhost"})
		if err != nil {
			t.Fatal(err)
		}
		dials := 0
		c.http.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
			dials++
			return saying{bytes.NewReader(answer)}, nil
		}
		defer c.Close()
		_, err = calls[int(which)%len(calls)](t.Context(), c)
		var fault *Fault
		var failed *Error
		isStream := int(which)%len(calls) == len(calls)-1
		if err != nil && !errors.As(err, &fault) && !errors.As(err, &failed) && !isStream {
			t.Errorf("%q: %T %v", answer, err, err)
		}
		if dials != 1 {
			t.Errorf("%q: %d connections", answer, dials)
		}
	})
}
