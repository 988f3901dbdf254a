package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/spec"
)

// TestStopsInParallel: twenty programs that ignore TERM are gone after the
// longest of their waits, not after the sum; another priority waits its turn.
func TestStopsInParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel()
		var groups []spec.Group
		for i := range 20 {
			groups = append(groups, program(fmt.Sprintf("p%02d", i), priority(10+i%2)))
		}
		m.update(groups, Policy{})
		m.stopping = func(string, string) time.Duration { return 10 * time.Second }
		began := time.Now()
		m.update(nil, Policy{})
		if took := time.Since(began); took != 20*time.Second {
			t.Errorf("removing two priorities took %v, want twice one wait", took)
		}
		if len(m.Groups()) != 0 {
			t.Error("not all are gone")
		}
	})
}

// TestOwnDowntime: of changed groups of one priority each is down for as long as
// its own stop takes.
func TestOwnDowntime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel()
		m.update([]spec.Group{program("fast"), program("slow")}, Policy{})
		m.stopping = func(g, _ string) time.Duration {
			if g == "slow" {
				return time.Minute
			}
			return time.Second
		}
		go m.update([]spec.Group{program("fast", command("/n")), program("slow", command("/n"))}, Policy{})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if m.pidOf("fast", "fast") == 0 || m.pidOf("slow", "slow") == 0 && m.groups["slow"].procs["slow"].state != "STOPPING" {
			t.Errorf("after 2 s: %s", words(m.took()))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got, want := words(m.took()), "add fast; start fast:fast; add slow; start slow:slow; "; !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "change slow; start slow:slow") {
			t.Errorf("log: %s", got)
		}
	})
}

// TestOrderOfChanged: two changed groups of two priorities: the dependent stops
// first and starts last.
func TestOrderOfChanged(t *testing.T) {
	m := newModel()
	m.update([]spec.Group{program("db", priority(1)), program("web", priority(2))}, Policy{})
	m.took()
	m.update([]spec.Group{program("db", priority(1), command("/n")), program("web", priority(2), command("/n"))}, Policy{})
	want := "stop web:web; stopped web:web; stop db:db; stopped db:db; change db; start db:db; change web; start web:web"
	if got := words(m.took()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestOrderOfDependents: what depends on another is stopped before it and started after
// it, whatever the priorities say; what did not change is not touched.
func TestOrderOfDependents(t *testing.T) {
	needs := func(name string) func(*spec.Process) {
		return func(p *spec.Process) { p.DependsOn = []spec.Dependency{{Name: name, Until: spec.UntilRunning}} }
	}
	m := newModel()
	before := []spec.Group{program("api", needs("db")), program("db", priority(9)), program("idle", needs("db")), program("web", priority(1), needs("api"))}
	m.update(before, Policy{})
	want := "add db; start db:db; add api; start api:api; add idle; start idle:idle; add web; start web:web"
	if got := words(m.took()); got != want {
		t.Errorf("added\ngot  %s\nwant %s", got, want)
	}
	changed := []spec.Group{program("api", needs("db"), command("/n")), program("db", priority(9), command("/n")), program("idle", needs("db")), program("web", priority(1), needs("api"), command("/n"))}
	m.update(changed, Policy{})
	want = "stop web:web; stopped web:web; stop api:api; stopped api:api; stop db:db; stopped db:db; " +
		"change db; start db:db; change api; start api:api; change web; start web:web"
	if got := words(m.took()); got != want {
		t.Errorf("changed\ngot  %s\nwant %s", got, want)
	}
	m.update([]spec.Group{program("idle", needs("db"))}, Policy{})
	want = "stop web:web; stopped web:web; remove web; stop api:api; stopped api:api; remove api; stop db:db; stopped db:db; remove db"
	if got := words(m.took()); got != want {
		t.Errorf("removed\ngot  %s\nwant %s", got, want)
	}
}

// TestRollback: where the new definition cannot be put in force, the old one
// runs on, the failure is told, and the next try is possible.
func TestRollback(t *testing.T) {
	for name, next := range map[string]spec.Group{
		"a change":         program("x", command("/n")),
		"a change of kind": kind(program("x", command("/n")), spec.KindListener),
	} {
		t.Run(name, func(t *testing.T) {
			m := newModel()
			m.update([]spec.Group{program("x")}, Policy{})
			boom := errors.New("socket is taken")
			n := 0
			m.refuse = func(op string) error {
				if op == "remove x" {
					return nil
				}
				if n++; n == 1 {
					return boom
				}
				return nil
			}
			out := m.update([]spec.Group{next}, Policy{})
			if !errors.Is(out[0].Err, boom) {
				t.Errorf("outcome: %v", out[0].Err)
			}
			if m.pidOf("x", "x") == 0 || m.Groups()[0].Group.Processes[0].Command != "/bin/x" {
				t.Errorf("the old one does not run: %s", words(m.took()))
			}
			m.update([]spec.Group{next}, Policy{})
			if m.Groups()[0].Group.Processes[0].Command != "/n" || m.pidOf("x", "x") == 0 {
				t.Error("the next try does not succeed")
			}
		})
	}
}

// TestStartedMeanwhile: somebody starts a process between its stop and the
// removal of its group.
func TestStartedMeanwhile(t *testing.T) {
	m := newModel()
	m.update([]spec.Group{program("x")}, Policy{})
	n := 0
	m.before = func(op string) {
		if n++; op == "remove x" && n < 4 {
			m.set("x", "x", "RUNNING", false)
		}
	}
	if out := m.update(nil, Policy{}); out[0].Err != nil {
		t.Errorf("outcome: %v", out[0].Err)
	}
	if len(m.Groups()) != 0 {
		t.Error("x is still there")
	}
}

// TestPendingStarts: a process that was stopped for a change that is then taken back is
// started again, unless a person stopped it meanwhile.
func TestPendingStarts(t *testing.T) {
	for _, person := range []bool{false, true} {
		m := newModel()
		old := []spec.Group{program("x")}
		m.update(old, Policy{})
		pending := make(pendingStarts)
		m.refuse = func(op string) error { return ErrConflict }
		m.carryOn([]spec.Group{program("x", command("/n"))}, pending, never)
		m.refuse = nil
		if m.pidOf("x", "x") != 0 {
			t.Fatal("the test needs a process that is down")
		}
		m.set("x", "x", "STOPPED", person)
		m.carryOn(old, pending, never)
		if up := m.pidOf("x", "x") != 0; up == person {
			t.Errorf("stopped by a person %v, running %v", person, up)
		}
		if again := m.carryOn(old, pending, never); len(again) > 0 {
			t.Errorf("still pending: %+v", again)
		}
	}
}

// TestOvertaken: between priorities an update leaves off, and never between the
// stop and the start of a changed group.
func TestOvertaken(t *testing.T) {
	old := []spec.Group{program("r1", priority(1)), program("r2", priority(2)), program("c1", priority(1)), program("c2", priority(2))}
	new := []spec.Group{program("c1", priority(1), command("/n")), program("c2", priority(2), command("/n")), program("a1", priority(1)), program("a2", priority(2))}
	begun := func(after int) string {
		m := newModel()
		m.update(old, Policy{})
		out := execute(context.Background(), m, Plan(m.Groups(), new, Policy{}), func() bool { after--; return after < 0 }, nil)
		var list []string
		for _, o := range out {
			if o.Begun {
				list = append(list, o.Step.Group)
			}
		}
		slices.Sort(list)
		return strings.Join(list, " ")
	}
	want := []string{"", "r2", "r1 r2", "c1 c2 r1 r2", "a1 c1 c2 r1 r2", "a1 a2 c1 c2 r1 r2"}
	for after, w := range want {
		if got := begun(after); got != w {
			t.Errorf("overtaken after %d questions: began %q, want %q", after, got, w)
		}
	}
}

// TestLines: what Supervisor's update prints.
func TestLines(t *testing.T) {
	m := newModel()
	m.update([]spec.Group{program("gone"), program("stuck"), program("new"), program("soft"), numbered("grow", 1), numbered("shrink", 2)}, Policy{})
	m.refuse = func(op string) error {
		if op == "remove stuck" {
			return errors.New("cannot")
		}
		return nil
	}
	desired := []spec.Group{program("new", command("/n")), program("soft", stopwait(1)), numbered("grow", 2), numbered("shrink", 1), program("add")}
	equal(t, "lines", lines(m.update(desired, Policy{}), desired, nil), []string{
		"gone: stopped", "gone: removed process group",
		"stuck: stopped", "stuck: has problems; not removing",
		"new: stopped", "new: updated process group",
		"soft: updated process group",
		"grow: updated process group",
		"shrink: stopped", "shrink: updated process group",
		"add: added process group",
	})
}
