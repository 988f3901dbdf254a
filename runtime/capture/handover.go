package capture

import (
	"fmt"
	"os"
	"sync"
	"time"

	"supervisord/runtime/state"
)

// A Stream and a Stdin can be paused, and then either go on or be saved: written down, for
// others to go on in their place. One goroutine, which also calls Finish, pauses them and
// does what follows.

// pause is a rest that was asked for.
type pause struct {
	once    sync.Once
	stopped chan struct{} // closed when the goroutine has stopped, has nothing to read any more, or has ended
	over    chan struct{} // closed by Continue and Save
}

func (p *pause) stop() { p.once.Do(func() { close(p.stopped) }) }

// nothingToDo is closed.
var nothingToDo = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Pause stops the Stream before its next read; a child that writes much waits. The
// channel is closed when the Stream is quiet, unless Finish was called meanwhile: so call
// Pause again then; if the channel it returns is closed at once, there is nothing left to
// post. Pause never blocks, but a log that accepts nothing delays the quiet.
func (s *Stream) Pause() (quiet <-chan struct{}) {
	p := s.pause.Load()
	if p == nil {
		p = &pause{stopped: make(chan struct{}), over: make(chan struct{})}
		s.pause.Store(p)
		s.in.wake()
	}
	switch {
	case isClosed(s.ended):
		return nothingToDo
	case s.idle.Load() && isClosed(s.finished):
		return s.ended
	case s.idle.Load(), s.hold():
		return nothingToDo
	}
	return p.stopped
}

// Continue ends a Pause, quiet or not. It does nothing without one.
func (s *Stream) Continue() {
	p := s.pause.Swap(nil)
	if p == nil {
		return
	}
	if !isClosed(s.finished) {
		s.in.woken.Store(false)
	}
	close(p.over)
	s.unhold()
}

// goOn is what the goroutine asks when its wait was ended: whether it is to read on. It
// stops here while it is paused.
func (s *Stream) goOn() bool {
	for p := s.pause.Load(); p != nil; p = s.pause.Load() {
		s.in.rest()
		p.stop()
		<-p.over
		if s.given {
			return false
		}
	}
	if isClosed(s.finished) {
		return false
	}
	s.in.calm()
	return true
}

// awaitFinish waits for Finish, with nothing left to read.
func (s *Stream) awaitFinish() {
	s.idle.Store(true)
	if p := s.pause.Load(); p != nil {
		p.stop()
	}
	<-s.finished
}

// end is the last that is done.
func (s *Stream) end() {
	close(s.ended)
	if isClosed(s.finished) && s.late != nil {
		s.late.Stop()
	}
	if p := s.pause.Load(); p != nil {
		p.stop()
	}
}

// Saved is the state of a Stream, except for its pipe: what it holds back and has
// captured.
type Saved struct {
	Begun      bool   `json:"begun,omitempty"` // something was read under the following settings
	CaptureMax int64  `json:"capture_max,omitempty"`
	Strip      bool   `json:"strip,omitempty"`
	Matched    int    `json:"matched,omitempty"` // bytes of a tag
	Within     bool   `json:"within,omitempty"`  // between two tags
	Captured   []byte `json:"captured,omitempty"`
	Sequence   int    `json:"sequence,omitempty"` // how far into a terminal sequence
	Broken     bool   `json:"broken,omitempty"`   // output is discarded
	Line       []byte `json:"line,omitempty"`     // that is not over, of those that are looked at
}

// Save ends a Stream that is quiet, without a fact, and returns its pipe, nil if that is
// closed, and the state needed to continue.
func (s *Stream) Save() (Saved, *os.File) {
	p := s.pause.Load()
	if isClosed(s.ended) || s.idle.Load() {
		s.posting.Lock()
		s.over = true
		s.posting.Unlock()
		s.finish.Do(func() { close(s.finished) })
		close(p.over)
		return Saved{}, nil
	}
	file := s.in.file
	s.in.unwide()
	_ = file.SetReadDeadline(time.Time{})
	saved := Saved{Broken: s.broken}
	if s.applied != nil {
		saved.Begun = true
		s.scan.save(&saved)
		saved.Line = s.seeker.line
	}
	s.given = true
	close(p.over)
	if s.leave() {
		s.end()
	}
	return saved, file
}

// Resume is Start for a pipe from which an earlier Stream has read.
func Resume(r *os.File, ch state.Channel, set Settings, saved Saved, post func(Fact)) *Stream {
	s := newStream(r, ch, set, post)
	s.broken = saved.Broken
	if saved.Begun {
		s.scan.restore(&saved)
		s.seeker = seeker{want: set.Ready, line: saved.Line}
		s.applied = s.settings.Load()
		if s.scan.captureMax != set.captureMax() || s.scan.strip != set.Strip {
			before := set
			s.applied = &before // so that the first chunk finds that they have changed
		}
	}
	s.start()
	return s
}

func (s *scanner) save(to *Saved) {
	to.CaptureMax, to.Strip, to.Matched, to.Within = s.captureMax, s.strip, s.matched, s.within
	to.Captured, to.Sequence = s.captured, int(s.ansi.in)
}

func (s *scanner) restore(from *Saved) {
	*s = scanner{
		captureMax: from.CaptureMax, strip: from.Strip, matched: from.Matched, within: from.Within,
		captured: from.Captured, ansi: stripper{sequence(from.Sequence)},
	}
}

// Check reports a state that no Stream can be in.
func (s *Saved) Check() error {
	tag := beginTag
	if s.Within {
		tag = endTag
	}
	if len(s.Line) > maxLine {
		return fmt.Errorf("it holds %d bytes of a line", len(s.Line))
	}
	switch captures := s.Begun && s.CaptureMax > 0; {
	case s.Matched < 0 || s.Matched >= len(tag), s.Sequence < int(ground) || s.Sequence > int(oscEscape):
		return fmt.Errorf("it holds back %d bytes of a tag, and is in part %d of a sequence", s.Matched, s.Sequence)
	case !captures && (s.Matched > 0 || s.Within), !s.Within && len(s.Captured) > 0, !s.Strip && s.Sequence != int(ground):
		return fmt.Errorf("it captures and strips what it does not")
	}
	return nil
}

// Pause stops writing the queue; what is sent meanwhile is queued, too, or is written at
// once if the queue is empty. The channel is closed when the Stdin is quiet. Pause never
// blocks.
func (s *Stdin) Pause() (quiet <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pause == nil {
		s.pause = make(chan struct{})
		if s.goroutines == 0 {
			close(s.pause)
		} else if !s.closed {
			_ = s.w.SetWriteDeadline(time.Unix(1, 0))
		}
	}
	return s.pause
}

// ended is the last that a goroutine does.
func (s *Stdin) ended() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.goroutines--; s.goroutines == 0 && s.pause != nil {
		s.hurryNoMore()
		close(s.pause)
	}
}

// hurryNoMore has writes wait again. s.mu is held.
func (s *Stdin) hurryNoMore() {
	if !s.closed {
		_ = s.w.SetWriteDeadline(time.Time{})
	}
}

// Continue ends a Pause, quiet or not. It does nothing without one.
func (s *Stdin) Continue() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pause == nil {
		return
	}
	s.pause = nil
	s.hurryNoMore()
	s.writeQueue()
}

// Save ends a Stdin that is quiet, and returns its pipe, nil if that is closed, and what
// is still to be written to it.
func (s *Stdin) Save() (queue []byte, w *os.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil
	}
	s.closed = true
	queue, s.queue = s.queue, nil
	return queue, s.w
}

// ResumeStdin is NewStdin for a pipe to which an earlier Stdin still had to write a
// queue. drained is OnDrained's function; nil for none. It continues with the queue at
// once.
func ResumeStdin(w *os.File, queue []byte, drained func(whole bool)) *Stdin {
	s := NewStdin(w)
	s.drained = drained
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = queue
	s.writeQueue()
	return s
}
