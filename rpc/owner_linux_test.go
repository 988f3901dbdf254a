package rpc

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
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

// TestOperators: over a socket that everybody may open, the users that it names change
// something, and all others look; root needs no name.
func TestOperators(t *testing.T) {
	needs.Root(t)
	w, o := unixOnly(t)
	o.Servers[0].Mode, o.Servers[0].Operators = 0o666, []int{65532}
	o.Extra = []Namespace{ReconcileNamespace(fakeReconciler{}), IntentNamespace(w)}
	s := serve(t, o)
	path := s.servers[0].Path
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	ask := func(uid int, request string) int {
		t.Helper()
		c := dialAs(t, path, uid)
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode
	}
	for _, tc := range []struct {
		uid    int
		verb   string
		status int
	}{
		{65533, "stop", http.StatusForbidden}, {65533, "start", http.StatusForbidden}, {65532, "stop", http.StatusSeeOther}, {0, "start", http.StatusSeeOther},
	} {
		body := "do=" + tc.verb + "+cat"
		before, _ := w.Snapshot(t.Context())
		got := ask(tc.uid, fmt.Sprintf("POST /act HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		after, _ := w.Snapshot(t.Context())
		if changed := states(after) != states(before); got != tc.status || changed != (tc.status == http.StatusSeeOther) {
			t.Errorf("user %d, %s: %d, changed is %v", tc.uid, tc.verb, got, changed)
		}
	}
	for _, path := range []string{"/", "/files", "/metrics", "/log?name=cat"} {
		if got := ask(65533, "GET "+path+" HTTP/1.0\r\nAccept: text/html\r\n\r\n"); got != http.StatusOK {
			t.Errorf("%s for one who may look: %d", path, got)
		}
	}
	if got := ask(65533, post(t, "supervisor.stopProcess", "cat")); got != http.StatusForbidden {
		t.Errorf("a call: %d", got)
	}
	for _, request := range []string{
		post(t, "reconcile.pause", "cat", 60, "why"), post(t, "reconcile.resume", "cat"), post(t, "reconcile.disable", "cat"), post(t, "reconcile.enable", "cat"),
	} {
		if got := ask(65533, request); got != http.StatusForbidden || len(w.said) > 0 {
			t.Errorf("one who may look says what he wants: %d, %q", got, w.said)
		}
	}
	if got := ask(65532, post(t, "reconcile.disable", "cat")); got != http.StatusOK || fmt.Sprint(w.said) != "[uid 65532 via unix socket: disable cat, waiting]" {
		t.Errorf("an operator: %d, %q", got, w.said)
	}
	for _, request := range []string{post(t, "reconcile.getIntents"), post(t, "reconcile.getGeneration", 7), post(t, "reconcile.diffGenerations", 6, 7)} {
		if got := ask(65533, request); got != http.StatusOK {
			t.Errorf("one who may look asks: %d", got)
		}
	}
}
