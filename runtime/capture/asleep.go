package capture

import "sync"

// A Stream sleeps until there is something to read: it has no goroutine, whose stack would
// be most of what it takes. Many children write nothing to one of their channels, or to
// neither. Once awake, it stays so.

// sleep is whether a Stream has a goroutine.
type sleep int

const (
	awake  sleep = iota // it has one, or had one, or is to end without one
	asleep              // it gets one as soon as there is something to read
	held                // it was paused while asleep
	roused              // and was to get one meanwhile: Continue gives it that
)

// start lets the Stream sleep, if the kernel tells of the first byte.
func (s *Stream) start() {
	s.sleep = asleep
	if s.broken || !sleepers.add(s) {
		s.rouse()
	}
}

// rouse gives a Stream that sleeps its goroutine, unless it is paused.
func (s *Stream) rouse() {
	s.sleepMu.Lock()
	defer s.sleepMu.Unlock()
	switch s.sleep {
	case asleep:
		s.wakeUp()
	case held:
		s.sleep = roused
	}
}

// hold keeps a Stream that sleeps from waking until unhold, and reports whether it sleeps.
func (s *Stream) hold() bool {
	s.sleepMu.Lock()
	defer s.sleepMu.Unlock()
	if s.sleep == asleep {
		s.sleep = held
	}
	return s.sleep != awake
}

// unhold ends a hold.
func (s *Stream) unhold() {
	s.sleepMu.Lock()
	defer s.sleepMu.Unlock()
	switch s.sleep {
	case held:
		s.sleep = asleep
	case roused:
		s.wakeUp()
	}
}

// wakeUp gives the Stream its goroutine, or has it end without one. s.sleepMu is held.
func (s *Stream) wakeUp() {
	s.sleep = awake
	if isClosed(s.finished) {
		endings.add(s)
		return
	}
	go s.run()
}

// endUnread ends a Stream that never had anything to read and is to read no more, and reports
// whether it is one. It waits for nothing but post.
func (s *Stream) endUnread() bool {
	n := 0
	failed := s.in.raw.Control(func(fd uintptr) { n = pending(int(fd)) })
	if failed != nil || n > 0 || s.broken || s.applied != nil || s.pause.Load() != nil {
		return false
	}
	sleepers.remove(s)
	s.in.close()
	s.tell(Fact{Kind: FactDone})
	s.end()
	return true
}

// endings are Streams that are to end without ever having been awake. When many children end
// at once, most of the work would be to give each a goroutine for that.
var endings queue

// queue has one goroutine while there is something in it.
type queue struct {
	mu      sync.Mutex // guards the following, for a few instructions
	streams []*Stream
	works   bool
}

func (q *queue) add(s *Stream) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.streams = append(q.streams, s)
	if !q.works {
		q.works = true
		go q.work()
	}
}

func (q *queue) work() {
	for {
		q.mu.Lock()
		streams := q.streams
		q.streams, q.works = nil, len(streams) > 0
		q.mu.Unlock()
		if len(streams) == 0 {
			return
		}
		for _, s := range streams {
			if !s.endUnread() {
				go s.run()
			}
		}
	}
}

// leave has a Stream that is held never wake, and reports whether it was held.
func (s *Stream) leave() bool {
	sleepers.remove(s)
	s.sleepMu.Lock()
	defer s.sleepMu.Unlock()
	was := s.sleep
	s.sleep = awake
	return was != awake
}
