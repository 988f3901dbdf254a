package reconcile

import (
	"context"
	"fmt"

	"supervisord/spec"
)

// Explanation says why one process is as it is, as far as the files and the reconciler have
// to do with it.
type Explanation struct {
	Group, Process string
	Settings       []Setting
	// Next is what an update would do to it now.
	Next        []Action
	UserStopped bool // a person stopped it, and nobody has started it since
}

// Setting is a key of the definition in force, with where it comes from.
type Setting struct {
	spec.Setting
	// Generation is that of the update which brought the value; 0 where the daemon began with
	// it, or that is no longer known.
	Generation int
}

// Explain says where the definition in force of a process comes from, and what an update
// would do to it, reading the files again. The error is as of Diff; ErrBadName for what
// is not active.
func (r *Reconciler) Explain(ctx context.Context, group, process string) (Explanation, error) {
	plan, err := r.Plan(ctx, []string{group})
	if err != nil {
		return Explanation{}, err
	}
	s := r.published.Load()
	for _, a := range r.target.Groups() {
		p := find(a.Group, process)
		if a.Group.Name != group || p == nil {
			continue
		}
		e := Explanation{Group: group, Process: process}
		brought := broughtBy(s.history, group, process)
		for _, setting := range s.inForce.Settings(a.Group, p) {
			e.Settings = append(e.Settings, Setting{setting, brought(setting.Key)})
		}
		for _, action := range plan.Actions {
			if action.Process == "" || action.Process == process {
				e.Next = append(e.Next, action)
			}
		}
		for _, l := range a.Processes {
			e.UserStopped = e.UserStopped || l.Name == process && l.UserStopped
		}
		return e, nil
	}
	return Explanation{}, fmt.Errorf("%w: %s", ErrBadName, spec.Namespec{Group: group, Process: process})
}

// broughtBy says of a key of a process which update brought its value: the last that changed
// it or, if none did, made the process.
func broughtBy(history []Entry, group, process string) func(key string) int {
	made, changed := 0, make(map[string]int)
	for i := range history { // the oldest first
		if t := history[i].Trigger; t == TriggerStart || t == TriggerReload { // all is from the files as they were then
			made = 0
			clear(changed)
		}
		for k := range history[i].Actions {
			a := &history[i].Actions[k]
			if a.Group != group || a.Process != "" && a.Process != process {
				continue
			}
			if a.Action == Add || a.Action == Remove || a.Action == Numprocs && a.Process == process {
				made = history[i].Generation
				clear(changed)
			}
			for _, c := range a.Changes {
				changed[c.Key] = history[i].Generation
			}
		}
	}
	return func(key string) int {
		if at, is := changed[key]; is {
			return at
		}
		return made
	}
}
