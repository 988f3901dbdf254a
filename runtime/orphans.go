package runtime

import (
	"errors"
	"syscall"
	"time"

	"supervisord/runtime/proc"
)

// While the machine is EndingGroup, the leader has ended and p.orphans are the
// descendants that have not.

// signalOrphans sends them a signal.
func (s *Supervisor) signalOrphans(p *process, sig syscall.Signal) {
	left, k := p.orphans, s.opt.kernel
	s.offLoop("signalling what "+p.def.Name+" has left", func() func() {
		err := left.signal(k, sig)
		return func() {
			if err != nil && !errors.Is(err, syscall.ESRCH) && p.machine.EndingGroup && p.orphans.pgid == left.pgid {
				s.step(p, proc.Input{Kind: proc.KillFailed, Text: err.Error()})
			}
		}
	})
}

// checkOrphans counts them again.
func (s *Supervisor) checkOrphans(p *process) {
	p.nextPoll = time.Time{}
	left, k := p.orphans, s.opt.kernel
	s.offLoop("counting what "+p.def.Name+" has left", func() func() {
		n := left.count(k)
		return func() {
			switch {
			case !p.machine.EndingGroup || p.machine.PID != left.pgid:
			case n == 0:
				s.step(p, proc.Input{Kind: proc.GroupEnded})
				s.reportEnded(p, left.pgid)
			default:
				p.orphans = left // with the members that it knows now
				p.pollInterval = min(2*p.pollInterval, lastPoll)
				p.nextPoll = time.Now().Add(p.pollInterval)
				s.schedule(p)
			}
		}
	})
}

// endOrphans ends the descendants of a process that has exited by itself, where no
// new run does that first: when it is stopped while it waits to be started
// again, removed, or the daemon shuts down.
func (s *Supervisor) endOrphans(p *process) {
	if p.machine.OrphanGroup == 0 || p.endingOrphans {
		return
	}
	p.endingOrphans = true
	p.orphansUntil = time.Now().Add(proc.Seconds(p.def.StopWaitSecs))
	if at := s.shutdown.killAt; !at.IsZero() && at.Before(p.orphansUntil) {
		p.orphansUntil = at
	}
	s.goOnEndingOrphans(p, syscall.Signal(p.def.StopSignal))
}

// goOnEndingOrphans ends them with a signal, 0 for no further one, and with SIGKILL
// when their time is up. A handover interrupts it.
func (s *Supervisor) goOnEndingOrphans(p *process, sig syscall.Signal) {
	left, until, k, quit := p.orphans, p.orphansUntil, s.opt.kernel, s.handing.begun
	s.offLoop("ending what "+p.def.Name+" has left", func() func() {
		ended := left.terminate(k, sig, until, quit)
		return func() {
			if !ended && !s.handing.on { // which was given up meanwhile
				s.goOnEndingOrphans(p, 0)
			}
			if !ended {
				p.orphansWait = s.handing.on
				return
			}
			p.endingOrphans = false
			if p.machine.OrphanGroup == left.pgid {
				s.step(p, proc.Input{Kind: proc.OrphansEnded, PID: left.pgid})
				s.reportEnded(p, left.pgid)
			}
			s.touch(p)
		}
	})
}
