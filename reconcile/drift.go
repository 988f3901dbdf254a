package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"supervisord/spec"
)

// The kinds of drift.
const (
	DriftStopped    = "stopped"    // a person stopped what the files start
	DriftStarted    = "started"    // a person started what the files do not start
	DriftRemoved    = "removed"    // a person removed a group that the files have
	DriftExecutable = "executable" // the program on disk is another than the one that runs
)

// Drift is something that differs from the files although no update would change it, or none
// by itself.
type Drift struct {
	Kind           string
	Group, Process string // Process is "" of a whole group
	Text           string // what, in words
}

// Executable is how the program that a process runs stands to what is on disk.
type Executable struct {
	Path string
	// Gone: there is no longer anything at that path. Replaced: there is another file.
	Gone, Replaced bool
	// Unknown is why it cannot be said; "" if it can.
	Unknown string
}

// Drift lists what differs, where these are the executables of what runs. It asks no disk.
// The error is that of the context, or ErrNotRunning.
func (r *Reconciler) Drift(ctx context.Context, executables map[spec.Namespec]Executable) ([]Drift, error) {
	removed, err := ask(ctx, r, func(l *loop, answer func([]string)) { answer(slices.Collect(maps.Keys(l.guard.removed))) })
	if err != nil {
		return nil, err
	}
	return driftOf(r.target.Groups(), removed, executables), nil
}

// driftOf is pure; removed are groups that a person has removed although files have them.
func driftOf(active []Active, removed []string, executables map[spec.Namespec]Executable) (list []Drift) {
	for i := range active {
		a := &active[i]
		for _, l := range a.Processes {
			p := find(a.Group, l.Name)
			n := spec.Namespec{Group: a.Group.Name, Process: l.Name}
			add := func(kind, text string) { list = append(list, Drift{kind, n.Group, n.Process, text}) }
			switch {
			case p == nil:
				continue
			case l.UserStopped && p.Autostart && !l.Running:
				add(DriftStopped, "it was stopped by hand")
			case l.Running && !p.Autostart:
				add(DriftStarted, "it was started by hand: autostart=false")
			}
			switch e := executables[n]; {
			case e.Unknown != "":
				add(DriftExecutable, "it is unknown whether "+e.Path+" is what runs: "+e.Unknown)
			case e.Gone:
				add(DriftExecutable, e.Path+", which it runs, is gone from the disk")
			case e.Replaced:
				add(DriftExecutable, fmt.Sprintf("%s on disk is a different file from the one that runs: a restart puts it into force", e.Path))
			}
		}
	}
	for _, group := range removed {
		if !slices.ContainsFunc(active, func(a Active) bool { return a.Group.Name == group }) {
			list = append(list, Drift{DriftRemoved, group, "", "it was removed by hand: the files still define it"})
		}
	}
	slices.SortStableFunc(list, func(a, b Drift) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Process, b.Process))
	})
	return list
}
