package rpc

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"supervisord/spec"
)

// GivenSockets are listening sockets that the daemon was started with, as systemd does it
// for a socket unit. They stay open as long as the process, whatever its configuration
// asks for, and whoever made them keeps their files: they are never removed, and have the
// owner and mode with which they came. nil is none.
type GivenSockets struct {
	list []*socket
}

// Given is a descriptor that the daemon was started with.
type Given struct {
	FD   int
	Name string // for people
}

// TakeGiven takes the descriptors at whose addresses servers are to listen. The others are
// closed, and so is one of those that have the same address; each has an error for people,
// and so has a socket that more can connect to than chmod says.
func TakeGiven(given []Given, servers []spec.Server) (*GivenSockets, []error) {
	g := new(GivenSockets)
	var troubles []error
	for _, from := range given {
		k, err := takeGiven(from, servers)
		if err == nil && slices.ContainsFunc(g.list, func(o *socket) bool { return sameAddress(o.listener.Addr(), k.listener.Addr()) }) {
			err = errors.Join(errors.New("another has the same address"), k.listener.Close())
		}
		if err != nil {
			troubles = append(troubles, fmt.Errorf("%s, which the service manager opened, is closed: %w", from.Name, err))
			continue
		}
		g.list = append(g.list, k)
		if err := k.tooOpen(); err != nil {
			troubles = append(troubles, fmt.Errorf("%s, which the service manager opened: %w", from.Name, err))
		}
	}
	return g, troubles
}

// Files are other descriptors of the sockets, for a program that is executed in this one's
// place: to be taken there by TakeGiven.
func (g *GivenSockets) Files() (files []*os.File, err error) {
	if g == nil {
		return nil, nil
	}
	for _, k := range g.list {
		file, err := fileOf(k.listener)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// takeGiven makes a socket of a descriptor, which is closed: the socket has one of its
// own.
func takeGiven(from Given, servers []spec.Server) (*socket, error) {
	unix.CloseOnExec(from.FD)
	kind, err := unix.GetsockoptInt(from.FD, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		if errors.Is(err, unix.EBADF) {
			return nil, errors.New("it is not open")
		}
		return nil, errors.Join(errors.New("it is not a socket"), unix.Close(from.FD))
	}
	listens, err := unix.GetsockoptInt(from.FD, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil || listens == 0 || kind != unix.SOCK_STREAM {
		return nil, errors.Join(errors.New("nothing can connect to it (it should be ListenStream= with Accept=no)"), unix.Close(from.FD))
	}
	file := os.NewFile(uintptr(from.FD), from.Name)
	defer file.Close()
	listener, err := net.FileListener(file)
	if err != nil {
		return nil, err
	}
	for _, sv := range servers {
		if listensFor(listener.Addr(), sv) {
			return &socket{Server: sv, users: 1, listener: listener, given: true}, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("it listens on %s, and no server of the configuration does (%s)", listener.Addr(), addressesOf(servers)), listener.Close())
}

// addressesOf is where servers are to listen, for people.
func addressesOf(servers []spec.Server) string {
	if len(servers) == 0 {
		return "which has none"
	}
	var list []string
	for _, sv := range servers {
		if sv.Network == "unix" {
			list = append(list, fmt.Sprintf("[%s] file=%s", sv.Section, sv.Path))
		} else {
			list = append(list, fmt.Sprintf("[%s] port=%s", sv.Section, net.JoinHostPort(sv.Host, strconv.Itoa(sv.Port))))
		}
	}
	return strings.Join(list, ", ")
}

// listensFor reports whether a socket has the address of a server.
func listensFor(addr net.Addr, sv spec.Server) bool {
	switch addr := addr.(type) {
	case *net.UnixAddr:
		if sv.Network != "unix" {
			return false
		}
		if addr.Name == sv.Path {
			return true
		}
		theirs, err1 := os.Lstat(addr.Name) // /run/x and /var/run/x are one
		ours, err2 := os.Lstat(sv.Path)
		return err1 == nil && err2 == nil && os.SameFile(theirs, ours)
	case *net.TCPAddr:
		if sv.Network != "tcp" || addr.Port != sv.Port {
			return false
		}
		if spec.EveryAddress(sv.Host) {
			return addr.IP.IsUnspecified()
		}
		want, err := net.ResolveTCPAddr(addressTCP(sv))
		return err == nil && want.IP.Equal(addr.IP)
	}
	return false
}

func sameAddress(a, b net.Addr) bool {
	return a.Network() == b.Network() && a.String() == b.String()
}

// tooOpen is what is wrong with the mode of a socket's file, which is not ours to change.
func (k *socket) tooOpen() error {
	if k.Network != "unix" {
		return nil
	}
	info, err := os.Lstat(k.Path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("nothing can connect to it: %s is no longer a socket", k.Path)
	}
	const connect = 0o222
	if mode := info.Mode().Perm(); mode&connect&^fs.FileMode(k.Mode) != 0 {
		return fmt.Errorf("%s has mode %04o, which lets more users connect than [%s] chmod=%04o (set SocketMode=%04[4]o in the socket unit)",
			k.Path, mode, k.Section, k.Mode)
	}
	return nil
}

// share is the socket for a server, which has one user more then; nil for none.
func (g *GivenSockets) share(sv spec.Server) *socket {
	if g == nil {
		return nil
	}
	for _, k := range g.list {
		if listensFor(k.listener.Addr(), sv) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.users++
			return k
		}
	}
	return nil
}

// errNotOurs is why a given socket whose file has vanished is not made again.
var errNotOurs = errors.New("the service manager has made it; restart its socket unit")
