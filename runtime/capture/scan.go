package capture

import "bytes"

// The tags between which a child's output is captured. Each has its first byte
// only once, so that a match that fails can begin again only at the failing byte.
var (
	beginTag = []byte("<!--XSUPERVISOR:BEGIN-->")
	endTag   = []byte("<!--XSUPERVISOR:END-->")
)

// piece is what a scanner makes of output.
type piece int

const (
	plain    piece = iota // text for the log
	inside                // text between the tags
	complete              // all that was captured, at the end tag; owned by the receiver
)

// scanner divides one channel's output into pieces. How the output was divided
// into chunks changes nothing about them but where they are cut, unless more than
// captureMax is captured.
//
// Source: contract/events.md section 6.
// Differs: only what may be a tag is held back, and not lost at the end
// (contract/differences.md row 26).
type scanner struct {
	captureMax int64 // bytes; 0 or less recognises no tags
	strip      bool

	matched  int // bytes of the awaited tag at the end of the output so far
	within   bool
	captured []byte
	ansi     stripper
}

// feed scans p, which it may overwrite. Data given to emit is valid during the
// call, unless complete.
func (s *scanner) feed(p []byte, emit func(piece, []byte)) {
	if s.captureMax <= 0 {
		s.text(p, emit)
		return
	}
	if s.matched > 0 {
		p = s.resume(p, emit)
	}
	for s.matched == 0 {
		i := bytes.Index(p, s.tag())
		if i < 0 {
			n := len(p) - tagAtEnd(p, s.tag())
			s.matched = len(p) - n
			s.text(p[:n], emit)
			return
		}
		s.text(p[:i], emit)
		p = p[i+len(s.tag()):]
		s.toggle(emit)
	}
}

// resume goes on with a tag of which a part is matched, and returns what is
// still to be scanned. matched stays above 0 if there is none.
func (s *scanner) resume(p []byte, emit func(piece, []byte)) []byte {
	rest := s.tag()[s.matched:]
	n := 0
	for n < len(rest) && n < len(p) && rest[n] == p[n] {
		n++
	}
	switch {
	case n == len(rest):
		s.matched = 0
		s.toggle(emit)
		return p[n:]
	case n == len(p):
		s.matched += n
		return nil
	}
	p = append(bytes.Clone(s.tag()[:s.matched]), p...)
	s.matched = 0
	return p
}

// finish gives out what is held back. What was captured without an end is lost.
func (s *scanner) finish(emit func(piece, []byte)) {
	held := s.tag()[:s.matched]
	s.matched = 0
	s.text(bytes.Clone(held), emit)
	s.put(s.ansi.finish(), emit)
	s.within, s.captured = false, nil
}

func (s *scanner) tag() []byte {
	if s.within {
		return endTag
	}
	return beginTag
}

// toggle passes a tag.
func (s *scanner) toggle(emit func(piece, []byte)) {
	s.put(s.ansi.finish(), emit)
	if s.within {
		emit(complete, s.captured)
		s.captured = nil
	}
	s.within = !s.within
}

func (s *scanner) text(p []byte, emit func(piece, []byte)) {
	if s.strip {
		p = s.ansi.strip(p)
	}
	s.put(p, emit)
}

func (s *scanner) put(p []byte, emit func(piece, []byte)) {
	switch {
	case len(p) == 0:
	case s.within:
		s.capture(p)
		emit(inside, p)
	default:
		emit(plain, p)
	}
}

// capture adds p whole. If that is too much, as many bytes are dropped at the
// front as p is long, so one chunk larger than the limit is kept whole.
func (s *scanner) capture(p []byte) {
	if int64(len(s.captured)+len(p)) > s.captureMax {
		s.captured = s.captured[min(len(p), len(s.captured)):]
	}
	s.captured = append(s.captured, p...)
}

// tagAtEnd is how many bytes at the end of p may be the beginning of tag.
func tagAtEnd(p, tag []byte) int {
	i := bytes.LastIndexByte(p[max(0, len(p)-len(tag)+1):], tag[0])
	if i < 0 {
		return 0
	}
	end := p[max(0, len(p)-len(tag)+1)+i:]
	if !bytes.HasPrefix(tag, end) {
		return 0
	}
	return len(end)
}
