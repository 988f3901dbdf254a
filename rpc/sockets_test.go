package rpc

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"supervisord/spec"
)

// TestSocketsOutliveAServer: the sockets of the next server are those of the one before
// where they are the same, and whoever connects in between is answered.
func TestSocketsOutliveAServer(t *testing.T) {
	dir := shortDir(t)
	o := newFakeDaemon(t, dir).options(dir)
	o.Servers[1].Username = ""
	o.Servers[1].Port = freePort(t)
	first := New(o)
	if err := first.Listen(); err != nil {
		t.Fatal(err)
	}
	before, err := os.Lstat(o.Servers[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- first.Run(ctx) }()

	unused, err := OpenSockets(o.Servers, SocketOptions{PID: 4711, Held: first.sockets})
	if err != nil {
		t.Fatal(err)
	}
	if err := unused.Close(); err != nil { // a restart that did not come about
		t.Error(err)
	}
	clients := []*client{dial(t, first, 0), dial(t, first, 1)}
	for n, c := range clients {
		if _, err := c.call("supervisor.getState"); err != nil {
			t.Fatalf("server %d after a restart that did not come about: %v", n, err)
		}
		c.http.CloseIdleConnections()
	}

	if o.Sockets, err = OpenSockets(o.Servers, SocketOptions{PID: 4711, Held: first.sockets}); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	answers := make(chan error)
	for _, c := range clients {
		go func() { _, err := c.call("supervisor.getState"); answers <- err }()
	}
	second := serve(t, o)
	for range clients {
		if err := <-answers; err != nil {
			t.Errorf("one who came between two servers: %v", err)
		}
	}
	after, err := os.Lstat(o.Servers[0].Path)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the socket's file is another: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(dir + "/s.sock*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestSocketsChangedInPlace: what the server that runs stands in the way of is had when
// it has ended, and what was promised of it holds although the file vanished and was
// made again meanwhile.
func TestSocketsChangedInPlace(t *testing.T) {
	dir := shortDir(t)
	o := newFakeDaemon(t, dir).options(dir)
	o.Servers[1].Username = ""
	o.Servers[1].Port = freePort(t)
	first := New(o)
	if err := first.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- first.Run(ctx) }()
	if _, err := dial(t, first, 1).call("supervisor.getState"); err != nil {
		t.Fatal(err)
	}

	next := o
	next.Servers = []spec.Server{o.Servers[0], o.Servers[1]}
	next.Servers[0].Mode = 0o600
	next.Servers[1].Host = "" // every address, that of the first among them
	var err error
	if next.Sockets, err = OpenSockets(next.Servers, SocketOptions{PID: 4711, Held: first.sockets}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(o.Servers[0].Path); err != nil {
		t.Fatal(err)
	}
	if err := first.Check(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(o.Servers[0].Path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("while the first server runs: %v, %v", info, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	second := serve(t, next)
	if info, err := os.Lstat(o.Servers[0].Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("then: %v, %v", info, err)
	}
	for n := range 2 {
		if _, err := dial(t, second, n).call("supervisor.getState"); err != nil {
			t.Errorf("server %d: %v", n, err)
		}
	}
}

// TestServerErrors: each way in which a server cannot be had is told with section, key
// and reason, and a check of it leaves nothing behind.
func TestServerErrors(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	dir := shortDir(t)
	used := filepath.Join(dir, "used")
	other, err := net.Listen("unix", used)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := os.WriteFile(filepath.Join(dir, "empty.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	none := spec.Owner{UID: -1, GID: -1}
	for name, tc := range map[string]struct {
		server spec.Server
		want   string
		inUse  bool
	}{
		"port taken": {
			spec.Server{Network: "tcp", Host: "127.0.0.1", Port: port},
			"[s] port: another program is listening on 127.0.0.1:", true,
		},
		"socket taken": {
			spec.Server{Network: "unix", Path: used, Owner: none}, "[s] file: another program is listening on " + used, true,
		},
		"no directory": {
			spec.Server{Network: "unix", Path: dir + "/none/s.sock", Owner: none},
			"[s] file: cannot listen on " + dir + "/none/s.sock: no such directory (create " + dir + "/none)", false,
		},
		"long path": {
			spec.Server{Network: "unix", Path: dir + "/" + strings.Repeat("x", maxSocketPath-len(dir)), Owner: none},
			"[s] file: the path has ", false,
		},
		"no certificate": {
			spec.Server{Network: "tcp", Host: "127.0.0.1", CertFile: dir + "/none.pem"},
			"[s] certfile: cannot use certfile and keyfile: open " + dir + "/none.pem: no such file or directory", false,
		},
		"no pair": {
			spec.Server{Network: "tcp", Host: "127.0.0.1", CertFile: dir + "/empty.pem", KeyFile: dir + "/empty.pem"},
			"[s] certfile: cannot use certfile and keyfile: tls: failed to find any PEM data in certificate input", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.server.Section = "s"
			_, err := OpenSockets([]spec.Server{tc.server}, SocketOptions{Try: true})
			var refused *ServerError
			if !errors.As(err, &refused) {
				t.Fatalf("got %v", err)
			}
			if got := refused.Mistake.Report(); !strings.HasPrefix(got, tc.want) || refused.InUse != tc.inUse {
				t.Errorf("got %s, in use %v\nwant %s", got, refused.InUse, tc.want)
			}
		})
	}
	longest := dir + "/" + strings.Repeat("x", maxSocketPath-len(dir)-1)
	good := spec.Server{Section: "s", Network: "unix", Path: longest, Owner: none, Mode: 0o700}
	tried, err := OpenSockets([]spec.Server{good}, SocketOptions{Try: true})
	if err != nil {
		t.Fatalf("the longest path: %v", err)
	}
	if _, err := os.Lstat(longest); err == nil {
		t.Error("a check has made the socket")
	}
	if err := tried.Close(); err != nil {
		t.Error(err)
	}
	real, err := OpenSockets([]spec.Server{good}, SocketOptions{})
	if err != nil {
		t.Fatalf("the longest path: %v", err)
	}
	conn, err := net.Dial("unix", longest)
	if err != nil {
		t.Errorf("the longest path: %v", err)
	} else {
		conn.Close()
	}
	if err := real.Close(); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 { // used and empty.pem
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// freePort is a port of 127.0.0.1 that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
