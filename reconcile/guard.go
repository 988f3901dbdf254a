package reconcile

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"supervisord/spec"
)

// The limits of automatic updates.
//
// Source: reconciler.md, When it does not act.
const (
	minRemovals    = 2           // a share of fewer groups than this is never held
	removalWindow  = time.Minute // in which removals count together
	updateEvery    = time.Second // between two automatic updates of one group
	flapLimit      = 5           // returns of one group to an earlier definition within flapWindow
	flapWindow     = time.Minute // and how long it must then be quiet
	retryFirst     = time.Second // after a failed step; doubled each time
	retryAtMost    = time.Minute
	gracePeriod    = time.Minute // in which add and remove of what is done already succeed
	historyLimit   = 200         // entries kept, as long as they hold no more than
	historyActions = 20_000      // actions
)

// hold is something that is not done, and why. Two are the same hold if they are
// equal.
type hold struct {
	// What it is about: one group, one file or directory, or all removals.
	Group    string
	Path     string
	Removals bool
	Reason   string
	// kind is what many files or groups may be at once: they are told in one line. "" for
	// what is told each by itself.
	kind string
	// rejected: of a file, its content has failed, and what ran before is in force.
	rejected bool
	pinned   bool   // a person has taken the file back
	deferred bool   // a pause or a closed window holds it: all is as it was asked for
	names    string // of such a file: the groups that its content defines, with spaces between
}

// groups are those of a file that is rejected or pinned.
func (h hold) groups() []string { return strings.Fields(h.names) }

// holds reports whether a step is one of those that the hold is about.
func (h hold) holds(s *Step) bool {
	return h.Removals && isRemoval(*s) || h.Group == s.Group
}

// guard records what automatic updates did, and decides what the next may do. It
// is pure but for that record: the time is given to it. One goroutine at a
// time may use it.
type guard struct {
	updated      map[string]time.Time   // last automatic update of a group
	earlier      map[string][]version   // definitions that a group had within flapWindow, oldest first
	returns      map[string][]time.Time // when it came back to one of them, oldest first
	flapping     map[string]bool        // groups over the limit
	seen         map[string]*spec.Group // desired definitions as last seen
	changed      map[string]time.Time   // when they were last seen to differ
	failed       map[string]failure     // steps that went wrong
	removed      map[string]*spec.Group // taken away by a person although the files have it
	absent       map[string]absence     // files that are gone, of which groups were seen
	gone         map[string]departure   // groups that automatic updates removed
	removalsHeld bool                   // too many removals are held: gone stays as it is
}

// version is a definition that a group had.
type version struct {
	print string // its fingerprint
	until time.Time
}

// departure is a group that was removed.
type departure struct {
	at        time.Time
	processes int
}

// failure is a step to be tried again.
type failure struct {
	reason string
	times  int
	next   time.Time
	begun  bool // it adds what the same update had removed something for
}

func newGuard() *guard {
	return &guard{
		updated: make(map[string]time.Time), flapping: make(map[string]bool),
		earlier: make(map[string][]version), returns: make(map[string][]time.Time),
		seen: make(map[string]*spec.Group), changed: make(map[string]time.Time),
		failed: make(map[string]failure), removed: make(map[string]*spec.Group),
		absent: make(map[string]absence), gone: make(map[string]departure),
	}
}

// observe takes the newest desired groups. A definition that differs from the
// last one ends what was decided about it: a failure is tried again, a person's
// remove is over. One that is gone with its file differs once it has been removed.
func (g *guard) observe(now time.Time, cfg *spec.Config) {
	g.forget(now)
	g.miss(now, cfg)
	there := make(map[string]bool, len(cfg.Groups))
	for i := range cfg.Groups {
		d := &cfg.Groups[i]
		there[d.Name] = true
		old := g.seen[d.Name]
		g.seen[d.Name] = d
		if old == nil || !old.Equal(d) {
			g.touch(now, d.Name)
			g.leave(now, old)
			g.come(now, d)
		}
		if r := g.removed[d.Name]; r != nil && !r.Equal(d) {
			delete(g.removed, d.Name)
		}
	}
	for name, old := range g.seen {
		if _, gone := g.absent[origin(old)]; !there[name] && !gone {
			g.lose(now, name)
		}
	}
}

// lose notes that a group is desired no more.
func (g *guard) lose(now time.Time, name string) {
	g.leave(now, g.seen[name])
	delete(g.seen, name)
	delete(g.removed, name)
	g.touch(now, name)
}

func (g *guard) touch(now time.Time, name string) {
	g.changed[name] = now
	delete(g.failed, name)
}

// leave notes that a group does not have a definition any more; nil is none.
func (g *guard) leave(now time.Time, d *spec.Group) {
	if d != nil {
		g.earlier[d.Name] = append(g.earlier[d.Name], version{fingerprint(d), now})
	}
}

func fingerprint(d *spec.Group) string { return spec.Fingerprint([]*spec.Group{d}) }

// come notes whether a new definition of a group is one that it had within the
// last minute. Edits are no flapping, however many: what flaps comes back.
func (g *guard) come(now time.Time, d *spec.Group) {
	had := g.earlier[d.Name]
	if len(had) == 0 {
		return
	}
	print := fingerprint(d)
	if slices.ContainsFunc(had, func(v version) bool { return v.print == print && now.Sub(v.until) < flapWindow }) {
		g.returns[d.Name] = append(g.returns[d.Name], now)
	}
}

// admission is what of a plan may be done now.
type admission struct {
	steps []Step
	holds []hold
	waits []hold // what is not due yet
	// retryAt is when the answer may be another although nothing changed; zero for
	// never.
	retryAt time.Time
}

func (v *admission) hold(group, reason string) {
	v.holds = append(v.holds, hold{Group: group, Reason: reason})
}

func (v *admission) wait(group, reason, kind string, until time.Time) {
	v.waits = append(v.waits, hold{Group: group, Reason: reason, kind: kind})
	v.retry(until)
}

func (v *admission) retry(at time.Time) {
	if v.retryAt.IsZero() || at.Before(v.retryAt) {
		v.retryAt = at
	}
}

// admit decides about the plan of an automatic update, where these groups are active.
// Removals that wait count among those that may be too many.
func (g *guard) admit(now time.Time, steps []Step, active []Active, limit spec.Removals, p pause) (v admission) {
	g.forget(now)
	waits := make(map[string]bool)
	due := false
	for i := range steps {
		if s := &steps[i]; isRemoval(*s) {
			reason, until := g.wait(now, s, p)
			if reason == "" {
				due = true
				continue
			}
			waits[s.Group] = true
			v.wait(s.Group, reason, "groups that are gone", until)
		}
	}
	tooMany := g.tooMany(now, steps, active, limit)
	if tooMany != "" && due {
		v.holds = append(v.holds, hold{Removals: true, Reason: tooMany})
		clear(waits)
		v.waits, v.retryAt = nil, time.Time{}
	}
	turns := g.turns(now, steps, p.byDirectory, tooMany == "")
	for i := range steps {
		s := &steps[i]
		behind, until := "", time.Time{}
		if len(waits) > 0 {
			behind, until = g.waitBehind(now, s, p)
		}
		switch f, failed := g.failed[s.Group]; {
		case waits[s.Group], tooMany != "" && due && isRemoval(*s):
		case s.Old == nil && g.removed[s.Group] != nil:
			v.hold(s.Group, "a person removed it: run update or add")
		case g.flaps(now, s.Group):
			// Below, with those that just now happen to be as they should.
		case behind != "":
			v.wait(s.Group, behind, "new groups behind those that are gone", until)
		case failed && now.Before(f.next):
			v.retry(f.next)
		case now.Before(turns[s.Group]):
			v.retry(turns[s.Group])
		default:
			v.steps = append(v.steps, *s)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(g.flapping)) {
		if g.flaps(now, name) {
			v.hold(name, fmt.Sprintf("its definition came back to an earlier one %d times within a minute: held until it has been the same for a minute", flapLimit))
			v.retry(g.changed[name].Add(flapWindow))
		}
	}
	return v
}

// turns says when groups may be updated again, of those that may not now. What others do is
// no reason to wait: an edit of one file is in force at once though another was just edited.
// But a file, or with atomic=directory all files of one, is put in force as a whole: what
// shares one with a group that waits for its turn waits as well. Else what has been done of it
// would be proved before the rest is tried, and if that fails, nobody would know what to go
// back to. And what is new waits for what goes, where that is not held: it may be the same
// under another name.
func (g *guard) turns(now time.Time, steps []Step, byDirectory, removes bool) map[string]time.Time {
	turns := make(map[string]time.Time)
	for i := range steps {
		if at, ok := g.updated[steps[i].Group]; ok && now.Before(at.Add(updateEvery)) {
			turns[steps[i].Group] = at.Add(updateEvery)
		}
	}
	if len(turns) == 0 {
		return turns
	}
	whole := make(wholes)
	name := make([]string, len(steps)) // of a file or directory that each is about
	for i := range steps {
		for n, file := range filesOf(&steps[i]) {
			if byDirectory {
				file = path.Dir(file)
			}
			if n == 0 {
				name[i] = file
			}
			whole.join(file, name[i])
		}
	}
	last := make(map[string]time.Time)
	for i := range steps {
		if at, all := turns[steps[i].Group], whole.of(name[i]); at.After(last[all]) {
			last[all] = at
		}
	}
	var going time.Time
	for i := range steps {
		if at := last[whole.of(name[i])]; removes && isRemoval(steps[i]) && at.After(going) {
			going = at
		}
	}
	for i := range steps {
		if all := whole.of(name[i]); steps[i].Old == nil && going.After(last[all]) {
			last[all] = going
		}
	}
	for i := range steps {
		if at := last[whole.of(name[i])]; !at.IsZero() {
			turns[steps[i].Group] = at
		}
	}
	return turns
}

// flaps reports whether a group is held because it changes too often.
func (g *guard) flaps(now time.Time, group string) bool {
	if g.flapping[group] {
		if now.Sub(g.changed[group]) < flapWindow {
			return true
		}
		delete(g.flapping, group)
		delete(g.returns, group)
		return false
	}
	n := 0
	for _, at := range g.returns[group] {
		if now.Sub(at) < flapWindow {
			n++
		}
	}
	if n >= flapLimit {
		g.flapping[group] = true
		return true
	}
	return false
}

// returned notes that groups are desired again as they were before: that is no change that
// anybody has made.
func (g *guard) returned(groups []spec.Group, back map[string]map[string]bool) {
	for i := range groups {
		d := &groups[i]
		if _, goes := back[d.Name]; goes {
			g.seen[d.Name] = d
		}
	}
}

// began notes that an automatic update carries these steps out from now.
func (g *guard) began(now time.Time, steps []Step) {
	for i := range steps {
		name := steps[i].Group
		g.updated[name] = now
		if steps[i].New == nil {
			g.gone[name] = departure{now, len(steps[i].Old.Processes)}
			if g.seen[name] != nil {
				g.lose(now, name)
			}
		}
	}
}

// notBegun notes that a step was not carried out, since the update ended before: the group need
// not wait for its next turn.
func (g *guard) notBegun(group string) { delete(g.updated, group) }

// succeeded notes that a step was carried out.
func (g *guard) succeeded(group string) { delete(g.failed, group) }

// fails notes that a step went wrong, and reports whether that is news: another
// reason than at the last try. begun says that its update has removed something before.
func (g *guard) fails(now time.Time, group, reason string, begun bool) bool {
	f := g.failed[group]
	wait := retryAtMost
	if f.times < 6 {
		wait = retryFirst << f.times
	}
	g.failed[group] = failure{reason, f.times + 1, now.Add(wait), begun || f.begun}
	return f.reason != reason
}

// forget drops what no longer counts, of groups that may never come again.
func (g *guard) forget(now time.Time) {
	old := func(at time.Time) bool { return now.Sub(at) >= flapWindow }
	maps.DeleteFunc(g.updated, func(_ string, at time.Time) bool { return old(at) })
	maps.DeleteFunc(g.returns, func(name string, times []time.Time) bool { return old(times[len(times)-1]) && !g.flapping[name] })
	for name, had := range g.earlier {
		if had = slices.DeleteFunc(had, func(v version) bool { return old(v.until) }); len(had) == 0 {
			delete(g.earlier, name)
			continue
		}
		g.earlier[name] = had
	}
	maps.DeleteFunc(g.changed, func(name string, at time.Time) bool { return old(at) && !g.flapping[name] && g.seen[name] == nil })
	maps.DeleteFunc(g.absent, func(_ string, a absence) bool { return !now.Before(a.forget) })
}

// userRemoves notes that a person removes a group that the files still have.
func (g *guard) userRemoves(d *spec.Group) { g.removed[d.Name] = d }

// userRemoveFailed takes that back: the group is still active.
func (g *guard) userRemoveFailed(name string) { delete(g.removed, name) }

// release notes that a person asked for groups: holds and retries of them are
// over. Without names it is all.
func (g *guard) release(names []string) {
	if len(names) == 0 {
		clear(g.removed)
		clear(g.failed)
		clear(g.flapping)
		clear(g.updated)
		clear(g.returns)
		clear(g.gone)
		return
	}
	for _, n := range names {
		delete(g.removed, n)
		delete(g.failed, n)
		delete(g.flapping, n)
		delete(g.updated, n)
		delete(g.returns, n)
		delete(g.gone, n)
	}
}

// isRemoval reports whether a step takes a group away.
func isRemoval(s Step) bool { return s.New == nil }

// share is a number of groups and of the processes in them.
type share struct{ groups, processes int }

func (s *share) add(processes int) { s.groups++; s.processes += processes }

// tooMany says why the removals among these steps need a person, "" if they do
// not. Those of the last minute count too, since files may be deleted slowly; and
// a minute without any is no permission to go on.
func (g *guard) tooMany(now time.Time, steps []Step, active []Active, limit spec.Removals) string {
	var leaving, before, all share
	for i := range steps {
		switch s := &steps[i]; {
		case s.Old == nil:
			delete(g.gone, s.Group) // it comes back
		case s.New == nil:
			leaving.add(len(s.Old.Processes))
		}
	}
	there := make(map[string]bool, len(active))
	for i := range active {
		there[active[i].Group.Name] = true
	}
	for name, d := range g.gone {
		if there[name] {
			continue // it was to be removed, and is to be tried again
		}
		if !g.removalsHeld && now.Sub(d.at) >= removalWindow {
			delete(g.gone, name)
			continue
		}
		before.add(d.processes)
	}
	for i := range active {
		all.add(len(active[i].Group.Processes))
	}
	counted := share{leaving.groups + before.groups, leaving.processes + before.processes}
	whole := share{all.groups + before.groups, all.processes + before.processes}
	g.removalsHeld = leaving.groups > 0 && exceeds(counted, whole, limit)
	if !g.removalsHeld {
		return ""
	}
	text := fmt.Sprintf("it would remove %d of %s", leaving.groups, plural(all.groups, "active group"))
	if !exceeds(share{groups: counted.groups}, share{groups: whole.groups}, limit) {
		text += fmt.Sprintf(", %d of %s", leaving.processes, plural(all.processes, "process"))
	}
	if before.groups > 0 {
		text += fmt.Sprintf(", after %d within a minute", before.groups)
	}
	return text + fmt.Sprintf(", more than max_removals=%s allows: put the files back, or run update", removalsText(limit))
}

// exceeds reports whether so many removals need a person. A number is one of
// groups. A share is one of groups or of processes, whichever is larger, and
// counts from minRemovals groups on: one program may always go, however many
// processes it has.
func exceeds(n, of share, limit spec.Removals) bool {
	if !limit.Percent {
		return n.groups > limit.N
	}
	return n.groups >= minRemovals && (n.groups*100 > limit.N*of.groups || n.processes*100 > limit.N*of.processes)
}

func removalsText(limit spec.Removals) string {
	if limit.Percent {
		return fmt.Sprintf("%d%%", limit.N)
	}
	return fmt.Sprint(limit.N)
}

// holdFor finds the hold because of which a step is not done.
func holdFor(holds []hold, s *Step) (hold, bool) {
	i := slices.IndexFunc(holds, func(h hold) bool { return h.holds(s) })
	if i < 0 {
		return hold{}, false
	}
	return holds[i], true
}
