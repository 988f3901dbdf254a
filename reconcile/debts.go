package reconcile

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"supervisord/spec"
)

// debts are what automatic updates did within the last gracePeriod, by group. A person
// who comes then, or a script, is to find what Supervisor would have: its answers to a
// reread, its lines of an update, and afresh what came too early to run. It is pure.
//
// A reread is told what is owed as often as it asks, since Debian's client makes the
// same request for its update; what an update, an add or a remove is told is paid. Who
// was told by a reread has as long again to do it: the two are requests of their own, and
// the period must not end between them.
type debts map[string]debt

// debt is what automatic updates did to one group.
type debt struct {
	before  *spec.Group // the definition that the group had when nothing was owed; nil for none
	at      time.Time   // of the last of them
	told    time.Time   // when a reread was last told of it; zero for never
	last    string      // Add, Remove or, for a change, Restart
	stopped bool        // Supervisor's update says of such a change that the group was stopped
	paid    bool
}

// begin notes that an automatic update carries out these steps from now. What does not
// come about is owed by nobody: the group is as it was before.
func (d debts) begin(now time.Time, steps []Step) {
	d.forget(now)
	for i := range steps {
		s := &steps[i]
		t, owed := d[s.Group]
		if !owed || t.paid {
			t = debt{before: s.Old}
		}
		t.at, t.last = now, Restart
		switch {
		case s.Old == nil:
			t.last = Add
		case s.New == nil:
			t.last = Remove
		}
		t.stopped = t.stopped || s.Stopped
		d[s.Group] = t
	}
}

// done notes that an automatic update has carried out a step.
func (d debts) done(now time.Time, group string) {
	if t, ok := d[group]; ok {
		t.at = now
		d[group] = t
	}
}

func (d debts) forget(now time.Time) {
	maps.DeleteFunc(d, func(_ string, t debt) bool { return !within(now, t.at) && !within(now, t.told) })
}

// within reports whether something was less than gracePeriod ago.
func within(now, at time.Time) bool { return now.Sub(at) < gracePeriod }

// tell notes that a reread is told now of all that is owed.
func (d debts) tell(now time.Time) {
	for name, t := range d {
		if !t.paid && within(now, t.at) {
			t.told = now
			d[name] = t
		}
	}
}

// lately reports whether the last that an automatic update did to a group was this, a
// moment ago or told by a reread a moment ago, and nobody has acted on it.
func (d debts) lately(now time.Time, group, action string) bool {
	t, ok := d[group]
	return ok && !t.paid && t.last == action && (within(now, t.at) || within(now, t.told))
}

// owed is what is owed of each group by these names, all for none, where active are
// the groups now: Add, Remove or Restart, with the debt.
func (d debts) owed(now time.Time, active []Active, names []string) map[string]owed {
	list := make(map[string]owed)
	if len(d) == 0 {
		return list
	}
	there := make(map[string]*spec.Group, len(active))
	for i := range active {
		there[active[i].Group.Name] = active[i].Group
	}
	for name, t := range d {
		is := there[name]
		switch {
		case t.paid, !within(now, t.at), len(names) > 0 && !slices.Contains(names, name):
		case t.before == nil && is != nil:
			list[name] = owed{Add, t}
		case t.before != nil && is == nil:
			list[name] = owed{Remove, t}
		case t.before != nil && !t.before.Equal(is):
			list[name] = owed{Restart, t}
		}
	}
	return list
}

// owed is what one group's line will be.
type owed struct {
	action string
	debt
}

// pay notes that somebody was told of these groups, of all for none.
func (d debts) pay(names []string) {
	for name, t := range d {
		if len(names) == 0 || slices.Contains(names, name) {
			t.paid = true
			d[name] = t
		}
	}
}

// removedInOrder are the groups whose removal is owed, in the order of their removal.
func removedInOrder(list map[string]owed) []string {
	var names []string
	for name, o := range list {
		if o.action == Remove {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(list[a].at.Compare(list[b].at), cmp.Compare(a, b))
	})
	return names
}

// afresh are the groups in which an update starts what has failed.
func afresh(list map[string]owed) map[string]bool {
	groups := make(map[string]bool)
	for name, o := range list {
		if o.action != Remove {
			groups[name] = true
		}
	}
	return groups
}

// answerOf is what a reread answers: how the groups differ, and of those that do
// not, what is owed.
func answerOf(active []Active, desired []spec.Group, list map[string]owed) spec.Changes {
	var now []spec.Group
	for i := range active {
		now = append(now, *active[i].Group)
	}
	c := spec.Diff(now, desired)
	if len(list) == 0 {
		return c
	}
	differs := make(map[string]string)
	for action, names := range map[string][]string{Add: c.Added, Restart: c.Changed, Remove: c.Removed} {
		for _, name := range names {
			differs[name] = action
		}
	}
	c.Added, c.Changed = nil, nil
	for i := range desired {
		name := desired[i].Name
		switch cmp.Or(differs[name], list[name].action) {
		case Add:
			c.Added = append(c.Added, name)
		case Restart:
			c.Changed = append(c.Changed, name)
		}
	}
	for _, name := range removedInOrder(list) {
		if differs[name] == "" {
			c.Removed = append(c.Removed, name)
		}
	}
	return c
}
