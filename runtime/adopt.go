package runtime

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"slices"

	"supervisord/runtime/launch"
	"supervisord/runtime/logfile"
	"supervisord/runtime/proc"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// ErrGone is what Adopt returns for a process that does not live any more, or
// cannot be told from another.
var ErrGone = errors.New("it is gone")

// Adopt makes a process that an earlier daemon started one of ours: it is
// RUNNING, can be stopped and signalled, and is started again when it ends like
// any other. How it ended is never known. Its input is lost, and so is what it
// wrote while nobody listened; what it writes from now on is kept.
//
// The group must be active, and the process STOPPED with a definition that
// gives a child what this one was given. Refusals: ErrGone, BadName, Conflict
// for one that is another by now, Abnormal for what cannot be adopted at all:
// event listeners, with whom a conversation is lost, and FastCGI programs, whose
// socket is.
//
// Source: reconciler.md, After the daemon itself was killed.
func (s *Supervisor) Adopt(ctx context.Context, v Survivor) error {
	held, err := s.opt.kernel.Recognise(v.identity())
	if err != nil {
		return ErrGone
	}
	var refused error
	err = s.ask(ctx, func() {
		p, err := s.find(v.Group, v.Name)
		switch {
		case err != nil:
			refused = err
		case !p.idle() || p.machine.State != state.Stopped || p.machine.Frozen:
			refused = p.refuse(Conflict)
		case p.group.pool != nil || p.def.Socket != nil:
			refused = p.refuse(Abnormal)
		case execHash(p.def) != v.Hash:
			refused = p.refuse(Conflict)
		default:
			s.adopt(p, v, held)
		}
	})
	if err = first(err, refused); err != nil {
		held.Close()
	}
	return err
}

func (s *Supervisor) adopt(p *process, v Survivor, held hold) {
	p.run++
	p.hold, p.began, p.pipes = held, v.Start, v.Pipes
	p.kin = kin{group: v.PID, cgroup: v.Cgroup}
	s.byPID[v.PID] = p // should it be given to us as an orphan, we learn how it ends after all
	s.step(p, proc.Input{Kind: proc.Adopted, PID: v.PID, Began: v.Started})
	s.tellRuns(p)
	s.reopen(p)
	run := p.run
	go func() { // ends with the process, or when it is let go
		if held.Wait() != nil {
			return
		}
		s.post(func() { s.lost(p, run) })
	}()
}

// reopen finds the pipes of an adopted process, outside the loop.
func (s *Supervisor) reopen(p *process) {
	run, pid, pipes, k := p.run, p.kin.group, p.pipes, s.opt.kernel
	logs := [2]*logfile.Writer{p.out[0].log, p.out[1].log}
	s.aside(func() func() {
		var opened []*logfile.Writer
		for _, log := range logs {
			if err := log.Open(); err != nil {
				s.log.Warn("cannot open a log of the adopted process " + itoa(pid) + ": " + err.Error())
				continue
			}
			opened = append(opened, log)
		}
		stdout, stderr := k.Reopen(pid, pipes)
		return func() {
			if p.run == run && p.hold != nil && p.dying == nil {
				for ch := range p.out {
					p.out[ch].opened = slices.Contains(opened, logs[ch])
				}
				s.listenTo(p, stdout, stderr)
				return
			}
			go closeLogs(opened) // it has ended meanwhile; ends with its work
			for _, f := range []*os.File{stdout, stderr} {
				if f != nil {
					f.Close()
				}
			}
		}
	})
}

// lost is the end of an adopted process, of which we know no more.
func (s *Supervisor) lost(p *process, run uint64) {
	if p.run != run || p.hold == nil || p.dying != nil {
		return // we were told after all
	}
	s.reap()
	if p.dying == nil {
		s.dies(p, p.kin.group, proc.Untold)
	}
}

// execHash is a fingerprint of what a child is given at its start.
func execHash(def *spec.Process) string {
	hash := def.ExecHash()
	return hex.EncodeToString(hash[:])
}

var _ hold = (*launch.PidFD)(nil)
