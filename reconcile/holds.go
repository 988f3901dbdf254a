package reconcile

import (
	"fmt"
	"slices"
)

// What is held, as it is reported and counted.

// manyHolds is from how many holds of a kind on they are told in one line.
const manyHolds = 4

// reportHolds tells of holds that are new, and of those that are over.
func (l *loop) reportHolds(old []hold) {
	for _, h := range gather(difference(l.holds, old)) {
		l.log.Warn("reconcile: held: "+h.describe(), "group", h.Group, "file", h.Path)
		if h.rejected || h.pinned { // which has an event of its own
			continue
		}
		e := Event{Type: EventHeld, Generation: l.gen, Trigger: l.trigger, Reason: h.Reason}
		for i := range l.drift {
			if slices.ContainsFunc(h.all, func(h hold) bool { return h.holds(&l.drift[i]) }) {
				e.Actions = append(e.Actions, l.drift[i].Actions...)
			}
		}
		l.emit(e)
	}
	for _, h := range gather(difference(old, l.holds)) {
		l.log.Info("reconcile: no longer held: "+h.describe(), "group", h.Group, "file", h.Path)
	}
}

// difference is what is in a and not in b.
func difference(a, b []hold) []hold {
	there := make(map[hold]bool, len(b))
	for _, h := range b {
		there[h] = true
	}
	return slices.DeleteFunc(slices.Clone(a), func(h hold) bool { return there[h] })
}

// told is a hold as it is told, or many of a kind.
type told struct {
	hold
	all []hold
}

// gather puts holds of a kind together where they are many.
func gather(holds []hold) []told {
	kinds := make(map[string][]hold)
	for _, h := range holds {
		kinds[h.kind] = append(kinds[h.kind], h)
	}
	var list []told
	for _, h := range holds {
		same := kinds[h.kind]
		switch {
		case h.kind == "" || len(same) < manyHolds:
			list = append(list, told{h, []hold{h}})
		case h == same[0]:
			list = append(list, told{hold{Reason: fmt.Sprintf("%d %s, the first: %s", len(same), h.kind, h.describe())}, same})
		}
	}
	return list
}

func (h hold) describe() string {
	switch {
	case h.rejected:
		return h.Path + " is rejected: " + h.Reason
	case h.pinned:
		return h.Path + " is pinned: " + h.Reason
	}
	if h.Group != "" {
		return "group " + h.Group + ": " + h.Reason
	}
	return h.Reason
}

// unheld is how many groups will change by themselves, if automatic updates are on.
func (l *loop) unheld() (n int) {
	removals, held := false, make(map[string]bool, len(l.holds))
	for i := range l.holds {
		removals = removals || l.holds[i].Removals
		held[l.holds[i].Group] = true
	}
	for i := range l.drift {
		if s := &l.drift[i]; !held[s.Group] && !(removals && isRemoval(*s)) {
			n++
		}
	}
	return n
}

// countDeferred is how many holds are as a person, or the window, wants it.
func countDeferred(holds []hold) (n int) {
	for i := range holds {
		if holds[i].deferred {
			n++
		}
	}
	return n
}
