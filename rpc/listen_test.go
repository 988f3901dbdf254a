package rpc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"supervisord/spec"
)

// shortDir is a directory whose path leaves room for a socket's name.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// unixOnly are the options of a server with one unix socket.
func unixOnly(t testing.TB) (*fakeDaemon, Options) {
	t.Helper()
	dir := shortDir(t)
	w := newFakeDaemon(t, dir)
	o := w.options(dir)
	o.Servers = o.Servers[:1]
	return w, o
}

func listening(t *testing.T, o Options) *Server {
	t.Helper()
	s := New(o)
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestUnixSocket(t *testing.T) {
	_, o := unixOnly(t)
	o.Servers[0].Mode = 0o620
	path := o.Servers[0].Path
	s := listening(t, o)
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != os.ModeSocket|0o620 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := os.Lstat(path + ".4711"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary name is still there: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

// leaveSocket leaves a socket at a path on which nobody answers.
func leaveSocket(path string) error {
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	return l.Close()
}

// TestStaleSocket: a socket that nobody answers on is replaced, and that is said.
func TestStaleSocket(t *testing.T) {
	_, o := unixOnly(t)
	var stderr bytes.Buffer
	o.Stderr = &stderr
	for _, path := range []string{o.Servers[0].Path, o.Servers[0].Path + ".4711"} { // the temporary name, too
		if err := leaveSocket(path); err != nil {
			t.Fatal(err)
		}
	}
	s := serve(t, o)
	if want := "Unlinking stale socket " + o.Servers[0].Path + "\n"; stderr.String() != want {
		t.Errorf("said %q", stderr.String())
	}
	if _, err := dial(t, s, 0).call("supervisor.getState"); err != nil {
		t.Error(err)
	}
}

// TestNoSocketInTheWay: what is no socket is refused with the reason and left as it
// is, at the socket's own path and at its temporary one.
func TestNoSocketInTheWay(t *testing.T) {
	for name, tc := range map[string]struct {
		leave func(path string) error
		want  string
	}{
		"file":       {func(path string) error { return os.WriteFile(path, []byte("precious"), 0o600) }, "a regular file"},
		"empty file": {func(path string) error { return os.WriteFile(path, nil, 0o600) }, "a regular file"},
		"directory":  {func(path string) error { return os.Mkdir(path, 0o700) }, "a directory"},
		"fifo":       {func(path string) error { return syscall.Mkfifo(path, 0o600) }, "a named pipe"},
		"dead link":  {func(path string) error { return os.Symlink("/nonexistent", path) }, "a symbolic link"},
		"link to a stale socket": {func(path string) error {
			return errors.Join(leaveSocket(path+"-real"), os.Symlink(path+"-real", path))
		}, "a symbolic link"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, suffix := range []string{"", ".4711"} {
				_, o := unixOnly(t)
				path := o.Servers[0].Path + suffix
				if err := tc.leave(path); err != nil {
					t.Fatal(err)
				}
				before, err := os.Lstat(path)
				if err != nil {
					t.Fatal(err)
				}
				want := "Cannot open an HTTP server: " + path + " is " + tc.want + ", not a socket; remove it, or give the server another file="
				if err := New(o).Listen(); err == nil || err.Error() != want {
					t.Errorf("got %v\nwant %s", err, want)
				}
				after, err := os.Lstat(path)
				if err != nil || !os.SameFile(before, after) || after.Size() != before.Size() {
					t.Errorf("%s: it was touched: %v", path, err)
				}
			}
		})
	}
}

// TestSocketInUse: a daemon that runs keeps its socket, whether it answers or
// hangs.
func TestSocketInUse(t *testing.T) {
	_, o := unixOnly(t)
	l, err := net.Listen("unix", o.Servers[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	before, _ := os.Lstat(o.Servers[0].Path)
	s := New(o)
	const want = "Another program is already listening on a port that one of our HTTP servers is configured to use.  " +
		"Shut this program down first before starting supervisord."
	if err := s.Listen(); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	after, err := os.Lstat(o.Servers[0].Path)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the other's socket was touched: %v", err)
	}
}

// TestCloseLeavesAnothersSocket: what another daemon made under our name since
// is not ours to remove.
func TestCloseLeavesAnothersSocket(t *testing.T) {
	_, o := unixOnly(t)
	s := listening(t, o)
	path := o.Servers[0].Path
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}

// TestAddressIsFreeAtTheEnd: whoever sees its connection end finds the address free, for
// the daemon that comes next.
func TestAddressIsFreeAtTheEnd(t *testing.T) {
	for range 20 {
		w := newFakeDaemon(t, shortDir(t))
		s := listening(t, w.options(shortDir(t)))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		for _, hs := range s.servers {
			address := hs.listener.Addr()
			if hs.Network == "unix" {
				address = &net.UnixAddr{Name: hs.Path, Net: "unix"}
			}
			conn, err := net.Dial(address.Network(), address.String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			free := make(chan error, 1)
			defer func() {
				if err := <-free; err != nil {
					t.Error(err)
				}
			}()
			go func() {
				io.Copy(io.Discard, conn)
				next, err := net.Listen(address.Network(), address.String())
				if err == nil {
					next.Close()
				}
				free <- err
			}()
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// TestVanishedSocket: Check makes the file again, and open connections live on.
func TestVanishedSocket(t *testing.T) {
	_, o := unixOnly(t)
	var log activity
	o.Logger = log.logger(0)
	s := serve(t, o)
	old, fresh := dial(t, s, 0), dial(t, s, 0)
	if _, err := old.call("supervisor.getState"); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(o.Servers[0].Path); err != nil {
		t.Fatal(err)
	}
	if _, err := fresh.call("supervisor.getState"); err == nil {
		t.Fatal("a socket without a file answers")
	}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*client{old, fresh} {
		if _, err := c.call("supervisor.getState"); err != nil {
			t.Error(err)
		}
	}
	if !log.has("had vanished and was created again") {
		t.Error("nothing was said")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(o.Servers[0].Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	if err := s.Check(); err != nil {
		t.Errorf("Check after Close: %v", err)
	}
}

// TestOpenErrors has Supervisor's text for each way in which a server cannot be
// opened (contract/config.md section 10).
func TestOpenErrors(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := shortDir(t)
	none := spec.Owner{UID: -1, GID: -1}
	for name, tc := range map[string]struct {
		server spec.Server
		want   string
	}{
		"port taken": {
			spec.Server{Network: "tcp", Host: "127.0.0.1", Port: taken.Addr().(*net.TCPAddr).Port}, errInUse.Error(),
		},
		"not our address": {
			spec.Server{Network: "tcp", Host: "192.0.2.1", Port: 9001},
			"Cannot open an HTTP server: socket.error reported errno.EADDRNOTAVAIL (99)",
		},
		"no such host": {
			spec.Server{Network: "tcp", Host: "no such host", Port: 9001}, "Cannot open an HTTP server: socket.error reported -2",
		},
		"no directory": {
			spec.Server{Network: "unix", Path: dir + "/none/s.sock", Owner: none},
			"Cannot open an HTTP server: socket.error reported errno.ENOENT (2)",
		},
		"long path": {
			spec.Server{Network: "unix", Path: dir + "/" + strings.Repeat("x", 120), Owner: none},
			"Cannot open an HTTP server: socket.error reported AF_UNIX path too long",
		},
		"a directory": {
			spec.Server{Network: "unix", Path: dir, Owner: none},
			"Cannot open an HTTP server: " + dir + " is a directory, not a socket; remove it, or give the server another file=",
		},
		"no certificate": {
			spec.Server{Section: "inet_http_server", Network: "tcp", Host: "127.0.0.1", CertFile: dir + "/none.pem"},
			"cannot use certfile and keyfile of section [inet_http_server]: open " + dir + "/none.pem: no such file or directory",
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newFakeDaemon(t, dir).options(dir)
			o.Servers = []spec.Server{o.Servers[0], tc.server}
			s := New(o)
			err := s.Listen()
			if err == nil || err.Error() != tc.want {
				t.Errorf("got %v\nwant %s", err, tc.want)
			}
			if _, err := os.Lstat(o.Servers[0].Path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the server that was opened before is still there: %v", err)
			}
		})
	}
	left, err := filepath.Glob(dir + "/*.4711")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestChown(t *testing.T) {
	_, o := unixOnly(t)
	o.Servers[0].Owner = spec.Owner{UID: -1, GID: os.Getgid()}
	listening(t, o)
	info, err := os.Lstat(o.Servers[0].Path)
	if err != nil || int(info.Sys().(*syscall.Stat_t).Gid) != os.Getgid() {
		t.Errorf("%v, %v", info, err)
	}
}

func TestChownRefused(t *testing.T) {
	if os.Getuid() == 0 {
		// Root is refused nothing; that it can give a socket away is the other half.
		_, o := unixOnly(t)
		o.Servers[0].Owner = spec.Owner{UID: 12345, GID: 54321}
		listening(t, o)
		info, err := os.Lstat(o.Servers[0].Path)
		if err != nil {
			t.Fatal(err)
		}
		if hs := info.Sys().(*syscall.Stat_t); hs.Uid != 12345 || hs.Gid != 54321 {
			t.Errorf("owner %d:%d", hs.Uid, hs.Gid)
		}
		return
	}
	_, o := unixOnly(t)
	o.Servers[0].Owner = spec.Owner{UID: 0, GID: 0}
	err := New(o).Listen()
	if err == nil || !strings.HasPrefix(err.Error(), "Not permitted to chown "+o.Servers[0].Path+" to uid/gid (0, 0); adjust") {
		t.Errorf("got %v", err)
	}
}

// TestListenSays: what the activity log says when servers are opened.
func TestListenSays(t *testing.T) {
	dir := shortDir(t)
	o := newFakeDaemon(t, dir).options(dir)
	var log activity
	o.Logger = log.logger(0)
	listening(t, o)
	want := []string{
		`level=INFO msg="RPC interface 'supervisor' initialized"`,
		`level=ERROR+4 msg="Server 'unix_http_server' running without any HTTP authentication checking"`,
		`level=INFO msg="RPC interface 'supervisor' initialized"`,
	}
	if strings.Join(log.lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q", log.lines)
	}
}

// TestSeveralServers: each section is served, with its own credentials; and a
// second server of the same sections can follow the first at once, as it does
// after a restart of the daemon.
func TestSeveralServers(t *testing.T) {
	dir := shortDir(t)
	w := newFakeDaemon(t, dir)
	o := w.options(dir)
	unix2 := o.Servers[0]
	unix2.Path = filepath.Join(dir, "second.sock")
	o.Servers = append(o.Servers, unix2, spec.Server{Section: "inet_http_server:b", Network: "tcp", Host: "127.0.0.1"})
	for range 2 {
		s := New(o)
		if err := s.Listen(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		for n, want := range []int{200, 401, 200, 200} {
			if resp, _ := dial(t, s, n).do(t, "GET", "/ok.html", ""); resp.StatusCode != want {
				t.Errorf("server %d: %s", n, resp.Status)
			}
		}
		o.Servers[3].Port = s.servers[3].listener.Addr().(*net.TCPAddr).Port
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestCaller(t *testing.T) {
	dir := shortDir(t)
	o := newFakeDaemon(t, dir).options(dir)
	o.Extra = []Namespace{{Name: "test", Methods: []Method{{
		Name: "caller", Func: func(ctx context.Context, _ Args) (any, error) { return Caller(ctx), nil },
	}}}}
	o.Servers[1].Username = ""
	s := serve(t, o)
	got, err := dial(t, s, 0).call("test.caller")
	if want := "uid " + uid() + " via unix socket"; err != nil || got != want {
		t.Errorf("got %v, %v; want %s", got, err, want)
	}
	got, err = dial(t, s, 1).call("test.caller")
	if text, _ := got.(string); err != nil || !strings.HasPrefix(text, "127.0.0.1:") {
		t.Errorf("got %v, %v", got, err)
	}
	if got := Caller(t.Context()); got != "" {
		t.Errorf("outside a request: %q", got)
	}
}

// TestStaleSocketsSuccessor: a socket that was put where a stale one was found to be is not
// removed in its place.
func TestStaleSocketsSuccessor(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	l, err := listenPrivate(path)
	if err != nil {
		t.Fatal(err)
	}
	stale, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if socketInUse(path) {
		t.Fatal("it is not stale")
	}
	if err := os.Rename(path, path+".old"); err != nil { // its number is not given out again
		t.Fatal(err)
	}
	successor, err := listenPrivate(path)
	if err != nil {
		t.Fatal(err)
	}
	defer successor.Close()
	if err := removeStale(path, stale); !errors.Is(err, errInUse) {
		t.Errorf("the error is %v", err)
	}
	if !socketInUse(path) {
		t.Error("the successor's socket is gone")
	}
	if left, _ := filepath.Glob(path + ".stale*"); left != nil {
		t.Errorf("left behind: %q", left)
	}
}
