package rpc

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"supervisord/rpc/xmlrpc"
)

// handOver has one server go on in another's place, by way of what is handed from one
// program to the next.
func handOver(t *testing.T, s *Server, o Options) *Server {
	t.Helper()
	h := s.HandOver(t.Context())
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "pa:ss") {
		t.Errorf("the password is handed over: %s", text)
	}
	next := new(Handover)
	if err := json.Unmarshal(text, next); err != nil {
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

// TestHandOver: nobody who talks to a server notices that another one has taken its place.
func TestHandOver(t *testing.T) {
	dir := shortDir(t)
	w := newFakeDaemon(t, dir)
	o := w.options(dir)
	s := serve(t, o)
	port := s.servers[1].listener.Addr().(*net.TCPAddr).Port
	o.Servers[1].Port = port // the next one is to be found there, too
	s.sockets.list[1].Port = port
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
				nc, err = net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
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
	after, err := os.Lstat(o.Servers[0].Path)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the socket's file is another one: %v", err)
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
