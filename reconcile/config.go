package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"supervisord/spec"
)

// Reread reads every file again and says how the groups differ from the active
// ones, by name. It starts and stops nothing, but from now on AddGroup goes by
// what was read. The error is the first mistake in Supervisor's words; then
// nothing changed.
//
// Source: contract/reconcile.md sections 3 and 6.
func (r *Reconciler) Reread(context.Context) (added, changed, removed []string, err error) {
	v := r.source.load(forReading)
	if v.err != nil {
		return nil, nil, nil, v.err
	}
	r.mu.Lock()
	r.candidate, r.candidateSeq = v.config, v.seq
	r.mu.Unlock()
	var active []spec.Group
	for _, a := range r.target.Groups() {
		active = append(active, *a.Group)
	}
	c := spec.Diff(active, v.config.Groups)
	return c.Added, c.Changed, c.Removed, nil
}

// AddGroup activates a group as last read. ErrBadName when it was not in the
// files, ErrAlreadyAdded when it is active; but a group that an automatic update
// added a moment ago, and that stands as the files say, may be added again, so
// that whoever was overtaken by the watcher succeeds. caller is who asks, for
// the history.
//
// Source: reconciler.md, When it does not act; contract/reconcile.md section 5.
func (r *Reconciler) AddGroup(ctx context.Context, name, caller string) error {
	began := time.Now()
	r.mu.Lock()
	g := groupOf(r.candidate, name)
	r.requireCandidate() // beforehand, or an automatic update might take it back at once
	r.mu.Unlock()
	if g == nil {
		return fmt.Errorf("%w: %s", ErrBadName, name)
	}
	if r.active(name) == nil {
		err := r.target.SetGroup(ctx, nil, g, nil)
		if err == nil {
			r.mu.Lock()
			r.guard.release([]string{name})
			r.mu.Unlock()
			r.done(began, caller, Action{Action: Add, Group: name, File: origin(g)})
			return nil
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	now := r.active(name)
	if now != nil && now.Equal(g) && r.recently(r.added, name) {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrAlreadyAdded, name)
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
	for range 3 {
		old := r.active(name)
		if old == nil {
			if r.recently(r.removed, name) {
				return nil
			}
			return fmt.Errorf("%w: %s", ErrBadName, name)
		}
		r.mu.Lock()
		d := groupOf(r.candidate, name)
		if d != nil {
			r.guard.userRemoves(d) // beforehand, as in AddGroup
		}
		r.requireCandidate()
		r.mu.Unlock()
		err := r.target.SetGroup(ctx, old, nil, nil)
		if err != nil && d != nil {
			r.mu.Lock()
			r.guard.userRemoveFailed(name)
			r.mu.Unlock()
		}
		switch {
		case err == nil:
			r.done(began, caller, Action{Action: Remove, Group: name, File: origin(old)})
			return nil
		case errors.Is(err, ErrConflict):
			continue
		case errors.Is(err, ErrStillRunning):
			if done := r.removing(name); done != nil {
				select {
				case <-done:
					continue
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
		return err
	}
	return fmt.Errorf("%w: %s", ErrConflict, name)
}

// done notes what somebody asked for by AddGroup or RemoveGroup: an update of
// one action, with its entry in the history, its line in the log and its event.
func (r *Reconciler) done(began time.Time, caller string, a Action) {
	a.Reason = "it was asked for"
	e := Entry{
		Time: began, Trigger: TriggerUpdate, Caller: caller, Actions: []Action{a},
		Result: Applied, DurationMS: time.Since(began).Milliseconds(),
	}
	r.mu.Lock()
	e.Generation = r.nextGeneration()
	r.record(e)
	r.mu.Unlock()
	r.logAction(e.Generation, &a)
	r.emit(Event{Type: EventApplied, Generation: e.Generation, Trigger: e.Trigger, Actions: e.Actions})
	r.markDirty()
	r.wake()
}

// active is the definition in force of a group, nil when it is not active.
func (r *Reconciler) active(name string) *spec.Group {
	for _, a := range r.target.Groups() {
		if a.Group.Name == name {
			return a.Group
		}
	}
	return nil
}

// recently reports whether an automatic update did something within the grace
// period.
func (r *Reconciler) recently(when map[string]time.Time, name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := when[name]
	return ok && time.Since(at) < gracePeriod
}

// removing is closed when the update that is just taking a group away is over;
// nil when none is.
func (r *Reconciler) removing(name string) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.steps {
		if r.steps[i].Group == name && r.steps[i].New == nil {
			return r.running.done
		}
	}
	return nil
}

// requireCandidate notes that a person acts on the candidate: automatic updates
// wait until they have read the files at least as recently. mu is held.
func (s *status) requireCandidate() { s.minSeq = s.candidateSeq }

// groupOf is the group of that name in a configuration, or nil.
func groupOf(cfg *spec.Config, name string) *spec.Group {
	for i := range cfg.Groups {
		if cfg.Groups[i].Name == name {
			return &cfg.Groups[i]
		}
	}
	return nil
}
