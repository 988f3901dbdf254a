package probe

import (
	"encoding/binary"
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// atOnceOf is a look at a TCP address of this machine itself, which reports whether somebody
// answers there at once. false says nothing.
//
// Where somebody listens, such a connection is there as soon as it is asked for: the kernel
// shakes hands with itself meanwhile. So the usual probe needs no poller, has no timer and
// wakes nobody. Its sockets are used again: to make and to destroy one takes the kernel
// half as long again as the connection.
func atOnceOf(address string) func() bool {
	to, is := loopback(address)
	if !is {
		return func() bool { return false }
	}
	spare := spare4
	if to.Addr().Is6() {
		spare = spare6
	}
	return func() bool {
		s, err := spare.take()
		if err != nil {
			return false
		}
		defer spare.give(s)
		return s.reaches(to)
	}
}

// loopback is an address in numbers, if it is one of this machine itself.
func loopback(address string) (at netip.AddrPort, is bool) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return at, false
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	at, err = netip.ParseAddrPort(net.JoinHostPort(host, port))
	return at, err == nil && at.Addr().IsLoopback() && at.Addr().Zone() == "" && !at.Addr().Is4In6()
}

// sockets are those of one family that no look uses at present.
type sockets struct {
	family int
	spare  chan socket
}

// kept is how many of a family are kept, for looks at the same moment.
const kept = 4

var (
	spare4 = sockets{unix.AF_INET, make(chan socket, kept)}
	spare6 = sockets{unix.AF_INET6, make(chan socket, kept)}
)

func (s sockets) take() (socket, error) {
	select {
	case one := <-s.spare:
		return one, nil
	default:
		fd, err := unix.Socket(s.family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		return socket(fd), err
	}
}

// give takes back a socket, which then has no connection and no port.
func (s sockets) give(one socket) {
	if one.disconnect() {
		select {
		case s.spare <- one:
			return
		default:
		}
	}
	// Where it still has its connection, Close resets that, too.
	_ = unix.SetsockoptLinger(int(one), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	unix.Close(int(one))
}

// socket is the descriptor of a TCP socket that does not wait.
type socket int

// reaches connects, and reports whether the connection is there.
func (s socket) reaches(to netip.AddrPort) bool {
	var peer unix.Sockaddr = &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
	if to.Addr().Is4() {
		peer = &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	}
	// The first call begins it, and cannot have it yet. The second says how it went.
	if err := unix.Connect(int(s), peer); err != nil && (err != unix.EINPROGRESS || unix.Connect(int(s), peer) != nil) {
		return false
	}
	own, err := s.port()
	return err == 0 && own != to.Port() // else it may have met itself, where nobody listens
}

// port is the socket's own port. unix.Getsockname asks for more.
func (s socket) port() (uint16, unix.Errno) {
	var own unix.RawSockaddrInet6 // or one of the other family, which has its port at the same place
	size := uint32(unsafe.Sizeof(own))
	_, _, err := unix.Syscall(unix.SYS_GETSOCKNAME, uintptr(s), uintptr(unsafe.Pointer(&own)), uintptr(unsafe.Pointer(&size)))
	return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&own.Port))[:]), err
}

// disconnect resets the connection, or the attempt at one, and reports whether the socket
// can be used again. A connection that is closed the usual way is kept by the kernel for a
// minute, and a thousand of them a second use up all ports.
func (s socket) disconnect() bool {
	none := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	_, _, err := unix.Syscall(unix.SYS_CONNECT, uintptr(s), uintptr(unsafe.Pointer(&none)), unsafe.Sizeof(none))
	return err == 0
}
