package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"supervisord/rpc/xmlrpc"
)

// answers is a server that gives each method the value or *Fault set for it.
type answers map[string]any

func (a answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method, _, err := decodeCall(r.Body)
	if err != nil || r.URL.Path != "/RPC2" {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	v, known := a[method]
	if !known {
		v = xmlrpc.NewFault(xmlrpc.UnknownMethod, "")
	}
	if fault, ok := v.(*xmlrpc.Fault); ok {
		w.Write(xmlrpc.EncodeFault(fault))
		return
	}
	body, err := response(v)
	if err != nil {
		panic(err)
	}
	w.Write(body)
}

// listenUnix serves h on a socket and returns its URL.
func listenUnix(t testing.TB, h http.Handler) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cl") // t.TempDir may be longer than a socket's path can be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	s.Start()
	t.Cleanup(s.Close)
	return "unix://" + l.Addr().String()
}

func dial(t testing.TB, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestTarget(t *testing.T) {
	for _, row := range []struct{ url, network, address, base, err string }{
		{url: "unix:///run/s.sock", network: "unix", address: "/run/s.sock", base: "http://localhost"},
		{url: "unix://rel", network: "unix", address: "rel", base: "http://localhost"},
		{url: "http://h", network: "tcp", address: "h:80", base: "http://h:80"},
		{url: "http://h:9001", network: "tcp", address: "h:9001", base: "http://h:9001"},
		{url: "http://h:9001/x/", network: "tcp", address: "h:9001", base: "http://h:9001"},
		{url: "http://[::1]:9", network: "tcp", address: "[::1]:9", base: "http://[::1]:9"},
		{url: "http://[::1]", network: "tcp", address: "[::1]:80", base: "http://[::1]:80"},
		{url: "https://h", network: "tcp", address: "h:443", base: "https://h:443"},
		{url: "http://h:1 x", err: "Port could not be cast to integer value as '1 x'"},
		{url: "ftp://h", err: "Unknown protocol for serverurl ftp://h"},
		{url: "HTTP://h", err: "Unknown protocol for serverurl HTTP://h"},
		{url: "", err: "Unknown protocol for serverurl "},
	} {
		network, address, base, err := parseURL(row.url)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if network != row.network || address != row.address || base != row.base || text != row.err {
			t.Errorf("target(%q) = %q %q %q %q, want %q %q %q %q", row.url,
				network, address, base, text, row.network, row.address, row.base, row.err)
		}
	}
}

func TestMethods(t *testing.T) {
	ctx := context.Background()
	info := xmlrpc.Struct{
		{Name: "name", Value: "p"}, {Name: "group", Value: "g"}, {Name: "state", Value: 20},
		{Name: "statename", Value: "RUNNING"}, {Name: "description", Value: "pid 7"}, {Name: "pid", Value: 7},
		{Name: "start", Value: 1}, {Name: "stop", Value: 2}, {Name: "now", Value: 3},
		{Name: "exitstatus", Value: -1}, {Name: "spawnerr", Value: "e"}, {Name: "logfile", Value: "o"},
		{Name: "stdout_logfile", Value: "o"}, {Name: "stderr_logfile", Value: "r"},
	}
	c := dial(t, Options{URL: listenUnix(t, answers{
		"supervisor.getVersion":        "3.0",
		"supervisor.getPID":            12,
		"supervisor.getAllProcessInfo": []any{info},
		"supervisor.stopProcessGroup": []any{xmlrpc.Struct{
			{Name: "name", Value: "p"}, {Name: "group", Value: "g"},
			{Name: "status", Value: 80}, {Name: "description", Value: "OK"},
		}},
		"supervisor.reloadConfig":   []any{[]any{[]string{"a"}, []string{}, []string{"r", "s"}}},
		"supervisor.startProcess":   xmlrpc.NewFault(xmlrpc.BadName, "nope"),
		"supervisor.readLog":        7, // a wrong type
		"supervisor.getProcessInfo": xmlrpc.Struct{{Name: "name", Value: "p"}},
		"reconcile.getHistory":      []any{},
		"events.getListeners": []any{xmlrpc.Struct{
			{Name: "group", Value: "g"}, {Name: "name", Value: "p"}, {Name: "state", Value: 20}, {Name: "statename", Value: "BUSY"},
			{Name: "waiting", Value: 1}, {Name: "dropped", Value: 2}, {Name: "since", Value: 3},
		}},
		"supervisor.signalAllProcesses": "x",
	})})

	if v, err := c.APIVersion(ctx); v != "3.0" || err != nil {
		t.Errorf("APIVersion = %q, %v", v, err)
	}
	if v, err := c.PID(ctx); v != 12 || err != nil {
		t.Errorf("PID = %d, %v", v, err)
	}
	all, err := c.AllProcessInfo(ctx)
	want := []ProcessInfo{{
		Name: "p", Group: "g", State: 20, StateName: "RUNNING", Description: "pid 7", PID: 7,
		Start: 1, Stop: 2, Now: 3, ExitStatus: -1, SpawnErr: "e", StdoutLog: "o", StderrLog: "r",
	}}
	if diff := cmp.Diff(want, all); diff != "" || err != nil {
		t.Errorf("AllProcessInfo: %v\n%s", err, diff)
	}
	results, err := c.StopGroup(ctx, "g")
	if diff := cmp.Diff([]Result{{"p", "g", Success, "OK"}}, results); diff != "" || err != nil {
		t.Errorf("StopGroup: %v\n%s", err, diff)
	}
	changed, err := c.Reread(ctx)
	if diff := cmp.Diff(Changes{[]string{"a"}, []string{}, []string{"r", "s"}}, changed); diff != "" || err != nil {
		t.Errorf("Reread: %v\n%s", err, diff)
	}
	if err := c.StartProcess(ctx, "nope"); !HasCode(err, FaultBadName) {
		t.Errorf("StartProcess: %v, want BAD_NAME", err)
	}
	listeners, err := c.Listeners(ctx)
	wantListeners := []Listener{{Group: "g", Name: "p", State: 20, StateName: "BUSY", Waiting: 1, Dropped: 2, Since: 3}}
	if diff := cmp.Diff(wantListeners, listeners); diff != "" || err != nil {
		t.Errorf("Listeners: %v\n%s", err, diff)
	}
	if entries, err := c.History(ctx, 3); len(entries) != 0 || err != nil {
		t.Errorf("History = %v, %v", entries, err)
	}
	if _, err := c.Diff(ctx, nil); !HasCode(err, FaultUnknownMethod) {
		t.Errorf("Diff: %v, want UNKNOWN_METHOD", err)
	}
	for name, call := range map[string]func() error{
		"string": func() error { _, err := c.ReadMainLog(ctx, 0, 0); return err },
		"struct": func() error { _, err := c.ProcessInfo(ctx, "p"); return err },
		"array":  func() error { _, err := c.SignalAll(ctx, "HUP"); return err },
	} {
		if err := call(); !IsKind(err, Other) {
			t.Errorf("%s: a wrong answer gives %v", name, err)
		}
	}
}

func TestFailures(t *testing.T) {
	dir := t.TempDir()
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	unlistened := filepath.Join(dir, "f")
	if err := os.WriteFile(unlistened, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		o    Options
		kind Kind
		text string
	}{
		{"refused", Options{URL: "http://" + closed.Addr().String()}, Refused, "connection refused"},
		{"nobody listens", Options{URL: "unix://" + unlistened}, Refused, "connection refused"},
		{"no file", Options{URL: "unix://" + dir + "/nope"}, NoFile, "no such file"},
		{"unauthorized", Options{URL: listenUnix(t, status(401))}, Unauthorized, "401 Unauthorized"},
		{"server error", Options{URL: listenUnix(t, status(500))}, Status, "500 Internal Server Error"},
		{"redirect", Options{URL: listenUnix(t, http.RedirectHandler("/x", http.StatusTemporaryRedirect))}, Status, "307"},
		{"not XML", Options{URL: listenUnix(t, status(200))}, Other, "EOF"},
		{"timeout", Options{Timeout: 20 * time.Millisecond, URL: listenUnix(t,
			http.HandlerFunc(silent))}, Timeout, "deadline"},
		{"TLS to a plain server", Options{URL: "https" + strings.TrimPrefix(plain(t), "http")}, WrongScheme, "HTTP response to HTTPS"},
		{"no TLS to a TLS server", Options{URL: "http" + strings.TrimPrefix(encrypted(t).URL, "https")}, WrongScheme, "400 Bad Request"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := dial(t, row.o).PID(context.Background())
			if !IsKind(err, row.kind) || !strings.Contains(err.Error(), row.text) {
				t.Errorf("got %v, want kind %d and %q", err, row.kind, row.text)
			}
			if !strings.Contains(err.Error(), row.o.URL) {
				t.Errorf("%q does not name %s", err, row.o.URL)
			}
		})
	}
}

// silent never answers; it ends when the client hangs up.
func silent(_ http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body) // only then does the server look for the hang-up
	<-r.Context().Done()
}

func plain(t *testing.T) string {
	s := httptest.NewServer(answers{})
	t.Cleanup(s.Close)
	return s.URL
}

func TestPermission(t *testing.T) {
	e := (&Client{url: "u"}).transportError(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", os.ErrPermission)})
	if e.Kind != Permission {
		t.Errorf("kind %d, want %d", e.Kind, Permission)
	}
	e = (&Client{url: "u"}).transportError(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}})
	if e.Kind != NoHost {
		t.Errorf("kind %d, want %d", e.Kind, NoHost)
	}
}

func TestCredentials(t *testing.T) {
	url := listenUnix(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		body, _ := response(user + "/" + password)
		w.Write(body)
	}))
	for _, row := range []struct{ user, password, want string }{
		{"u", "p:q", "u/p:q"}, {"u", "", "u/"}, {"", "", "/"},
	} {
		c := dial(t, Options{URL: url, Username: row.user, Password: row.password})
		if got, err := c.SupervisorVersion(context.Background()); got != row.want || err != nil {
			t.Errorf("credentials arrive as %q, %v; want %q", got, err, row.want)
		}
	}
}

func TestTLS(t *testing.T) {
	s := encrypted(t)
	if _, err := dial(t, Options{URL: s.URL}).PID(context.Background()); !IsKind(err, Untrusted) {
		t.Errorf("an unknown certificate is accepted: %v", err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	c := dial(t, Options{URL: s.URL, TLS: &tls.Config{RootCAs: pool}})
	if pid, err := c.PID(context.Background()); pid != 5 || err != nil {
		t.Errorf("PID = %d, %v", pid, err)
	}
}

// encrypted is a server that speaks TLS and asks for no certificate.
func encrypted(t *testing.T) *httptest.Server {
	s := httptest.NewUnstartedServer(answers{"supervisor.getPID": 5})
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// TestCertificateRefused: whether the server's refusal comes as an alert or as a
// connection that ends, before or after the request is written, its reason is
// known, and forgotten once the server has answered.
func TestCertificateRefused(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		s := httptest.NewUnstartedServer(answers{"supervisor.getPID": 5})
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: version}
		s.StartTLS()
		t.Cleanup(s.Close)
		trust := &tls.Config{RootCAs: x509.NewCertPool()}
		trust.RootCAs.AddCert(s.Certificate())
		for range 20 {
			if _, err := dial(t, Options{URL: s.URL, TLS: trust}).PID(context.Background()); !IsKind(err, CertificateRefused) {
				t.Fatalf("TLS %x without a certificate: %v", version, err)
			}
		}
		trust.Certificates = s.TLS.Certificates
		c := dial(t, Options{URL: s.URL, TLS: trust})
		if pid, err := c.PID(context.Background()); pid != 5 || err != nil {
			t.Errorf("TLS %x with a certificate: %d, %v", version, pid, err)
		}
		if e := c.transportError(io.EOF); e.Kind != Other {
			t.Errorf("kind %d of an error after an answer", e.Kind)
		}
	}
}

func TestConnectionIsKept(t *testing.T) {
	var opened atomic.Int32
	s := httptest.NewUnstartedServer(answers{"supervisor.getPID": 5})
	s.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	c := dial(t, Options{URL: s.URL})
	for range 5 {
		if _, err := c.PID(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("5 calls opened %d connections", n)
	}
}

func TestStream(t *testing.T) {
	gone := make(chan struct{})
	url := listenUnix(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/logtail/cat" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, "first\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(gone)
	}))
	c := dial(t, Options{URL: url, Timeout: 2 * time.Minute})
	s, err := c.Stream(context.Background(), "/logtail/cat")
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 6)
	if _, err := io.ReadFull(s, got); err != nil || string(got) != "first\n" {
		t.Errorf("read %q, %v", got, err)
	}
	s.Close()
	select {
	case <-gone:
	case <-time.After(2 * time.Minute):
		t.Error("closing the stream does not hang up")
	}
	var e *Error
	if _, err := c.Stream(context.Background(), "/logtail/nope"); !errors.As(err, &e) || e.Status != 404 || e.Reason != "Not Found" {
		t.Errorf("Stream of an unknown process: %v", err)
	}
}

func TestStreamTimeout(t *testing.T) {
	url := listenUnix(t, http.HandlerFunc(silent))
	c := dial(t, Options{URL: url, Timeout: 20 * time.Millisecond})
	if _, err := c.Stream(context.Background(), "/mainlogtail"); !IsKind(err, Timeout) {
		t.Errorf("got %v, want a timeout", err)
	}
}

// TestEndlessAnswer: a server that is none cannot fill the memory.
func TestEndlessAnswer(t *testing.T) {
	reply, err := response(strings.Repeat("x", 1000))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		limit int
		ok    bool
	}{{len(reply), true}, {len(reply) - 1, false}} {
		c := dial(t, Options{URL: listenUnix(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Write(reply)
			for !row.ok { // for ever: it ends when the client hangs up
				if _, err := fmt.Fprintf(w, "<!-- %1000s -->", ""); err != nil {
					return
				}
			}
		}))})
		c.limit = int64(row.limit)
		_, err := c.ReadMainLog(context.Background(), 0, 0)
		if ok := err == nil; ok != row.ok || !ok && !IsKind(err, Other) {
			t.Errorf("%d bytes of %d: %v", row.limit, len(reply), err)
		}
	}
}

func TestContextEndsTheWait(t *testing.T) {
	url := listenUnix(t, http.HandlerFunc(silent))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := dial(t, Options{URL: url}).PID(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkAllProcessInfo(b *testing.B) {
	infos := make([]any, 1000)
	for i := range infos {
		infos[i] = xmlrpc.Struct{
			{Name: "name", Value: fmt.Sprint("p", i)}, {Name: "group", Value: "g"}, {Name: "state", Value: 20},
			{Name: "statename", Value: "RUNNING"}, {Name: "description", Value: "pid 7, uptime 0:00:01"},
			{Name: "pid", Value: 7}, {Name: "start", Value: 1}, {Name: "stop", Value: 2}, {Name: "now", Value: 3},
			{Name: "exitstatus", Value: 0}, {Name: "spawnerr", Value: ""}, {Name: "logfile", Value: "o"},
			{Name: "stdout_logfile", Value: "o"}, {Name: "stderr_logfile", Value: "r"},
		}
	}
	c := dial(b, Options{URL: listenUnix(b, answers{"supervisor.getAllProcessInfo": infos})})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.AllProcessInfo(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// response is the document that answers a call with v.
func response(v any) ([]byte, error) {
	b, err := xmlrpc.AppendValue(xmlrpc.AppendResponseStart(nil), v)
	return xmlrpc.AppendResponseEnd(b), err
}

// decodeCall reads a call.
func decodeCall(r io.Reader) (method string, params []any, err error) {
	doc, err := io.ReadAll(r)
	if err != nil {
		return "", nil, err
	}
	return xmlrpc.CallOptions{}.Decode(string(doc))
}
