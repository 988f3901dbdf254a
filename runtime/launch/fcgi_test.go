package launch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shortDir is a directory whose name leaves room for a socket in it.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func unixSocket(path string) SocketOptions {
	return SocketOptions{URL: "unix://" + path, Network: "unix", Path: path, Mode: 0o700, UID: -1, GID: -1}
}

// lines collects a socket's log.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) add(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, text)
}

func TestSocketLivesWhileItIsHeld(t *testing.T) {
	path := filepath.Join(shortDir(t), "sock")
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()
	var log lines
	s := NewSocket(unixSocket(path), log.add)
	steps := []struct {
		name   string
		do     func() error
		exists bool
		log    string
	}{
		{"check", s.Check, false, "Creating socket $;Closing socket $"},
		{"first holder", acquire(s), true, "Creating socket $"},
		{"second holder", acquire(s), true, ""},
		{"check while held", s.Check, true, ""},
		{"one lets go", release(s), true, ""},
		{"the other restarts: acquire", acquire(s), true, ""},
		{"then release", release(s), true, ""},
		{"the last lets go", release(s), false, "Closing socket $"},
		{"again", acquire(s), true, "Creating socket $"},
		{"and closed", release(s), false, "Closing socket $"},
	}
	for _, step := range steps {
		log.all = nil
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := strings.ReplaceAll(strings.Join(log.all, ";"), "unix://"+path, "$"); got != step.log {
			t.Errorf("%s: log %q, want %q", step.name, got, step.log)
		}
		conn, err := net.Dial("unix", path)
		if err == nil {
			conn.Close()
		}
		if answers := err == nil; answers != step.exists {
			t.Errorf("%s: answers %v, want %v", step.name, answers, step.exists)
		}
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) == step.exists {
			t.Errorf("%s: %v", step.name, err)
		}
	}
}

// What is no socket, or another process's that answers, is left as it is.
func TestSocketTakesNothingAway(t *testing.T) {
	for name, row := range map[string]struct {
		leave func(t *testing.T, path string) error
		want  string // PATH is the path
	}{
		"file": {func(_ *testing.T, path string) error { return os.WriteFile(path, []byte("precious"), 0o600) },
			"PATH exists and is not a socket; remove it, or set another path in socket="},
		"fifo": {func(_ *testing.T, path string) error { return syscall.Mkfifo(path, 0o600) },
			"PATH exists and is not a socket; remove it, or set another path in socket="},
		"link": {func(_ *testing.T, path string) error { return os.Symlink(os.DevNull, path) },
			"PATH exists and is not a socket; remove it, or set another path in socket="},
		"another server's": {func(t *testing.T, path string) error {
			child := start(t, launcher(t), self("listen", path))
			if line, err := bufio.NewReader(child.Stdout).ReadString('\n'); err != nil {
				return fmt.Errorf("%q: %w", line, err)
			}
			t.Cleanup(func() {
				syscall.Kill(child.PID, syscall.SIGKILL)
				awaitExit(t, child.PID)
			})
			return nil
		}, " listens on it"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(shortDir(t), "sock")
			if err := row.leave(t, path); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			err = NewSocket(unixSocket(path), func(string) {}).Check()
			if want := strings.ReplaceAll(row.want, "PATH", path); err == nil || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
				t.Errorf("it was touched: %v", err)
			}
		})
	}
}

func acquire(s *Socket) func() error {
	return func() error { _, err := s.Acquire(); return err }
}

func release(s *Socket) func() error {
	return func() error { <-s.Release(); return nil }
}

// Release does not wait for the disk, not even behind an operation that does, and
// what is done to a socket is done in the order of the calls.
func TestSocketReleaseDoesNotWait(t *testing.T) {
	path := filepath.Join(shortDir(t), "sock")
	var log lines
	s := NewSocket(unixSocket(path), log.add)
	if _, err := s.Acquire(); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	before, slow := s.enqueue()
	s.mu.Unlock()
	<-before
	closed := s.Release()
	again := make(chan error)
	go func() {
		_, err := s.Acquire()
		again <- err
	}()
	select {
	case <-closed:
		t.Error("closed out of turn")
	case <-again:
		t.Error("acquired out of turn")
	default:
	}
	if conn, err := net.Dial("unix", path); err != nil {
		t.Error(err)
	} else {
		conn.Close()
	}
	close(slow)
	<-closed
	if err := <-again; err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("unix", path); err != nil {
		t.Error(err)
	} else {
		conn.Close()
	}
	<-s.Release()
	want := []string{"Creating socket unix://" + path, "Closing socket unix://" + path, "Creating socket unix://" + path, "Closing socket unix://" + path}
	if d := cmp.Diff(want, log.all); d != "" {
		t.Error(d)
	}
}

// The child has the socket as standard input, blocking, and no pipe for it.
func TestSocketInChild(t *testing.T) {
	path := filepath.Join(shortDir(t), "sock")
	rows := map[string]struct {
		o    SocketOptions
		dial func(*os.File) (net.Conn, error)
	}{
		"unix": {unixSocket(path), func(*os.File) (net.Conn, error) { return net.Dial("unix", path) }},
		"tcp": {SocketOptions{URL: "tcp://127.0.0.1:0", Network: "tcp", Host: "127.0.0.1"}, func(f *os.File) (net.Conn, error) {
			addr, err := syscall.Getsockname(int(f.Fd()))
			if err != nil {
				return nil, err
			}
			return net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", addr.(*syscall.SockaddrInet4).Port))
		}},
		"tcp by name": {SocketOptions{URL: "tcp://localhost:0", Network: "tcp", Host: "localhost", Backlog: 3}, func(f *os.File) (net.Conn, error) {
			addr, err := syscall.Getsockname(int(f.Fd()))
			if err != nil {
				return nil, err
			}
			return net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", addr.(*syscall.SockaddrInet4).Port))
		}},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			s := NewSocket(row.o, func(string) {})
			file, err := s.Acquire()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { <-s.Release() }()
			c := self("accept")
			c.Socket = file
			child := start(t, launcher(t), c)
			if child.Stdin != nil {
				t.Error("there is a stdin")
			}
			conn, err := row.dial(file)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got, err := io.ReadAll(conn); err != nil || string(got) != "blocking\n" {
				t.Errorf("the child said %q, %v", got, err)
			}
			awaitExit(t, child.PID)
		})
	}
}

// accept serves one connection on descriptor 0 as an old C program would.
func accept([]string) {
	fd, _, err := syscall.Accept(0)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, _ = syscall.Write(fd, []byte("blocking\n"))
}

func TestSocketAccess(t *testing.T) {
	path := filepath.Join(shortDir(t), "sock")
	o := unixSocket(path)
	o.Mode = 0o640
	s := NewSocket(o, func(string) {})
	if _, err := s.Acquire(); err != nil {
		t.Fatal(err)
	}
	access := func() string {
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		st := info.Sys().(*syscall.Stat_t)
		return fmt.Sprintf("%04o %d", info.Mode().Perm(), st.Uid)
	}
	uid := os.Getuid()
	if got, want := access(), fmt.Sprintf("0640 %d", uid); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	before, _ := os.Lstat(path)
	o.Mode, o.UID, o.GID = 0o666, uid, os.Getgid()
	if err := s.Configure(o); err != nil {
		t.Fatal(err)
	}
	if got, want := access(), fmt.Sprintf("0666 %d", uid); got != want {
		t.Errorf("changed alive: got %s, want %s", got, want)
	}
	if after, _ := os.Lstat(path); !os.SameFile(before, after) {
		t.Error("it is another socket now")
	}
	<-s.Release()
	o.Mode = 0o600
	if err := s.Configure(o); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Acquire(); err != nil {
		t.Fatal(err)
	}
	if got, want := access(), fmt.Sprintf("0600 %d", uid); got != want {
		t.Errorf("changed before: got %s, want %s", got, want)
	}
	<-s.Release()
}

// A path that has become somebody else's is left alone.
func TestSocketSparesASuccessor(t *testing.T) {
	path := filepath.Join(shortDir(t), "sock")
	s := NewSocket(unixSocket(path), func(string) {})
	if _, err := s.Acquire(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".old"); err != nil { // keeps the inode from being used again
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	<-s.Release()
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}

func TestSocketErrors(t *testing.T) {
	dir := shortDir(t)
	if err := os.Mkdir(dir+"/directory", 0o755); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	long := "/" + strings.Repeat("a", 150)
	rows := []struct {
		o    SocketOptions
		want string
	}{
		{unixSocket(long), "Could not create FastCGI socket unix://" + long + ": AF_UNIX path too long"},
		{unixSocket("/nope/x.sock"), "Could not create FastCGI socket unix:///nope/x.sock: [Errno 2] No such file or directory"},
		{SocketOptions{URL: "tcp://h", Network: "tcp", Host: "127.0.0.1", Port: port},
			fmt.Sprintf("Could not create FastCGI socket tcp://h: [Errno %d] Address already in use", int(syscall.EADDRINUSE))},
	}
	for _, row := range rows {
		var log lines
		s := NewSocket(row.o, log.add)
		before := openFDs()
		err := s.Check()
		var e *SocketError
		if !errors.As(err, &e) || err.Error() != row.want {
			t.Errorf("got %v, want %s", err, row.want)
		}
		if after := openFDs(); after != before {
			t.Errorf("%d descriptors before, %d after", before, after)
		}
		if d := cmp.Diff([]string{"Creating socket " + row.o.URL}, log.all); d != "" {
			t.Error(d)
		}
	}
	// What stood there before is not removed when it cannot be.
	if err := NewSocket(unixSocket(dir+"/directory"), func(string) {}).Check(); err == nil {
		t.Error("a directory gave way to a socket")
	}
	// A socket whose owner cannot be set does not stay.
	o := unixSocket(dir + "/owned")
	o.UID = 1 << 30
	s := NewSocket(o, func(string) {})
	if err := s.Check(); os.Getuid() != 0 && err == nil {
		t.Error("given away by somebody who may not")
	}
	if _, err := os.Lstat(o.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it stayed: %v", err)
	}
}

func TestSocketErrorForUnknownHost(t *testing.T) {
	err := &SocketError{"tcp://h:1", &net.DNSError{Err: "no such host", Name: "h", IsNotFound: true}}
	if got, want := err.Error(), "Could not create FastCGI socket tcp://h:1: [Errno -2] Name or service not known"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func openFDs() int {
	n := 0
	for fd := range 256 {
		var st syscall.Stat_t
		if syscall.Fstat(fd, &st) == nil {
			n++
		}
	}
	return n
}

// listen listens on a unix socket, says so, and stays.
func listen(args []string) {
	l, err := net.Listen("unix", args[0])
	if err != nil {
		panic(err)
	}
	defer l.Close()
	fmt.Println("listening")
	time.Sleep(time.Hour)
}
