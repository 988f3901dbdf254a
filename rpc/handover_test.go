package rpc

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime/exact"
	"supervisord/spec"
)

// handOver has one server go on in another's place, by way of what is handed from one
// program to the next.
func handOver(t *testing.T, s *Server, o Options) *Server {
	t.Helper()
	return goOnFrom(t, s.HandOver(t.Context()), o)
}

// goOnFrom is the second half of that.
func goOnFrom(t *testing.T, h *Handover, o Options) *Server {
	t.Helper()
	text, err := exact.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "pa:ss") {
		t.Errorf("the password is handed over: %s", text)
	}
	next := new(Handover)
	if err := exact.Unmarshal(text, next); err != nil {
		t.Fatal(err)
	}
	if err := next.Take(h.Files()); err != nil {
		t.Fatal(err)
	}
	held, err := next.ResumeSockets()
	if err != nil {
		t.Fatal(err)
	}
	if o.Sockets, err = OpenSockets(o.Servers, SocketOptions{Held: held}); err != nil {
		t.Fatal(err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	o.Handed = next
	return serve(t, o)
}

// keepPort has the next server be found where s is.
func keepPort(s *Server, o *Options) {
	o.Servers[1].Port = s.servers[1].listener.Addr().(*net.TCPAddr).Port
	s.sockets.list[1].Port = o.Servers[1].Port
}

// TestHandOver: nobody who talks to a server notices that another one has taken its place.
func TestHandOver(t *testing.T) {
	dir := shortDir(t)
	w := newFakeDaemon(t, dir)
	o := w.options(dir)
	log := new(activity)
	o.Logger = log.logger(slog.LevelInfo)
	s := serve(t, o)
	keepPort(s, &o)
	before, err := os.Lstat(o.Servers[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	cat, _ := w.Info(t.Context(), "cat", "cat")
	if err := os.WriteFile(cat.StdoutLog, []byte("one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stream := follow(t, s, "/logtail/cat")
	stream.reads("one\n")

	// Clients that send one request after the other, each over one connection.
	ctx, stop := context.WithCancel(t.Context())
	var polling sync.WaitGroup
	for n := range 4 {
		polling.Go(func() {
			nc, err := net.Dial("unix", o.Servers[0].Path)
			if n%2 == 1 {
				nc, err = net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(o.Servers[1].Port)))
			}
			if err != nil {
				t.Error(err)
				return
			}
			defer nc.Close()
			nc.SetDeadline(time.Now().Add(time.Minute))
			answers := bufio.NewReader(nc)
			for i := 0; ctx.Err() == nil; i++ {
				request := "GET /ok.html HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic dXNlcjpwYTpzcw==\r\n\r\n"
				for _, part := range []string{request[:9], request[9:]} { // a handover comes between the two as well
					if _, err := io.WriteString(nc, part); err != nil {
						t.Errorf("client %d, request %d: %v", n, i, err)
						return
					}
				}
				resp, err := http.ReadResponse(answers, nil)
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
				}
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Errorf("client %d, request %d: %v, %v", n, i, resp, err)
					return
				}
			}
		})
	}
	idle := dial(t, s, 0)
	var conns int
	idle.http.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		conns++
		return net.Dial("unix", o.Servers[0].Path)
	}
	if _, err := idle.call("supervisor.getState"); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		s = handOver(t, s, o)
		text := "line " + strconv.Itoa(i) + "\n"
		appendTo(t, cat.StdoutLog, text)
		stream.reads(text)
		if _, err := idle.call("supervisor.getState"); err != nil {
			t.Fatalf("handover %d: %v", i, err)
		}
	}
	stop()
	polling.Wait()
	if conns != 1 {
		t.Errorf("the idle client made %d connections", conns)
	}
	if log.has("panicked") {
		t.Errorf("the log says %q", log.lines)
	}
	after, err := os.Lstat(o.Servers[0].Path)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the socket's file is another one: %v", err)
	}
}

// TestHandOverOfGone: clients that have gone while nobody was there to see it, with their
// connections reset, harm nobody.
func TestHandOverOfGone(t *testing.T) {
	dir := shortDir(t)
	w := newFakeDaemon(t, dir)
	o := w.options(dir)
	log := new(activity)
	o.Logger = log.logger(slog.LevelInfo)
	o.Servers[1].Username, o.Servers[1].Password, o.Servers[1].HasAuth = "", "", false
	s := serve(t, o)
	keepPort(s, &o)
	cat, _ := w.Info(t.Context(), "cat", "cat")
	if err := os.WriteFile(cat.StdoutLog, []byte("one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var clients []*net.TCPConn
	connect := func() *client {
		c := dial(t, s, 1)
		c.http.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
			nc, err := net.Dial("tcp", s.servers[1].listener.Addr().String())
			if err == nil {
				clients = append(clients, nc.(*net.TCPConn))
			}
			return nc, err
		}
		return c
	}
	if _, err := connect().call("supervisor.getState"); err != nil {
		t.Fatal(err)
	}
	followOf(t, connect(), "/logtail/cat").reads("one\n")
	h := s.HandOver(t.Context())
	if len(h.Conns) != 2 {
		t.Fatalf("%d connections are handed over", len(h.Conns))
	}
	for _, nc := range clients {
		if err := nc.SetLinger(0); err != nil { // so that Close resets it
			t.Fatal(err)
		}
		nc.Close()
	}
	next := goOnFrom(t, h, o)
	if _, err := dial(t, next, 1).call("supervisor.getState"); err != nil {
		t.Error(err)
	}
	eventually(t, "nobody but the last client", func() bool {
		cs := next.servers[1].conns
		cs.mu.Lock()
		defer cs.mu.Unlock()
		return len(cs.all) <= 1
	})
	if log.has("panicked") {
		t.Errorf("the log says %q", log.lines)
	}
}

// TestHandOverWhileWaiting: a call that waits for longer than there is time is told to ask
// again, and what is of no section any more is closed.
func TestHandOverWhileWaiting(t *testing.T) {
	w, o := unixOnly(t)
	w.hold, w.waits = make(chan struct{}), make(chan struct{}, 1)
	defer close(w.hold)
	s := serve(t, o)
	answer := make(chan error, 1)
	go func() {
		_, err := dial(t, s, 0).call("supervisor.startProcess", "stopped")
		answer <- err
	}()
	<-w.waits
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // no time at all
	h := s.HandOver(ctx)
	defer h.Close()
	var fault *xmlrpc.Fault
	if err := <-answer; !errors.As(err, &fault) || fault.Code != xmlrpc.Failed || !strings.Contains(fault.Text, "ask again") {
		t.Errorf("the call that waited: %v", err)
	}
}

// TestHandOverWhileAPageWaits: what was asked for on the page is no longer waited for, either,
// and the page says so.
func TestHandOverWhileAPageWaits(t *testing.T) {
	w, o := unixOnly(t)
	w.hold, w.waits = make(chan struct{}), make(chan struct{}, 1)
	defer close(w.hold)
	s := serve(t, o)
	s.waitingPatience = 100 * time.Millisecond
	message := make(chan string, 1)
	go func() {
		resp, _ := dial(t, s, 0).do(t, "POST", "/act", "do=start+stopped", "Content-Type", "application/x-www-form-urlencoded")
		to, _ := url.Parse(resp.Header.Get("Location"))
		message <- to.Query().Get("message")
	}()
	<-w.waits
	begun := time.Now()
	s.HandOver(t.Context()).Close()
	if took := time.Since(begun); took >= s.waitingPatience+shortPatience {
		t.Errorf("it takes %v", took)
	}
	if text := <-message; !strings.Contains(text, "ask again") {
		t.Errorf("the page says %q", text)
	}
}

// readingFiles is a reconciler that does not come to read the files.
type readingFiles struct {
	fakeReconciler
	begun chan struct{}
}

func (r readingFiles) Diff(ctx context.Context, _ []string) ([]any, error) {
	r.begun <- struct{}{}
	<-ctx.Done()
	return nil, ctx.Err()
}

func (r readingFiles) Plan(ctx context.Context, names []string, _ string) (xmlrpc.Struct, error) {
	_, err := r.Diff(ctx, names)
	return nil, err
}

// TestHandOverWhileFilesAreRead: others are answered while one waits for the files.
func TestHandOverWhileFilesAreRead(t *testing.T) {
	for _, method := range []string{"reconcile.diff", "reconcile.plan"} {
		t.Run(method, func(t *testing.T) {
			_, o := unixOnly(t)
			r := readingFiles{begun: make(chan struct{}, 1)}
			o.Extra = []Namespace{ReconcileNamespace(r)}
			s := serve(t, o)
			answer := make(chan error, 1)
			go func() {
				_, err := dial(t, s, 0).call(method)
				answer <- err
			}()
			<-r.begun
			s.waitingPatience = 500 * time.Millisecond
			over := make(chan *Handover, 1)
			begun := time.Now()
			go func() { over <- s.HandOver(t.Context()) }()
			eventually(t, "the handover to wait", func() bool {
				cs := s.servers[0].conns
				cs.mu.Lock()
				defer cs.mu.Unlock()
				return cs.changed != nil
			})
			if _, err := dial(t, s, 0).call("supervisor.getState"); err != nil {
				t.Errorf("another one: %v", err)
			}
			if took := time.Since(begun); took >= s.waitingPatience+shortPatience {
				t.Errorf("another one was answered after %v", took)
			}
			var fault *xmlrpc.Fault
			if err := <-answer; !errors.As(err, &fault) || !strings.Contains(fault.Text, "ask again") {
				t.Errorf("who waited: %v", err)
			}
			h := <-over
			if took := time.Since(begun); took >= s.waitingPatience+shortPatience {
				t.Errorf("it takes %v", took)
			}
			s.GoOn(h)
			if _, err := dial(t, s, 0).call("supervisor.getState"); err != nil {
				t.Errorf("after it was given up: %v", err)
			}
			go func() {
				_, err := dial(t, s, 0).call(method)
				answer <- err
			}()
			<-r.begun
			select {
			case err := <-answer:
				t.Errorf("who waits after it was given up: %v", err)
			default:
			}
		})
	}
}

// TestHandOverOfTLS: connections that cannot be handed over hold nobody up between two
// requests.
func TestHandOverOfTLS(t *testing.T) {
	dir := shortDir(t)
	selfSigned(t, dir)
	o := newFakeDaemon(t, dir).options(dir)
	answering, release := blocking(&o)
	o.Servers = []spec.Server{{Section: "inet_http_server", Network: "tcp", Host: "127.0.0.1",
		CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}}
	s := serve(t, o)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	c := &client{http: &http.Client{Transport: transport}, base: "https://" + s.servers[0].listener.Addr().String()}
	if _, err := c.call("supervisor.getState"); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	h := s.HandOver(t.Context())
	if took := time.Since(begun); took >= shortPatience {
		t.Errorf("it takes %v", took)
	}
	s.GoOn(h)
	transport.CloseIdleConnections()
	if _, err := c.call("supervisor.getState"); err != nil {
		t.Errorf("after it was given up: %v", err)
	}

	answer := make(chan error, 1)
	go func() {
		_, err := c.call("test.block")
		answer <- err
	}()
	<-answering
	begun = time.Now()
	over := make(chan struct{})
	go func() {
		defer close(over)
		s.HandOver(t.Context()).Close()
	}()
	eventually(t, "the handover to wait for nothing but the reply", func() bool {
		cs := s.servers[0].conns
		cs.mu.Lock()
		defer cs.mu.Unlock()
		return cs.changed != nil && len(cs.all) == 1
	})
	close(release)
	<-over
	if took := time.Since(begun); took >= shortPatience {
		t.Errorf("it takes %v where a request is being answered", took)
	}
	if err := <-answer; err != nil {
		t.Errorf("the request that was being answered: %v", err)
	}
}
