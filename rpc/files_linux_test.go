package rpc

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// limitFiles lowers the number of files this process may open, until the test
// ends, to so many beyond those that are open.
func limitFiles(t *testing.T, room uint64) {
	t.Helper()
	probe, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	next := uint64(probe.Fd())
	probe.Close()
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	low := was
	low.Cur = next + room
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
			t.Error(err)
		}
	})
}

// TestOutOfFiles: a server that can accept nothing waits, and goes on when there
// is room again.
func TestOutOfFiles(t *testing.T) {
	_, o := unixOnly(t)
	o.MaxConns = 10_000
	var log activity
	o.Logger = log.logger(slog.LevelDebug)
	s := serve(t, o)
	c := dial(t, s, 0)
	if _, err := c.call("supervisor.getState"); err != nil {
		t.Fatal(err)
	}
	limitFiles(t, 40)
	var conns []net.Conn
	for {
		conn, err := net.Dial("unix", s.servers[0].Path)
		if err != nil {
			break
		}
		conns = append(conns, conn)
	}
	eventually(t, "accepting fails", func() bool { return log.has("too many open files") })
	// The connection that was there before is served all the while.
	if _, err := c.call("supervisor.getState"); err != nil {
		t.Errorf("without files: %v", err)
	}
	for _, conn := range conns {
		conn.Close()
	}
	if _, err := dial(t, s, 0).call("supervisor.getState"); err != nil {
		t.Errorf("with files again: %v", err)
	}
}

// TestSocketIsBornClosed: between its making and its mode nobody can slip in, not
// even with a umask that forbids nothing.
func TestSocketIsBornClosed(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	path := filepath.Join(shortDir(t), "s")
	l, err := listenPrivate(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
