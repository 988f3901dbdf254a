package runtime

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"supervisord/runtime/launch"
	"supervisord/runtime/state"
)

// reapAtOnce bounds how many dead children one turn looks at.
const reapAtOnce = 100

// Run is the loop: it takes the first turn, then one for each dead child and each
// deadline, while others take theirs. It returns nil after Shutdown, or when ctx
// has ended and everything has been stopped in order; ErrRestart after Restart.
func (s *Supervisor) Run(ctx context.Context) error {
	defer close(s.done)
	children := s.opt.children
	if children == nil {
		notices := make(chan os.Signal, 1) // one is enough: a turn reaps all there is
		signal.Notify(notices, syscall.SIGCHLD)
		defer signal.Stop(notices)
		children = notices
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	s.timer = timer
	ended := ctx.Done()

	s.run(s.reap) // a child may have died before anybody listened
	for running := true; running; {
		select {
		case <-children:
			s.post(func() {
				s.log.Debug("received SIGCHLD indicating a child quit")
				s.reap()
			})
		case <-timer.C:
			s.post(func() {})
		case <-ended:
			ended = nil // once
			s.post(func() { s.beginShutdown(state.MoodShutdown) })
		case <-s.over:
			running = false
		}
	}
	go func() { // ends with the last launch
		s.inFlight.Wait()
		s.opt.kernel.Close()
	}()
	if s.Mood() == state.MoodRestarting {
		return ErrRestart
	}
	return nil
}

// run is one turn, by whoever has the token. A fault of ours in it ends the
// daemon, also where the caller would survive it, as an HTTP handler does: a table
// that was left half changed must not be used.
func (s *Supervisor) run(f func()) {
	defer func() {
		if fault := recover(); fault != nil {
			text := fmt.Sprintf("%v\n%s", fault, debug.Stack())
			go panic(text)
			select {}
		}
	}()
	f()
	s.expire(time.Now())
	s.continueShutdown()
	if s.shutdown.over {
		s.answer()
		s.publish()
		close(s.over)
		return
	}
	s.settle()
	s.token <- struct{}{}
}

// settle ends a turn: it answers requests, feeds listeners and arms the timer.
func (s *Supervisor) settle() {
	now := time.Now()
	s.deliver(now)
	s.answer()
	next := now.Add(time.Hour)
	for _, at := range []time.Time{s.nextProcess(), s.overtakeAt, s.nextTick(), s.shutdown.nextReport, s.shutdown.listenersUntil, s.poolDeadline()} {
		if !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	s.timer.Reset(max(0, next.Sub(now)))
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
	if s.launching != nil && !now.Before(s.overtakeAt) {
		s.launching, s.overtakeAt = nil, time.Time{} // stuck: let the next one go
		s.advance()
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
				s.unknownExits[e.PID] = e // perhaps a child whose pid we have not been told yet
			} else {
				s.logUnknownExit(e)
			}
		}
		if len(exits) < reapAtOnce {
			return
		}
	}
}

func (s *Supervisor) logUnknownExit(e launch.Exit) {
	s.log.Info("reaped unknown pid " + itoa(e.PID) + " (" + launch.Describe(e.Status) + ")")
}
