package runtime

import (
	"slices"
	"sync"
	"time"

	"supervisord/runtime/launch"
	"supervisord/runtime/logfile"
	"supervisord/runtime/proc"
)

// launchLine is the line of the launches. It belongs to the loop.
//
// Several launches get ready at once, so that the disk and the processors have something
// to do while one forks. They fork one after another, each when the one in front of it
// has forked or come to nothing, and the loop takes their results in that order.
type launchLine struct {
	waiting    []queuedLaunch // which have not begun
	begun      []*placeInLine // and are not overtaken
	overtakeAt time.Time      // when the first of them is; zero for never
	overtaken  int            // launches under way that were overtaken
}

// launchesAtOnce is how many launches get ready at the same time, besides those that were
// overtaken.
const launchesAtOnce = 4

// The first in line may keep the others for so long. A machine that is busy is slow with
// all of them, and processes still are forked and told of in their order. Where one is
// known to be stuck, others that may be cost those behind them less.
const (
	overtakeAfter      = 500 * time.Millisecond
	overtakeAfterStuck = 100 * time.Millisecond
)

// queuedLaunch is a launch in the line. It is over when the process has come to another run.
type queuedLaunch struct {
	p   *process
	run uint64
}

func (q queuedLaunch) over() bool { return q.p == nil || q.p.run != q.run }

// placeInLine is that of a launch that has begun.
type placeInLine struct {
	behind *placeInLine  // until its turn has come; nil for none
	passed chan struct{} // closed when the next one may fork
	once   sync.Once     // guards the closing of passed

	// The loop's.
	launch    queuedLaunch
	end       func()    // of its being under way
	result    *launched // which came before its turn; nil for none
	left      bool      // it is not in the line any more
	overtaken bool      // and that is why
}

// waitTurn waits for the one in front. Only the launch itself may call it.
func (l *placeInLine) waitTurn() {
	if l.behind != nil {
		<-l.behind.passed
		l.behind = nil // else each keeps all that were ever in front of it
	}
}

// pass lets the next one fork.
func (l *placeInLine) pass() { l.once.Do(func() { close(l.passed) }) }

// enqueue puts a process into the line of launches.
func (s *Supervisor) enqueue(p *process, e proc.Effect) {
	p.run++
	p.endOrphansFirst = e.OrphanGroup != 0
	p.ticket, p.calledOff = new(forkTicket), false
	s.line.waiting = append(s.line.waiting, queuedLaunch{p, p.run})
	s.advance()
}

// callOff calls off the launch of p unless its fork has begun, and reports whether
// it is called off.
func (s *Supervisor) callOff(p *process) bool {
	if p.machine.Launching && !p.calledOff && p.ticket.take() {
		p.calledOff = true
		p.run++ // its place in the line is nobody's
		s.advance()
	}
	return p.calledOff
}

// callOffAll calls off every launch whose fork has not begun. The last in line is the first,
// so that none gets its turn by the end of the one in front of it.
func (s *Supervisor) callOffAll() {
	for _, place := range slices.Backward(slices.Clone(s.line.begun)) {
		if !place.launch.over() {
			s.callOff(place.launch.p)
		}
	}
}

// result takes the result of a launch, or keeps it until it is its turn.
func (s *Supervisor) result(r launched) {
	r.task.place.end()
	switch place := r.task.place; {
	case !place.left:
		place.result = &r
	case place.overtaken:
		s.line.overtaken--
		fallthrough
	default:
		s.launchDone(r)
	}
	s.advance()
}

// overtake lets those behind the first in line continue without it.
func (s *Supervisor) overtake() {
	place := s.leaveLine()
	place.overtaken = true
	place.pass()
	s.line.overtaken++
	s.advance()
}

// leaveLine has the first in line leave it.
func (s *Supervisor) leaveLine() *placeInLine {
	place := s.line.begun[0]
	s.line.begun[0] = nil
	s.line.begun = s.line.begun[1:]
	s.line.overtakeAt = time.Time{}
	place.left = true
	return place
}

// advance takes the results whose turn it is, and begins launches unless enough are under
// way, or all are held.
func (s *Supervisor) advance() {
	for len(s.line.begun) > 0 {
		first := s.line.begun[0]
		if first.result != nil {
			s.launchDone(*s.leaveLine().result)
		} else if first.launch.over() { // called off
			s.leaveLine().pass()
		} else {
			break
		}
	}
	for !s.held && !s.handing.on && len(s.line.begun) < launchesAtOnce && len(s.line.waiting) > 0 {
		next := s.line.waiting[0]
		s.line.waiting[0] = queuedLaunch{}
		s.line.waiting = s.line.waiting[1:]
		if !next.over() { // else it was called off meanwhile
			s.beginLaunch(next)
		}
	}
	if len(s.line.begun) > 0 && s.line.overtakeAt.IsZero() {
		patience := overtakeAfter
		if s.line.overtaken > 0 {
			patience = overtakeAfterStuck
		}
		s.line.overtakeAt = time.Now().Add(patience)
	}
}

// beginLaunch puts a launch at the end of the line and has it begin.
func (s *Supervisor) beginLaunch(l queuedLaunch) {
	place := &placeInLine{passed: make(chan struct{}), launch: l}
	if n := len(s.line.begun); n > 0 {
		place.behind = s.line.begun[n-1]
	}
	s.line.begun = append(s.line.begun, place)
	s.launches++
	p := l.p
	p.launch = s.launches
	t := launchTask{p: p, run: p.run, def: p.def, group: p.group.def.Name, environ: s.environ(),
		logs: [2]*logfile.Writer{p.out[0].log, p.out[1].log}, socket: p.socket, kernel: s.opt.kernel,
		runName: s.cgroupName + "." + itoa(s.launches), warn: func(text string) { s.log.Warn(text) }, beforeSpawn: s.opt.BeforeSpawn,
		forks: &s.forks, ticket: p.ticket, place: place, handing: s.handing.begun,
		change: RunChange{Group: p.group.def.Name, Name: p.def.Name, Def: p.def, GroupPriority: p.group.def.Priority}}
	if p.endOrphansFirst {
		orphans := p.orphans
		t.orphans = &orphans
	}
	place.end = s.underway.begin("the launch of " + p.def.Name)
	s.inFlight.Go(func() { // the loop waits for its result until it ends itself
		r := t.launch()
		place.waitTurn() // if it has not come that far
		place.pass()
		select {
		case s.results <- r:
		case <-s.done:
			s.discard(r, func(socket *launch.Socket) { socket.Release() })
		}
	})
}
