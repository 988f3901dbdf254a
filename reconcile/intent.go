package reconcile

import (
	"fmt"
	"slices"
	"time"

	"supervisord/runtime/moment"
	"supervisord/spec"
	"supervisord/spec/value"
)

// What people want of groups and processes, whatever the files say.

// The kinds of Intent.
const (
	Paused   = "paused"   // no automatic update touches it until then
	Disabled = "disabled" // nothing but a person starts it
)

// Intent is what a person wants of a group or a process. It holds for what has the name,
// whether that is there or not.
type Intent struct {
	Kind    string
	Group   string
	Process string // "" for all of the group
	Since   time.Time
	Until   time.Time // of a pause
	By      string    // uid or address of who asked
	Reason  string    // "" where none was given
}

// Name is that of the group or process.
func (i *Intent) Name() string {
	if i.Process == "" {
		return i.Group
	}
	return i.namespec().String()
}

func (i *Intent) namespec() spec.Namespec {
	return spec.Namespec{Group: i.Group, Process: i.Process}
}

// String says who wants what and until when.
func (i *Intent) String() string {
	text := i.Kind + " by " + i.By
	if i.Kind == Paused {
		text += " until " + i.Until.Format("2006-01-02 15:04 MST")
	}
	if i.Reason != "" {
		text += ": " + i.Reason
	}
	return text
}

// Covers reports whether it is about that process.
func (i *Intent) Covers(group, process string) bool {
	return i.Group == group && (i.Process == "" || i.Process == process)
}

// within reports whether it is about what has that name, or about a process of that group.
func (i *Intent) within(n spec.Namespec) bool {
	return i.Group == n.Group && (n.Process == "" || i.Process == n.Process)
}

// touchedBy reports whether a step would do something to what it is about: of one process,
// also by taking its group away or making it.
func (i *Intent) touchedBy(s *Step) bool {
	switch {
	case i.Group != s.Group:
		return false
	case i.Process == "":
		return true
	case s.Old == nil:
		return find(s.New, i.Process) != nil
	case s.New == nil, s.Replace:
		return find(s.Old, i.Process) != nil
	}
	return slices.ContainsFunc(s.Actions, func(a Action) bool { return a.Process == i.Process })
}

// intents are all that people want, in the order in which they said so. The list is never
// changed once made.
type intents []Intent

// with is the list with one more, in the place of what was said of the same before.
func (list intents) with(i Intent) intents {
	return append(list.without(i.Kind, i.namespec()), i)
}

// without is a new list without what is about that name or, for a whole group, all that is
// in it.
func (list intents) without(kind string, n spec.Namespec) intents {
	return slices.DeleteFunc(slices.Clone(list), func(i Intent) bool {
		return i.Kind == kind && i.within(n)
	})
}

// at is what is so now: without the pauses that are over.
func (list intents) at(now time.Time) intents {
	return slices.DeleteFunc(slices.Clone(list), func(i Intent) bool { return i.Kind == Paused && !now.Before(i.Until) })
}

// disabled are the names of what is.
func (list intents) disabled() map[spec.Namespec]bool {
	names := make(map[spec.Namespec]bool)
	for i := range list {
		if list[i].Kind == Disabled {
			names[list[i].namespec()] = true
		}
	}
	return names
}

// count is how many are of a kind.
func (list intents) count(kind string) (n int) {
	for i := range list {
		if list[i].Kind == kind {
			n++
		}
	}
	return n
}

// pauses is the pause because of which a step is not taken, or nil.
func (list intents) pauses(s *Step) *Intent {
	for i := range list {
		if list[i].Kind == Paused && list[i].touchedBy(s) {
			return &list[i]
		}
	}
	return nil
}

// windowRetry is how often it is looked again whether a window is open while something waits
// for that: the clock may be set.
const windowRetry = time.Minute

// hold says which steps of an automatic update people and the window do not permit now, and
// why; the window does not hold what has begun. retryAt is when that may be another although
// nothing changed.
func (list intents) hold(now time.Time, steps []Step, window spec.Windows, begun func(*Step) bool) (holds []hold, retryAt time.Time) {
	open, opens := window.Open(now)
	for i := range list {
		if list[i].Kind == Paused {
			retryAt = earliest(retryAt, list[i].Until)
		}
	}
	outside := hold{deferred: true, Reason: "outside the window", kind: "groups that change outside the window"}
	next := now.Add(windowRetry)
	if !opens.IsZero() {
		outside.Reason += "; opens " + opens.Format("Mon 15:04 MST")
		next = earliest(next, now.Add(opens.Sub(now)))
	}
	paused := list.pausedSteps(steps)
	for i := range steps {
		s := &steps[i]
		switch reason := paused[s.Group]; {
		case reason != "":
			holds = append(holds, hold{Group: s.Group, Reason: reason, deferred: true})
		case !open && !begun(s):
			outside.Group = s.Group
			holds = append(holds, outside)
			retryAt = earliest(retryAt, next)
		}
	}
	return holds, retryAt
}

// pausedSteps are the reasons for which pauses hold steps, by their groups: those that touch
// what is paused, and those that would start what a held one is to stop first. These are
// about processes that come into a file from which a held one takes some away: it may be
// the same under another name.
func (list intents) pausedSteps(steps []Step) map[string]string {
	reasons := make(map[string]string)
	leave := make(map[string]string) // the group whose processes are to leave a file, by its path
	held := func(s *Step, reason string) {
		reasons[s.Group] = reason
		if lacks(s.New, s.Old) {
			for _, file := range filesOf(s) {
				leave[file] = s.Group
			}
		}
	}
	for i := range steps {
		s := &steps[i]
		switch p := list.pauses(s); {
		case p == nil:
		case p.Process != "":
			held(s, p.Name()+" is "+p.String())
		default:
			held(s, p.String())
		}
	}
	for again := len(leave) > 0; again; {
		again = false
		for i := range steps {
			s := &steps[i]
			if reasons[s.Group] != "" || !lacks(s.Old, s.New) {
				continue
			}
			for _, file := range groupFiles(s.New) {
				if group := leave[file]; group != "" {
					held(s, "what may be the same in "+file+" cannot go before: group "+group+": "+reasons[group])
					again = true
					break
				}
			}
		}
	}
	return reasons
}

// lacks reports whether a group, nil for none, is without a process that another has.
func lacks(g, other *spec.Group) bool {
	return other != nil && slices.ContainsFunc(other.Processes, func(q spec.Process) bool { return g == nil || find(g, q.Name) == nil })
}

// intentRecord is what outlives the daemon of them, and the machine.
type intentRecord struct {
	number  int            // it counts the records of this life of the daemon
	Boot    string         `json:"boot"`    // in which Present counts
	Present moment.Present `json:"present"` // of every moment in it
	Intents []intentMemory `json:"intents"`
}

type intentMemory struct {
	Kind    string         `json:"kind"`
	Group   string         `json:"group"`
	Process string         `json:"process,omitempty"`
	Since   *moment.Moment `json:"since"`
	Until   *moment.Moment `json:"until,omitempty"`
	By      string         `json:"by"`
	Reason  string         `json:"reason,omitempty"`
}

// record writes them down, in this boot.
func (list intents) record(boot string) *intentRecord {
	present, now := moment.Now()
	c, r := clock{now}, &intentRecord{Boot: boot, Present: present, Intents: []intentMemory{}}
	for _, i := range list {
		r.Intents = append(r.Intents, intentMemory{i.Kind, i.Group, i.Process, c.of(i.Since), c.of(i.Until), i.By, i.Reason})
	}
	return r
}

// restore reads them in this boot. In another, the wall clock alone says how long a pause has
// left: no longer than it had when it was written down, for that clock may have been set back.
func (r *intentRecord) restore(boot string) (list intents) {
	if r == nil {
		return nil
	}
	_, now := moment.Now()
	same := boot != "" && boot == r.Boot
	c := clock{r.Present.Time()}
	for _, m := range r.Intents {
		i := Intent{Kind: m.Kind, Group: m.Group, Process: m.Process, Since: m.Since.AsShown(), By: m.By, Reason: m.Reason}
		switch {
		case m.Until == nil:
		case same:
			i.Until = c.at(m.Until)
		default:
			i.Until = now.Add(min(m.Until.AsShown().Sub(now), time.Duration(-m.Until.Ago)))
		}
		list = append(list, i)
	}
	return list
}

// nameFor is the group or process that a person means: NAME or NAME:* is a group, GROUP:NAME a
// process. known are all groups that there are.
func nameFor(name string, known []*spec.Group) (spec.Namespec, error) {
	n := spec.ParseNamespec(name)
	if n.Process == n.Group && n.Group == name {
		n.Process = ""
	}
	var all []string
	meant := ""
	for _, g := range known {
		if g.Name == n.Group && (n.Process == "" || find(g, n.Process) != nil) {
			return n, nil
		}
		all = append(all, g.Name)
		for i := range g.Processes {
			p := spec.Namespec{Group: g.Name, Process: g.Processes[i].Name}
			all = append(all, p.String())
			if p.Process == name {
				meant = p.String()
			}
		}
	}
	if meant == "" {
		meant = value.Nearest(name, all)
	}
	if meant == "" {
		return n, fmt.Errorf("%w: %s", ErrBadName, name)
	}
	return n, fmt.Errorf("%w: %s (did you mean %s?)", ErrBadName, name, meant)
}
