package runtime

import (
	"slices"
	"strings"
	"time"

	"supervisord/runtime/event"
	"supervisord/runtime/proc"
	"supervisord/runtime/state"
)

// reportDeaths is how often the log says what a shutdown waits for.
const reportDeaths = 3 * time.Second

// shutdown is how far an orderly end has come.
type shutdown struct {
	groups         []*group   // those still to be stopped, the last one first
	stopping       bool       // the last one has been sent its stop signals
	left           []*process // its members that may not be down yet
	over           bool
	nextReport     time.Time
	listenersUntil time.Time // until when listeners may take the events of what has ended
}

// listenerGrace is how long listeners may take, before they are stopped, for the
// events of those that were stopped before them.
const listenerGrace = time.Second

// beginShutdown begins an orderly end; a shutdown also overrides a restart that is
// under way.
func (s *Supervisor) beginShutdown(m state.Mood) {
	switch s.Mood() {
	case state.MoodShutdown:
		return
	case state.MoodRestarting:
		s.mood.Store(int32(m))
		return
	}
	s.mood.Store(int32(m))
	close(s.stopping)
	s.emit(event.SupervisorStopping())
	s.shutdown.groups = s.ordered()
	for _, g := range s.groups {
		for _, p := range g.procs {
			p.machine.Frozen = true
		}
	}
}

// continueShutdown carries an orderly end on: a group is stopped when all after it are
// down.
//
// Source: contract/process.md section 8.
func (s *Supervisor) continueShutdown() {
	h := &s.shutdown
	if s.Mood() == state.MoodRunning || h.over {
		return
	}
	for len(h.groups) > 0 {
		last := h.groups[len(h.groups)-1]
		if !h.stopping {
			if s.listenersBusy(last) {
				s.reportWaiting() // it also keeps its time ahead of the timer
				return
			}
			h.stopping = true
			h.left = slices.Clone(last.procs)
			s.stopGroup(last)
		}
		// Who is down stays down: nothing is started any more.
		for n := len(h.left); n > 0 && h.left[n-1].down(); n = len(h.left) {
			h.left = h.left[:n-1]
		}
		if len(h.left) > 0 {
			s.reportWaiting()
			return
		}
		h.groups, h.stopping = h.groups[:len(h.groups)-1], false
	}
	h.over = true
}

// listenersBusy reports whether a pool still has events for its listeners, or waits
// for the result of one.
func (s *Supervisor) listenersBusy(g *group) bool {
	h, now := &s.shutdown, time.Now()
	busy := func(p *process) bool {
		return p.machine.State == state.Running &&
			(g.pool.Waiting() > 0 || g.pool.Listener(p.rank).State == state.Busy)
	}
	if g.pool == nil || !slices.ContainsFunc(g.procs, busy) {
		h.listenersUntil = time.Time{}
		return false
	}
	if h.listenersUntil.IsZero() {
		h.listenersUntil = now.Add(listenerGrace)
	}
	if now.Before(h.listenersUntil) {
		return true
	}
	h.listenersUntil = time.Time{}
	return false
}

// down reports whether a process is stopped, with everything that it left behind
// and with its socket.
func (p *process) down() bool {
	return p.machine.State.InStopped() && !p.endingOrphans && p.closingSockets == 0
}

// stopGroup stops a group's members by descending priority.
func (s *Supervisor) stopGroup(g *group) {
	members := g.byPriority()
	slices.Reverse(members)
	now := time.Now()
	for _, p := range members {
		s.step(p, proc.Input{Kind: proc.Shutdown})
		if p.machine.State.InRunning() {
			s.step(p, proc.Input{Kind: proc.Stop})
		}
		if p.machine.Launching {
			p.abandon = now.Add(proc.Seconds(max(p.def.StopWaitSecs, 1)))
			s.schedule(p)
		}
		s.endOrphans(p)
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
