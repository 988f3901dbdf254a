package runtime

import (
	"errors"
	"syscall"
	"time"

	"supervisord/runtime/proc"
)

// While a stop sweeps, the leader has gone and p.former is who is left.

// sweepWith sends a signal to who is left.
func (s *Supervisor) sweepWith(p *process, sig syscall.Signal) {
	left, k := p.former, s.opt.kernel
	s.aside(func() func() {
		err := left.signal(k, sig)
		return func() {
			if err != nil && !errors.Is(err, syscall.ESRCH) && p.machine.Sweeping && p.former.group == left.group {
				s.step(p, proc.Input{Kind: proc.KillFailed, Text: err.Error()})
			}
		}
	})
}

// lookAtLeft looks whether somebody is left.
func (s *Supervisor) lookAtLeft(p *process) {
	p.sweep = time.Time{}
	left, k := p.former, s.opt.kernel
	s.aside(func() func() {
		n := left.look(k)
		return func() {
			switch {
			case !p.machine.Sweeping || p.machine.PID != left.group:
			case n == 0:
				s.step(p, proc.Input{Kind: proc.Swept})
				s.tellEnded(p, left.group)
			default:
				p.pause = min(2*p.pause, lastSweep)
				p.sweep = time.Now().Add(p.pause)
				s.schedule(p)
			}
		}
	})
}

// endFormer ends what is left of a process that has ended by itself, where no
// new run does that first: when it is stopped while it waits to be started
// again, removed, or the daemon shuts down.
func (s *Supervisor) endFormer(p *process) {
	if p.machine.Left == 0 || p.ending {
		return
	}
	p.ending = true
	left, def, k := p.former, p.def, s.opt.kernel
	s.aside(func() func() {
		left.endOf(k, def)
		return func() {
			p.ending = false
			if p.machine.Left == left.group {
				p.machine.Left = 0
				s.tellEnded(p, left.group)
			}
			s.touch(p)
		}
	})
}
