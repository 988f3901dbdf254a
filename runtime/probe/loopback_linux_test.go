package probe

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAtOnce: what listens on this machine is found at once, by either family, and so is
// what does not, whatever the socket was used for before.
func TestAtOnce(t *testing.T) {
	open := []string{low(t, "tcp", "127.0.0.1").Addr().String()}
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil { // there may be no IPv6
		l.Close()
		open = append(open, low(t, "tcp", "::1").Addr().String())
	}
	closed := low(t, "tcp", "127.0.0.1")
	closed.Close()
	answers := map[string]bool{closed.Addr().String(): false, full(t): false, "192.0.2.1:80": false, "example.org:80": false, "x": false}
	for _, address := range open {
		answers[address] = true
	}
	_, port, _ := net.SplitHostPort(open[0])
	answers["localhost:"+port] = true

	var looks sync.WaitGroup
	for range 2 * kept {
		looks.Go(func() {
			for range 20 {
				for address, want := range answers { // in another order each time
					if got := atOnceOf(address)(); got != want {
						t.Errorf("%s answers at once: %v", address, got)
					}
				}
			}
		})
	}
	looks.Wait()
}

// low listens on a port that the kernel gives to nobody who asks for any: it stays free
// when it is closed, and nobody who connects has it.
func low(t *testing.T, network, host string) net.Listener {
	t.Helper()
	for range 1000 {
		port := 20_000 + rand.IntN(10_000)
		if l, err := net.Listen(network, net.JoinHostPort(host, strconv.Itoa(port))); err == nil {
			t.Cleanup(func() { l.Close() })
			return l
		}
	}
	t.Fatal("no port is free")
	return nil
}

// full is the address of somebody who listens and can be given no more connections.
func full(t *testing.T) string {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	at := bound(t, fd)
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for range 10 { // what was reset waits to be accepted like any other
		if !atOnceOf(at.String())() {
			return at.String()
		}
	}
	t.Fatal("it is never full")
	return ""
}

// bound gives a socket a port of its own.
func bound(t *testing.T, fd int) netip.AddrPort {
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	port, errno := socket(fd).port()
	if errno != 0 {
		t.Fatal(errno)
	}
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
}

// TestMeetsItself: where nobody listens, a socket may be given the very port that it asks
// for, and then is connected with itself. That is nobody who answers.
func TestMeetsItself(t *testing.T) {
	s, err := spare4.take()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(int(s))
	to := bound(t, int(s))
	if s.reaches(to) {
		t.Error("somebody answers")
	}
	if peer, err := unix.Getpeername(int(s)); err != nil || peer.(*unix.SockaddrInet4).Port != int(to.Port()) {
		t.Errorf("it has not met itself, but %v, %v", peer, err)
	}
}

// TestSpare: no more sockets are kept than processors can use, and these
// keep no port from anybody.
func TestSpare(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	looks := make([]socket, 2*kept)
	for i := range looks {
		s, err := spare4.take()
		if err != nil {
			t.Fatal(err)
		}
		if looks[i] = s; !s.reaches(netip.MustParseAddrPort(l.Addr().String())) {
			t.Error("nobody answers")
		}
	}
	for _, s := range looks {
		spare4.give(s)
	}
	if n := len(spare4.spare); n != kept {
		t.Errorf("%d sockets are kept", n)
	}
	free := 0
	for _, s := range looks[:kept] { // the port that it had, as the kernel still tells
		port, errno := s.port()
		if errno != 0 {
			t.Fatal(errno)
		}
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: int(port)}) == nil {
			free++
		}
	}
	if free == 0 { // somebody else may have got one of them by now, but not all
		t.Error("nobody else can have their ports")
	}
}
