package runtime

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"supervisord/runtime/event"
	"supervisord/runtime/proc"
	"supervisord/runtime/state"
)

// reportDeaths is how often the log says what a shutdown waits for.
const reportDeaths = 3 * time.Second

// listenerGrace is how long the listeners of all pools together may take, before they
// are stopped, for the events of those that were stopped before them. Once those that
// are stuck have used it up, those that are not have as much again.
const listenerGrace = time.Second

const (
	// endPatience is how long an orderly end waits in all, over every stage and the
	// closing of the logs, while no child has time left that its stopwaitsecs gives
	// it: for disks that hold up the last output, a launch or a socket, for
	// listeners, and for a process that does not go although it was killed. Then
	// disks are given up on.
	endPatience = 1750 * time.Millisecond
	// stageGrace is what each stage has beyond that for what takes no disk: for killed
	// processes to be reaped and their descendants to be counted.
	stageGrace = 500 * time.Millisecond
	// lastMoment is what the last output of a process, and logs that are being closed,
	// get at least.
	lastMoment = 100 * time.Millisecond
)

// shutdown is how far an orderly end has come.
type shutdown struct {
	stages         [][]*process // of what is still to be stopped together, one after another
	stopping       bool         // the first one has been sent its stop signals
	left           []*process   // its members that may not be down yet
	over           bool
	nextReport     time.Time
	listenersUntil time.Time // until when the pool whose turn it is may take the events of what has ended
	listenersLeft  time.Duration
	listenersStuck bool // listenerGrace was used up once

	patience time.Duration // what is left of endPatience
	spent    time.Time     // up to when it has been spent, where idle is not zero
	idle     time.Time     // since when none of this stage has time left; zero while one has
	awaited  *process      // one of left that has time; nil when none had at the last look

	// By shutdown_timeout, zero for never:
	until        time.Time // when the last that is left is killed
	patientUntil time.Time // when disks are given up on
	killAt       time.Time // when what is left of this stage is killed, though it has time left
}

// GiveUpOnDisks makes a shutdown, current or future, stop waiting for what
// concerns no child: a log that hangs, a launch that has not returned, a
// listener's last events. Every child keeps its stopwaitsecs. It is for who is
// asked a second time to end; the end does it by itself after endPatience of such
// waiting. It never waits, may be called from any goroutine and more than once.
func (s *Supervisor) GiveUpOnDisks() { s.giveUpOnce.Do(func() { close(s.gaveUp) }) }

// givenUp reports whether disks were given up on.
func (s *Supervisor) givenUp() bool {
	select {
	case <-s.gaveUp:
		return true
	default:
		return false
	}
}

// beginShutdown begins an orderly end; a shutdown also overrides a restart that is
// under way.
func (s *Supervisor) beginShutdown(m state.Mood) {
	switch s.Mood() {
	case state.MoodShutdown:
		return
	case state.MoodRestarting:
		if s.mood.Store(int32(m)); m == state.MoodShutdown {
			now := time.Now()
			s.shutdown.limit(now, s.opt.ShutdownTimeout)
			if s.shutdown.stopping {
				s.limitStage(now)
			}
		}
		return
	}
	s.mood.Store(int32(m))
	s.carryOn()
	if m == state.MoodShutdown {
		s.shutdown.limit(time.Now(), s.opt.ShutdownTimeout)
	}
	close(s.stopping)
	s.emit(event.SupervisorStopping())
	s.shutdown.stages = s.stopStages()
	s.shutdown.patience, s.shutdown.listenersLeft = endPatience, listenerGrace
	s.line.waiting = nil
	s.callOffAll()
	for _, g := range s.groups {
		for _, p := range g.procs {
			s.stopNow(p)
			s.callOff(p) // it is stopped when it is its turn
			s.step(p, proc.Input{Kind: proc.Freeze})
		}
	}
}

// continueShutdown carries an orderly end on: a stage is stopped when all before it are
// down.
//
// Source: contract/process.md section 8.
func (s *Supervisor) continueShutdown() {
	h := &s.shutdown
	if s.Mood() == state.MoodRunning || h.over {
		return
	}
	now := time.Now()
	s.spendPatience(now)
	for len(h.stages) > 0 {
		stage := h.stages[0]
		if !h.stopping {
			if s.listenersBusy(stage[0].group) {
				h.beginSpending(now)
				s.reportWaiting() // it also keeps its time ahead of the timer
				return
			}
			h.stopping = true
			h.left = slices.Clone(stage)
			s.limitStage(now)
			s.stopStage(stage)
		}
		s.cutShort(now)
		if s.stageWaits(now) {
			s.reportWaiting()
			return
		}
		h.stages, h.stopping, h.left, h.idle, h.spent = h.stages[1:], false, nil, time.Time{}, time.Time{}
	}
	h.over = true
}

// stageWaits reports whether a process of this stage is not down yet.
func (s *Supervisor) stageWaits(now time.Time) bool {
	h, final := &s.shutdown, s.Mood() == state.MoodShutdown
	over := func(p *process) bool {
		if !p.down() && !p.hasTime(now, final) && s.givenUp() && h.mayAbandon(p, now) {
			s.abandon(p)
		}
		return p.down() || p.abandoned
	}
	// What is down stays down: nothing more is started.
	for n := len(h.left); n > 0 && over(h.left[n-1]); n = len(h.left) {
		h.left = h.left[:n-1]
	}
	if len(h.left) == 0 {
		return false
	}
	if h.awaited == nil || !h.awaited.hasTime(now, final) {
		look := h.left
		if h.awaited == nil && !h.idle.IsZero() {
			look = s.touched // the others have not changed since the last look
		}
		h.awaited = nil
		for _, p := range slices.Backward(look) {
			if p.group == h.left[0].group && p.hasTime(now, final) {
				h.awaited = p
				break
			}
		}
	}
	if h.awaited == nil {
		h.beginSpending(now)
	} else {
		h.idle, h.spent = time.Time{}, time.Time{}
	}
	return true
}

// mayAbandon reports whether a process without time has had its last moment: a
// killed one to be reaped, any other for what it waits for.
func (h *shutdown) mayAbandon(p *process, now time.Time) bool {
	if h.idle.IsZero() {
		return false
	}
	m := &p.machine
	if m.State == state.Stopping && !m.Launching && p.pendingExit == nil {
		return now.Sub(h.idle) >= stageGrace
	}
	return now.Sub(h.idle) >= lastMoment
}

// hasTime reports whether an end has to wait for a process because its definition
// gives it that time. One that was killed has none, unless the daemon is to go on
// with another life, in which nothing may run twice.
func (p *process) hasTime(now time.Time, final bool) bool {
	m := &p.machine
	switch {
	case m.Launching, p.pendingExit != nil:
		return false
	case m.State == state.Stopping:
		return !m.Killed || !final
	}
	return p.endingOrphans && now.Before(p.orphansUntil)
}

// spendPatience takes the time since the last turn off the patience, if it was
// being spent, and gives up on disks when nothing is left of it. It is spent when a
// stage has had its grace.
func (s *Supervisor) spendPatience(now time.Time) {
	h := &s.shutdown
	if h.idle.IsZero() || !now.After(h.spent) {
		return
	}
	h.patience -= now.Sub(h.spent)
	h.spent = now
	if h.patience <= 0 && !s.givenUp() {
		s.log.Error(fmt.Sprintf("the shutdown has waited %v for disks and other things that are no child processes, and continues without them", endPatience))
		s.GiveUpOnDisks()
	}
}

func (h *shutdown) beginSpending(now time.Time) {
	if h.idle.IsZero() {
		h.idle, h.spent = now, now.Add(stageGrace)
	}
}

// patienceEnds is when the end is to look again although nothing happens: when the
// patience is used up if it goes on being spent or, once disks were given up on, when
// a last moment is over. It is zero for never.
func (s *Supervisor) patienceEnds(now time.Time) time.Time {
	h := &s.shutdown
	switch {
	case h.idle.IsZero():
		return time.Time{}
	case !s.givenUp():
		return h.spent.Add(max(0, h.patience))
	}
	for _, d := range []time.Duration{lastMoment, stageGrace} {
		if at := h.idle.Add(d); now.Before(at) {
			return at
		}
	}
	return time.Time{}
}

// abandon has the end continue without a process that is not down and has no time
// left.
func (s *Supervisor) abandon(p *process) {
	p.abandoned = true
	switch {
	case p.machine.Launching:
		p.run++ // a child that the launch makes after all is killed
		s.step(p, proc.Input{Kind: proc.LaunchFailed, Text: "launch abandoned at shutdown"})
	case p.pendingExit != nil:
		s.finish(p, p.descendants, 0)
	case p.machine.State == state.Stopping:
		s.log.Error(fmt.Sprintf("%s (pid %d) does not exit, and is left alone", p.def.Name, p.machine.PID))
	}
}

// listenersBusy reports whether the end has to wait for a pool that still has events
// for its listeners, or waits for the result of one.
func (s *Supervisor) listenersBusy(g *group) bool {
	h, now := &s.shutdown, time.Now()
	busy := g.pool != nil && !s.givenUp() && slices.ContainsFunc(g.procs, func(p *process) bool {
		return p.machine.State == state.Running &&
			(g.pool.Waiting() > 0 || g.pool.Listener(p.rank).State == state.Busy)
	})
	switch waiting := !h.listenersUntil.IsZero(); {
	case busy && !waiting && h.listenersLeft > 0 && !(h.listenersStuck && g.stuck(now)):
		h.listenersUntil = now.Add(h.listenersLeft)
		return true
	case busy && waiting && now.Before(h.listenersUntil):
		return true
	case waiting:
		h.listenersLeft = max(0, h.listenersUntil.Sub(now))
		h.listenersUntil = time.Time{}
		if h.listenersLeft == 0 && !h.listenersStuck {
			h.listenersLeft, h.listenersStuck = listenerGrace, true
		}
	}
	return false
}

// stuck reports whether a pool has no listener that works: each has been with one
// event for a good part of listenerGrace, or takes none.
func (g *group) stuck(now time.Time) bool {
	return !slices.ContainsFunc(g.procs, func(p *process) bool {
		if p.machine.State != state.Running {
			return false
		}
		l := g.pool.Listener(p.rank)
		return l.State == state.Ready || l.State == state.Busy && now.Sub(l.Since) < listenerGrace/2
	})
}

// down reports whether a process is stopped, with everything that it left behind
// and with its socket.
func (p *process) down() bool {
	return p.machine.State.InStopped() && !p.endingOrphans && p.closingSockets == 0
}

// stopStage stops what is stopped together.
func (s *Supervisor) stopStage(stage []*process) {
	for _, p := range stage {
		s.step(p, proc.Input{Kind: proc.Shutdown})
		if p.machine.State.InRunning() {
			s.step(p, proc.Input{Kind: proc.Stop})
		}
		s.endOrphans(p)
	}
}

// waitForLogs waits for what is being done to logs, as long as there is patience. It
// is called after the last turn.
func (s *Supervisor) waitForLogs() {
	closed := make(chan struct{})
	go func() { // ends with their disks
		s.closing.Wait()
		close(closed)
	}()
	limit := time.NewTimer(max(s.shutdown.patience, lastMoment))
	defer limit.Stop()
	gaveUp := s.gaveUp
	for {
		select {
		case <-closed:
			return
		case <-limit.C:
			s.GiveUpOnDisks()
			return
		case <-gaveUp:
			gaveUp = nil
			limit.Reset(lastMoment)
		}
	}
}

// reportWaiting logs what is waited for, now and then.
func (s *Supervisor) reportWaiting() {
	now := time.Now()
	if now.Before(s.shutdown.nextReport) {
		return
	}
	s.shutdown.nextReport = now.Add(reportDeaths)
	var names []string
	for _, g := range s.ordered() {
		for _, p := range g.procs {
			if !p.down() {
				names = append(names, p.def.Name)
			}
		}
	}
	s.log.Info("waiting for " + strings.Join(names, ", ") + " to die")
}
