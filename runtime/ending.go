package runtime

import (
	"context"
	"fmt"
	"time"

	"supervisord/runtime/proc"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// Cause is why the supervisor shut down although nobody asked it to.
type Cause struct {
	Status int    // to be the daemon's exit status, 0 to 255
	Text   string // what has happened, and the key by which it ends the daemon
}

// ended is a process that has ended by itself, with nothing that starts it again.
type ended struct {
	name   string
	state  state.Process // EXITED or FATAL
	status int           // proc.Machine's Status
	onExit spec.OnExit
}

// cause is what such an end is to the daemon, nil for nothing.
func (e ended) cause(when spec.ExitWhen) *Cause {
	key := ""
	switch {
	case e.onExit == spec.OnExitShutdown:
		key = "on_exit=shutdown"
	case when == spec.ExitOnFatal && e.state == state.Fatal:
		key = "exit_when=fatal"
	default:
		return nil
	}
	return &Cause{e.status, fmt.Sprintf("%s is %s (%s)", e.name, e.state, key)}
}

// resting is what counts of a process when it is asked whether all are idle.
type resting struct {
	listener bool // of events, which works for the others alone
	stopped  bool // by a client, who may be at work and start it again
	busy     bool // something of it runs, or is to
	state    state.Process
	failed   bool // it could not be started, or ended in a way that was not expected
	status   int  // proc.Machine's Status
	ended    time.Time
	name     string
}

// idle is the cause once every program has ended by itself and none is to be started;
// nil before, where nothing was ever started, and while a client keeps one stopped. Its
// status is that of the program that failed first, 0 if none did.
func idle(all []resting) *Cause {
	var done bool
	var first *resting
	for i := range all {
		r := &all[i]
		switch {
		case r.listener:
			continue
		case r.busy, r.stopped:
			return nil
		case r.state == state.Stopped:
			continue // never started, or stopped by an update
		}
		done = true
		if r.failed && (first == nil || r.ended.Before(first.ended)) {
			first = r
		}
	}
	switch {
	case !done:
		return nil
	case first == nil:
		return &Cause{0, "every program has ended (exit_when=idle)"}
	}
	return &Cause{first.status, fmt.Sprintf("every program has ended; %s was the first to fail (exit_when=idle)", first.name)}
}

// rests is a process as idle sees it.
func (p *process) rests() resting {
	m := &p.machine
	return resting{
		listener: p.group.pool != nil, stopped: p.userStopped,
		busy:  !m.State.InStopped() || m.Launching || p.endingOrphans || p.restartWhenStopped || m.Waiting,
		state: m.State, failed: m.Failed(), status: m.Status(), ended: m.Stopped, name: p.name(),
	}
}

// endByItself ends the daemon in its order if a process of this turn is a cause of that.
// Where all are idle, the one who is told asks for the end, since it may know of more
// to be done.
func (s *Supervisor) endByItself() {
	causes := s.left
	s.left = nil
	if s.Mood() != state.MoodRunning {
		return
	}
	for _, e := range causes {
		if c := e.cause(s.opt.ExitWhen); c != nil {
			s.endFor(c)
			return
		}
	}
	if len(s.touched) > 0 {
		s.lookForIdleness()
	}
}

// lookForIdleness tells Options.OnIdle when all have become idle.
func (s *Supervisor) lookForIdleness() {
	if s.opt.ExitWhen != spec.ExitOnIdle {
		return
	}
	before := s.idle
	s.idle = s.idleCause() != nil
	if s.idle && !before {
		s.opt.OnIdle()
	}
}

func (s *Supervisor) idleCause() *Cause {
	var all []resting
	for _, g := range s.groups {
		for _, p := range g.procs {
			r := p.rests()
			if r.busy && !r.listener {
				return nil
			}
			all = append(all, r)
		}
	}
	return idle(all)
}

// EndIfIdle begins a shutdown if every program is still idle, as OnIdle has reported.
func (s *Supervisor) EndIfIdle(ctx context.Context) error {
	return s.ask(ctx, func() {
		if s.Mood() != state.MoodRunning {
			return
		}
		if c := s.idleCause(); c != nil {
			s.endFor(c)
		}
	})
}

func (s *Supervisor) endFor(c *Cause) {
	s.log.Warn(fmt.Sprintf("%s: shutting down, to end with exit status %d", c.Text, c.Status))
	s.cause.Store(c)
	s.opt.OnEnd()
	s.beginShutdown(state.MoodShutdown)
}

// Cause is why the supervisor is shutting down by itself; nil if it is not, or if
// somebody asked for the shutdown first. It never blocks.
func (s *Supervisor) Cause() *Cause { return s.cause.Load() }

// lastReserve is how much of a shutdown's time is kept for what follows the last kill: to
// reap, to answer clients, to write what the logs still have.
func lastReserve(limit time.Duration) time.Duration { return min(limit/10, 500*time.Millisecond) }

// stageShare is how long a stage may take of the time that is left, where waits is what
// the stopwaitsecs of this stage and of those after it come to, each at its longest:
// in proportion to those, if that is more than there is. ok is false if all have their
// time.
func stageShare(left time.Duration, waits []time.Duration) (share time.Duration, ok bool) {
	var sum float64
	for _, w := range waits {
		sum += float64(w)
	}
	if sum <= float64(left) {
		return 0, false
	}
	return time.Duration(float64(max(left, 0)) * float64(waits[0]) / sum), true
}

// limit begins to count the time of a shutdown.
func (h *shutdown) limit(now time.Time, timeout time.Duration) {
	if timeout > 0 {
		reserve := lastReserve(timeout)
		h.until = now.Add(timeout - reserve)
		h.patientUntil = h.until.Add(reserve / 2)
	}
}

// limitStage sets the time up to which the stage that begins may take, the first of those
// that are left.
func (s *Supervisor) limitStage(now time.Time) {
	h := &s.shutdown
	h.killAt = time.Time{}
	if h.until.IsZero() {
		return
	}
	var waits []time.Duration
	for _, stage := range h.stages {
		longest := 0
		for _, p := range stage {
			if !p.down() || p.machine.OrphanGroup != 0 {
				longest = max(longest, p.def.StopWaitSecs)
			}
		}
		waits = append(waits, proc.Seconds(longest))
	}
	if share, ok := stageShare(h.until.Sub(now), waits); ok {
		h.killAt = now.Add(share)
	}
}

// cutShort ends what has used up its time.
func (s *Supervisor) cutShort(now time.Time) {
	h := &s.shutdown
	if !h.killAt.IsZero() && !now.Before(h.killAt) {
		h.killAt = time.Time{}
		told := false
		for _, p := range h.left {
			if p.down() {
				continue
			}
			if !told {
				told = true
				s.log.Warn("shutdown_timeout leaves " + p.group.def.Name + " no more time to stop")
			}
			p.orphansUntil = now
			s.step(p, proc.Input{Kind: proc.TimeUp})
		}
	}
	if !h.patientUntil.IsZero() && !now.Before(h.patientUntil) && !s.givenUp() {
		s.log.Error("shutdown_timeout leaves no more time for disks and other things that are no child processes")
		s.GiveUpOnDisks()
	}
}

// timeEnds is when cutShort is to look again, zero for never.
func (s *Supervisor) timeEnds() time.Time {
	h := &s.shutdown
	switch {
	case !h.killAt.IsZero():
		return h.killAt
	case s.givenUp():
		return time.Time{}
	}
	return h.patientUntil
}
