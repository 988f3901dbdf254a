package probe

import (
	"net"
	"net/netip"
	"reflect"

	"golang.org/x/sys/unix"
)

// answersAtOnce reports whether a TCP connection to this machine itself is there as soon as
// it is asked for, as it is where somebody listens: the kernel shakes hands with itself
// meanwhile. So the usual probe needs no poller and wakes nobody, which is most of what it
// would cost. false says nothing.
func answersAtOnce(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	at, err := netip.ParseAddrPort(net.JoinHostPort(host, port))
	if err != nil || !at.Addr().IsLoopback() || at.Addr().Zone() != "" {
		return false
	}
	family, to := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()})
	if at.Addr().Is4() {
		family, to = unix.AF_INET, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) // as dial has it
	if err := unix.Connect(fd, to); err != nil && err != unix.EINPROGRESS {
		return false
	}
	peer, err := unix.Getpeername(fd)
	if err != nil {
		return false
	}
	own, err := unix.Getsockname(fd)
	return err == nil && !reflect.DeepEqual(own, peer) // else it has met itself, where nobody listens
}
