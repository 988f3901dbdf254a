package capture

// A Stream sleeps until there is something to read: it has no goroutine, whose stack would
// be most of what it takes. Many children write nothing to one of their channels, or to
// neither. Once awake, it stays so.

// sleep is whether a Stream has a goroutine.
type sleep int

const (
	awake  sleep = iota // it has one, or had one
	asleep              // it gets one as soon as there is something to read, and with Finish
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
		s.sleep = awake
		go s.run()
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
		s.sleep = awake
		go s.run()
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
