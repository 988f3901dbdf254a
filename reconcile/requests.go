package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"supervisord/spec"
)

// Reread reads every file again and says how the groups differ from the active
// ones, by name, or did before automatic updates of the last minute that nobody was
// told of. It starts and stops nothing, but from now on AddGroup goes by
// what was read. The error is the first mistake in Supervisor's words, and then
// nothing changed; or that of the context, or ErrNotRunning.
//
// Source: contract/reconcile.md sections 3 and 6.
func (r *Reconciler) Reread(ctx context.Context) (added, changed, removed []string, err error) {
	type found struct {
		view  *view
		debts debts
	}
	f, err := ask(ctx, r, func(l *loop, answer func(found)) {
		l.read(nil, func(v *view) {
			if v.err == nil {
				l.setCandidate(v)
			}
			l.debts.tell(time.Now())
			answer(found{v, maps.Clone(l.debts)})
		})
	})
	if err == nil {
		err = f.view.err
	}
	if err != nil {
		return nil, nil, nil, err
	}
	active := r.target.Groups()
	c := answerOf(active, f.view.config.Groups, f.debts.owed(time.Now(), active, nil))
	return c.Added, c.Changed, c.Removed, nil
}

// Check reads the files and reports the first mistake, as Supervisor words it,
// or nil. It is asked before a reload. The error may be that of the context, or
// ErrNotRunning.
func (r *Reconciler) Check(ctx context.Context) error {
	v, err := ask(ctx, r, func(l *loop, answer func(*view)) { l.read(nil, answer) })
	if err == nil {
		err = v.err
	}
	return err
}

// AtRest returns when the reconciler has nothing to do: no update runs or is asked for,
// and nothing that the files say, looked at anew, will be applied by itself. What is held,
// and what is wrong with the files, is no reason to wait. The error is that of the
// context, or ErrNotRunning.
func (r *Reconciler) AtRest(ctx context.Context) error {
	_, err := ask(ctx, r, func(l *loop, answer func(struct{})) {
		l.want(lookWanted{trigger: TriggerRescan})
		l.resters = append(l.resters, func() { answer(struct{}{}) })
	})
	return err
}

// Answers returns when the loop does: one that is stuck never does. The error is that of the
// context, or ErrNotRunning.
func (r *Reconciler) Answers(ctx context.Context) error {
	_, err := ask(ctx, r, func(_ *loop, answer func(struct{})) { answer(struct{}{}) })
	return err
}

// SetAutoupdate turns automatic updates on or off until the daemon ends. caller is
// who asks, for the log. The error is that of the context, or ErrNotRunning.
func (r *Reconciler) SetAutoupdate(ctx context.Context, on bool, caller string) error {
	_, err := ask(ctx, r, func(l *loop, answer func(struct{})) {
		l.auto = &on
		word := "off"
		if on {
			word = "on"
		}
		l.log.Info(fmt.Sprintf("automatic updates turned %s by %s", word, caller))
		if !on && l.current != nil && !l.current.explicit {
			l.overtake()
		}
		l.undecided = true
		answer(struct{}{})
	})
	return err
}

// Apply makes groups what the files say, all or those named, and returns when it
// is done. It is one transaction of the daemon's: ctx ends the wait, never the
// update. caller is who asks, for the history. The error is that of spec.Load
// when nothing could be done, that of the context, or ErrNotRunning.
//
// A bad file does not keep the others from being applied unless on_invalid or
// autoupdate say so; the report then is not OK and says what is wrong.
//
// Source: contract/reconcile.md section 5; reconciler.md, Seeing it.
func (r *Reconciler) Apply(ctx context.Context, names []string, caller string) (Report, error) {
	return r.ApplyPlan(ctx, names, "", caller)
}

// ApplyPlan is Apply if that would do what the plan of that ID says, whose names these were.
// Otherwise it does nothing, and the error is ErrMoved. The loop sees to that in the turn in
// which the update begins.
func (r *Reconciler) ApplyPlan(ctx context.Context, names []string, plan, caller string) (Report, error) {
	type applied struct {
		report Report
		err    error
	}
	a, err := ask(ctx, r, func(l *loop, answer func(applied)) {
		l.request(&update{
			trigger: TriggerUpdate, caller: caller, explicit: true, names: everything(names), plan: plan,
			answer: func(report Report, err error) { answer(applied{report, err}) },
		})
	})
	if err != nil {
		return Report{}, err
	}
	return a.report, a.err
}

// request has an update that somebody asked for begun as soon as may be.
func (l *loop) request(u *update) {
	l.queue = append(l.queue, u)
	if l.current != nil && !l.current.explicit {
		l.overtake()
	}
}

// OwesRemoval reports whether an automatic update has just removed a group that had this
// process, any for "", and nobody who asked for that was told yet.
func (r *Reconciler) OwesRemoval(ctx context.Context, group, process string) bool {
	is, err := ask(ctx, r, func(l *loop, answer func(bool)) {
		before := l.debts[group].before
		answer(l.active(group) == nil && l.debts.lately(time.Now(), group, Remove) &&
			before != nil && (process == "" || find(before, process) != nil))
	})
	return err == nil && is
}

// AddGroup activates a group as last read. ErrBadName when it was not in the
// files, ErrAlreadyAdded when it is active; but a group that an automatic update
// added a moment ago, and that stands as the files say, may be added again, so
// that whoever was overtaken by the watcher succeeds. Then what has failed in it is
// started afresh, once. caller is who asks, for the history.
//
// Source: reconciler.md, When it does not act; contract/reconcile.md section 5.
func (r *Reconciler) AddGroup(ctx context.Context, name, caller string) error {
	result, err := ask(ctx, r, func(l *loop, answer func(error)) { l.addGroup(name, caller, true, answer) })
	if err != nil {
		return err
	}
	return result
}

// addGroup looks at the files first, if it may, for a group that they did not have a moment
// ago: whoever puts a file back need not wait until that is noticed.
func (l *loop) addGroup(name, caller string, look bool, answer func(error)) {
	began := time.Now()
	g := groupOf(l.candidate, name)
	if g == nil && look && l.automatic() {
		l.read(nil, func(v *view) {
			if v.config != nil {
				l.setCandidate(v)
			}
			l.addGroup(name, caller, false, answer)
		})
		return
	}
	l.requireCandidate() // beforehand, or an automatic update might take it back at once
	switch {
	case g == nil:
		answer(fmt.Errorf("%w: %s", ErrBadName, name))
		return
	case l.active(name) != nil:
		l.addAgain(g, caller, answer)
		return
	}
	l.set(nil, g, func(err error) {
		switch {
		case err == nil:
			l.guard.release([]string{name})
			delete(l.debts, name)
			l.done(began, caller, Action{Action: Add, Group: name, File: origin(g)})
			answer(nil)
		case errors.Is(err, ErrConflict):
			l.addAgain(g, caller, answer)
		default:
			answer(err)
		}
	})
}

// addAgain is the add of a group that is active.
func (l *loop) addAgain(g *spec.Group, caller string, answer func(error)) {
	active := l.target.Groups()
	i := slices.IndexFunc(active, func(a Active) bool { return a.Group.Name == g.Name })
	if i < 0 || !active[i].Group.Equal(g) || !l.debts.lately(time.Now(), g.Name, Add) {
		answer(fmt.Errorf("%w: %s", ErrAlreadyAdded, g.Name))
		return
	}
	names := []string{g.Name}
	if len(l.debts.owed(time.Now(), active, names)) == 0 || !slices.ContainsFunc(active[i].Processes, func(p Process) bool { return p.Failed }) {
		l.debts.pay(names)
		answer(nil)
		return
	}
	l.request(&update{
		trigger: TriggerUpdate, caller: caller, explicit: true, names: names,
		answer: func(Report, error) { answer(nil) }, // it is added, whatever becomes of it
	})
}

// RemoveGroup takes away an active group none of whose processes runs:
// ErrStillRunning otherwise, ErrBadName when there is no such group, unless an
// automatic update removed it a moment ago. If one is just doing so, it is
// waited for. caller is as with AddGroup.
//
// Automatic updates leave a group removed that a person removed, until its
// definition changes or somebody asks for it.
func (r *Reconciler) RemoveGroup(ctx context.Context, name, caller string) error {
	began := time.Now()
	result, err := ask(ctx, r, func(l *loop, answer func(error)) { l.removeGroup(began, name, caller, 3, answer) })
	if err != nil {
		return err
	}
	return result
}

// removeGroup tries so many times, since others may change the group meanwhile.
func (l *loop) removeGroup(began time.Time, name, caller string, tries int, answer func(error)) {
	old := l.active(name)
	switch {
	case old == nil && l.debts.lately(began, name, Remove):
		l.debts.pay([]string{name})
		answer(nil)
		return
	case old == nil:
		answer(fmt.Errorf("%w: %s", ErrBadName, name))
		return
	case tries == 0:
		answer(fmt.Errorf("%w: %s", ErrConflict, name))
		return
	}
	again := func() { l.removeGroup(began, name, caller, tries-1, answer) }
	d := groupOf(l.candidate, name)
	if d != nil {
		l.guard.userRemoves(d) // beforehand, as in addGroup
	}
	l.requireCandidate()
	l.set(old, nil, func(err error) {
		if err != nil && d != nil && l.active(name) != nil {
			l.guard.userRemoveFailed(name)
		}
		switch {
		case err == nil:
			delete(l.debts, name)
			l.done(began, caller, Action{Action: Remove, Group: name, File: origin(old)})
			answer(nil)
		case errors.Is(err, ErrConflict):
			again()
		case errors.Is(err, ErrStillRunning) && l.removing(name):
			l.current.after = append(l.current.after, again)
		default:
			answer(err)
		}
	})
}

// set asks the target to change one group, outside the loop, and has then called
// in the loop with what came of it.
func (l *loop) set(old, new *spec.Group, then func(error)) {
	l.setting++
	go func() { // ends with the target; the loop waits for it before it ends
		err := l.target.SetGroup(l.ctx, old, new, nil)
		l.results <- func() {
			l.setting--
			l.undecided = true
			then(err)
		}
	}()
}

// done notes what somebody asked for by AddGroup or RemoveGroup: an update of
// one action, with its entry in the history, its line in the log and its event.
func (l *loop) done(began time.Time, caller string, a Action) {
	a.Reason = "it was asked for"
	e := Entry{
		Generation: l.nextGeneration(), Time: began, Trigger: TriggerUpdate, Caller: caller, Actions: []Action{a},
		Result: Applied, DurationMS: time.Since(began).Milliseconds(), Revision: l.view.revision,
	}
	l.record(e)
	l.logAction(e.Generation, &a)
	l.emit(Event{Type: EventApplied, Generation: e.Generation, Trigger: e.Trigger, Actions: e.Actions})
	l.keep()
}

// active is the definition in force of a group, nil when it is not active.
func (l *loop) active(name string) *spec.Group {
	for _, a := range l.target.Groups() {
		if a.Group.Name == name {
			return a.Group
		}
	}
	return nil
}

// removing reports whether the update in hand takes a group away.
func (l *loop) removing(name string) bool {
	for i := range l.steps {
		if l.steps[i].Group == name && l.steps[i].New == nil {
			return true
		}
	}
	return false
}

// setCandidate has AddGroup go by a view, unless it goes by a newer one.
func (l *loop) setCandidate(v *view) {
	if v.seq > l.candidateSeq {
		l.candidate, l.candidateSeq = v.config, v.seq
	}
}

// requireCandidate notes that a person acts on the candidate: automatic updates
// wait until they have read the files at least as recently.
func (l *loop) requireCandidate() { l.minSeq = l.candidateSeq }

// groupOf is the group of that name in a configuration, or nil.
func groupOf(cfg *spec.Config, name string) *spec.Group {
	for i := range cfg.Groups {
		if cfg.Groups[i].Name == name {
			return &cfg.Groups[i]
		}
	}
	return nil
}
