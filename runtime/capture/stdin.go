package capture

import (
	"errors"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Errors of Stdin.Write.
var (
	// ErrClosed: the child has closed its standard input, or is gone.
	ErrClosed = errors.New("standard input is closed")
	// ErrFull: too much waits to be read already.
	ErrFull = errors.New("standard input is full")
)

// stdinLimit is how many bytes may wait for a child to read them. A message that
// finds nothing waiting is taken however long it is.
const stdinLimit = 1 << 20

// pieceSize is how much of the queue is written with one call: what an empty pipe
// takes.
const pieceSize = 64 << 10

// Stdin writes to a child's standard input without ever waiting for the child.
// Its methods may be called from any goroutine.
//
// Source: contract/process.md section 10.
// Differs: a full pipe is no error; the queue has a bound.
type Stdin struct {
	w     *os.File
	raw   syscall.RawConn // of w
	limit int             // of the queue

	mu     sync.Mutex
	queue  []byte
	busy   bool // a goroutine writes the queue
	closed bool

	goroutines int           // that write, or tell what came of it
	pause      chan struct{} // closed when there are none; nil while they need not end

	drained func(whole bool)
}

// NewStdin writes to w, a pipe in non-blocking mode such as os.Pipe makes, which
// the Stdin owns from now on.
func NewStdin(w *os.File) *Stdin {
	raw, err := w.SyscallConn()
	return &Stdin{w: w, raw: raw, limit: stdinLimit, closed: err != nil}
}

// OnDrained registers f to be called whenever the queue has become empty:
// because all was written, or because the child closed its end. f runs on its
// own goroutine and may block. Call OnDrained before the first Write.
func (s *Stdin) OnDrained(f func(whole bool)) { s.drained = f }

// Queued is how many bytes the child's pipe has not taken yet.
func (s *Stdin) Queued() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

// Write writes what the pipe takes at once and queues the rest. It takes data
// whole or not at all and keeps no reference to it. The error is ErrClosed or
// ErrFull.
func (s *Stdin) Write(data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed && len(s.queue) > 0 && len(s.queue)+len(data) > s.limit {
		return ErrFull
	}
	_, err := s.send(data)
	return err
}

// Send is Write for callers that send nothing more before the data is read, so
// that the queue needs no bound; the error is ErrClosed. It also reports whether
// the pipe has taken everything already. If it has not, and there is no error,
// OnDrained's function is called later; if it has, it is not.
func (s *Stdin) Send(data []byte) (whole bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.send(data)
}

// send writes or queues data. s.mu is held.
func (s *Stdin) send(data []byte) (whole bool, err error) {
	if s.closed {
		return false, ErrClosed
	}
	if !s.busy && len(s.queue) == 0 {
		n, err := s.writeNow(data)
		if err != nil {
			s.shut()
			return false, ErrClosed
		}
		data = data[n:]
	}
	if len(data) == 0 {
		return !s.busy && len(s.queue) == 0, nil
	}
	s.queue = append(s.queue, data...)
	s.writeQueue()
	return false, nil
}

// writeQueue has a goroutine write the queue, unless one does, or none is to. s.mu is
// held.
func (s *Stdin) writeQueue() {
	if len(s.queue) > 0 && !s.busy && s.pause == nil {
		s.busy = true
		s.goroutines++
		go s.drain()
	}
}

// Close closes the pipe; the child reads end-of-file. What is queued is lost.
func (s *Stdin) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.shut()
	}
}

// shut closes the pipe, which also wakes the goroutine. s.mu is held.
func (s *Stdin) shut() {
	s.closed = true
	s.queue = nil
	s.w.Close()
}

// writeNow writes what the pipe takes without waiting.
func (s *Stdin) writeNow(data []byte) (n int, err error) {
	if len(data) == 0 {
		return 0, nil
	}
	closed := s.raw.Write(func(fd uintptr) bool {
		for {
			n, err = unix.Write(int(fd), data)
			if !errors.Is(err, syscall.EINTR) {
				return true
			}
		}
	})
	switch {
	case closed != nil:
		return 0, closed
	case errors.Is(err, syscall.EAGAIN):
		return 0, nil
	}
	return max(n, 0), err
}

// drain writes the queue and ends when it is empty, the pipe is closed, or a Pause asks
// for that.
func (s *Stdin) drain() {
	defer s.ended()
	for {
		s.mu.Lock()
		if len(s.queue) == 0 {
			s.queue, s.busy = nil, false // lets go of the memory, too
			whole := !s.closed
			s.mu.Unlock()
			if s.drained != nil {
				s.drained(whole)
			}
			return
		}
		if s.pause != nil {
			s.busy = false
			s.mu.Unlock()
			return
		}
		data := s.queue[:min(len(s.queue), pieceSize)] // the rest may grow meanwhile
		s.mu.Unlock()

		n, err := s.w.Write(data)

		s.mu.Lock()
		if err != nil && !s.closed && !errors.Is(err, os.ErrDeadlineExceeded) {
			s.shut()
		}
		if !s.closed {
			s.queue = s.queue[n:]
		}
		s.mu.Unlock()
	}
}
