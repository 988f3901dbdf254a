package rpc

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
	"supervisord/runtime/mainlog"
	"supervisord/runtime/state"
)

// sendRaw opens a connection and writes a request, or the beginning of one.
func sendRaw(t testing.TB, s *Server, request string) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", s.servers[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestUnfinishedRequests: those who never send the rest, of whatever part of
// whatever request, keep nobody out.
func TestUnfinishedRequests(t *testing.T) {
	for _, request := range []string{
		"POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n<methodCall>",
		"POST /index.html HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data\r\nContent-Length: 100\r\n\r\n",
		"POST /RPC2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n",
		"GET /mainlogtail HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
		"DELETE /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nSec-Fetch-Site: cross-site\r\nContent-Length: 5\r\n\r\n",
		"POST /RPC2 HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
	} {
		t.Run(strings.ReplaceAll(request[:20], "/", ""), func(t *testing.T) {
			_, o := unixOnly(t)
			o.MaxConns = 10
			s := serve(t, o)
			for range 3 * o.MaxConns {
				sendRaw(t, s, request)
			}
			if _, err := dial(t, s, 0).call("supervisor.getState"); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNoRoomAtAll: while every place is taken by a call that is not answered, those
// who come in vain do not pile up.
func TestNoRoomAtAll(t *testing.T) {
	_, o := unixOnly(t)
	o.MaxConns = 5
	begun, release := blocking(&o)
	defer close(release)
	s := serve(t, o)
	for range o.MaxConns {
		sendRaw(t, s, post(t, "test.block"))
		<-begun
	}
	var vain []net.Conn
	for range 20 {
		vain = append(vain, sendRaw(t, s, "GET / HT"))
	}
	if resp, _ := dial(t, s, 0).do(t, "GET", "/ok.html", ""); resp.StatusCode != 503 {
		t.Error(resp.Status)
	}
	for i, conn := range vain {
		conn.SetReadDeadline(time.Now().Add(25 * time.Second)) // less than a header may take
		if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("connection %d is still held", i)
		}
	}
}

// TestDisplacingTLS: a client that reads nothing cannot hold up the one that takes
// its place by the farewell that TLS wants to send.
func TestDisplacingTLS(t *testing.T) {
	near, far := net.Pipe() // whose writes wait for the reader
	defer far.Close()
	cert := selfSigned(t, shortDir(t))
	server := tls.Server(near, &tls.Config{Certificates: []tls.Certificate{cert}})
	shaken := make(chan error, 1)
	go func() {
		shaken <- tls.Client(far, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}).Handshake()
	}()
	if err := server.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	cs := newConns(1)
	cs.add(server)
	other, _ := net.Pipe()
	defer other.Close()
	start := time.Now()
	if c := cs.add(other); c.refused {
		t.Error("refused")
	}
	if took := time.Since(start); took > 4*time.Second { // TLS gives its farewell five
		t.Errorf("it took %v", took)
	}
}

// TestSlowReaders: a client that does not take its reply loses it, whatever it
// asked for.
func TestSlowReaders(t *testing.T) {
	w, o := unixOnly(t)
	o.BodyTimeout = 200 * time.Millisecond
	large := bytes.Repeat([]byte("0123456789abcde\n"), 8<<20/16)
	if err := os.WriteFile(w.procs[1].StdoutLog, large, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 5000 { // for the pages that list processes
		w.procs = append(w.procs, w.procs[0])
	}
	s := serve(t, o)
	doc, err := xmlrpc.EncodeCall("supervisor.readProcessStdoutLog", "cat", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, request := range []string{
		fmt.Sprintf("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(doc), doc),
		"GET /tail.html?processname=cat&limit=9000000 HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /log?name=cat HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
	} {
		conn := sendRaw(t, s, request)
		if _, err := io.ReadFull(conn, make([]byte, 15)); err != nil { // it is being answered
			t.Fatal(err)
		}
		eventually(t, "it is given up: "+request, func() bool { return serving(s) == 0 })
	}
}

// TestSlowDownload: a log may take longer than a reply, as long as pieces of it are taken.
func TestSlowDownload(t *testing.T) {
	w, o := unixOnly(t)
	o.BodyTimeout, o.HeaderTimeout = time.Second, 50*time.Millisecond
	const size = 16 << 20 // more than any socket holds
	if err := os.WriteFile(w.procs[1].StdoutLog, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, o)
	conn := sendRaw(t, s, "GET /log?name=cat HTTP/1.0\r\n\r\n")
	got := int64(0)
	for begun := time.Now(); time.Since(begun) < 2*o.BodyTimeout; {
		n, err := io.CopyN(io.Discard, conn, 128<<10)
		if got += n; err != nil {
			t.Fatalf("%d bytes, then %v", got, err)
		}
		other := sendRaw(t, s, "GET / HT") // which comes to its limit meanwhile
		other.SetReadDeadline(time.Now().Add(2 * time.Minute))
		if _, err := io.Copy(io.Discard, other); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("half a request is waited for without a limit")
		}
	}
	if n, err := io.Copy(io.Discard, conn); err != nil || got+n < size {
		t.Errorf("%d of %d bytes, then %v", got+n, size, err)
	}
}

// TestPausedStream: a reader of a stream may pause for longer than any limit.
func TestPausedStream(t *testing.T) {
	w, o := unixOnly(t)
	o.BodyTimeout, o.HeaderTimeout = 100*time.Millisecond, 100*time.Millisecond
	s := serve(t, o)
	f := follow(t, s, "/mainlogtail")
	f.reads("first line\nsecond line\n")
	const size = 8 << 20 // more than any socket holds
	if err := os.WriteFile(w.mainLog, append([]byte("first line\nsecond line\n"), make([]byte, size)...), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 5 { // meanwhile others come to their limit, one after the other
		conn := sendRaw(t, s, "GET / HT")
		conn.SetReadDeadline(time.Now().Add(2 * time.Minute))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("half a request is waited for without a limit")
		}
	}
	if n, err := io.CopyN(io.Discard, f.body, size); err != nil {
		t.Errorf("%d bytes, then %v", n, err)
	}
}

// TestStreamOfRequestWithBody: such a stream ends too when its client goes.
func TestStreamOfRequestWithBody(t *testing.T) {
	_, o := unixOnly(t)
	s := serve(t, o)
	conn := sendRaw(t, s, "GET /mainlogtail HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
	if _, err := io.ReadFull(conn, make([]byte, 15)); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	eventually(t, "the stream has ended", func() bool { return serving(s) == 0 })
}

// TestReloadedPage: a browser that goes away in the middle of a restart does not
// leave the process stopped.
func TestReloadedPage(t *testing.T) {
	for _, act := range []string{"action=restart&processname=cat", "action=restartall"} {
		t.Run(act, func(t *testing.T) {
			w, o := unixOnly(t)
			w.hold = make(chan struct{})
			s := serve(t, o)
			conn := sendRaw(t, s, "POST /index.html?"+act+" HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
			<-w.waits // for the stop
			conn.Close()
			for start := time.Now(); time.Since(start) < 200*time.Millisecond; time.Sleep(time.Millisecond) {
				if serving(s) == 0 {
					t.Fatal("it was given up half-way")
				}
			}
			close(w.hold)
			eventually(t, "it runs again", func() bool {
				info, err := w.Info(t.Context(), "cat", "cat")
				return err == nil && info.State == state.Running
			})
		})
	}
}

// TestTraceIsOneLine: a client cannot write lines of its own into the log.
func TestTraceIsOneLine(t *testing.T) {
	_, o := unixOnly(t)
	var log activity
	o.Logger = log.logger(mainlog.LevelTrace)
	s := serve(t, o)
	if _, err := dial(t, s, 0).call("supervisor.x\n2026-01-01 00:00:00,000 CRIT forged"); err == nil {
		t.Error("no fault")
	}
	if !log.has(`supervisor.x\\n2026`) { // as the handler of this test quotes a backslash
		t.Errorf("%q", log.lines)
	}
}

// defective is a process table that panics when it is to be shown.
type defective struct{ Processes }

func (defective) Snapshot(context.Context) ([]runtime.Info, error) { panic("oops") }

// TestPanicIsLogged: a defect in a page is not lost among debugging lines.
func TestPanicIsLogged(t *testing.T) {
	_, o := unixOnly(t)
	var log activity
	o.Logger = log.logger(slog.LevelInfo)
	o.Processes = defective{o.Processes}
	s := serve(t, o)
	conn := sendRaw(t, s, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n")
	if reply, err := io.ReadAll(conn); err != nil || len(reply) > 0 {
		t.Errorf("%q, %v", reply, err)
	}
	if !log.has(`panicked: oops`) {
		t.Errorf("%q", log.lines)
	}
}
