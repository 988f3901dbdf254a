package launch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"supervisord/runtime/trust"
)

// SocketOptions describe the listening socket of a FastCGI program.
//
// Source: contract/config.md section 6, contract/process.md section 9.
type SocketOptions struct {
	URL     string // unix:///path or tcp://host:port, for the log and errors
	Network string // "unix" or "tcp"
	Path    string // unix, absolute
	Host    string // tcp
	Port    int    // tcp
	Mode    int    // unix: permission bits
	// UID and GID own a unix socket; -1 leaves that half unchanged.
	UID, GID int
	Backlog  int // 0 asks for the system's greatest
}

// maxBacklog is what Supervisor passes for SOMAXCONN. The kernel lowers it to
// its own limit.
const maxBacklog = 4096

// resolveTimeout bounds the look-up of a tcp socket's host.
const resolveTimeout = 10 * time.Second

// Socket is a listening socket that processes share. It exists while anybody
// holds it: who means to keep it over a restart of all its processes does not
// release it in between. Its methods may be called from any goroutine; as they
// may wait for the disk or a name server, the loop calls none but Release.
//
// What is done to it is done in the order of the calls.
//
// Source: contract/process.md section 9. Differs: a unix socket's path is
// removed at the end (differences.md section 3, row 18).
type Socket struct {
	log func(text string)

	mu      sync.Mutex // held for a moment only, never during disk or network I/O
	options SocketOptions
	holders int             // those who wait for it to be made are among them
	last    <-chan struct{} // closed when the newest operation is done

	// Owned by the operation whose turn it is.
	file  *os.File    // nil without holders
	bound os.FileInfo // what Path was when we bound it
}

// NewSocket returns a socket that does not exist yet. log gets "Creating socket
// URL" and "Closing socket URL".
func NewSocket(o SocketOptions, log func(text string)) *Socket {
	return &Socket{options: o, log: log, last: nothingToDo}
}

// nothingToDo is an operation that is done.
var nothingToDo = func() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}()

// enqueue takes a place in the line of operations: the caller's turn comes when
// before is closed, and ends when it closes done. s.mu is held.
func (s *Socket) enqueue() (before <-chan struct{}, done chan struct{}) {
	before, done = s.last, make(chan struct{})
	s.last = done
	return before, done
}

// SocketError says that a socket could not be made.
type SocketError struct {
	URL string
	Err error
}

// Error is Supervisor's text.
//
// Source: contract/process.md section 9.
func (e *SocketError) Error() string {
	text := e.Err.Error()
	var errno syscall.Errno
	var dns *net.DNSError
	switch {
	case errors.As(e.Err, &errno):
		text = errno.Error()
		text = fmt.Sprintf("[Errno %d] %s", int(errno), strings.ToUpper(text[:1])+text[1:])
	case errors.As(e.Err, &dns) && dns.IsNotFound:
		text = "[Errno -2] Name or service not known"
	}
	return fmt.Sprintf("Could not create FastCGI socket %s: %s", e.URL, text)
}

// errPathTooLong says that a path does not fit into a socket's address.
var errPathTooLong = errors.New("AF_UNIX path too long")

// Unwrap gives the system's error.
func (e *SocketError) Unwrap() error { return e.Err }

// Check makes the socket and closes it again, to find out whether it can be
// made. With holders there is nothing to find out. The error is a *SocketError.
func (s *Socket) Check() error {
	if _, err := s.Acquire(); err != nil {
		return err
	}
	<-s.Release()
	return nil
}

// Acquire makes the caller a holder, and the socket if it is the first. The file
// is for a Command; it is not the caller's to close. The error is a
// *SocketError.
func (s *Socket) Acquire() (*os.File, error) {
	s.mu.Lock()
	s.holders++
	before, done := s.enqueue()
	s.mu.Unlock()
	<-before
	defer close(done)
	if s.file == nil {
		s.mu.Lock()
		o := s.options
		s.mu.Unlock()
		s.log("Creating socket " + o.URL)
		if err := s.create(&o); err != nil {
			s.mu.Lock()
			s.holders--
			s.mu.Unlock()
			return nil, &SocketError{o.URL, err}
		}
	}
	return s.file, nil
}

// Release ends one Acquire. With the last, the socket is closed and its path
// removed, if it is still the same file. It does not wait for that: the channel
// is closed when it is done.
func (s *Socket) Release() (done <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holders == 0 {
		panic("launch: Socket released more often than acquired")
	}
	if s.holders--; s.holders > 0 {
		return nothingToDo
	}
	s.log("Closing socket " + s.options.URL)
	before, closed := s.enqueue()
	path := s.options.Path
	go func() { // ends with the operations before it and its own
		defer close(closed)
		<-before
		s.close(path)
	}()
	return closed
}

func (s *Socket) close(path string) {
	_ = s.file.Close()
	s.file = nil
	if s.bound != nil {
		if now, err := os.Lstat(path); err == nil && os.SameFile(now, s.bound) {
			_ = os.Remove(path)
		}
		s.bound = nil
	}
}

// Configure changes mode and owner of a unix socket to those of o, at once if
// it exists. What else o says is not looked at: another address or backlog is
// another socket.
func (s *Socket) Configure(o SocketOptions) error {
	s.mu.Lock()
	s.options.Mode, s.options.UID, s.options.GID = o.Mode, o.UID, o.GID
	o = s.options
	before, done := s.enqueue()
	s.mu.Unlock()
	<-before
	defer close(done)
	if s.bound == nil {
		return nil
	}
	if err := o.setAccess(); err != nil {
		return &SocketError{o.URL, err}
	}
	return nil
}

// create makes the socket. It is the caller's turn.
func (s *Socket) create(o *SocketOptions) error {
	family, addr, err := o.address()
	if err != nil {
		return err
	}
	fd, err := streamSocket(family)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), o.URL) // blocking, as the children expect
	fail := func(err error) error {
		_ = file.Close()
		if s.bound != nil {
			_ = os.Remove(o.Path)
			s.bound = nil
		}
		return err
	}
	if o.Network == "unix" {
		if err := trust.Check(o.Path); err != nil { // a link of another user, here or on the way
			return fail(err)
		}
		if err := freePath(o.Path); err != nil {
			return fail(err)
		}
	} else if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return fail(err)
	}
	if err := syscall.Bind(fd, addr); err != nil {
		return fail(err)
	}
	if o.Network == "unix" {
		if s.bound, err = os.Lstat(o.Path); err != nil {
			return fail(err)
		}
		// Nobody can connect before listen, so the mode comes in time.
		if err := o.setAccess(); err != nil {
			return fail(err)
		}
	}
	backlog := o.Backlog
	if backlog == 0 {
		backlog = maxBacklog
	}
	if err := syscall.Listen(fd, backlog); err != nil {
		return fail(err)
	}
	s.file = file
	return nil
}

// freePath removes a socket whose maker is gone, and nothing else: a path that was
// mistyped may be somebody's file, or the socket of another server. Supervisor
// removes whatever is there.
//
// A socket of a supervisord that was killed may be held by the programs that
// outlived it, which answer on it: they must not keep the new ones from starting.
// Neither must we ourselves, who replace a socket whose backlog was changed.
func freePath(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s exists and is not a socket; remove it, or set another path in socket=", path)
	}
	if maker, answers := socketMaker(path); answers && maker != os.Getpid() && (maker <= 0 || alive(maker)) {
		who := "another process"
		if maker > 0 {
			who = fmt.Sprintf("process %d", maker)
		}
		return fmt.Errorf("%s listens on it", who)
	}
	if err := syscall.Unlink(path); err != nil && err != syscall.ENOENT {
		return err
	}
	return nil
}

// alive reports whether there is a process of that number.
func alive(pid int) bool { return syscall.Kill(pid, 0) != syscall.ESRCH }

// socketMaker connects to a socket and says whether anybody may answer on it, and
// which process made it listen, 0 where that is not known.
func socketMaker(path string) (pid int, answers bool) {
	fd, err := streamSocket(syscall.AF_UNIX)
	if err != nil {
		return 0, true
	}
	defer syscall.Close(fd)
	// A server that has no room for another connection is there.
	_ = syscall.SetNonblock(fd, true)
	switch err := syscall.Connect(fd, &syscall.SockaddrUnix{Name: path}); err {
	case nil:
		return peerPID(fd), true
	case syscall.ECONNREFUSED, syscall.ENOENT:
		return 0, false
	}
	return 0, true
}

func (o *SocketOptions) setAccess() error {
	if o.UID >= 0 || o.GID >= 0 {
		if err := trust.Chown(o.Path, o.UID, o.GID); err != nil {
			return err
		}
	}
	return trust.Chmod(o.Path, uint32(o.Mode))
}

func (o *SocketOptions) address() (family int, addr syscall.Sockaddr, err error) {
	if o.Network == "unix" {
		if len(o.Path) >= len(syscall.RawSockaddrUnix{}.Path) {
			return 0, nil, errPathTooLong
		}
		return syscall.AF_UNIX, &syscall.SockaddrUnix{Name: o.Path}, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, o.Host)
	if err != nil {
		return 0, nil, err
	}
	for _, ip := range ips {
		if ip4 := ip.IP.To4(); ip4 != nil {
			return syscall.AF_INET, &syscall.SockaddrInet4{Port: o.Port, Addr: [4]byte(ip4)}, nil
		}
	}
	return syscall.AF_INET6, &syscall.SockaddrInet6{Port: o.Port, Addr: [16]byte(ips[0].IP.To16())}, nil
}

// streamSocket makes a socket that is closed on exec.
func streamSocket(family int) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	return fd, err
}
