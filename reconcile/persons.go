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

// Said is the answer to a person who says what he wants of a group or a process.
type Said struct {
	Intent  Intent // as it is now, or was
	Changed bool   // false where it was so already
	Kept    bool   // it is on the disk, and outlives the daemon
}

// ErrWhole: what is wanted of a process is so of its whole group.
var ErrWhole = errors.New("the whole group is")

// Pause has no automatic update touch a group or a process for so long, however often
// whatever has the name comes and goes. Crashes are restarted, and what a person asks for is
// done. An update of it that fails to be proved meanwhile is held, not reverted. A name is
// that of a group or GROUP:NAME; ErrBadName where nothing has it. caller is who asks.
//
// The methods of this file are for whoever may change the state of processes; their error
// may also be that of the context, or ErrNotRunning.
func (r *Reconciler) Pause(ctx context.Context, name string, length time.Duration, reason, caller string) (Said, error) {
	return r.say(ctx, name, func(l *loop, n spec.Namespec) (Said, error) {
		now := time.Now()
		i := Intent{Paused, n.Group, n.Process, now, now.Add(length), caller, reason}
		return l.say(i), nil
	})
}

// Resume ends a pause: of a group, also those of its processes. ErrWhole for a process whose
// whole group is paused.
func (r *Reconciler) Resume(ctx context.Context, name, caller string) (Said, error) {
	return r.say(ctx, name, func(l *loop, n spec.Namespec) (Said, error) { return l.unsay(Paused, n, caller) })
}

// Disable has nothing but a person start a group or a process any more, in this life of the
// daemon and later ones: not its start, no update, no request for several, nor what depends
// on it. What a person starts by its name runs, and stays disabled. It is not stopped by
// this: that is for whoever asks.
func (r *Reconciler) Disable(ctx context.Context, name, caller string) (Said, error) {
	return r.say(ctx, name, func(l *loop, n spec.Namespec) (Said, error) {
		if i := slices.IndexFunc(l.intents, func(i Intent) bool { return i.Kind == Disabled && i.namespec() == n }); i >= 0 {
			return Said{Intent: l.intents[i], Kept: l.keeps()}, nil
		}
		return l.say(Intent{Kind: Disabled, Group: n.Group, Process: n.Process, Since: time.Now(), By: caller}), nil
	})
}

// Enable ends that: of a group, also for its processes. What has autostart is started, when
// what it depends on is there. ErrWhole for a process whose whole group is disabled.
func (r *Reconciler) Enable(ctx context.Context, name, caller string) (Said, error) {
	return r.say(ctx, name, func(l *loop, n spec.Namespec) (Said, error) { return l.unsay(Disabled, n, caller) })
}

// Intents are what people want now of groups and processes, in the order in which they said
// so. Known says of each whether anything has the name.
func (r *Reconciler) Intents() (list []Intent, known []bool) {
	s := r.published.Load()
	list = s.intents.at(time.Now())
	there := slices.Concat(definitions(r.target.Groups()), pointers(s.inForce.Groups))
	for i := range list {
		known = append(known, slices.ContainsFunc(there, func(g *spec.Group) bool {
			return g.Name == list[i].Group && (list[i].Process == "" || find(g, list[i].Process) != nil)
		}))
	}
	return list, known
}

// Disabled are the names of what is disabled, as Target.SetDisabled has them.
func (r *Reconciler) Disabled() map[spec.Namespec]bool { return r.published.Load().intents.disabled() }

// say has the loop do something about what a name means.
func (r *Reconciler) say(ctx context.Context, name string, do func(*loop, spec.Namespec) (Said, error)) (Said, error) {
	type answered struct {
		said   Said
		record int
		err    error
	}
	a, err := ask(ctx, r, func(l *loop, answer func(answered)) {
		known := slices.Concat(definitions(l.target.Groups()), pointers(l.inForce.Groups))
		n, err := nameFor(name, known)
		if err != nil && !slices.ContainsFunc(l.intents, func(i Intent) bool { return i.within(n) }) {
			answer(answered{err: err})
			return
		}
		said, err := do(l, n)
		answer(answered{said, l.intentRecords, err})
	})
	if err != nil {
		return Said{}, err
	}
	if a.said.Kept && a.said.Changed {
		a.said.Kept = r.areWritten(ctx, a.record)
	}
	return a.said, a.err
}

// areWritten reports whether that record of what people want is in the state directory. It
// waits for the keeper, a second at most.
func (r *Reconciler) areWritten(ctx context.Context, record int) bool {
	enough := time.NewTimer(keepPatience)
	defer enough.Stop()
	for {
		next := r.written.Next()
		if r.through.Load() >= int64(record) {
			return r.store.Keeps(intentsItem)
		}
		select {
		case <-next:
		case <-enough.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// say notes what a person wants from now on.
func (l *loop) say(i Intent) Said {
	l.log.Info("reconcile: " + i.Name() + " is " + i.String())
	l.changeIntents(l.intents.with(i))
	return Said{i, true, l.keeps()}
}

// unsay ends what a person has said before.
func (l *loop) unsay(kind string, n spec.Namespec, caller string) (Said, error) {
	said := Said{Intent: Intent{Kind: kind, Group: n.Group, Process: n.Process, By: caller}, Kept: l.keeps()}
	now := l.intents.without(kind, n)
	if len(now) == len(l.intents) {
		whole := func(i Intent) bool { return i.Kind == kind && i.Group == n.Group && i.Process == "" }
		if i := slices.IndexFunc(l.intents, whole); i >= 0 {
			return said, fmt.Errorf("%s: %w %s", n, ErrWhole, l.intents[i].String())
		}
		return said, nil
	}
	l.log.Info("reconcile: " + said.Intent.Name() + " is not " + kind + " any more: " + caller + " has asked for it")
	l.changeIntents(now)
	said.Changed = true
	return said, nil
}

// setIntents is for a loop that has not begun.
func (l *loop) setIntents(list intents) {
	if l.intents = list; len(list) > 0 {
		l.keptIntents = list.record(l.boot)
	}
}

// changeIntents puts a list in force. An update in hand goes on with what it has begun.
func (l *loop) changeIntents(list intents) {
	before := l.intents.disabled()
	l.intents, l.keptIntents = list, list.record(l.boot)
	l.intentRecords++
	l.keptIntents.number = l.intentRecords
	l.undecided = true
	l.keep()
	if now := list.disabled(); !maps.Equal(before, now) {
		// It fails only where the target has ended.
		_ = l.target.SetDisabled(l.ctx, now)
	}
}

// expire drops the pauses that are over.
func (l *loop) expire(now time.Time) {
	list := l.intents.at(now)
	if len(list) == len(l.intents) {
		return
	}
	for _, i := range l.intents {
		if i.Kind == Paused && !now.Before(i.Until) {
			l.log.Info("reconcile: the pause of " + i.Name() + " by " + i.By + " is over")
		}
	}
	l.changeIntents(list)
	l.undecided = false // it is being decided
}

// keeps reports whether what people say now outlives the daemon, as far as that is known.
func (l *loop) keeps() bool { return l.store != nil && l.store.Keeps(intentsItem) }

// permit leaves those of the admitted steps of an automatic update that people and the window
// permit, and says why others of its steps are held. What an update has stopped to restart it
// is started all the same, with the definition in force.
func (l *loop) permit(now time.Time, steps []Step, v *admission, active []Active) {
	holds, at := l.intents.hold(now, steps, l.view.settings.Window, func(s *Step) bool { return s.Old == nil && l.guard.failed[s.Group].begun })
	l.retryAt = earliest(l.retryAt, at)
	if len(holds) == 0 {
		return
	}
	held := make(map[string]bool, len(holds))
	for _, h := range holds {
		held[h.Group] = true
	}
	var down []string
	v.steps = slices.DeleteFunc(v.steps, func(s Step) bool {
		if held[s.Group] && s.Old != nil {
			down = append(down, s.Group)
		}
		return held[s.Group]
	})
	v.waits = slices.DeleteFunc(v.waits, func(h hold) bool { return held[h.Group] })
	v.holds = append(v.holds, holds...)
	if len(l.pending) > 0 && len(down) > 0 {
		v.steps = append(v.steps, Plan(active, l.inForce.Groups, Policy{Only: down, Kept: down, PendingStarts: l.pending})...)
	}
}

// pausedOn is a pause of something that a trial's update has changed, which a revert would
// touch; nil for none. What a daemon has put on trial at its start is all of its files.
func (l *loop) pausedOn(t *trial) *Intent {
	for _, i := range l.intents.at(l.judged) {
		_, changed := t.ran[i.Group]
		changed = changed || slices.ContainsFunc(t.started, func(key ProcessKey) bool { return i.Covers(key.Group, key.Process) })
		if !changed && t.first {
			for _, f := range t.files {
				changed = changed || slices.Contains(f.groups, i.Group)
			}
		}
		if i.Kind == Paused && changed {
			return &i
		}
	}
	return nil
}
