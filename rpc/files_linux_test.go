package rpc

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"supervisord/rpc/xmlrpc"
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

// TestMulticallOfLogs: one request does not keep every log open that it has read.
func TestMulticallOfLogs(t *testing.T) {
	w, o := unixOnly(t)
	s := serve(t, o)
	if err := os.WriteFile(w.procs[1].StdoutLog, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var calls []any
	for range 500 {
		calls = append(calls, item("supervisor.tailProcessStdoutLog", []any{"cat", 0, 10}), item("supervisor.readProcessStdoutLog", []any{"cat", 0, 10}))
	}
	c := dial(t, s, 0)
	if _, err := c.call("supervisor.getState"); err != nil {
		t.Fatal(err)
	}
	limitFiles(t, 60)
	v, err := c.call("system.multicall", calls)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range v.([]any) {
		if text := fmt.Sprint(got); text != "[x 1 false]" && text != "x" {
			t.Fatalf("call %d: %v", i, text)
		}
	}
}

// TestTailOutOfFiles: a log that cannot be opened for want of descriptors is not empty.
func TestTailOutOfFiles(t *testing.T) {
	w, o := unixOnly(t)
	s := New(o)
	log := w.procs[1].StdoutLog
	if err := os.WriteFile(log, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	limitFiles(t, 0)
	v, err := s.call(t.Context(), "supervisor.tailProcessStdoutLog", Args{"cat", 0, 10})
	var fault *xmlrpc.Fault
	if !errors.As(err, &fault) || fault.Code != xmlrpc.Failed {
		t.Errorf("%v, %v", v, err)
	}
}
