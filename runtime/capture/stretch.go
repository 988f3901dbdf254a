package capture

import (
	"runtime"
	"sync/atomic"
)

// The poller is asked who has something to read when a processor has nothing else to do.
// Streams that read on and on would keep all processors, and requests would wait until
// the runtime looks after 10 ms. So a stream that has emptied its pipe soon leaves what
// comes next to the poller. What was just written is cheapest to copy at once, though, so on
// all processors but one a stream may go on for longer.

const (
	shortStretch = 128 << 10 // bytes that each stream may read before it leaves the rest to the poller,
	longStretch  = 1 << 20   // and those that go on for longer
)

// longOnes is how many streams are at a long stretch at this moment.
var longOnes atomic.Int32

// stretch is what a stream reads between two waits for the poller.
type stretch struct {
	read int  // bytes
	long bool // it is one of longOnes
}

// goesOn reports whether the stream goes on after n more bytes.
func (s *stretch) goesOn(n int) bool {
	s.read += n
	switch {
	case s.long:
		return s.read < longStretch
	case s.read < shortStretch:
		return true
	}
	if attentive() {
		return false
	}
	if int(longOnes.Add(1)) >= runtime.GOMAXPROCS(0) {
		longOnes.Add(-1)
		return false
	}
	s.long = true
	return true
}

// end is called when the stream waits.
func (s *stretch) end() {
	if s.long {
		longOnes.Add(-1)
	}
	*s = stretch{}
}
