package capture

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"supervisord/runtime/logfile"
	"supervisord/runtime/state"
)

// Settings say what to do with a channel's output. The zero value discards it.
type Settings struct {
	// Log takes the output, nil for none. The Stream flushes it, and gives it a
	// deadline when the child is dead, but neither opens nor closes it.
	Log *logfile.Writer
	// CaptureMax turns capture mode on if it is more than 0: how many bytes to
	// capture between two tags.
	CaptureMax int64
	// Strip removes terminal sequences, from everything but what Protocol posts and
	// echoes.
	Strip bool
	// Tail keeps the end of what goes to the log in memory, for LastLines.
	Tail bool
	// Events posts a FactLog for what goes to the log and for what is captured.
	Events bool
	// Protocol is for the standard output of event listeners: everything is posted
	// as FactOutput, as it was read; CaptureMax and Events are ignored.
	Protocol bool
	// Ready is what a line of the output matches when the program is ready: the first one
	// posts a FactReady. nil looks for none.
	Ready *regexp.Regexp
	// Echo gets the output for the activity log, nil for nobody; with Protocol as it
	// was read. The data is valid during the call only.
	Echo func(ch state.Channel, data []byte)
}

// unhurried reports whether nobody but the log waits for the output, so that a moment
// more or less is the same.
func (set *Settings) unhurried() bool {
	return !set.Protocol && !set.Events && set.CaptureMax <= 0 && set.Ready == nil
}

// captureMax is CaptureMax where it counts.
func (set *Settings) captureMax() int64 {
	if set.Protocol {
		return 0
	}
	return set.CaptureMax
}

// FactKind says what a Fact is.
type FactKind int

// The kinds of fact.
const (
	FactLog    FactKind = iota // Data of a PROCESS_LOG event
	FactComm                   // Data of a PROCESS_COMMUNICATION event
	FactOutput                 // a listener's protocol bytes
	FactReady                  // there was a line that Settings.Ready matches
	FactClosed                 // the channel was closed; the child may live on
	FactFailed                 // our own fault: Data says what; from here on output is discarded
	FactDone                   // everything is read; always the last
)

// Fact is something that the loop must know about a channel.
type Fact struct {
	Kind    FactKind
	Channel state.Channel
	Data    []byte // owned by the receiver
}

// How long the end of a child waits for its log.
const (
	logGrace  = time.Second     // for a log that takes nothing; then the rest is dropped
	doneGrace = 3 * time.Second // for a log that hangs in the kernel; then it is left to itself
)

// Stream reads one channel of one child.
type Stream struct {
	in       *inlet
	channel  state.Channel
	post     func(Fact)
	settings atomic.Pointer[Settings]

	finish   sync.Once
	finished chan struct{} // closed by Finish
	late     *time.Timer   // calls expire; set before Finish closes finished, nil where Save does
	ended    chan struct{} // closed when all is done

	tail tail // of the output, if Settings.Tail has it kept

	pause atomic.Pointer[pause] // asked for; nil for none
	idle  atomic.Bool           // there is nothing left to read: it waits for Finish

	sleepMu sync.Mutex // guards sleep
	sleep   sleep

	posting sync.Mutex // held while a fact is posted
	over    bool       // FactDone is posted

	logGrace, doneGrace time.Duration

	// Owned by the goroutine, and while that is paused by who paused it.
	given   bool // Save was called: the pipe is another's
	broken  bool // FactFailed was posted: output is discarded
	applied *Settings
	scan    scanner
	seeker  seeker
	emit    func(piece, []byte)
}

// Start begins to read r, a pipe in non-blocking mode such as os.Pipe makes,
// which the Stream owns from now on. post is called by one goroutine at a time and
// never after FactDone. It may block, which makes the child wait, and the ends of other
// Streams.
func Start(r *os.File, ch state.Channel, set Settings, post func(Fact)) *Stream {
	s := newStream(r, ch, set, post)
	s.start()
	return s
}

func newStream(r *os.File, ch state.Channel, set Settings, post func(Fact)) *Stream {
	s := &Stream{
		in: newInlet(r), channel: ch, post: post,
		finished: make(chan struct{}), ended: make(chan struct{}),
		logGrace: logGrace, doneGrace: doneGrace,
	}
	s.emit = s.take
	if set.Log != nil {
		set.Log.SetDeadline(time.Time{}) // the one of an earlier child
	}
	s.settings.Store(&set)
	return s
}

// Set changes what is done with the output, from the next chunk on. It never
// blocks.
func (s *Stream) Set(set Settings) { s.settings.Store(&set) }

// Finish says that the child is dead: what is in the pipe is read, held-back
// output is released, the pipe is closed and FactDone posted. It never blocks. A
// log that accepts nothing delays FactDone by a few seconds at most.
func (s *Stream) Finish() {
	s.finish.Do(func() {
		if log := s.settings.Load().Log; log != nil {
			log.SetDeadline(time.Now().Add(s.logGrace))
		}
		s.late = time.AfterFunc(s.doneGrace, s.expire)
		close(s.finished)
		s.in.wake()
		s.rouse()
	})
}

// Ended is closed when the Stream writes no more to its log. That is with FactDone,
// or later if the log was stuck.
func (s *Stream) Ended() <-chan struct{} { return s.ended }

// expire posts FactDone if the goroutine does not come back from its log.
func (s *Stream) expire() {
	for p := s.pause.Load(); p != nil; p = s.pause.Load() {
		<-p.over // its time does not run while it is paused
		select {
		case <-s.ended:
			return
		case <-time.After(s.doneGrace):
		}
	}
	s.tell(Fact{Kind: FactDone}) // which does nothing if it has ended meanwhile
}

// tell posts a fact unless it is too late for it.
func (s *Stream) tell(f Fact) {
	f.Channel = s.channel
	s.posting.Lock()
	defer s.posting.Unlock()
	if s.over {
		return
	}
	s.over = f.Kind == FactDone
	s.post(f)
}

func (s *Stream) run() {
	defer s.end()
	sleepers.remove(s)
	if !s.broken {
		s.broken = s.guard(s.readAll)
	}
	if s.broken {
		s.guard(s.discardAll)
	}
	if s.given {
		return
	}
	s.in.close()
	s.tell(Fact{Kind: FactDone})
}

// guard keeps a fault of ours from ending more than this stream.
func (s *Stream) guard(work func()) (failed bool) {
	defer func() {
		if p := recover(); p != nil {
			failed = true
			s.tell(Fact{Kind: FactFailed, Data: fmt.Appendf(nil, "%v\n%s", p, debug.Stack())})
		}
	}()
	work()
	return false
}

// readAll reads until the child is dead and its output read.
func (s *Stream) readAll() {
	switch eof := s.follow(s.chunk); {
	case eof:
		s.letGo()
		s.tell(Fact{Kind: FactClosed})
		s.in.close()
		s.awaitFinish()
	case !s.given:
		s.drain()
		s.letGo()
	}
}

// discardAll reads so that the child does not wait for a reader.
func (s *Stream) discardAll() {
	if s.follow(func([]byte) {}) {
		s.awaitFinish()
	}
}

// follow gives each chunk to use until the end of the pipe, which it reports, or
// until Finish or Save is called.
func (s *Stream) follow(use func([]byte)) (eof bool) {
	in, p := s.in, pace{}
	var pause time.Duration
	took := func() (again bool) {
		if eof = in.n <= 0 && !in.empty; eof {
			in.release()
			return false
		}
		if in.n > 0 {
			use(in.bytes())
			in.release()
		}
		in.patient = s.settings.Load().unhurried()
		if pause = 0; in.patient {
			pause = p.next(in.n, in.room(), time.Now())
		} else {
			p = pace{}
		}
		return pause == 0
	}
	for {
		switch {
		case in.each(took):
		case s.goOn():
			p = pace{}
			continue
		default:
			return false
		}
		if eof {
			return true
		}
		if !in.linger(pause) {
			p = pace{}
		}
	}
}

// drain reads what is in the pipe now. A child's last bytes are there when it is
// reaped; later ones are a grandchild's, who may go on for ever. What woke us would keep
// the bytes from us, so it is not asked.
func (s *Stream) drain() {
	left, in := 0, s.in
	in.rest()
	if in.raw.Control(func(fd uintptr) { left = pending(int(fd)) }) != nil {
		return
	}
	took := func() bool {
		s.chunk(in.bytes())
		in.release()
		return true
	}
	for left > 0 {
		if in.raw.Control(func(fd uintptr) { in.read(int(fd)) }) != nil || in.n <= 0 {
			break
		}
		left -= in.n
		took()
	}
	in.giveKept(took)
	in.release()
}

// chunk does everything with one chunk of output.
func (s *Stream) chunk(p []byte) {
	if set := s.settings.Load(); set != s.applied {
		s.apply(set)
	}
	if s.applied.Protocol {
		s.tell(Fact{Kind: FactOutput, Data: bytes.Clone(p)})
		if s.applied.Echo != nil {
			s.applied.Echo(s.channel, p)
		}
	}
	s.scan.feed(p, s.emit)
}

// apply changes over to new settings. What the old ones held back or captured
// ends as at the end of the child if they do not go on.
func (s *Stream) apply(set *Settings) {
	max := set.captureMax()
	if s.applied != nil && (max <= 0 || set.Strip != s.scan.strip) {
		s.scan.finish(s.emit)
	}
	if s.applied != nil && s.applied.Log != nil && s.applied.Log != set.Log {
		s.applied.Log.Flush()
	}
	s.seeker.seek(set.Ready)
	s.applied = set
	s.scan.captureMax, s.scan.strip = max, set.Strip
}

// letGo lets go what is held back.
func (s *Stream) letGo() {
	if s.applied == nil {
		return
	}
	s.scan.finish(s.emit)
	if s.applied.Log != nil {
		s.applied.Log.Flush()
	}
}

// take does with one piece of output what the settings say.
func (s *Stream) take(kind piece, p []byte) {
	set := s.applied
	if kind == complete {
		s.tell(Fact{Kind: FactComm, Data: p})
		return
	}
	if kind == plain && set.Log != nil {
		set.Log.Write(p)
	}
	if kind == plain && set.Tail {
		s.tail.add(p)
	}
	if kind == plain && s.seeker.want != nil && s.seeker.found(p) {
		s.seeker = seeker{}
		s.tell(Fact{Kind: FactReady})
	}
	if set.Echo != nil && !set.Protocol {
		set.Echo(s.channel, p)
	}
	if set.Events && !set.Protocol {
		s.tell(Fact{Kind: FactLog, Data: bytes.Clone(p)})
	}
}
