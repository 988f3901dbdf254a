package reconcile

import (
	"cmp"
	"slices"

	"supervisord/spec"
)

// Step is all that an update does to one group. It is one of three kinds: New
// nil takes the group away, Old nil makes it, both change it.
type Step struct {
	Group string
	File  string      // that it is in, or was in last
	Old   *spec.Group // the definition in force, as Target.Groups gave it
	New   *spec.Group // the definition wanted; the same as Old when only processes are to be started
	// Replace: the group must be removed and created again.
	Replace bool
	// Stop are the processes that must be down before the definitions change, by
	// descending priority; Start those to be started afterwards, by ascending
	// priority. A nil Start of a new group is the autostart rule.
	Stop, Start []string
	// Stopped: Supervisor's update prints "NAME: stopped" for such a step.
	Stopped bool
	Actions []Action
	// goesBack: something of it is from one of Policy.BackFiles.
	goesBack bool
}

// Policy is what else a plan depends on.
type Policy struct {
	// Only names the groups that the update is for; empty is all.
	Only []string
	// Explicit: a person asked. Then what a person stopped is started again if
	// its definition differs, as Supervisor does.
	Explicit bool
	// Kept are groups of which nothing can be said now: one that is active stays as it
	// is, one that is not stays away.
	Kept []string
	// LeftOut are the files that cannot be used: nobody knows whether a group from one
	// of them is gone.
	LeftOut []spec.File
	// Files are those that groups were last seen in, by group. A group that moves to
	// another file keeps the definition in force, which says where it was before.
	Files map[string]string
	// PendingStarts are processes that an earlier update stopped and did not start again.
	PendingStarts map[ProcessKey]bool
	// Afresh are groups in which what has failed is to be started again.
	Afresh map[string]bool
	// Back are groups that are put back as they were, with those of their processes that
	// ran then: these are started if they do not run, and no others. What is not from one of
	// BackFiles has nothing to do with that, though it may be in such a group.
	Back      map[string]map[string]bool
	BackFiles map[string]bool
}

// putsBack reports whether one of these files is put back.
func (p *Policy) putsBack(files ...string) bool {
	return slices.ContainsFunc(files, func(name string) bool { return p.BackFiles[name] })
}

// ProcessKey is the identity of a process.
type ProcessKey struct{ Group, Process string }

// Plan is what must be done to make the active groups the desired ones: one
// step for each group that differs, and none for any other. Removed groups come
// first, in the order of their activation, then changed, then added ones, in the
// order of desired. It starts and stops nothing.
//
// Source: reconciler.md, What counts as a change; contract/reconcile.md sections
// 3 and 5.
func Plan(active []Active, desired []spec.Group, p Policy) []Step {
	wanted := make(map[string]*spec.Group, len(desired))
	for i := range desired {
		wanted[desired[i].Name] = &desired[i]
	}
	only := make(map[string]bool, len(p.Only))
	for _, name := range p.Only {
		only[name] = true
	}
	kept, leftOut := make(map[string]bool, len(p.Kept)), make(map[string]bool, len(p.LeftOut))
	for _, name := range p.Kept {
		kept[name] = true
	}
	for i := range p.LeftOut {
		leftOut[p.LeftOut[i].Path] = true
	}
	fileOf := func(g *spec.Group) string { return cmp.Or(p.Files[g.Name], origin(g)) }
	var removed, changed, added []Step
	standing := make(map[string]*Active, len(active))
	for i := range active {
		a := &active[i]
		standing[a.Group.Name] = a
		if wanted[a.Group.Name] == nil && (len(only) == 0 || only[a.Group.Name]) && !leftOut[fileOf(a.Group)] {
			s := removal(a.Group, fileOf(a.Group))
			s.goesBack = p.putsBack(s.File) || p.putsBack(groupFiles(a.Group)...)
			removed = append(removed, s)
		}
	}
	for i := range desired {
		g := &desired[i]
		if len(only) > 0 && !only[g.Name] {
			continue
		}
		a := standing[g.Name]
		if kept[g.Name] {
			if a == nil {
				continue
			}
			g = a.Group
		}
		if a == nil {
			s := addition(g, p.Back[g.Name])
			s.goesBack = p.putsBack(groupFiles(g)...)
			added = append(added, s)
			continue
		}
		if s, ok := change(a, g, p); ok {
			changed = append(changed, s)
		}
	}
	return slices.Concat(removed, changed, added)
}

func removal(g *spec.Group, file string) Step {
	return Step{
		Group: g.Name, File: file, Old: g, Stop: byPriority(g, nil, true), Stopped: true,
		Actions: []Action{{Action: Remove, Group: g.Name, File: file, Reason: "it is gone from the files"}},
	}
}

func addition(g *spec.Group, back map[string]bool) Step {
	var start []string
	if back != nil {
		start = byPriority(g, back, false)
	}
	return Step{
		Group: g.Name, File: origin(g), New: g, Start: start,
		Actions: []Action{{Action: Add, Group: g.Name, File: origin(g), Reason: "it is new in the files"}},
	}
}

// change compares a group with its definition in force. ok is false when there
// is nothing to do.
func change(a *Active, new *spec.Group, p Policy) (s Step, ok bool) {
	old := a.Group
	s = Step{Group: new.Name, File: origin(new), Old: old, New: new}
	same := old == new || old.Equal(new)
	if same {
		if len(p.PendingStarts) == 0 && !p.Afresh[new.Name] {
			return s, false
		}
		s.New, new = old, old
	}
	fields, replace := groupFields(old, new)
	if len(fields) > 0 {
		s.Actions = append(s.Actions, Action{
			Action: Inplace, Group: new.Name, Changes: changes(fields), File: origin(new),
			Reason: because(fields, "in force at once"),
		})
	}
	ofGroup := p.putsBack(origin(old), origin(new))
	s.goesBack = ofGroup && len(fields) > 0
	back := p.Back[new.Name]
	live := make(map[string]Process, len(a.Processes))
	for _, l := range a.Processes {
		live[l.Name] = l
	}
	stop, start := make(map[string]bool), make(map[string]bool)
	for i := range old.Processes {
		name := old.Processes[i].Name
		if find(new, name) != nil {
			continue
		}
		stop[name], s.Stopped = true, true
		s.goesBack = s.goesBack || ofGroup || p.putsBack(old.Processes[i].Origin.File)
		s.Actions = append(s.Actions, Action{
			Action: Numprocs, Group: new.Name, Process: name, File: origin(new),
			Reason: "the process is gone from the group",
		})
	}
	for i := range new.Processes {
		q := &new.Processes[i]
		before := find(old, q.Name)
		if before == nil {
			start[q.Name] = q.Autostart
			if ofGroup || p.putsBack(q.Origin.File) {
				s.goesBack = true
				if back != nil {
					start[q.Name] = back[q.Name]
				}
			}
			s.Actions = append(s.Actions, Action{
				Action: Numprocs, Group: new.Name, Process: q.Name, File: q.Origin.File,
				Reason: "the process is new in the group",
			})
			continue
		}
		f := compareProcess(new.Name, before, q, live[q.Name], p.PendingStarts[ProcessKey{new.Name, q.Name}], p.Afresh[new.Name], p.Explicit)
		if f.action != nil && p.putsBack(before.Origin.File, q.Origin.File) {
			s.goesBack = true
			if back != nil {
				f.goBack(live[q.Name], back[q.Name] || p.PendingStarts[ProcessKey{new.Name, q.Name}])
			}
		}
		if f.action != nil {
			s.Actions = append(s.Actions, *f.action)
		}
		stop[q.Name], start[q.Name] = f.stop, f.start
		s.Stopped = s.Stopped || f.counted
	}
	if same && len(s.Actions) == 0 {
		return s, false
	}
	if replace {
		replaceGroup(&s, a, live, p)
		return s, true
	}
	s.Stop = byPriority(old, stop, true)
	s.Start = byPriority(new, start, false)
	return s, true
}

// replaceGroup turns a change of kind into a step that takes the group away and makes
// it anew. What ran, runs again.
func replaceGroup(s *Step, a *Active, live map[string]Process, p Policy) {
	s.Replace, s.Stopped = true, true
	s.Stop = byPriority(a.Group, nil, true)
	start := make(map[string]bool)
	for i := range s.New.Processes {
		q := &s.New.Processes[i]
		l, was := live[q.Name]
		back := p.Back[s.Group]
		switch {
		case l.UserStopped:
			start[q.Name] = p.Explicit && q.Autostart && !l.Disabled
		case back != nil:
			start[q.Name] = back[q.Name]
		case was && l.Running:
			start[q.Name] = true
		default:
			start[q.Name] = q.Autostart
		}
	}
	s.Start = byPriority(s.New, start, false)
	s.Actions = s.Actions[:1]
	s.Actions[0].Action = Restart
	s.Actions[0].Reason = "the type differs: the group is removed and created again"
}

// byPriority lists processes of a group in ascending or descending order of
// their own priority, in that of the file among equals. A nil set is all. The
// result is never nil: an empty list starts nothing, nil would mean a rule.
func byPriority(g *spec.Group, set map[string]bool, descending bool) []string {
	list := make([]*spec.Process, 0, len(g.Processes))
	for i := range g.Processes {
		if set == nil || set[g.Processes[i].Name] {
			list = append(list, &g.Processes[i])
		}
	}
	slices.SortStableFunc(list, func(a, b *spec.Process) int {
		if descending {
			a, b = b, a
		}
		return cmp.Compare(a.Priority, b.Priority)
	})
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.Name
	}
	return names
}
