package rpc

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"supervisord/spec"
)

// TestTakeGiven: a descriptor that is of no use is told and closed, and one of use stays
// open and at its path, whatever servers there are later.
func TestTakeGiven(t *testing.T) {
	dir := shortDir(t)
	fdOf := func(network, address string) int {
		t.Helper()
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		l.(interface{ SetUnlinkOnClose(bool) }).SetUnlinkOnClose(false)
		defer l.Close()
		f, err := l.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		fd, err := unix.Dup(int(f.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	none := spec.Owner{UID: -1, GID: -1}
	sv := spec.Server{Section: "s", Network: "unix", Path: dir + "/s", Mode: 0o777, Owner: none}
	if err := os.Symlink(dir, dir+"/link"); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	directory, err := unix.Dup(int(file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	datagrams, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	good := fdOf("unix", dir+"/link/s")
	twice, err := unix.Dup(good)
	if err != nil {
		t.Fatal(err)
	}
	stray := fdOf("unix", dir+"/stray")
	var given []Given
	for _, fd := range []int{good, twice, stray, directory, datagrams, 1 << 20} {
		given = append(given, Given{fd, fmt.Sprintf("descriptor %d", fd)})
	}
	g, troubles := TakeGiven(given, []spec.Server{sv})
	want := []string{
		fmt.Sprintf("descriptor %d, which the service manager opened, is closed: another has the same address", twice),
		fmt.Sprintf("descriptor %d, which the service manager opened, is closed: it listens on %s/stray, and no server of the configuration does ([s] file=%s/s)", stray, dir, dir),
		fmt.Sprintf("descriptor %d, which the service manager opened, is closed: it is not a socket", directory),
		fmt.Sprintf("descriptor %d, which the service manager opened, is closed: nothing can connect to it (it should be ListenStream= with Accept=no)", datagrams),
		"descriptor 1048576, which the service manager opened, is closed: it is not open",
	}
	for i, err := range troubles {
		if i >= len(want) || err.Error() != want[i] {
			t.Errorf("told: %v", err)
		}
	}
	if len(troubles) != len(want) {
		t.Errorf("%d are told, want %d", len(troubles), len(want))
	}
	for _, fd := range []int{directory, datagrams} {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); !errors.Is(err, unix.EBADF) {
			t.Errorf("descriptor %d is not closed: %v", fd, err)
		}
	}
	if conn, err := net.Dial("unix", dir+"/stray"); err == nil {
		conn.Close()
		t.Error("the stray one is not closed")
	}
	if !isGiven(os.Getpid(), dir+"/link/s") || isGiven(os.Getpid(), dir+"/stray") {
		t.Error("who has a socket is not known")
	}

	for _, servers := range [][]spec.Server{{sv}, {}, {sv}} {
		tried, err := OpenSockets(servers, SocketOptions{Given: g, Try: true})
		if err != nil {
			t.Fatal(err)
		}
		tried.Close()
		sockets, err := OpenSockets(servers, SocketOptions{Given: g})
		if err != nil {
			t.Fatal(err)
		}
		if err := sockets.Close(); err != nil {
			t.Error(err)
		}
		conn, err := net.Dial("unix", sv.Path)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	sockets, err := OpenSockets([]spec.Server{sv}, SocketOptions{Given: g})
	if err != nil {
		t.Fatal(err)
	}
	defer sockets.Close()
	if err := os.Remove(sv.Path); err != nil {
		t.Fatal(err)
	}
	if made, err := sockets.list[0].remake(sockets.opt); made || err == nil || !strings.Contains(err.Error(), "restart its socket unit") {
		t.Errorf("when its file is gone: %v, %v", made, err)
	}
}
