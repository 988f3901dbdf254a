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

// ErrGone is what Adopt returns for a process that no longer exists, or
// cannot be distinguished from another.
var ErrGone = errors.New("it is gone")

// Adopt takes over a process that an earlier daemon started: it is RUNNING, can
// be stopped and signalled, and is restarted like any other when it ends. Its
// exit status is never known. Its standard input is lost, and so is what it
// wrote while no daemon read it; from now on its output is captured.
//
// The group must be active, and the process STOPPED with a definition that gives
// a child what this one was given. Refusals: ErrGone, BadName, Conflict for one
// that is another by now, Abnormal for what cannot be adopted at all: event
// listeners, since the state of the protocol is lost, and FastCGI programs,
// since their socket is.
//
// Source: reconciler.md, After the daemon itself was killed.
func (s *Supervisor) Adopt(ctx context.Context, v Survivor) error {
	fd, err := s.opt.kernel.OpenPidFD(v.identity())
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
			s.adopt(p, v, fd)
		}
	})
	if err = firstError(err, refused); err != nil {
		fd.Close()
	}
	return err
}

func (s *Supervisor) adopt(p *process, v Survivor, fd pidFD) {
	p.run++
	p.pidfd, p.began, p.pipes = fd, v.Start, v.Pipes
	p.oom, p.killed = "", false // how it ends is not known, as a rule
	p.descendants = v.descendants()
	s.byPID[v.PID] = p // should it be given to us as an orphan, we learn how it ends after all
	s.step(p, proc.Input{Kind: proc.Adopted, PID: v.PID, Began: v.Started})
	s.reportRunning(p)
	s.reopen(p)
	s.awaitAdopted(p)
}

// awaitAdopted waits for the end of an adopted process.
func (s *Supervisor) awaitAdopted(p *process) {
	fd, run := p.pidfd, p.run
	go func() { // ends with the process, or when the pidfd is closed or saved
		if fd.Wait() != nil {
			return
		}
		s.post(func() { s.adoptedExited(p, run) })
	}()
}

// reopen finds the pipes of an adopted process, outside the loop.
func (s *Supervisor) reopen(p *process) {
	run, pid, pipes, k := p.run, p.descendants.pgid, p.pipes, s.opt.kernel
	logs := [2]*logfile.Writer{p.out[0].log, p.out[1].log}
	s.offLoop("opening the pipes of "+p.def.Name, func() func() {
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
			if p.run == run && p.pidfd != nil && p.pendingExit == nil {
				for ch := range p.out {
					p.out[ch].opened = slices.Contains(opened, logs[ch])
				}
				s.captureOutput(p, stdout, stderr)
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

// adoptedExited is the exit of an adopted process. Its status is known only if the
// process has become our child, as orphans do of process 1 and of subreapers.
func (s *Supervisor) adoptedExited(p *process, run uint64) {
	if p.run != run || p.pidfd == nil || p.pendingExit != nil {
		return // it had become our child and was reaped
	}
	s.reap()
	if p.pendingExit == nil {
		s.leaderExited(p, p.descendants.pgid, proc.ExitUnknown)
	}
}

// execHash is a fingerprint of what a child is given at its start.
func execHash(def *spec.Process) string {
	hash := def.ExecHash()
	return hex.EncodeToString(hash[:])
}

var _ pidFD = (*launch.PidFD)(nil)
