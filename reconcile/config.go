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
	v := r.source.load(plainly)
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
// that whoever was overtaken by the watcher succeeds.
//
// Source: reconciler.md, When it does not act; contract/reconcile.md section 5.
func (r *Reconciler) AddGroup(ctx context.Context, name string) error {
	r.mu.Lock()
	g := groupOf(r.candidate, name)
	r.mu.Unlock()
	if g == nil {
		return fmt.Errorf("%w: %s", ErrBadName, name)
	}
	if r.active(name) == nil {
		err := r.target.SetGroup(ctx, nil, g, nil)
		if err == nil {
			r.mu.Lock()
			r.guard.wanted([]string{name})
			r.touched()
			r.mu.Unlock()
			r.log.Info(fmt.Sprintf("reconcile: add %s: asked for", name))
			r.nudge()
			return nil
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	now := r.active(name)
	if now != nil && now.Equal(g) && r.lately(r.added, name) {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrAlreadyAdded, name)
}

// RemoveGroup takes away an active group none of whose processes runs:
// ErrStillRunning otherwise, ErrBadName when there is no such group, unless an
// automatic update removed it a moment ago. If one is just doing so, it is
// waited for.
//
// Automatic updates leave a group removed that a person removed, until its
// definition changes or somebody asks for it.
func (r *Reconciler) RemoveGroup(ctx context.Context, name string) error {
	for range 3 {
		old := r.active(name)
		if old == nil {
			if r.lately(r.removed, name) {
				return nil
			}
			return fmt.Errorf("%w: %s", ErrBadName, name)
		}
		err := r.target.SetGroup(ctx, old, nil, nil)
		switch {
		case err == nil:
			r.mu.Lock()
			if d := groupOf(r.candidate, name); d != nil {
				r.guard.taken(d)
			}
			r.touched()
			r.mu.Unlock()
			r.log.Info(fmt.Sprintf("reconcile: remove %s: asked for", name))
			r.nudge()
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

// active is the definition in force of a group, nil when it is not active.
func (r *Reconciler) active(name string) *spec.Group {
	for _, a := range r.target.Groups() {
		if a.Group.Name == name {
			return a.Group
		}
	}
	return nil
}

// lately reports whether an automatic update did something within the grace
// period.
func (r *Reconciler) lately(when map[string]time.Time, name string) bool {
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

// touched notes that a person acted on what was read later than the view of
// automatic updates: they wait for one that is as new. mu is held.
func (s *status) touched() { s.minimum = s.candidateSeq }

// groupOf is the group of that name in a configuration, or nil.
func groupOf(cfg *spec.Config, name string) *spec.Group {
	for i := range cfg.Groups {
		if cfg.Groups[i].Name == name {
			return &cfg.Groups[i]
		}
	}
	return nil
}
