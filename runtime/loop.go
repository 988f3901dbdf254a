package runtime

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"supervisord/runtime/launch"
	"supervisord/runtime/state"
)

// reapAtOnce bounds how many dead children one turn looks at.
const reapAtOnce = 100

// Run is the loop. It returns nil after Shutdown, or when ctx has ended and
// everything has been stopped in order; ErrRestart after Restart; ErrHandedOver after
// HandOver.
func (s *Supervisor) Run(ctx context.Context) error {
	children := s.opt.children
	if children == nil {
		notices := make(chan os.Signal, 1) // one is enough: a turn reaps all there is
		signal.Notify(notices, syscall.SIGCHLD)
		defer signal.Stop(notices)
		children = notices
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	over, gaveUp, hold := ctx.Done(), s.gaveUp, s.opt.Hold
	s.held = hold != nil

	s.updateSubreaper()
	s.reap()            // a child may have died before anybody listened
	s.stopClocks(false) // which a handover has stopped
	s.lookAtAll(true)
	s.advance()
	s.lookForIdleness() // which may have come with what was handed over
	for !s.shutdown.over && !s.handedOver {
		s.settle(timer)
		select {
		case question := <-s.asks:
			question()
		case f := <-s.facts:
			s.handleFact(f)
		case r := <-s.results:
			s.result(r)
		case <-children:
			s.quit = true
			s.reap()
			s.tellQuit()
		case <-timer.C:
		case <-hold:
			hold, s.held = nil, false
			s.advance()
		case <-over:
			over = nil // once
			s.beginShutdown(state.MoodShutdown)
		case <-gaveUp:
			gaveUp = nil // once
		}
		if s.handedOver {
			break // what happens now is for the next Supervisor, which begins from what was saved
		}
		s.expire(time.Now())
		s.followOrder()
		s.endByItself()
		s.continueShutdown()
	}
	s.lookAtAll(false)
	s.answer()
	s.publish()
	if s.handedOver {
		close(s.done)
		s.opt.kernel.Close() // no launch is under way
		return ErrHandedOver
	}
	if h := s.heldAuto; h.p != nil {
		log := h.p.out[h.ch].log
		s.changeLogs(h.p, func() { _ = log.Release() })
	}
	s.hearNoMore()
	s.stopReaping()
	close(s.done)
	for _, place := range s.line.begun {
		place.pass() // each was called off, or has forked
	}
	go func() { // ends with the last launch
		s.inFlight.Wait()
		s.opt.kernel.Close()
	}()
	s.waitForLogs()
	if s.Mood() == state.MoodRestarting {
		return ErrRestart
	}
	return nil
}

// settle ends a turn: it answers requests, feeds listeners and arms the timer.
func (s *Supervisor) settle(timer *time.Timer) {
	now := time.Now()
	s.deliver(now)
	s.answer()
	timer.Reset(untilFirst(now, s.nextProcess(), s.line.overtakeAt, s.nextTick(now), s.shutdown.nextReport,
		s.shutdown.listenersUntil, s.patienceEnds(now), s.timeEnds(), s.poolDeadline()))
}

// untilFirst is how long it is to the first of these times, of which the zero ones are
// never; an hour at most. All are times of the monotonic clock, that is, made by
// time.Now and Add, or a step of the wall clock would move them against each other.
func untilFirst(now time.Time, times ...time.Time) time.Duration {
	next := now.Add(time.Hour)
	for _, at := range times {
		if !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	return max(0, next.Sub(now))
}

func (s *Supervisor) nextProcess() time.Time {
	if len(s.queue) == 0 {
		return time.Time{}
	}
	return s.queue[0].due
}

// expire does what is due.
func (s *Supervisor) expire(now time.Time) {
	for len(s.queue) > 0 && !s.queue[0].due.After(now) {
		p := s.queue[0]
		s.overdue(p, now)
		s.schedule(p)
		if len(s.queue) > 0 && s.queue[0] == p && !p.due.After(now) {
			break // it wants another look; let others have theirs first
		}
	}
	if !s.line.overtakeAt.IsZero() && !now.Before(s.line.overtakeAt) {
		s.overtake()
	}
	s.tick(now)
}

// reap collects the children that have died.
func (s *Supervisor) reap() {
	for {
		exits := s.opt.kernel.Reap(reapAtOnce)
		for _, e := range exits {
			if p := s.byPID[e.PID]; p != nil {
				s.reaped(p, e)
			} else if s.forks.Load() > 0 {
				s.unknownExits[e.PID] = unknownExit{e, time.Now()} // perhaps of a child whose launch has not told its pid yet
			} else {
				s.logUnknownExit(e)
			}
		}
		if len(exits) < reapAtOnce {
			return
		}
	}
}

// tellQuit logs the SIGCHLDs that were not logged yet, as one, unless there is more to come of
// what they were about: as with Supervisor they follow what the children had written, and
// their ends.
func (s *Supervisor) tellQuit() {
	if s.quit && s.dying == 0 && len(s.unknownExits) == 0 {
		s.quit = false
		s.log.Debug("received SIGCHLD indicating a child quit")
	}
}

// unknownExit is the exit of a pid that belonged to no process when it was reaped.
type unknownExit struct {
	launch.Exit
	at time.Time
}

// logUnknownExit says what became of an orphan. One that came because we are a
// subreaper is no news; as process 1, where all orphans of a container come to it,
// Supervisor says it.
func (s *Supervisor) logUnknownExit(e launch.Exit) {
	level := slog.LevelInfo
	if s.subreaper {
		level = slog.LevelDebug
	}
	say := func() {
		s.log.Log(context.Background(), level, "reaped unknown pid "+itoa(e.PID)+" ("+launch.Describe(e.Status)+")")
	}
	if !e.PerhapsOurs {
		say()
		return
	}
	go func() { // ends when the start of what the daemon runs for itself does
		if s.opt.kernel.Stranger(e.PID) {
			say()
		}
	}()
}
