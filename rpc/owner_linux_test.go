package rpc

import (
	"net"
	"os"
	goruntime "runtime"
	"testing"

	"golang.org/x/sys/unix"

	"supervisord/runtime/needs"
)

// dialAs connects to a unix socket as another user, who needs no account.
func dialAs(t *testing.T, path string, uid int) net.Conn {
	t.Helper()
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result)
	go func() {
		goruntime.LockOSThread() // the thread ends with the goroutine
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); errno != 0 {
			done <- result{err: errno}
			return
		}
		conn, err := net.Dial("unix", path)
		done <- result{conn, err}
	}()
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	t.Cleanup(func() { r.conn.Close() })
	return r.conn
}

// TestOwnersPlaces: other users of a unix socket, whatever they do, leave room for
// its owner, and do not end what he has open.
func TestOwnersPlaces(t *testing.T) {
	needs.Root(t)
	_, o := unixOnly(t)
	o.MaxConns = 16
	o.Servers[0].Mode = 0o666
	begun, release := blocking(&o)
	defer close(release)
	s := serve(t, o)
	path := s.servers[0].Path
	if err := os.Chmod(path[:len(path)-len("/s.sock")], 0o755); err != nil {
		t.Fatal(err)
	}
	shell := dial(t, s, 0) // which is idle most of the time
	if _, err := shell.call("supervisor.getState"); err != nil {
		t.Fatal(err)
	}
	const stranger = 65533
	request := []byte(post(t, "test.block"))
	for i := range 13 { // as many as there is room for
		if _, err := dialAs(t, path, stranger).Write(request); err != nil {
			t.Fatal(err)
		}
		<-begun
		_ = i
	}
	for range 50 { // and more that come in vain
		dialAs(t, path, stranger)
	}
	if _, err := shell.call("supervisor.getState"); err != nil {
		t.Errorf("the one that was there: %v", err)
	}
	for range 10 {
		if _, err := dial(t, s, 0).call("supervisor.getAllProcessInfo"); err != nil {
			t.Fatalf("a new one: %v", err)
		}
	}
}
