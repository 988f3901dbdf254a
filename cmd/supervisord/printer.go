package main

import (
	"io"
	"slices"
	"time"
)

// printer writes what listeners have for our standard output, without holding
// up the loop: what a reader who has stopped reading does not take is dropped.
type printer struct {
	out   io.Writer
	queue chan printed
}

// printed is one piece of output, or a question whether all before it is out.
type printed struct {
	data []byte
	out  chan<- struct{}
}

// newPrinter makes the printer of the process and starts its goroutine, which ends
// with the process. Nothing waits for it: a write may block for as long as nobody
// reads, and the daemon must be able to end or to restart meanwhile.
func newPrinter(out io.Writer) *printer {
	p := &printer{out: out, queue: make(chan printed, 1024)} // about what one burst of output makes
	go p.run()
	return p
}

// print queues data and reports whether there was room; it never blocks.
func (p *printer) print(data []byte) bool {
	select {
	case p.queue <- printed{data: slices.Clone(data)}:
		return true
	default:
		return false
	}
}

// flush waits until all that was queued is written, for timeout at most.
func (p *printer) flush(timeout time.Duration) {
	deadline := time.After(timeout)
	out := make(chan struct{})
	select {
	case p.queue <- printed{out: out}:
	case <-deadline:
		return
	}
	select {
	case <-out:
	case <-deadline:
	}
}

func (p *printer) run() {
	for next := range p.queue {
		if next.out != nil {
			close(next.out)
			continue
		}
		p.out.Write(next.data)
	}
}

// print has p print data, and says once in each life if nothing reads it. Only the
// loop calls it.
func (l *life) print(p *printer, data []byte) {
	if !p.print(data) && !l.dropped {
		l.dropped = true
		l.logger.Warn("nothing reads standard output: what event listeners print is dropped")
	}
}
