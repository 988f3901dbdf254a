package launch

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A socket whose maker is gone is replaced, although a program that outlived it
// holds it; and so is one of our own, as when a backlog is changed.
func TestSocketOfTheDead(t *testing.T) {
	path := filepath.Join(shortDir(t), "sock")
	child := start(t, launcher(t), self("bequeath", path))
	var heir int
	if _, err := fmt.Fscanln(child.Stdout, &heir); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(heir, syscall.SIGKILL)
	awaitExit(t, child.PID)
	if conn, err := net.Dial("unix", path); err != nil {
		t.Fatalf("the heir does not hold it: %v", err)
	} else {
		conn.Close()
	}
	s := NewSocket(unixSocket(path), func(string) {})
	if _, err := s.Acquire(); err != nil {
		t.Fatal(err)
	}
	o := unixSocket(path)
	o.Backlog = 7
	if err := NewSocket(o, func(string) {}).Check(); err != nil {
		t.Errorf("a second of our own: %v", err)
	}
	<-s.Release()
}

// bequeath listens on a unix socket and ends, but not before another process has
// the socket, whose number it says.
func bequeath(args []string) {
	l, err := net.Listen("unix", args[0])
	if err != nil {
		panic(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	file, err := l.(*net.UnixListener).File()
	if err != nil {
		panic(err)
	}
	pid, err := syscall.ForkExec(os.Args[0], os.Args[:1], &syscall.ProcAttr{
		Env: []string{"PLAY=stubborn"}, Files: []uintptr{0, 2, 2, file.Fd()},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(pid)
}
