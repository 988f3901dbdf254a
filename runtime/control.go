package runtime

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"supervisord/runtime/capture"
	"supervisord/runtime/depend"
	"supervisord/runtime/event"
	"supervisord/runtime/hang"
	"supervisord/runtime/launch"
	"supervisord/runtime/proc"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// lookUpPatience is how long all others have been looked up when a request for several
// continues without a command whose directory does not answer.
const lookUpPatience = time.Second

// Start starts what sel names. For one process the outcome is the error; for a
// group or all it is one result for each process that was not started already.
// With wait it returns when each process is RUNNING or has failed to become so.
//
// Refusals: BadName, NoFile, NotExecutable, AlreadyStarted, InUnknownState,
// SpawnFailed, Abnormal, ShuttingDown.
//
// Source: contract/process.md section 7, contract/rpc.md section 4.
func (s *Supervisor) Start(ctx context.Context, sel Select, wait bool) ([]Result, error) {
	return s.startPicked(ctx, sel.Process != "", wait, func() (procs []*process, within map[spec.Namespec]bool, err error) {
		procs, err = s.chosen(sel, ascending, isWanted)
		return procs, s.among(sel), err
	})
}

// StartWithDeps starts one process and, before it, all that it depends on and that is not
// there yet. There is one result for each that was not started already, and for the
// process itself.
//
// Refusals: those of Start.
func (s *Supervisor) StartWithDeps(ctx context.Context, group, name string, wait bool) ([]Result, error) {
	return s.startPicked(ctx, false, wait, func() (procs []*process, within map[spec.Namespec]bool, err error) {
		p, err := s.find(group, name)
		if err != nil {
			return nil, nil, err
		}
		within = make(map[spec.Namespec]bool)
		for _, at := range s.currentGraph().Closure(p.namespec(), s.missing) {
			q, _ := s.find(at.Group, at.Process)
			if within[at] = true; q == p || isWanted(q) {
				procs = append(procs, q)
			}
		}
		return procs, within, nil
	})
}

// among is all that a request is for, where they have an order among themselves; nil where
// it is for one process, or nobody depends on anything.
func (s *Supervisor) among(sel Select) map[spec.Namespec]bool {
	if sel.Process != "" || s.currentGraph().Empty() {
		return nil
	}
	all, _ := s.chosen(sel, ascending, everyone)
	return namesOf(all)
}

// missing reports whether what is needed is not there.
func (s *Supervisor) missing(_ spec.Namespec, need spec.Need, target spec.Namespec) bool {
	need.Targets = []spec.Namespec{target}
	return len(depend.Waits([]spec.Need{need}, s.asOthersSee)) > 0
}

// startPicked starts what pick says, in the loop, and of which within are all that the
// request is for; nil waits for nothing.
func (s *Supervisor) startPicked(ctx context.Context, single, wait bool, pick func() (procs []*process, within map[spec.Namespec]bool, err error)) ([]Result, error) {
	// The commands are looked up before anything is asked of a process, as in Supervisor,
	// and outside the loop since that may take a while.
	var defs []*spec.Process
	var groups []string
	var refuse error
	err := s.ask(ctx, func() {
		var procs []*process
		procs, _, refuse = pick()
		for _, p := range procs {
			defs, groups = append(defs, p.def), append(groups, p.group.def.Name)
		}
	})
	if err = firstError(err, refuse); err != nil {
		return nil, err
	}
	refused := s.lookUpAll(ctx, defs, groups)
	c := newCall(single)
	c.inOrder = !wait // Supervisor forks at once, and has each outcome before the next
	err = s.ask(ctx, func() {
		var procs []*process
		var within map[spec.Namespec]bool
		if procs, within, refuse = pick(); refuse != nil {
			return
		}
		c.expect(procs)
		for _, p := range procs {
			c.answered(p, s.startWith(p, within, refused[p.def], wait, c))
		}
	})
	if err = firstError(err, refuse); err != nil {
		return nil, err
	}
	return s.wait(ctx, c)
}

// lookUpAll looks commands up, and gives the refusals of those that are not to be found.
func (s *Supervisor) lookUpAll(ctx context.Context, defs []*spec.Process, groups []string) map[*spec.Process]error {
	refused := make(map[*spec.Process]error)
	for i, err := range onDisks(ctx, len(defs), lookUpPatience, func(i int) error {
		_, err := s.askForCommand(ctx, defs[i], groups[i])
		return err
	}) {
		// One whose disk hangs is not refused: its launch waits for it.
		if r, is := err.(*refusal); is {
			refused[defs[i]] = &Error{Kind: r.kind, Name: defs[i].Name, Detail: r.text}
		}
	}
	return refused
}

// askForCommand makes the command of a process, for somebody who waits for it.
func (s *Supervisor) askForCommand(ctx context.Context, def *spec.Process, group string) (launch.Command, error) {
	environ := s.environ()
	return hang.Ask(ctx, s.disks, whereIs(def, environ), func() (launch.Command, error) {
		return commandOf(def, group, environ)
	})
}

// startWith starts p, at once or, in a request for several, when those of them are there
// that it depends on. It registers a waiter; an outcome that is known at once
// is returned, errWaiting otherwise.
func (s *Supervisor) startWith(p *process, within map[spec.Namespec]bool, refused error, wait bool, c *call) error {
	if refused != nil {
		return refused
	}
	switch p.machine.State {
	case state.Starting, state.Running, state.Backoff:
		return p.refuse(AlreadyStarted)
	case state.Unknown:
		return p.refuse(InUnknownState)
	case state.Stopping:
		switch {
		case p.restarting:
			p.userStopped, p.restartWhenStopped = false, true
			return c.await(p, func() (bool, error) { return p.hasStarted(wait) })
		case wait:
			return p.refuse(Abnormal)
		}
		return p.refuse(AlreadyStarted)
	}
	p.userStopped, p.wasRunning, p.order.within = false, false, within
	s.stopNow(p) // a stop that waits for others is over
	kind := proc.Start
	if within != nil {
		kind = proc.StartInOrder
	}
	s.step(p, proc.Input{Kind: kind})
	return c.await(p, func() (bool, error) { return p.hasStarted(wait) })
}

// hasStarted is whether a start has come to an end, and to which. Without wait
// it is enough that there is a process.
func (p *process) hasStarted(wait bool) (bool, error) {
	m := &p.machine
	switch {
	case p.removed:
		return true, p.refuse(Abnormal)
	case m.Waiting && m.State != state.Backoff, p.restartWhenStopped:
		return !wait, nil
	case m.State == state.Running:
		return true, nil
	case m.State == state.Starting:
		return !wait && !m.Launching, nil
	case m.SpawnErr != "" && (m.State == state.Backoff || m.State == state.Fatal):
		return true, p.refuse(SpawnFailed)
	}
	return !wait || m.State != state.Starting, p.refuse(Abnormal)
}

// Stop stops what sel names: of a group or all, each process that is started.
// With wait it returns when each has stopped.
//
// Refusals: BadName, NotRunning, Failed (the signal could not be sent),
// ShuttingDown.
func (s *Supervisor) Stop(ctx context.Context, sel Select, wait bool) ([]Result, error) {
	return s.stop(ctx, sel, wait, everyone, func(p *process) { p.wasRunning = p.disabled && sel.Process == "" })
}

// StopDisabled stops what sel names and is disabled, as Stop does: not what has been enabled
// since. No start of several starts it again.
//
// Refusals: those of Stop; NotRunning also where it is not disabled.
func (s *Supervisor) StopDisabled(ctx context.Context, sel Select, wait bool) ([]Result, error) {
	return s.stop(ctx, sel, wait, func(p *process) bool { return p.disabled }, func(p *process) { p.wasRunning = false })
}

// stop stops what sel names of what is meant, and has each noted.
func (s *Supervisor) stop(ctx context.Context, sel Select, wait bool, meant func(*process) bool, note func(*process)) ([]Result, error) {
	among := sync.OnceValue(func() map[spec.Namespec]bool { return s.among(sel) })
	applies := func(p *process) bool {
		if !meant(p) {
			return false
		}
		if !isStarted(p) { // there is nothing to tell of it
			s.stayDown(p)
		}
		return isStarted(p)
	}
	return s.operate(ctx, sel, descending, applies, func(p *process, c *call) {
		if !meant(p) {
			c.answered(p, p.refuse(NotRunning))
			return
		}
		note(p)
		c.answered(p, s.stopWith(p, s.dependentsAmong(p, among()), wait, c))
	})
}

// stopWith stops p, once those are down that come before it.
func (s *Supervisor) stopWith(p *process, before []spec.Namespec, wait bool, c *call) error {
	s.stayDown(p)
	if !p.machine.State.InRunning() {
		return p.refuse(NotRunning)
	}
	p.userStopped = true
	before = slices.DeleteFunc(before, func(name spec.Namespec) bool {
		q, err := s.find(name.Group, name.Process)
		return err != nil || q.down()
	})
	if len(before) > 0 {
		s.stopLater(p, before)
		if !wait {
			return nil
		}
		return c.await(p, p.hasStopped)
	}
	s.step(p, proc.Input{Kind: proc.Stop})
	switch {
	case p.machine.State == state.Unknown:
		return p.refuse(Failed)
	case !wait:
		return nil
	}
	s.reportLater(p)
	return c.await(p, p.hasStopped)
}

// stayDown is the part of a stop that a client asks for which is left when p is down or
// about to be: nothing that is under way starts it.
func (s *Supervisor) stayDown(p *process) {
	if p.machine.Waiting || p.machine.Renewing || p.restartWhenStopped {
		p.userStopped = true
	}
	s.callOffStart(p)
}

// callOffStart has p not be started by what is under way, and not be stopped later either.
// What is started is left as it is.
func (s *Supervisor) callOffStart(p *process) {
	p.restartWhenStopped = false
	s.stopNow(p)
	if (p.machine.Waiting || p.machine.Renewing) && !p.machine.State.InRunning() {
		s.step(p, proc.Input{Kind: proc.Stop})
	}
}

func (p *process) hasStopped() (bool, error) {
	return p.removed || p.down(), nil
}

// StopProcesses stops the named processes of a group together, for an update,
// and returns when they are down. What does not run, or is not there, is no
// error. Until the next SetGroup of the group those that depend on what was stopped take it
// for something that is to be started again.
func (s *Supervisor) StopProcesses(ctx context.Context, group string, names []string) error {
	c := newCall(false)
	err := s.ask(ctx, func() {
		var procs []*process
		for _, name := range names {
			if p, err := s.find(group, name); err == nil && (!p.idle() || p.machine.Waiting || p.machine.OrphanGroup != 0) {
				procs = append(procs, p)
			}
		}
		c.expect(procs)
		for _, p := range procs {
			p.order.updating = true
			s.callOffStart(p)
			if p.machine.State.InRunning() {
				s.step(p, proc.Input{Kind: proc.Stop})
			} else {
				s.endOrphans(p)
			}
			c.answered(p, c.await(p, p.hasStopped))
		}
	})
	if err != nil {
		return err
	}
	if _, err = s.wait(ctx, c); err != nil {
		s.endUpdate(group)
	}
	return err
}

// endUpdate gives the update of a group up.
func (s *Supervisor) endUpdate(group string) {
	s.post(func() {
		if g := s.byName[group]; g != nil {
			s.updated(g)
		}
	})
}

// Signal sends a signal to what sel names: to each process itself, not to its
// group. The signal 0 only asks whether it could be sent.
//
// Refusals: BadName, NotRunning, Failed, ShuttingDown.
func (s *Supervisor) Signal(ctx context.Context, sel Select, sig int) ([]Result, error) {
	return s.operate(ctx, sel, ascending, isSignallable, func(p *process, c *call) {
		c.answered(p, s.signal(p, sig))
	})
}

func (s *Supervisor) signal(p *process, sig int) error {
	if !p.machine.State.Signallable() || p.machine.PID == 0 {
		return p.refuse(NotRunning)
	}
	s.step(p, proc.Input{Kind: proc.SendSignal, Signal: sig})
	if p.machine.State == state.Unknown {
		return p.refuse(Failed)
	}
	return nil
}

// Reset forgets the failures of what sel names: a process that is FATAL becomes
// STOPPED, and the waits and counts of its restart policy start afresh.
//
// Refusals: BadName, ShuttingDown.
func (s *Supervisor) Reset(ctx context.Context, sel Select) ([]Result, error) {
	return s.operate(ctx, sel, ascending, everyone, func(p *process, c *call) {
		s.step(p, proc.Input{Kind: proc.Reset})
		c.answered(p, nil)
	})
}

// WriteStdin queues data for a process's standard input.
//
// Refusals: BadName, NotRunning (also when a stop is under way), NoStdin (it has
// none, or has closed it), StdinFull.
func (s *Supervisor) WriteStdin(ctx context.Context, group, process string, data []byte) error {
	var refused error
	err := s.ask(ctx, func() {
		p, err := s.find(group, process)
		switch {
		case err != nil:
			refused = err
		case p.machine.PID == 0 || p.machine.State == state.Stopping:
			refused = p.refuse(NotRunning)
		case p.stdin == nil:
			refused = p.refuse(NoStdin)
		default:
			switch err := p.stdin.Write(data); {
			case errors.Is(err, capture.ErrFull):
				refused = p.refuse(StdinFull)
			case err != nil:
				refused = p.refuse(NoStdin)
			}
		}
	})
	return firstError(err, refused)
}

// Emit sends a REMOTE_COMMUNICATION event. It works during shutdown too.
func (s *Supervisor) Emit(ctx context.Context, typ, data string) error {
	ev := event.RemoteCommunicated(typ, data) // its text may be long, so not in the loop
	return s.ask(ctx, func() { s.emit(ev) })
}

// Publish offers an event that was made elsewhere to the listeners.
func (s *Supervisor) Publish(ev *event.Event) { s.post(func() { s.emit(ev) }) }

// Shutdown begins an orderly shutdown, and returns at once.
func (s *Supervisor) Shutdown(ctx context.Context) error {
	return s.ask(ctx, func() { s.beginShutdown(state.MoodShutdown) })
}

// Restart begins a shutdown after which Run returns ErrRestart. It returns at
// once.
func (s *Supervisor) Restart(ctx context.Context) error {
	return s.ask(ctx, func() { s.beginShutdown(state.MoodRestarting) })
}

// refuse is a refusal about this process.
func (p *process) refuse(k Kind) error { return &Error{Kind: k, Name: p.name()} }

// find is one process.
func (s *Supervisor) find(group, process string) (*process, error) {
	if g := s.byName[group]; g != nil {
		if p := g.process(process); p != nil {
			return p, nil
		}
	}
	return nil, &Error{Kind: BadName, Name: spec.Namespec{Group: group, Process: process}.String()}
}

// direction is the order of priorities in which processes are asked.
type direction bool

const (
	ascending  direction = false // starts
	descending direction = true  // stops
)

// The processes to which a request for several applies.
func everyone(*process) bool        { return true }
func isStarted(p *process) bool     { return p.machine.State.InRunning() }
func isSignallable(p *process) bool { return p.machine.State.Signallable() }

// isWanted is for a start. What is disabled had to be started by its name.
func isWanted(p *process) bool {
	return !p.machine.State.InRunning() && (!p.disabled || p.wasRunning)
}

// chosen are the processes that sel names, in the order in which they are to
// be asked. A filter applies to requests for several only.
func (s *Supervisor) chosen(sel Select, d direction, applies func(*process) bool) ([]*process, error) {
	if sel.Process != "" {
		p, err := s.find(sel.Group, sel.Process)
		if err != nil {
			return nil, err
		}
		return []*process{p}, nil
	}
	groups := s.ordered()
	if sel.Group != "" {
		g := s.byName[sel.Group]
		if g == nil {
			return nil, &Error{Kind: BadName, Name: sel.Group}
		}
		groups = []*group{g}
	}
	if d == descending {
		slices.SortStableFunc(groups, func(a, b *group) int { return cmp.Compare(b.def.Priority, a.def.Priority) })
	}
	var procs []*process
	for _, g := range groups {
		members := g.byPriority()
		if d == descending {
			slices.SortStableFunc(members, func(a, b *process) int { return cmp.Compare(b.def.Priority, a.def.Priority) })
		}
		for _, p := range members {
			if applies(p) {
				procs = append(procs, p)
			}
		}
	}
	return procs, nil
}

// choose has the loop call use with what sel names.
func (s *Supervisor) choose(ctx context.Context, sel Select, d direction, applies func(*process) bool, use func([]*process)) error {
	var refused error
	err := s.ask(ctx, func() {
		var procs []*process
		if procs, refused = s.chosen(sel, d, applies); refused == nil {
			use(procs)
		}
	})
	return firstError(err, refused)
}

// operate has the loop do something to each process that sel names, and waits
// for what was begun.
func (s *Supervisor) operate(ctx context.Context, sel Select, d direction, applies func(*process) bool, do func(*process, *call)) ([]Result, error) {
	c := newCall(sel.Process != "")
	err := s.choose(ctx, sel, d, applies, func(procs []*process) {
		c.expect(procs)
		for _, p := range procs {
			do(p, c)
		}
	})
	if err != nil {
		return nil, err
	}
	return s.wait(ctx, c)
}

// AwaitRunning waits until each of the named processes of a group is RUNNING, has ended as its
// exit codes expect, or is not to run. The error is that of the first that has failed, or
// of ctx.
func (s *Supervisor) AwaitRunning(ctx context.Context, group string, names []string) error {
	c := newCall(false)
	err := s.ask(ctx, func() {
		var procs []*process
		for _, name := range names {
			if p, err := s.find(group, name); err == nil {
				procs = append(procs, p)
			}
		}
		c.expect(procs)
		for _, p := range procs {
			c.answered(p, c.await(p, p.hasComeUp))
		}
	})
	if err != nil {
		return err
	}
	results, err := s.wait(ctx, c)
	for _, r := range results {
		err = firstError(err, r.Err)
	}
	return err
}

// hasComeUp is whether a process is as far as it will come, and what has gone wrong if so.
func (p *process) hasComeUp() (bool, error) {
	m := &p.machine
	switch {
	case p.removed, m.State == state.Running:
		return true, nil
	case m.Waiting && m.State != state.Backoff, p.restartWhenStopped:
		return false, nil
	case m.Failed(), m.State == state.Unknown:
		return true, &Error{Kind: Failed, Name: p.name(), Detail: m.SpawnErr}
	}
	return m.State.InStopped(), nil
}
