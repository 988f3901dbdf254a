package notify

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// pace is how long an Ear waits after each message, so that a program which never stops
// talking keeps nothing busy.
const pace = time.Millisecond

// Message is what a program has said.
type Message struct {
	Text string // as the socket has it; READY=1 for a newline on the pipe
	// Stranger is the pid of a sender who is not of the program, 0 for none. Text is empty.
	Stranger int
}

// Sender is the process that sent a message, as the kernel says.
type Sender struct{ PID, UID int }

// Options say how to read a program's notifications.
type Options struct {
	// Of reports whether the sender of a message may speak for the program. It is called
	// from the Ear's goroutine, and may wait. nil is for a pipe, which has no other writers.
	Of func(from Sender) bool
	// After is waited for first: the end of the Ear that heard the file before, whose quiet
	// Pause it is. nil is for none.
	After <-chan struct{}
	// Post takes each message, and Done is called when there will be none after Finish. They
	// are called from the Ear's goroutine, and may wait.
	Post func(Message)
	Done func()
}

// Ear reads one socket or pipe.
type Ear struct {
	o     Options
	file  *os.File
	mode  atomic.Int32
	ended chan struct{} // closed when the goroutine has ended
	told  bool          // of a stranger
}

// The modes of an Ear.
const (
	hears = iota
	pauses
	finishes
)

// Hear begins to read a socket, or the read end of a pipe, which the Ear owns from now on.
func Hear(f *os.File, o Options) *Ear {
	e := &Ear{o: o, file: f, ended: make(chan struct{})}
	go e.run() // ends with Pause or Finish
	return e
}

// Pause ends it silently; what is sent from now on waits. The file is available when
// the channel is closed. It never blocks.
func (e *Ear) Pause() (quiet <-chan struct{}) {
	e.end(pauses)
	return e.ended
}

// Finish says that the program has ended: what it has sent is read, then Done is called.
// It never blocks.
func (e *Ear) Finish() { e.end(finishes) }

func (e *Ear) end(mode int32) {
	if e.mode.CompareAndSwap(hears, mode) {
		_ = e.file.SetReadDeadline(time.Unix(1, 0))
	}
}

// Paused is what it read from, for another Ear, if it was paused; nil if it has finished.
func (e *Ear) Paused() *os.File {
	if e.mode.Load() != pauses {
		return nil
	}
	return e.file
}

func (e *Ear) run() {
	defer close(e.ended)
	if e.o.After != nil {
		<-e.o.After
	}
	_ = e.file.SetReadDeadline(time.Time{})
	e.listen()
	if e.mode.Load() == finishes {
		e.drain()
		e.file.Close()
		e.o.Done()
	}
}

// errOver is the end of a pipe.
var errOver = errors.New("nothing more is said")

// listen reads until it is to end.
func (e *Ear) listen() {
	raw, err := e.file.SyscallConn()
	for err == nil && e.mode.Load() == hears {
		var h heard
		var failed error
		err = raw.Read(func(fd uintptr) bool {
			h, failed = e.receive(int(fd))
			return !errors.Is(failed, syscall.EAGAIN)
		})
		switch {
		case err != nil: // it was woken
		case errors.Is(failed, errOver):
			// The end of a pipe stays readable, so its poller is asked no more.
			err = raw.Read(func(uintptr) bool { return false })
		case failed == nil:
			e.take(h)
			time.Sleep(pace)
		default:
			time.Sleep(time.Second) // of a kind that is not known; the next may be better
		}
	}
}

// drain reads what was sent before now.
func (e *Ear) drain() {
	raw, err := e.file.SyscallConn()
	if err != nil {
		return
	}
	for range maxLeft {
		var h heard
		var failed error
		err := raw.Control(func(fd uintptr) { h, failed = e.receive(int(fd)) })
		if err != nil || failed != nil {
			return
		}
		e.take(h)
	}
}

// maxLeft bounds what is read from a program that has ended, whose descendants may go on
// talking.
const maxLeft = 1000

// heard is what was received.
type heard struct {
	text string
	from Sender // of the zero value where that is not asked
}

// take posts what was received, if it is the program's. What came before a message has been
// taken by the time that is received, so the descriptor of a BARRIER=1, which the kernel
// drops then, tells what it is to tell.
func (e *Ear) take(h heard) {
	switch {
	case h.text == "":
	case e.o.Of == nil || e.o.Of(h.from):
		e.o.Post(Message{Text: h.text})
	case !e.told:
		e.told = true
		e.o.Post(Message{Stranger: h.from.PID})
	}
}

func (e *Ear) receive(fd int) (heard, error) {
	if e.o.Of == nil {
		return readPipe(fd)
	}
	return receive(fd)
}

// readPipe reads of a pipe whether there is a newline.
func readPipe(fd int) (heard, error) {
	var buf [512]byte
	for {
		n, err := syscall.Read(fd, buf[:])
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return heard{}, err
		case n == 0:
			return heard{}, errOver
		}
		for _, c := range buf[:n] {
			if c == '\n' {
				return heard{text: "READY=1"}, nil
			}
		}
		return heard{}, nil
	}
}
