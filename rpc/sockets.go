package rpc

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"supervisord/spec"
)

// Sockets are the listening sockets of a configuration's servers, and what their TLS
// needs: everything about a Server that can fail. They are had before it, so that a
// reload is refused while nothing has been stopped yet, and they outlive the Server
// before: two Sockets share what both need, and nobody who connects in between is
// turned away.
type Sockets struct {
	opt  SocketOptions
	list []readySocket // in the order of the servers
}

// SocketOptions say how sockets are opened. The zero value is usable.
type SocketOptions struct {
	// PID stands in the temporary names of unix sockets; 0 is this process.
	PID int
	// Stderr is told of a stale socket that was unlinked; nil is standard error.
	Stderr io.Writer
	// Held are the sockets of the daemon as it runs. One for the same address is
	// shared. An address that these occupy otherwise is taken by Listen, when they
	// have been closed; nil is none.
	Held *Sockets
	// Given are sockets that the daemon was started with: a server at the address of one
	// has that.
	Given *GivenSockets
	// Try opens nothing that anybody could connect to under the server's address, for a
	// check: a unix socket keeps its temporary name.
	Try bool
}

// readySocket is a socket with what the TLS of one Server needs; nil is plain HTTP.
type readySocket struct {
	*socket
	certificates *certificates
}

// socket is one listening socket.
type socket struct {
	spec.Server
	given bool // the daemon was started with it

	mu       sync.Mutex // guards the following
	users    int        // how many Sockets it belongs to
	listener net.Listener
	temp     string      // unix: its name for as long as it is not published
	file     os.FileInfo // unix: its file
}

// OpenSockets opens a socket for each server. The error is a *ServerError; then
// nothing is left open.
func OpenSockets(servers []spec.Server, o SocketOptions) (*Sockets, error) {
	if o.PID == 0 {
		o.PID = os.Getpid()
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	s := &Sockets{opt: o}
	for _, sv := range servers {
		if err := s.add(sv); err != nil {
			return nil, errors.Join(serverError(sv, err), s.Close())
		}
	}
	return s, nil
}

func (s *Sockets) add(sv spec.Server) error {
	certificates, err := openCertificates(sv)
	if err != nil {
		return err
	}
	if k := s.opt.Given.share(sv); k != nil {
		s.list = append(s.list, readySocket{k, certificates})
		return nil
	}
	var k *socket
	if !s.opt.Try { // a try is of what comes without the life before
		k = s.opt.Held.share(sv)
	}
	if k == nil {
		k = &socket{Server: sv, users: 1}
		// What only these keep it from is had once they are closed.
		if err := k.open(s.opt); err != nil && !(errors.Is(err, errInUse) && s.opt.Held.occupies(sv) && !s.opt.Held.takenByOthers(sv)) {
			return err
		}
	}
	s.list = append(s.list, readySocket{k, certificates})
	switch {
	case s.opt.Held.occupies(sv):
		return nil
	case !s.opt.Try:
		return k.publish(s.opt)
	case sv.Network == "unix" && socketInUse(sv.Path):
		return errInUse
	}
	return nil
}

// share is the socket for exactly that server, which has one user more then; nil for
// none.
func (s *Sockets) share(sv spec.Server) *socket {
	if s == nil || sv.Network == "tcp" && sv.Port == 0 {
		return nil
	}
	for _, k := range s.list {
		if k.Network == sv.Network && k.Host == sv.Host && k.Port == sv.Port &&
			k.Path == sv.Path && k.Mode == sv.Mode && k.Owner == sv.Owner {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.users++
			return k.socket
		}
	}
	return nil
}

// overlap reports whether sockets of two hosts keep each other from one port: those
// of the same host, and one of all hosts and any other.
func overlap(a, b string) bool { return a == b || spec.EveryAddress(a) || spec.EveryAddress(b) }

// occupies reports whether one of the sockets may be what keeps a server from its
// address, until it is closed.
func (s *Sockets) occupies(sv spec.Server) bool {
	if s == nil {
		return false
	}
	for _, k := range s.list {
		if !k.given && k.Network == sv.Network && k.Path == sv.Path && k.Port == sv.Port && overlap(k.Host, sv.Host) {
			return true
		}
	}
	return false
}

// complete opens and publishes what had to wait for the sockets held.
func (s *Sockets) complete() error {
	for _, k := range s.list {
		if k.listener == nil {
			if err := k.open(s.opt); err != nil {
				return serverError(k.Server, err)
			}
		}
		if err := k.publish(s.opt); err != nil {
			return serverError(k.Server, err)
		}
	}
	s.opt.Held = nil
	return nil
}

// Close closes the sockets that no other Sockets have, and removes their files if they
// are still ours. A Server closes those that it was given. A second call does nothing.
func (s *Sockets) Close() error {
	if s == nil {
		return nil
	}
	var errs []error
	for _, k := range s.list {
		errs = append(errs, k.release())
	}
	s.list = nil
	return errors.Join(errs...)
}

// open begins to listen, in case of a unix socket under a temporary name.
func (k *socket) open(o SocketOptions) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var err error
	if k.Network != "unix" {
		k.listener, err = listenTCP(k.Server)
		return err
	}
	suffix := strconv.Itoa(o.PID)
	if o.Held != nil {
		suffix += "n" // those held may be created again meanwhile
	}
	temp, err := tempName(k.Path, suffix)
	if err != nil {
		return err
	}
	listener, info, err := listenUnix(k.Server, temp)
	if err != nil {
		return err
	}
	k.listener, k.temp, k.file = listener, temp, info
	return nil
}

// publish gives a unix socket its real name, and nobody who connects before its owner
// and mode are right.
func (k *socket) publish(o SocketOptions) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.temp == "" {
		return nil
	}
	if err := publish(k.temp, k.Path, o.Stderr); err != nil {
		return err
	}
	temp := k.temp
	k.temp = ""
	return os.Remove(temp)
}

// remake listens again for a unix socket whose file is gone, and reports whether it was.
func (k *socket) remake(o SocketOptions) (bool, error) {
	if k.Network != "unix" {
		return false, nil
	}
	if _, err := os.Lstat(k.Path); !errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if k.given {
		return false, errNotOurs
	}
	fresh := &socket{Server: k.Server}
	err := fresh.open(o)
	if err == nil {
		if err = fresh.publish(o); err != nil {
			err = errors.Join(err, fresh.close())
		}
	}
	if err != nil {
		return false, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	old := k.listener
	k.listener, k.file = fresh.listener, fresh.file
	return true, old.Close()
}

// duplicate is another descriptor of the socket, for one Server to close.
func (k *socket) duplicate() (net.Listener, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	file, err := k.listener.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return net.FileListener(file)
}

// release takes one user away, and closes the socket after the last.
func (k *socket) release() error {
	k.mu.Lock()
	k.users--
	last := k.users == 0
	k.mu.Unlock()
	if !last {
		return nil
	}
	return k.close()
}

func (k *socket) close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.listener == nil {
		return nil
	}
	// While somebody listens, no other daemon takes the file for a stale one and puts its
	// own there, which would be removed in its place.
	var err error
	if k.temp != "" {
		err = unlinkIfOurs(k.temp, k.file)
	} else if k.file != nil {
		err = unlinkIfOurs(k.Path, k.file)
	}
	err = errors.Join(err, k.listener.Close())
	k.listener = nil
	return err
}

// maxSocketPath is how many bytes the path of a unix socket may have: its field in the
// kernel ends with a zero.
const maxSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// tempName is the name in the same directory under which a unix socket is made, which
// is as Supervisor forms it unless that is too long where the path itself is not.
func tempName(path, suffix string) (string, error) {
	for _, name := range []string{path + "." + suffix, filepath.Join(filepath.Dir(path), "."+suffix)} {
		if len(path) <= maxSocketPath && len(name) <= maxSocketPath {
			return name, nil
		}
	}
	return "", errPathTooLong
}

var errPathTooLong = errors.New("Cannot open an HTTP server: socket.error reported AF_UNIX path too long")

// ServerError is why a server cannot be opened.
type ServerError struct {
	// Mistake is where in the configuration the reason is, as far as that is known:
	// the section and the key. Its Text is Supervisor's.
	Mistake *spec.Error
	// InUse: another program has the address.
	InUse bool
	err   error
}

// InUse is the error of a server whose address another program has.
func InUse(sv spec.Server) *ServerError { return serverError(sv, errInUse) }

// Error is what Supervisor says.
func (e *ServerError) Error() string { return e.Mistake.Text }

// Unwrap is what the system said.
func (e *ServerError) Unwrap() error { return e.err }

// serverError finds the place of what went wrong.
func serverError(sv spec.Server, err error) *ServerError {
	m := &spec.Error{Section: sv.Section, Key: "port", Text: err.Error()}
	e := &ServerError{Mistake: m, InUse: errors.Is(err, errInUse), err: err}
	address := net.JoinHostPort(sv.Host, strconv.Itoa(sv.Port))
	if sv.Network == "unix" {
		m.Key, address = "file", sv.Path
	}
	var key *keyError
	var errno syscall.Errno
	switch {
	case errors.As(err, &key):
		m.Key, m.Plain = key.key, key.plain
	case e.InUse:
		m.Plain, m.Hint = "another program is listening on "+address, "stop that one, or choose another address"
	case errors.Is(err, errPathTooLong):
		m.Plain = fmt.Sprintf("the path has %d bytes, and that of a unix socket may have %d", len(sv.Path), maxSocketPath)
		m.Hint = "choose a shorter one"
	case errors.Is(err, fs.ErrNotExist):
		m.Plain = "cannot listen on " + address + ": no such directory"
		m.Hint = "create " + filepath.Dir(sv.Path)
	case errors.As(err, &errno):
		m.Plain = fmt.Sprintf("cannot listen on %s: %v", address, errno)
		switch {
		case errno == syscall.EADDRNOTAVAIL:
			m.Hint = "an address of this machine"
		case errno == syscall.EACCES && sv.Network == "tcp" && sv.Port < 1024:
			m.Hint = "a port from 1024 up, or start as root"
		}
	}
	return e
}

// keyError is a failure that is about one key of a server's section.
type keyError struct {
	key, plain, text string
	err              error
}

func (e *keyError) Error() string { return e.text }
func (e *keyError) Unwrap() error { return e.err }
