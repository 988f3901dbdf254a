package reconcile

import "supervisord/spec"

// Review is what an update from one configuration to another would do.
type Review struct {
	Actions []Action
	Reach   Reach
	// Reload are the sections that no update brings into force: a reload does.
	Reload []string
}

// Empty reports whether nothing would happen, by an update or a reload.
func (r *Review) Empty() bool { return len(r.Actions)+len(r.Reload) == 0 }

// ReviewOf says what an update would do that finds base in force, and everything running
// that starts by itself, and is to make it head. It is pure.
func ReviewOf(base, head *spec.Config) Review {
	active := Supposed(base)
	steps := Plan(active, head.Groups, Policy{Kept: head.Kept, LeftOut: head.LeftOut})
	r := Review{Reach: ReachOf(active, steps, head.Reconcile.MaxRemovals), Reload: spec.CompareDaemons(base, head)}
	for i := range steps {
		r.Actions = append(r.Actions, steps[i].Actions...)
	}
	return r
}
