package rpc

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime/mainlog"
	"supervisord/runtime/state"
	"supervisord/spec"
)

func uid() string { return strconv.Itoa(os.Getuid()) }

// TestHostCheck: a page with a name that was made to point at this machine does
// not reach a server without a password.
func TestHostCheck(t *testing.T) {
	dir := shortDir(t)
	o := newFakeDaemon(t, dir).options(dir)
	open := o.Servers[1]
	open.Username, open.Password = "", ""
	o.Servers = append(o.Servers, open)
	s := serve(t, o)
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:9001": 200, "localhost.": 200, "app.localhost:1": 200, "127.0.0.1:9001": 200,
		"[::1]:9001": 200, "10.0.0.1": 200,
		"evil.example": 403, "evil.example:9001": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403,
	} {
		if resp, body := dial(t, s, 2).do(t, "GET", "/ok.html", "", "Host", host); resp.StatusCode != want {
			t.Errorf("%s: %s %s", host, resp.Status, body)
		}
	}
	for n, header := range [][]string{{"Host", "any.example"}, {"Host", "any.example", "Authorization", "Basic dXNlcjpwYTpzcw=="}} {
		if resp, body := dial(t, s, n).do(t, "GET", "/ok.html", "", header...); resp.StatusCode != 200 {
			t.Errorf("server %d: %s %s", n, resp.Status, body)
		}
	}
}

// TestCrossOrigin: what a browser sends for another origin's page changes
// nothing; programs are let through whatever they send.
func TestCrossOrigin(t *testing.T) {
	w, o := unixOnly(t)
	s := serve(t, o)
	c := dial(t, s, 0)
	doc, err := xmlrpc.EncodeCall("supervisor.signalProcess", "cat", "HUP")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		want   int
		header []string
	}{
		{200, nil},
		{200, []string{"Content-Type", "text/xml"}},
		{200, []string{"Content-Type", "application/x-www-form-urlencoded"}}, // curl --data
		{200, []string{"Content-Type", "text/xml", "Origin", "http://localhost"}},
		{403, []string{"Content-Type", "text/xml", "Origin", "http://evil.example"}},
		{403, []string{"Content-Type", "text/xml", "Origin", "null"}},
		{403, []string{"Content-Type", "text/plain", "Sec-Fetch-Site", "cross-site"}},
		{403, []string{"Content-Type", "text/plain", "Sec-Fetch-Site", "same-site"}},
		{415, []string{"Content-Type", "text/plain", "Sec-Fetch-Site", "same-origin"}},
		{415, []string{"Content-Type", "text/plain; charset=utf-8", "Referer", "http://evil.example/"}},
		{415, []string{"Content-Type", "multipart/form-data; boundary=x", "User-Agent", "Mozilla/5.0"}},
	} {
		before := len(w.signals)
		resp, _ := c.do(t, "POST", "/RPC2", string(doc), tc.header...)
		if resp.StatusCode != tc.want || (len(w.signals) > before) != (tc.want == 200) {
			t.Errorf("%v: %s, %d signals", tc.header, resp.Status, len(w.signals)-before)
		}
	}
	for _, header := range [][]string{{"Origin", "http://evil.example"}, {"Sec-Fetch-Site", "cross-site"}} {
		resp, _ := c.do(t, "POST", "/index.html?processname=cat&action=stop", "", header...)
		if info, _ := w.Info(t.Context(), "cat", "cat"); resp.StatusCode != 403 || info.State != state.Running {
			t.Errorf("%v: %s, %s", header, resp.Status, info.State)
		}
	}
}

func TestBodyLimits(t *testing.T) {
	_, o := unixOnly(t)
	o.MaxBody = 1000
	s := serve(t, o)
	path := s.servers[0].Path
	for request, want := range map[string]string{
		// Nothing of the gigabyte is read.
		"POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: 1073741824\r\n\r\n": "413 Request Entity Too Large",
		"POST /index.html HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n": "413 Request Entity Too Large",
		"POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n":          "400 Bad Request",
		"POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: abc\r\n\r\n":        "400 Bad Request",
		"POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n\xff":      "400 Bad Request",
		"nonsense\r\n\r\n":                              "400 Bad Request",
		"GET /ok.html\r\n\r\n":                          "400 Bad Request",
		"GET /index.html;x HTTP/1.1\r\nHost: h\r\n\r\n": "400 Bad Request",
		"GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 100<<10) + "\r\n\r\n":               "431 Request Header Fields Too Large",
		"POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: 600\r\n\r\n" + strings.Repeat("<a>", 200): "400 Bad Request",
	} {
		status, _, _ := strings.Cut(raw(t, "unix", path, request), "\r\n")
		if status != "HTTP/1.1 "+want {
			t.Errorf("%.60q: %s", request, status)
		}
	}
}

// TestSlowHeader: a client that sends its header byte by byte is dropped in the
// end, and keeps nobody else waiting.
func TestSlowHeader(t *testing.T) {
	_, o := unixOnly(t)
	o.HeaderTimeout, o.BodyTimeout = 300*time.Millisecond, 300*time.Millisecond
	s := serve(t, o)
	for name, request := range map[string]string{
		"header": "GET /ok.html HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 1000),
		"body":   "POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n" + strings.Repeat("x", 900),
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("unix", s.servers[0].Path)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			sent := 0
			for ; sent < len(request); sent++ {
				if _, err := conn.Write([]byte{request[sent]}); err != nil {
					break
				}
				if sent%100 == 0 {
					if _, err := dial(t, s, 0).call("supervisor.getState"); err != nil {
						t.Fatal(err)
					}
				}
			}
			conn.SetReadDeadline(time.Now().Add(2 * time.Minute))
			if _, err := io.ReadAll(conn); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("it was not dropped: %v", err)
			}
		})
	}
}

// TestLongWaitOutlivesTimeouts: no limit ends a call that waits.
func TestLongWaitOutlivesTimeouts(t *testing.T) {
	w, o := unixOnly(t)
	o.HeaderTimeout, o.BodyTimeout = 200*time.Millisecond, 200*time.Millisecond
	w.hold = make(chan struct{})
	s := serve(t, o)
	done := make(chan error)
	go func() {
		_, err := dial(t, s, 0).call("supervisor.stopProcess", "cat")
		done <- err
	}()
	<-w.waits
	c := dial(t, s, 0)
	for start := time.Now(); time.Since(start) < 3*o.BodyTimeout; {
		if _, err := c.call("supervisor.getState"); err != nil {
			t.Fatal(err)
		}
	}
	close(w.hold)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestHangUpEndsTheWait: a client that goes away leaves nothing waiting.
func TestHangUpEndsTheWait(t *testing.T) {
	w, o := unixOnly(t)
	w.hold = make(chan struct{})
	s := serve(t, o)
	doc, err := xmlrpc.EncodeCall("supervisor.stopProcess", "cat")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unix", s.servers[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(doc), doc)
	<-w.waits
	conn.Close()
	eventually(t, "nothing is being answered", func() bool { return serving(s) == 0 })
	if info, _ := w.Info(t.Context(), "cat", "cat"); info.State != state.Stopped {
		t.Errorf("the operation was undone: %s", info.State)
	}
}

// TestRunEndsWaits: when the daemon ends, waiting calls and streams end too, and
// a reply that was on its way arrives.
func TestRunEndsWaits(t *testing.T) {
	w, o := unixOnly(t)
	w.hold = make(chan struct{})
	s := New(o)
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	c := dial(t, s, 0)
	waited := make(chan error)
	go func() {
		_, err := c.call("supervisor.stopProcess", "cat")
		waited <- err
	}()
	<-w.waits
	stream := follow(t, s, "/logtail/two:two_00")
	stream.reads("out\n")
	cancel()
	if err := <-waited; err == nil || err.Error() != "503 Service Unavailable" {
		t.Errorf("the waiting call: %v", err)
	}
	if rest, err := io.ReadAll(stream.body); err != nil || len(rest) > 0 {
		t.Errorf("the stream: %q, %v", rest, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestConnectionLimit: silent connections never keep a client out, and when
// every place is being answered the refusal is a clear one.
func TestConnectionLimit(t *testing.T) {
	_, o := unixOnly(t)
	o.MaxConns = 20
	begun, release := blocking(&o)
	s := serve(t, o)
	path := s.servers[0].Path
	for i := range 200 {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if i%2 == 0 {
			io.WriteString(conn, "GET /ok.ht")
		}
		if i%20 == 0 {
			if _, err := dial(t, s, 0).call("supervisor.getState"); err != nil {
				t.Fatalf("after %d connections: %v", i, err)
			}
		}
	}
	if n := held(s); n > o.MaxConns {
		t.Errorf("%d connections are held", n)
	}

	var busy sync.WaitGroup
	for range o.MaxConns {
		busy.Go(func() { dial(t, s, 0).call("test.block") })
		<-begun
	}
	if resp, body := dial(t, s, 0).do(t, "GET", "/ok.html", ""); resp.StatusCode != 503 {
		t.Errorf("%s %s", resp.Status, body)
	}
	close(release)
	busy.Wait()
	s.servers[0].conns.drain(2 * time.Minute) // a client may have its reply before its place is free
	if resp, body := dial(t, s, 0).do(t, "GET", "/ok.html", ""); resp.StatusCode != 200 {
		t.Errorf("%s %s", resp.Status, body)
	}
}

// held is how many connections the first server has.
func held(s *Server) int {
	cs := s.servers[0].conns
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.all)
}

// serving is how many of them are being answered.
func serving(s *Server) int {
	cs := s.servers[0].conns
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.unfinished
}

// TestKeepAliveAndPipeline: many requests on one connection, also without
// waiting for the replies.
func TestKeepAliveAndPipeline(t *testing.T) {
	w, o := unixOnly(t)
	s := serve(t, o)
	conn, err := net.Dial("unix", s.servers[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, strings.Repeat("GET /ok.html HTTP/1.1\r\nHost: h\r\n\r\n", 50)+
		"GET /ok.html HTTP/1.1\r\nHost: h\r\nConnection: Close\r\n\r\n")
	r := bufio.NewReader(conn)
	for i := range 51 {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("reply %d: %v", i, err)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "OK" {
			t.Fatalf("reply %d: %q, %v", i, body, err)
		}
	}
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("the connection stays open: %v", err)
	}
	if n := w.attended.Load(); n != 51 {
		t.Errorf("%d of 51 requests were told of", n)
	}
}

// TestUnauthorizedCloses: the original keeps the connection as a sink.
func TestUnauthorizedCloses(t *testing.T) {
	dir := shortDir(t)
	s := serve(t, newFakeDaemon(t, dir).options(dir))
	conn, err := net.Dial("tcp", s.servers[1].listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET /ok.html HTTP/1.1\r\nHost: h\r\n\r\n")
	conn.SetReadDeadline(time.Now().Add(2 * time.Minute))
	reply, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(reply), "HTTP/1.1 401 Unauthorized\r\n") {
		t.Errorf("%q, %v", reply, err)
	}
}

func TestPasswords(t *testing.T) {
	for _, tc := range []struct {
		configured, given string
		want              int
	}{
		{"secret", "secret", 1},
		{"secret", "Secret", 0},
		{"secret", "", 0},
		{"", "", 1},
		{"{SHA}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4", "secret", 1},
		{"{SHA}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4", "wrong", 0},
		{"{SHA}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4", "{SHA}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4", 0},
		{"{SHA}E5E9FA1BA31ECD1AE84F75CAAA474F3A663F05F4", "secret", 0},
	} {
		if got := passwordMatches(tc.given, tc.configured); got != tc.want {
			t.Errorf("%q against %q: %d", tc.given, tc.configured, got)
		}
	}
}

// TestActivity: who changed what is said once, what changed nothing is not, and
// the level trace has Supervisor's lines.
func TestActivity(t *testing.T) {
	_, o := unixOnly(t)
	var log activity
	o.Logger = log.logger(mainlog.LevelTrace)
	c := dial(t, serve(t, o), 0)
	by := " by uid " + uid() + " via unix socket"
	for _, tc := range []struct {
		method string
		params []any
		want   string
	}{
		{"supervisor.stopProcess", []any{"cat"}, "cat stopped" + by},
		{"supervisor.startProcess", []any{"cat"}, "cat started" + by},
		{"supervisor.signalProcess", []any{"two:two_00", "HUP"}, "two:two_00 signalled" + by},
		{"supervisor.stopProcessGroup", []any{"two"}, "two:* stopped" + by},
		{"supervisor.startProcess", []any{"two:*"}, "two:* started" + by},
		{"supervisor.stopAllProcesses", nil, "all processes stopped" + by},
		{"supervisor.clearProcessLogs", []any{"cat"}, "logs of cat cleared" + by},
		{"supervisor.clearLog", nil, "main log cleared" + by},
		{"supervisor.removeProcessGroup", []any{"cat"}, "cat removed" + by},
		{"supervisor.addProcessGroup", []any{"cat"}, "cat added" + by},
		{"supervisor.shutdown", nil, "shutdown requested" + by},
	} {
		if _, err := c.call(tc.method, tc.params...); err != nil {
			t.Fatalf("%s: %v", tc.method, err)
		}
		if !log.has(`level=INFO msg="` + tc.want + `"`) {
			t.Errorf("%s: %q is not among %q", tc.method, tc.want, log.lines)
		}
	}
	for _, line := range []string{
		"XML-RPC method called: supervisor.stopProcess()",
		"XML-RPC method supervisor.stopProcess() returned successfully",
		`\"POST /RPC2 HTTP/1.1\" 200 `,
		"localhost:0 - - [" + time.Now().Format("02/Jan/2006"),
	} {
		if !log.has(line) {
			t.Errorf("%q is missing", line)
		}
	}

	w, o := unixOnly(t)
	var quiet activity
	o.Logger = quiet.logger(slog.LevelDebug)
	s := serve(t, o)
	quiet.lines = nil
	c = dial(t, s, 0)
	for _, call := range [][]any{
		{"supervisor.getState"}, {"supervisor.getAllProcessInfo"}, {"supervisor.reloadConfig"},
		{"supervisor.startProcess", "cat"}, {"supervisor.startProcess", "nope"}, {"supervisor.startProcessGroup", "two"},
		{"supervisor.startProcessGroup", "badcmd"},
	} {
		c.call(call[0].(string), call[1:]...)
	}
	if len(quiet.lines) > 0 || len(w.signals) > 0 {
		t.Errorf("something was said: %q", quiet.lines)
	}
}

// TestInvalidRequestIsLogged as Supervisor does.
func TestInvalidRequestIsLogged(t *testing.T) {
	_, o := unixOnly(t)
	var log activity
	o.Logger = log.logger(0)
	o.Extra = []Namespace{{Name: "test", Methods: []Method{
		{Name: "panic", Func: func(context.Context, Args) (any, error) { panic("oops") }},
		{Name: "odd", Func: func(context.Context, Args) (any, error) { return struct{}{}, nil }},
	}}}
	c := dial(t, serve(t, o), 0)
	c.do(t, "POST", "/RPC2", "a'b")
	c.do(t, "POST", "/RPC2", "<a/>")
	for _, method := range []string{"test.panic", "test.odd"} {
		if _, err := c.call(method); err == nil || err.Error() != "500 Internal Server Error" {
			t.Errorf("%s: %v", method, err)
		}
	}
	for _, line := range []string{
		`level=ERROR msg="XML-RPC request data \"a'b\" is invalid: unmarshallable"`,
		`level=ERROR msg="XML-RPC request data '<a/>' is invalid: no method name"`,
		`level=ERROR+4 msg="Handling XML-RPC request with data \"<?xml version='1.0'?>`,
		"raised an unexpected exception: panic: oops",
		"raised an unexpected exception: XML-RPC has no form for a struct {}",
	} {
		if !log.has(line) {
			t.Errorf("%s is not among %q", line, log.lines)
		}
	}
	if _, err := c.call("supervisor.getState"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestTLS: with a certificate of its own, and only for clients who have one.
func TestTLS(t *testing.T) {
	dir := shortDir(t)
	cert := selfSigned(t, dir)
	o := newFakeDaemon(t, dir).options(dir)
	plain := spec.Server{Section: "inet_http_server:tls", Network: "tcp", Host: "127.0.0.1",
		CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	strict := plain
	strict.ClientCA = plain.CertFile
	o.Servers = []spec.Server{plain, strict}
	s := serve(t, o)
	roots := x509.NewCertPool()
	roots.AddCert(cert.Leaf)
	get := func(n int, own ...tls.Certificate) error {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: own}}
		defer transport.CloseIdleConnections()
		c := &client{http: &http.Client{Transport: transport}, base: "https://" + s.servers[n].listener.Addr().String()}
		_, err := c.call("supervisor.getState")
		return err
	}
	if err := get(0); err != nil {
		t.Errorf("without a certificate: %v", err)
	}
	if err := get(1, cert); err != nil {
		t.Errorf("with a certificate: %v", err)
	}
	if err := get(1); err == nil {
		t.Error("let in without a certificate")
	}
	if resp, err := http.Get("http://" + s.servers[0].listener.Addr().String()); err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("without TLS: %s", resp.Status)
		}
	}
}

func selfSigned(t *testing.T, dir string) tls.Certificate {
	t.Helper()
	return selfSignedFor(t, dir, time.Hour)
}

// selfSignedFor writes cert.pem and key.pem, which expire after a while, to dir.
func selfSignedFor(t *testing.T, dir string, valid time.Duration) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(valid), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// TestOddFramingCloses: after a request whose end can be told in two ways the
// connection is closed, so that nothing is smuggled in behind it.
func TestOddFramingCloses(t *testing.T) {
	_, o := unixOnly(t)
	s := serve(t, o)
	for _, header := range []string{
		"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"Content-Length: 2\r\nContent-Length: 2\r\n\r\nxx",
		"X: a\r\n b\r\n\r\n",
	} {
		for _, version := range []string{"1.1", "1.0"} {
			conn := sendRaw(t, s, "GET /ok.html HTTP/"+version+"\r\nHost: h\r\nConnection: keep-alive\r\n"+header+
				"GET /ok.html HTTP/1.1\r\nHost: h\r\n\r\n")
			conn.SetReadDeadline(time.Now().Add(2 * time.Minute))
			reply, err := io.ReadAll(conn)
			if err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("%q: %v", header, err)
			}
			if n := strings.Count(string(reply), "HTTP/1."); n != 1 || !strings.HasPrefix(string(reply), "HTTP/"+version+" 200 ") {
				t.Errorf("%s %q: %d replies: %s", version, header, n, reply)
			}
		}
	}
}
