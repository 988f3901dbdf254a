package reconcile

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"supervisord/spec"
)

// pairs is how many random pairs of configurations the properties are tried on.
// RECONCILE_PAIRS sets another number; CI runs 100,000.
func pairs(t *testing.T) int {
	n := 3000
	if s := os.Getenv("RECONCILE_PAIRS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// randomConfig draws a desired state in which many things are often the same.
func randomConfig(r *rand.Rand) []spec.Group {
	var groups []spec.Group
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		if r.IntN(3) == 0 {
			continue
		}
		g := spec.Group{Name: name, Kind: spec.GroupKind(r.IntN(5) % 4), Priority: r.IntN(3)}
		g.Origin.File = fmt.Sprintf("/etc/%d.ini", r.IntN(3))
		if g.Kind == spec.KindListener {
			g.Listener = &spec.Listener{Events: []string{[]string{"TICK_5", "TICK_60"}[r.IntN(2)]}, BufferSize: 10 + r.IntN(2)}
		}
		for i := range 1 + r.IntN(4) {
			if r.IntN(4) == 0 && i > 0 {
				continue
			}
			p := program(fmt.Sprintf("%s%d", name, i)).Processes[0]
			p.Priority = r.IntN(3)
			p.Origin.File = fmt.Sprintf("/etc/%d.ini", r.IntN(3))
			for range r.IntN(3) {
				randomEdit(r, &p)
			}
			if g.Kind == spec.KindFastCGI {
				p.Socket = &spec.Socket{URL: "tcp://x:1", Backlog: r.IntN(2)}
			}
			g.Processes = append(g.Processes, p)
		}
		if g.Kind == spec.KindGroup && r.IntN(2) == 0 {
			slices.Reverse(g.Processes)
		}
		groups = append(groups, g)
	}
	slices.SortStableFunc(groups, func(a, b spec.Group) int { return a.Priority - b.Priority })
	return groups
}

func randomEdit(r *rand.Rand, p *spec.Process) {
	switch r.IntN(14) {
	case 0:
		p.Command = fmt.Sprintf("/bin/%d", r.IntN(2))
	case 1:
		p.Environment = spec.Env{"K": strconv.Itoa(r.IntN(2))}
	case 2:
		p.User = &spec.Account{Name: "u", UID: r.IntN(2), GID: 1}
	case 3:
		p.HasDir, p.Directory = true, "/d"
	case 4:
		p.Umask = 0o22
	case 5:
		p.RedirectStderr = true
	case 6:
		p.ServerURLAuto, p.ServerURL = true, strconv.Itoa(r.IntN(9))
	case 7:
		p.Autostart = false
	case 8:
		p.StopWaitSecs = r.IntN(3)
	case 9:
		p.ExitCodes = []int{0, 2}
	case 10:
		p.Stdout = spec.Output{Kind: spec.OutputKind(r.IntN(3)), MaxBytes: int64(r.IntN(2))}
		if p.Stdout.Kind == spec.OutputFile {
			p.Stdout.File = "/l"
		}
	case 11:
		p.KillMode = spec.KillMode(r.IntN(3))
	case 12:
		p.Autorestart = spec.Autorestart(r.IntN(3))
	case 13:
		p.StopSignal = 1 + r.IntN(2)
	}
}

// shake puts processes into states as they occur.
func shake(r *rand.Rand, m *model) {
	for _, a := range m.Groups() {
		for _, p := range a.Processes {
			switch state := []string{"", "", "", "STOPPED", "EXITED", "FATAL", "BACKOFF", "user"}[r.IntN(8)]; {
			case state == "user":
				m.set(a.Group.Name, p.Name, "STOPPED", true)
			case state != "" && p.Running:
				m.set(a.Group.Name, p.Name, state, false)
			}
		}
	}
}

// differences counts what differs between two states, without the code under
// test: a group that comes or goes or becomes another kind is one, else each of
// its own keys' being different is one together, and each process that comes,
// goes or differs.
func differences(old, new []spec.Group) int {
	n := 0
	byName := func(list []spec.Group) map[string]spec.Group {
		m := make(map[string]spec.Group)
		for _, g := range list {
			m[g.Name] = g
		}
		return m
	}
	a, b := byName(old), byName(new)
	for name, g := range a {
		h, ok := b[name]
		if !ok {
			n++
			continue
		}
		if g.Kind != h.Kind && (g.Kind == spec.KindListener || h.Kind == spec.KindListener) {
			n++
			continue
		}
		var ga, gb []string
		for _, p := range g.Processes {
			q := slices.IndexFunc(h.Processes, func(q spec.Process) bool { return q.Name == p.Name })
			if q < 0 {
				n++
				continue
			}
			ga = append(ga, p.Name)
			if !p.Equal(&h.Processes[q]) {
				n++
			}
		}
		for _, p := range h.Processes {
			if slices.ContainsFunc(g.Processes, func(q spec.Process) bool { return q.Name == p.Name }) {
				gb = append(gb, p.Name)
			} else {
				n++
			}
		}
		if g.Kind != h.Kind || g.Priority != h.Priority || !g.Listener.Equal(h.Listener) || !slices.Equal(ga, gb) {
			n++
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			n++
		}
	}
	return n
}

// unusable draws what of a configuration cannot be used now, and what is to be in force
// then, without the code under test: a group that is kept is as it was, or not there, and
// one from a file left out is not taken for gone. A group may have processes from many
// files.
func unusable(r *rand.Rand, old, new []spec.Group) (p Policy, want []spec.Group) {
	if r.IntN(2) == 0 {
		return p, new
	}
	find := func(list []spec.Group, name string) *spec.Group {
		if i := slices.IndexFunc(list, func(g spec.Group) bool { return g.Name == name }); i >= 0 {
			return &list[i]
		}
		return nil
	}
	for i := range 3 {
		if r.IntN(3) == 0 {
			p.LeftOut = append(p.LeftOut, spec.File{Path: fmt.Sprintf("/etc/%d.ini", i)})
		}
	}
	for _, g := range new {
		was := find(old, g.Name)
		switch {
		case r.IntN(4) > 0:
			want = append(want, g)
			continue
		case was != nil:
			want = append(want, *was)
		}
		p.Kept = append(p.Kept, g.Name)
	}
	for _, g := range old {
		left := slices.ContainsFunc(p.LeftOut, func(f spec.File) bool { return f.Path == g.Origin.File })
		if left && find(new, g.Name) == nil {
			want = append(want, g)
		}
	}
	return p, want
}

// TestProperties draws pairs of configurations, states of processes and what cannot be
// used, and holds every update between them against what an update must be.
func TestProperties(t *testing.T) {
	t.Parallel()
	for seed := range uint64(pairs(t)) {
		r := rand.New(rand.NewPCG(seed, 1))
		old, desired := randomConfig(r), randomConfig(r)
		policy, new := unusable(r, old, desired)
		policy.Explicit = r.IntN(2) == 0
		m := newModel()
		m.update(old, Policy{})
		shake(r, m)
		before := m.Groups()
		pids := make(map[string]int)
		for name, g := range m.groups {
			for pname, p := range g.procs {
				pids[name+":"+pname] = p.pid
			}
		}
		m.took()
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("seed %d: %s\nlog: %s", seed, fmt.Sprintf(format, args...), words(m.log))
		}

		if again := Plan(before, values(before), policy); len(again) > 0 {
			fail("plan(d, d) is not empty: %+v", again)
		}
		steps := Plan(before, desired, policy)
		actions := 0
		for _, s := range steps {
			actions += len(s.Actions)
		}
		if want := differences(old, new); actions != want {
			fail("%d actions for %d differences", actions, want)
		}
		changes := spec.Diff(values(before), new)
		if got := len(steps); got != len(changes.Added)+len(changes.Changed)+len(changes.Removed) {
			fail("%d steps, but reread would name %+v", got, changes)
		}

		for _, o := range execute(context.Background(), m, steps, never, nil) {
			if o.Err != nil || !o.Begun {
				fail("a step was not carried out: %+v", o)
			}
		}
		after := m.Groups()
		if d := spec.Diff(values(after), new); !d.Empty() {
			fail("applying plan(a, d) does not give d: %+v", d)
		}
		if spec.Fingerprint(definitions(after)) != spec.Fingerprint(pointers(new)) {
			fail("the same state has two hashes")
		}
		if len(m.wrong)+len(m.stale()) > 0 {
			fail("broken rules %v, stale children %v", m.wrong, m.stale())
		}
		untouched(m, before, new, pids, fail)
		keepsWill(m, before, new, policy.Explicit, fail)
		inOrderOf(m.log, before, new, fail)
		if again := Plan(after, desired, policy); len(again) > 0 {
			fail("what was carried out is planned again: %+v", again)
		}
	}
}

func values(active []Active) []spec.Group {
	var list []spec.Group
	for _, a := range active {
		list = append(list, *a.Group)
	}
	return list
}

// untouched: a process keeps its pid unless a key differs for which it must be
// restarted, its group changed from or to a listener, or it is gone.
func untouched(m *model, before []Active, new []spec.Group, pids map[string]int, fail func(string, ...any)) {
	for _, a := range before {
		i := slices.IndexFunc(new, func(g spec.Group) bool { return g.Name == a.Group.Name })
		if i < 0 {
			continue
		}
		h := new[i]
		if (a.Group.Kind == spec.KindListener) != (h.Kind == spec.KindListener) {
			continue
		}
		for _, p := range a.Group.Processes {
			q := find(&h, p.Name)
			if q == nil || slices.ContainsFunc(spec.Compare(p, *q), func(f spec.Field) bool { return f.Restart }) {
				continue
			}
			if was := pids[a.Group.Name+":"+p.Name]; was != 0 && m.pidOf(a.Group.Name, p.Name) != was {
				fail("%s:%s lost its pid although nothing asks for a restart", a.Group.Name, p.Name)
			}
		}
	}
}

// keepsWill: what ran, runs; what a person stopped stays so unless a person asks
// for the update, and then only what differs is started.
func keepsWill(m *model, before []Active, new []spec.Group, explicit bool, fail func(string, ...any)) {
	for _, a := range before {
		h := slices.IndexFunc(new, func(g spec.Group) bool { return g.Name == a.Group.Name })
		for _, live := range a.Processes {
			if h < 0 || find(&new[h], live.Name) == nil {
				continue
			}
			runs := m.pidOf(a.Group.Name, live.Name) != 0
			name := a.Group.Name + ":" + live.Name
			differs := !find(a.Group, live.Name).Equal(find(&new[h], live.Name))
			replaced := (a.Group.Kind == spec.KindListener) != (new[h].Kind == spec.KindListener)
			switch {
			case live.UserStopped && !explicit && runs:
				fail("%s was stopped by a person and runs", name)
			case live.State == "RUNNING" && !runs:
				fail("%s ran and does not any more", name)
			case !live.Running && runs && !differs && !replaced:
				fail("%s was down, did not change, and runs", name)
			}
		}
	}
}

// inOrderOf: removed groups first, then changed, then added ones; stops by
// descending, starts by ascending priority within each.
func inOrderOf(log []string, before []Active, new []spec.Group, fail func(string, ...any)) {
	oldPrio, newPrio := make(map[string]int), make(map[string]int)
	for _, a := range before {
		oldPrio[a.Group.Name] = a.Group.Priority
	}
	for _, g := range new {
		newPrio[g.Name] = g.Priority
	}
	phase := func(name string) int {
		_, was := oldPrio[name]
		_, is := newPrio[name]
		switch {
		case was && !is:
			return 0
		case was && is:
			return 1
		}
		return 2
	}
	at, lastStop, lastStart := 0, map[int]int{}, map[int]int{}
	for _, line := range log {
		verb, rest, _ := strings.Cut(line, " ")
		group, _, _ := strings.Cut(rest, ":")
		p := phase(group)
		if p < at {
			fail("%q comes after something of a later phase", line)
		}
		at = p
		switch verb {
		case "stop":
			if last, ok := lastStop[p]; ok && oldPrio[group] > last {
				fail("%q stops priority %d after priority %d", line, oldPrio[group], last)
			}
			lastStop[p] = oldPrio[group]
		case "start":
			if last, ok := lastStart[p]; ok && newPrio[group] < last {
				fail("%q starts priority %d after priority %d", line, newPrio[group], last)
			}
			lastStart[p] = newPrio[group]
		}
	}
}

// TestAnyFailure: whatever single question the table refuses, what ran before
// runs afterwards, and planning again from there reaches the desired state.
func TestAnyFailure(t *testing.T) {
	t.Parallel()
	for seed := range uint64(pairs(t) / 10) {
		r := rand.New(rand.NewPCG(seed, 2))
		old, new := randomConfig(r), randomConfig(r)
		m := newModel()
		m.update(old, Policy{})
		before := m.Groups()
		pending := make(pendingStarts)
		left := r.IntN(6)
		kinds := []error{ErrConflict, ErrStillRunning, fmt.Errorf("no such socket")}
		kind := kinds[r.IntN(len(kinds))]
		m.refuse = func(op string) error {
			if left--; left != -1 || strings.HasPrefix(op, "add ") && kind != kinds[2] {
				return nil
			}
			return kind
		}
		leaveOff := r.IntN(4)
		overtaken := func() bool { leaveOff--; return leaveOff == 0 }
		for range 4 {
			m.carryOn(new, pending, overtaken)
		}
		if diff := spec.Diff(values(m.Groups()), new); !diff.Empty() {
			t.Fatalf("seed %d: after a refusal (%v) it does not end: %+v", seed, kind, diff)
		}
		for _, a := range before {
			h := slices.IndexFunc(new, func(g spec.Group) bool { return g.Name == a.Group.Name })
			for _, live := range a.Processes {
				if h < 0 || find(&new[h], live.Name) == nil || !live.Running {
					continue
				}
				if m.pidOf(a.Group.Name, live.Name) == 0 {
					t.Fatalf("seed %d: %s:%s ran, and stayed down after a refusal (%v)\n%s", seed, a.Group.Name, live.Name, kind, words(m.log))
				}
			}
		}
		if len(m.wrong) > 0 {
			t.Fatalf("seed %d: broken rules: %v", seed, m.wrong)
		}
	}
}

// TestRemovalsProperty: of whatever update, what takes groups away is held if it is
// more than max_removals of the groups or of the processes, and nothing else is; and
// groups that go one by one within a minute are no more than those that go at once.
//
// Source: reconciler.md, Configuration, max_removals.
func TestRemovalsProperty(t *testing.T) {
	t.Parallel()
	limits := []spec.Removals{{N: 0}, {N: 1}, {N: 3}}
	for _, n := range []int{0, 1, 10, 25, 50, 75, 99, 100} {
		limits = append(limits, spec.Removals{N: n, Percent: true})
	}
	now := time.Now()
	for seed := range uint64(pairs(t)) {
		r := rand.New(rand.NewPCG(seed, 3))
		old, new := randomConfig(r), randomConfig(r)
		limit := limits[r.IntN(len(limits))]
		var all, goes share
		var names []string
		for _, g := range old {
			all.add(len(g.Processes))
			if slices.ContainsFunc(new, func(n spec.Group) bool { return n.Name == g.Name }) {
				continue
			}
			goes.add(len(g.Processes))
			names = append(names, g.Name)
		}
		much := func(n share) bool {
			if !limit.Percent {
				return n.groups > limit.N
			}
			return n.groups > 1 && (100*n.groups > limit.N*all.groups || 100*n.processes > limit.N*all.processes)
		}

		m := newModel()
		m.update(old, Policy{})
		steps := Plan(m.Groups(), new, Policy{})
		v := newGuard().admit(now, steps, m.Groups(), limit, pause{})
		if held := slices.ContainsFunc(v.holds, func(h hold) bool { return h.Removals }); held != much(goes) {
			t.Fatalf("seed %d: %+v of %+v with max_removals=%s: held %v", seed, goes, all, removalsText(limit), held)
		}
		for _, s := range steps {
			taken := slices.ContainsFunc(v.steps, func(a Step) bool { return a.Group == s.Group })
			if held := s.New == nil && much(goes); taken == held {
				t.Fatalf("seed %d: %s is taken %v, held %v", seed, s.Group, taken, held)
			}
		}

		g, gone := newGuard(), share{}
		for i, name := range names {
			rest := slices.DeleteFunc(slices.Clone(old), func(g spec.Group) bool { return slices.Contains(names[:i+1], g.Name) })
			steps := Plan(m.Groups(), rest, Policy{})
			if v := g.admit(now, steps, m.Groups(), limit, pause{}); len(v.steps) == 0 {
				break
			}
			g.began(now, steps)
			gone.add(len(steps[0].Old.Processes))
			if len(steps) != 1 || steps[0].Group != name || much(gone) {
				t.Fatalf("seed %d: %s goes as the last of %+v of %+v, with max_removals=%s", seed, name, gone, all, removalsText(limit))
			}
			m.update(rest, Policy{})
		}
		if much(goes) == (gone == goes) && goes.groups > 0 {
			t.Fatalf("seed %d: one by one %+v go of %+v, with max_removals=%s", seed, gone, goes, removalsText(limit))
		}
	}
}
