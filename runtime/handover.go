package runtime

import (
	"context"
	"errors"
	"os"

	"supervisord/runtime/launch"
	"supervisord/runtime/logfile"
	"supervisord/runtime/moment"
	"supervisord/runtime/notify"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// ErrHandedOver is what Run returns after HandOver: nothing was stopped, and the caller
// must continue with a Supervisor that has the Handover as Options.From, in this
// process or in a program that it executes.
var ErrHandedOver = errors.New("handed over")

// handing is how far a handover has come.
type handing struct {
	on    bool          // it was begun, and not given up
	begun chan struct{} // closed while it is on
}

// HandOver stops the Supervisor without stopping its programs and returns its state;
// Run returns ErrHandedOver. From then on it forks nothing, reads no output, and
// neither signals nor reaps; children are left as they are. Callers that wait for an
// answer are refused with Upgrading, and so are later ones.
//
// It waits for what cannot be handed over: launches that have forked, and accesses to a
// disk that are under way. Meanwhile everything continues except launches and, at the end,
// the reading of output. If ctx ends first, everything continues as if nothing had been
// asked, and the error says what was waited for. Other refusals: ShuttingDown, and Failed
// while another handover is under way.
//
// Programs whose parent must not end before them (PR_SET_PDEATHSIG, as setpriv
// --pdeathsig has it) were forked by a thread that ends with the Supervisor, and do so
// with it.
func (s *Supervisor) HandOver(ctx context.Context) (*Handover, error) {
	var h *Handover
	err := s.comeToRest(ctx, false, func() (left *obstacle, refused error) {
		h, left, refused = s.tryHandOver()
		return left, refused
	})
	if err != nil {
		return nil, err
	}
	<-s.done
	h.data.OOMCounts = s.opt.kernel.SaveOOM() // now that no loop waits while files are read
	return h, nil
}

// Rehearse comes to rest as HandOver does, but for probes, and then has everything go on. It
// is for a caller that has more to stop for a handover, and would rather know before whether a
// disk is in the way. The errors are those of HandOver.
func (s *Supervisor) Rehearse(ctx context.Context) error {
	return s.comeToRest(ctx, true, func() (*obstacle, error) {
		left, refused := s.inTheWay()
		if left == nil && refused == nil {
			s.carryOn()
		}
		return left, refused
	})
}

// comeToRest begins a handover, and has the loop try until nothing is left that is in the way.
func (s *Supervisor) comeToRest(ctx context.Context, rehearsal bool, try func() (left *obstacle, refused error)) error {
	var left *obstacle
	var refused error
	err := s.ask(ctx, func() {
		if refused = s.beginHandOver(); refused == nil && !rehearsal {
			s.lookAtAll(false) // which would begin anew, and find more
		}
	})
	if err = firstError(err, refused); err != nil {
		return err
	}
	for {
		err := s.ask(ctx, func() { left, refused = try() })
		if err == nil && (refused != nil || left == nil) {
			return refused
		}
		if err == nil {
			select {
			case <-left.over:
				continue
			case <-s.stopping:
				err = &Error{Kind: ShuttingDown}
			case <-ctx.Done():
				err = &inVainError{left.what, ctx.Err()}
			}
		}
		_ = s.ask(context.Background(), s.carryOn) // unless it has ended meanwhile
		return err
	}
}

// Definitions are those of the active groups, in the order of their activation. What is in
// them is never changed, only replaced.
func (s *Supervisor) Definitions(ctx context.Context) (list []*spec.Group, err error) {
	err = s.ask(ctx, func() {
		for _, g := range s.groups {
			list = append(list, g.def)
		}
	})
	return list, err
}

// obstacle is what a handover waits for.
type obstacle struct {
	what string
	over <-chan struct{}
}

// inVainError is a wait for something that took too long, or was given up.
type inVainError struct {
	what  string
	cause error // the context's
}

func (e *inVainError) Error() string { return "waited in vain for " + e.what }
func (e *inVainError) Unwrap() error { return e.cause }

// beginHandOver has no launch begin, and calls off those that can be.
func (s *Supervisor) beginHandOver() error {
	switch {
	case s.Mood() != state.MoodRunning:
		return &Error{Kind: ShuttingDown}
	case s.handing.on:
		return &Error{Kind: Failed, Name: "handover", Detail: "another one is under way"}
	}
	s.handing.on = true
	close(s.handing.begun)
	s.stopClocks(true)
	s.recallLaunches()
	return nil
}

// carryOn gives up a handover, if one is under way.
func (s *Supervisor) carryOn() {
	if !s.handing.on || s.handedOver {
		return
	}
	s.handing = handing{begun: make(chan struct{})}
	for _, g := range s.groups {
		for _, p := range g.procs {
			for ch := range p.out {
				if stream := p.out[ch].stream; stream != nil {
					stream.Continue()
				}
			}
			if p.stdin != nil {
				p.stdin.Continue()
			}
			for on, ear := range p.ears {
				if ear != nil && ear.Paused() != nil {
					p.ears[on] = notify.Hear(ear.Paused(), s.hearing(p, on, ear.Pause()))
					if p.pendingExit != nil { // it has ended meanwhile
						p.ears[on].Finish()
					}
				}
			}
			if p.orphansWait {
				p.orphansWait = false
				s.goOnEndingOrphans(p, 0)
			}
		}
	}
	s.stopClocks(false)
	if !s.probing {
		s.lookAtAll(true)
	}
	s.advance()
}

// inTheWay says what is not at rest. What takes long comes first: output is read until
// nothing but the reading of it is left.
func (s *Supervisor) inTheWay() (*obstacle, error) {
	if !s.handing.on { // an end has begun meanwhile
		return nil, &Error{Kind: ShuttingDown}
	}
	if s.held {
		return &obstacle{"what holds back every launch", s.opt.Hold}, nil
	}
	if what, ended := s.underway.any(); what != "" {
		return &obstacle{what, ended}, nil
	}
	if what, ended := s.lookedAt.any(); what != "" && !s.probing {
		return &obstacle{what, ended}, nil
	}
	return s.pause(), nil
}

// tryHandOver hands over if everything is at rest, and otherwise says what is not.
func (s *Supervisor) tryHandOver() (*Handover, *obstacle, error) {
	if left, refused := s.inTheWay(); left != nil || refused != nil {
		return nil, left, refused
	}
	s.takeFacts()
	if s.endByItself(); s.Mood() != state.MoodRunning {
		return nil, nil, &Error{Kind: ShuttingDown}
	}
	s.answer()
	if what, ended := s.underway.any(); what != "" { // it has come of the facts
		return nil, &obstacle{what, ended}, nil
	}
	h := &Handover{}
	if left := s.saveAll(h); left != nil {
		return nil, left, nil
	}
	s.handedOver = true
	return h, nil, nil
}

// pause pauses every stream and standard input, and says which one is not quiet yet.
func (s *Supervisor) pause() (left *obstacle) {
	wait := func(what string, p *process, quiet <-chan struct{}) {
		select {
		case <-quiet:
		default:
			left = &obstacle{what + p.def.Name, quiet}
		}
	}
	for _, g := range s.groups {
		for _, p := range g.procs {
			for ch := range p.out {
				if stream := p.out[ch].stream; stream != nil {
					wait("the output of ", p, stream.Pause())
				}
			}
			if p.stdin != nil {
				wait("the standard input of ", p, p.stdin.Pause())
			}
			for _, ear := range p.ears {
				if ear != nil {
					wait("what is said by ", p, ear.Pause())
				}
			}
		}
	}
	return left
}

// takeFacts takes the facts that were posted.
func (s *Supervisor) takeFacts() {
	for {
		select {
		case f := <-s.facts:
			s.handleFact(f)
		default:
			return
		}
	}
}

// recallLaunches has the launches that have not forked wait in line again.
func (s *Supervisor) recallLaunches() {
	waits := make(map[*process]bool, len(s.line.waiting))
	for _, l := range s.line.waiting {
		if !l.over() {
			waits[l.p] = true
		}
	}
	var recalled []queuedLaunch
	recall := func(p *process) {
		if p.machine.Launching && !p.calledOff && !waits[p] && p.ticket.take() {
			p.run++ // its place in the line is nobody's
			p.ticket = new(forkTicket)
			recalled = append(recalled, queuedLaunch{p, p.run})
			waits[p] = true
		}
	}
	for _, place := range s.line.begun {
		if !place.launch.over() {
			recall(place.launch.p)
		}
	}
	for _, g := range s.ordered() { // those that were overtaken
		for _, p := range g.byPriority() {
			recall(p)
		}
	}
	s.line.waiting = append(recalled, s.line.waiting...)
	s.advance()
}

// saveAll writes everything down. If something is in the way of that nothing is.
func (s *Supervisor) saveAll(h *Handover) (left *obstacle) {
	var undo []func()
	defer func() {
		if left != nil {
			for _, f := range undo {
				f()
			}
		}
	}()
	processes := 0
	for _, g := range s.groups {
		processes += len(g.procs)
	}
	w := &writingDown{Handover: h, logs: make([]handedLog, 0, 2*processes), sockets: make(map[*launch.Socket]int)}
	for _, g := range s.groups {
		for _, p := range g.procs {
			for ch := range p.out {
				log := p.out[ch].log
				saved, file, busy := log.Save()
				if busy {
					return waitFor("a log of "+p.def.Name, log.WaitForTurn)
				}
				undo = append(undo, func() { s.resumeLog(p, log, saved, file) })
				w.logs = append(w.logs, handedLog{Saved: saved, File: w.add(file)})
			}
			for _, socket := range []*launch.Socket{p.socket, p.heldSocket} {
				if _, known := w.sockets[socket]; socket == nil || known {
					continue
				}
				saved, file, busy := socket.Save()
				if busy != nil {
					return &obstacle{"the socket of " + p.def.Name, busy}
				}
				undo = append(undo, func() { socket.Resume(saved, file) })
				h.data.Sockets = append(h.data.Sockets, handedSocket{Saved: saved, File: w.add(file)})
				w.sockets[socket] = len(h.data.Sockets)
			}
		}
	}
	s.save(w)
	return nil
}

// waitFor is an obstacle that is over when wait has returned.
func waitFor(what string, wait func()) *obstacle {
	over := make(chan struct{})
	go func() { // ends with the disk
		defer close(over)
		wait()
	}()
	return &obstacle{what, over}
}

func (s *Supervisor) resumeLog(p *process, log *logfile.Writer, saved logfile.Saved, file *os.File) {
	if err := log.Resume(saved, file); err != nil {
		s.log.Warn("cannot continue a log of " + p.def.Name + ": " + err.Error())
	}
}

// writingDown is a Handover that is being made.
type writingDown struct {
	*Handover
	logs    []handedLog            // of each process, by channel
	sockets map[*launch.Socket]int // to their numbers
}

// add takes a file along; nil is none.
func (w *writingDown) add(f *os.File) fileNumber {
	if f == nil {
		return 0
	}
	w.files = append(w.files, f)
	return fileNumber(len(w.files))
}

// save writes down what cannot fail.
func (s *Supervisor) save(w *writingDown) {
	present, now := moment.Now()
	d := &w.data
	d.Version, d.ReadableSince, d.Present = handoverVersion, readableSince, present
	d.Begun, d.Subreaper, d.Serials = s.begun, s.subreaper, s.opt.Serials.Save()
	d.CgroupName, d.AutoMark, d.Launches = s.cgroupName, s.autoMark, s.launches
	d.Ticked = moment.Of(s.ticked, now)
	for _, g := range s.groups {
		handed := handedGroup{Def: g.def, Processes: make([]handedProcess, 0, len(g.procs))}
		if g.pool != nil {
			pool := g.pool.Save(now)
			handed.Pool = &pool
		}
		for _, p := range g.procs {
			handed.Processes = append(handed.Processes, p.save(w, now))
		}
		d.Groups = append(d.Groups, handed)
	}
	for _, l := range s.line.waiting {
		if !l.over() {
			d.Waiting = append(d.Waiting, l.p.slot())
		}
	}
	if hold := s.heldAuto; hold.p != nil && !hold.p.removed {
		d.HeldAuto = &handedAuto{hold.p.slot(), hold.ch}
	}
	d.Files = len(w.files)
}
