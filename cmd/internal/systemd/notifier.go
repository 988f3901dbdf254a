package systemd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// retryAfter is when a message is sent again that found no room.
const retryAfter = 250 * time.Millisecond

// Notifier tells a service manager what happens. Its methods may be called from any
// goroutine and never wait: what a manager that does not read has no room for is sent
// later, as far as it is still true. nil tells nobody.
type Notifier struct {
	to unix.Sockaddr
	fd int

	mu       sync.Mutex // guards the following, for a few system calls that do not wait
	waiting  []Line     // for room; at most one of a kind
	retry    *time.Timer
	stopping bool // Stopping was told
}

// NewNotifier makes one for the address of a Service. It is never closed.
func NewNotifier(address string) (*Notifier, error) {
	if err := checkAddress(address); err != nil {
		return nil, err
	}
	syscall.ForkLock.RLock()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	// The socket is not connected, so that a restarted manager is found.
	return &Notifier{to: &unix.SockaddrUnix{Name: address}, fd: fd}, nil
}

// checkAddress is why a socket cannot have that address.
func checkAddress(address string) error {
	const most = len(syscall.RawSockaddrUnix{}.Path) - 1
	switch {
	case len(address) < 2 || address[0] != '@' && !filepath.IsAbs(address):
		return errors.New("it is neither an absolute path nor @ and a name")
	case len(address) > most:
		return fmt.Errorf("it has %d bytes, and the address of a socket may have %d", len(address), most)
	}
	return nil
}

// Tell sends lines in their order, each as a message of its own. After Stopping, Ready and
// Reloading are no longer true and are left out. The error is why a line cannot be
// sent at all, for instance because nobody listens; it is then dropped.
func (n *Notifier) Tell(lines ...Line) error {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range lines {
		n.stopping = n.stopping || l == Stopping
		if n.stopping && Stopping.outdates(l) && l != Stopping {
			continue
		}
		n.waiting = append(slices.DeleteFunc(n.waiting, l.outdates), l)
	}
	return n.send()
}

// send sends what waits, as far as there is room. n.mu is held.
func (n *Notifier) send() error {
	var errs []error
	for len(n.waiting) > 0 {
		err := unix.Sendto(n.fd, []byte(n.waiting[0]), unix.MSG_DONTWAIT, n.to)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOBUFS):
			n.sendLater()
			return errors.Join(errs...)
		case err != nil:
			errs = append(errs, os.NewSyscallError("sendto", err))
		}
		n.waiting = n.waiting[1:]
	}
	n.waiting = nil
	return errors.Join(errs...)
}

// sendLater has what waits sent again. n.mu is held.
func (n *Notifier) sendLater() {
	if n.retry != nil {
		n.retry.Reset(retryAfter)
		return
	}
	n.retry = time.AfterFunc(retryAfter, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		_ = n.send() // who has gone meanwhile is told of at the next Tell
	})
}
