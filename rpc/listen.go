package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"supervisord/runtime/trust"
	"supervisord/spec"
)

// errInUse is what Supervisor says when another server has the address.
var errInUse = errors.New("Another program is already listening on a port that one of our HTTP servers is " +
	"configured to use.  Shut this program down first before starting supervisord.")

// listenTCP listens on an address of the machine, IPv4 unless the host is an
// IPv6 address.
func listenTCP(sv spec.Server) (net.Listener, error) {
	network, address := addressTCP(sv)
	l, err := net.Listen(network, address)
	if sv.Host == "localhost" && errors.As(err, new(*net.DNSError)) { // known everywhere (RFC 6761), also where there is no /etc/hosts
		l, err = net.Listen(network, net.JoinHostPort("127.0.0.1", strconv.Itoa(sv.Port)))
	}
	if err != nil {
		return nil, openError(err)
	}
	return l, nil
}

// addressTCP is the address of a server as package net takes it.
func addressTCP(sv spec.Server) (network, address string) {
	network, host := "tcp4", strings.Trim(sv.Host, "[]")
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		network = "tcp6"
	}
	return network, net.JoinHostPort(host, strconv.Itoa(sv.Port))
}

// listenUnix makes a socket under a name of its own and sets its mode and owner, so
// that nobody meets a socket of a wrong mode under its real name. The info is that of
// the socket's file, by which it is known again at the end.
//
// Source: contract/config.md section 10, unix socket.
func listenUnix(sv spec.Server, temp string) (net.Listener, os.FileInfo, error) {
	if err := trust.Check(sv.Path); err != nil { // a link of another user, here or on the way
		return nil, nil, openError(err)
	}
	if _, err := freeName(temp); err != nil {
		return nil, nil, err
	}
	l, err := listenPrivate(temp)
	if err != nil {
		return nil, nil, openError(err)
	}
	if err = trust.Chmod(temp, uint32(sv.Mode)&0o7777); err != nil {
		err = openError(err)
	} else {
		err = chown(sv, temp)
	}
	var info os.FileInfo
	if err == nil {
		info, err = os.Lstat(temp)
	}
	if err != nil {
		return nil, nil, errors.Join(err, l.Close(), os.Remove(temp))
	}
	return l, info, nil
}

// listenPrivate listens on a socket that nobody but its owner can connect to,
// whatever the umask is: Linux makes the file with the mode that the socket has.
// Other systems go only by the umask.
func listenPrivate(path string) (net.Listener, error) {
	closed := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { unix.Fchmod(int(fd), 0o600) })
	}}
	l, err := closed.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	return l, nil
}

// publish links a socket to its real name. A name that is taken by a socket on which
// nobody answers is freed first, and that is reported on stderr.
func publish(temp, path string, stderr io.Writer) error {
	err := os.Link(temp, path)
	if errors.Is(err, fs.ErrExist) {
		freed, refused := freeName(path)
		if refused != nil {
			return refused
		}
		if freed {
			fmt.Fprintf(stderr, "Unlinking stale socket %s\n", path)
		}
		err = os.Link(temp, path)
	}
	switch {
	case errors.Is(err, fs.ErrExist): // someone else was faster
		return errInUse
	case err != nil:
		return openError(err)
	}
	return nil
}

// freeName removes a socket on which nobody answers, and nothing else: a path that
// was mistyped may be somebody's file, and a link leads to whatever its owner likes.
// Supervisor removes whatever is there.
func freeName(path string) (freed bool, err error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, openError(err)
	case info.Mode().Type() != fs.ModeSocket:
		return false, fmt.Errorf("Cannot open an HTTP server: %s is %s, not a socket; remove it, or give the server another file=",
			path, fileKind(info.Mode()))
	case socketInUse(path):
		return false, errInUse
	}
	return true, removeStale(path, info)
}

// removeStale removes the socket that was found to be stale, and not one that another
// daemon has put in its place since: under a name of its own it can be told which it is,
// and be put back.
func removeStale(path string, stale os.FileInfo) error {
	aside := fmt.Sprintf("%s.stale.%d", path, os.Getpid())
	switch err := os.Rename(path, aside); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return openError(err)
	}
	if info, err := os.Lstat(aside); err == nil && !os.SameFile(info, stale) {
		if err := os.Rename(aside, path); err != nil {
			return openError(err)
		}
		return errInUse
	}
	if err := unix.Unlink(aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return openError(err)
	}
	return nil
}

// fileKind says what a file is.
func fileKind(m fs.FileMode) string {
	switch m.Type() {
	case 0:
		return "a regular file"
	case fs.ModeDir:
		return "a directory"
	case fs.ModeSymlink:
		return "a symbolic link"
	case fs.ModeNamedPipe:
		return "a named pipe"
	}
	return "a device"
}

// socketInUse reports whether someone listens on the socket. Only a refusal proves
// that nobody does: a server that is slow, or that we may not connect to, is in
// use. Supervisor takes silence for absence, and a second daemon then starts
// every program again.
func socketInUse(path string) bool {
	conn, err := net.DialTimeout("unix", path, 5*time.Second)
	if err == nil {
		conn.Close()
		return true
	}
	return !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist)
}

// chown gives the socket, which still has a temporary name, to its owner.
func chown(sv spec.Server, temp string) error {
	if sv.Owner.UID == -1 && sv.Owner.GID == -1 {
		return nil
	}
	err := trust.Chown(temp, sv.Owner.UID, sv.Owner.GID)
	if errors.Is(err, fs.ErrPermission) {
		name := strconv.Itoa(os.Getuid())
		if u, err := user.Current(); err == nil {
			name = u.Username
		}
		return &keyError{
			key: "chown", plain: fmt.Sprintf("user %s may not change the owner of the socket", name), err: err,
			text: fmt.Sprintf(`Not permitted to chown %s to uid/gid (%d, %d); adjust "sockchown" value in config file `+
				"or on command line to values that the current user (%s) can successfully chown",
				sv.Path, sv.Owner.UID, sv.Owner.GID, name),
		}
	}
	if err != nil {
		return openError(err)
	}
	return nil
}

// unlinkIfOurs removes the socket file unless another has taken its name.
func unlinkIfOurs(path string, ours os.FileInfo) error {
	now, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(now, ours) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Remove(path)
}

// openError is what Supervisor says when a socket cannot be opened. Python
// names the error and gives its number; a host that cannot be resolved has a
// number of the resolver's.
func openError(err error) error {
	const text = "Cannot open an HTTP server: socket.error reported "
	var dns *net.DNSError
	if errors.As(err, &dns) {
		number := -2 // EAI_NONAME
		if dns.IsTemporary {
			number = -3 // EAI_AGAIN
		}
		return &openFailure{fmt.Sprintf("%s%d", text, number), err}
	}
	var errno syscall.Errno
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return errInUse
	case errors.As(err, &errno) && unix.ErrnoName(errno) != "":
		return &openFailure{fmt.Sprintf("%serrno.%s (%d)", text, unix.ErrnoName(errno), int(errno)), err}
	}
	return &openFailure{fmt.Sprintf("%s%v", text, err), err}
}

// openFailure is a failure in Supervisor's words, with what the system said.
type openFailure struct {
	text string
	err  error
}

func (e *openFailure) Error() string { return e.text }
func (e *openFailure) Unwrap() error { return e.err }

// connContext is http.Server's ConnContext hook: requests find in their context the
// server, the client's address or uid, and the state of the connection.
func (hs *httpServer) connContext(ctx context.Context, c net.Conn) context.Context {
	ctx = context.WithValue(ctx, httpServerKey{}, hs)
	ctx = context.WithValue(ctx, callerKey{}, peer(c))
	return context.WithValue(ctx, connKey{}, hs.conns.add(c))
}
