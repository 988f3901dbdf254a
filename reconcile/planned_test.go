package reconcile

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"supervisord/spec"
)

// TestApplyPlan: an update by a plan is done if the world is as it was, and not at all if it
// has moved.
func TestApplyPlan(t *testing.T) {
	t.Parallel()
	for _, r := range []struct {
		what  string
		names string
		then  func(w *fixture) // between the plan and the update
		moved bool
	}{
		{"nothing", "", func(*fixture) {}, false},
		{"a comment", "", func(w *fixture) { w.write("conf.d/a.ini", "; why\n"+ini("a", "umask=077")) }, false},
		{"the program moves to another file", "", func(w *fixture) { w.sh("mv conf.d/a.ini conf.d/z.ini") }, false},
		{"the key has a third value", "", func(w *fixture) { w.write("conf.d/a.ini", ini("a", "umask=022")) }, true},
		{"the key is as it was", "", func(w *fixture) { w.write("conf.d/a.ini", ini("a")) }, true},
		{"another program is new", "", func(w *fixture) { w.write("conf.d/c.ini", ini("c")) }, true},
		{"another program is new, and only a was asked for", "a", func(w *fixture) { w.write("conf.d/c.ini", ini("c")) }, false},
		{"another program is gone", "", func(w *fixture) { w.sh("rm conf.d/b.ini") }, true},
		{"a person has stopped it", "", func(w *fixture) { w.table.set("a", "a", "STOPPED", true) }, true},
		{"it has failed", "", func(w *fixture) { w.table.set("a", "a", "FATAL", false) }, true},
		{"another has failed, which is none of the plan's business", "", func(w *fixture) { w.table.set("b", "b", "FATAL", false) }, false},
		{"somebody else was first", "", func(w *fixture) { w.rec.Apply(context.Background(), nil, "uid 1") }, true},
		{"its file is wrong", "", func(w *fixture) { w.write("conf.d/a.ini", ini("a", "startsecs=x")) }, true},
	} {
		t.Run(r.what, func(t *testing.T) {
			t.Parallel()
			w := newFixture(t, quick+"autoupdate=false\n", map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")}).start()
			w.write("conf.d/a.ini", ini("a", "umask=077"))
			names := strings.Fields(r.names)
			plan, err := w.rec.Plan(context.Background(), names)
			if err != nil || len(plan.Actions) != 1 || len(plan.Reach.Restarted) != 1 {
				t.Fatalf("the plan is %+v, %v", plan, err)
			}
			r.then(w)
			before, history := w.table.pidOf("a", "a"), len(w.rec.History(0))
			w.table.took()
			report, err := w.rec.ApplyPlan(context.Background(), names, plan.ID, "uid 0")
			switch {
			case r.moved && r.what != "its file is wrong" && !errors.Is(err, ErrMoved), r.moved && err == nil, !r.moved && (err != nil || !report.OK || len(report.Actions) != 1):
				t.Errorf("%+v, %v", report, err)
			case r.moved && (w.table.pidOf("a", "a") != before || len(w.table.took()) > 0 || len(w.rec.History(0)) != history):
				t.Error("something was done")
			case !r.moved && w.table.pidOf("a", "a") == before:
				t.Error("nothing was done")
			}
		})
	}
}

// TestApplyPlanRace: of many who apply one plan while others edit, one at the most succeeds,
// and what that did is the plan.
func TestApplyPlanRace(t *testing.T) {
	t.Parallel()
	w := newFixture(t, quick+"autoupdate=false\n", map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")}).start()
	for round := range 20 {
		w.write("conf.d/a.ini", ini("a", fmt.Sprintf("umask=%03o", round)))
		plan, err := w.rec.Plan(context.Background(), nil)
		if err != nil || len(plan.Actions) != 1 {
			t.Fatalf("round %d: the plan is %+v, %v", round, plan, err)
		}
		var done atomic.Int32
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				report, err := w.rec.ApplyPlan(context.Background(), nil, plan.ID, "uid 0")
				switch {
				case errors.Is(err, ErrMoved):
				case err != nil || len(report.Actions) != 1 || report.Actions[0].Group != "a":
					t.Errorf("round %d: %+v, %v", round, report, err)
				default:
					done.Add(1)
				}
			})
		}
		if round%2 == 1 {
			w.write("conf.d/b.ini", ini("b", fmt.Sprintf("umask=%03o", round)))
		}
		all.Wait()
		if n := done.Load(); n > 1 || n == 0 && round%2 == 0 {
			t.Errorf("round %d: %d of 4 were first", round, n)
		}
		if _, err := w.rec.Apply(context.Background(), nil, ""); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPlanTree: another tree is compared with what runs here as if it were in place, and its
// plan is the one that is made once it is.
func TestPlanTree(t *testing.T) {
	t.Parallel()
	for _, watch := range []bool{false, true} {
		w := newFixture(t, quick+"autoupdate=false\n", map[string]string{"conf.d/a.ini": ini("a", "directory=%(here)s"), "conf.d/b.ini": ini("b")})
		w.watch = watch
		w.start()
		w.sh("mkdir tree; cp -r main.conf conf.d tree")
		tree, file := w.root+"/tree", w.root+"/tree/main.conf"
		if watch {
			w.rec.SetAutoupdate(context.Background(), false, "")
			tree = w.root + "/tree/conf.d"
		}
		same, err := w.rec.PlanTree(context.Background(), nil, tree)
		if here, _ := w.rec.Plan(context.Background(), nil); err != nil || len(same.Actions) > 0 || same.ID != here.ID {
			t.Errorf("a copy: %+v, %v", same, err)
		}
		w.write("tree/conf.d/a.ini", ini("a", "directory=%(here)s", "umask=077"))
		w.sh("rm tree/conf.d/b.ini")
		plan, err := w.rec.PlanTree(context.Background(), nil, tree)
		if err != nil || len(plan.Actions) != 2 || len(plan.Reach.Ended) != 1 {
			t.Errorf("a change and a removal: %+v, %v", plan, err)
		}
		if again, err := w.rec.PlanTree(context.Background(), nil, file); !watch && (err != nil || again.ID != plan.ID) {
			t.Errorf("by its main file: %+v, %v", again, err)
		} else if watch && !errors.Is(err, ErrTree) {
			t.Errorf("a file in the place of a directory: %+v, %v", again, err)
		}
		for bad, want := range map[string]error{w.root + "/none": ErrTree, "relative": ErrTree} {
			if _, err := w.rec.PlanTree(context.Background(), nil, bad); !errors.Is(err, want) {
				t.Errorf("%s: %v", bad, err)
			}
		}
		w.write("tree/conf.d/c.ini", "oops\n")
		var mistakes *spec.LoadError
		if _, err := w.rec.PlanTree(context.Background(), nil, tree); !errors.As(err, &mistakes) || mistakes.All()[0].File != w.root+"/tree/conf.d/c.ini" {
			t.Errorf("a mistake in it: %v", err)
		}
		w.sh("rm tree/conf.d/c.ini; cp tree/conf.d/a.ini conf.d; rm conf.d/b.ini")
		if report, err := w.rec.ApplyPlan(context.Background(), nil, plan.ID, ""); err != nil || len(report.Actions) != 2 {
			t.Errorf("once it is in place: %+v, %v", report, err)
		}
	}
}

// TestPlanTreeHung: a tree on a disk that does not answer is refused, and holds nobody up.
func TestPlanTreeHung(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("a")}).start()
	if err := os.Mkdir(w.root+"/tree", 0o755); err != nil {
		t.Fatal(err)
	}
	w.hang("tree")
	defer w.answers("tree")
	answer := make(chan error, 1) // the one result
	go func() { _, err := w.rec.PlanTree(context.Background(), nil, w.root+"/tree"); answer <- err }()
	w.write("conf.d/b.ini", ini("b"))
	w.becomes("a, b")
	select {
	case err := <-answer:
		if !errors.Is(err, ErrTree) {
			t.Errorf("%v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("no answer within a minute about a tree that hangs")
	}
}

// TestReach: what a review of two configurations says that ends, ends, and nothing else, when
// the update between them is carried out; and a configuration against itself is nothing.
func TestReach(t *testing.T) {
	for seed := range pairs(t) {
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		base := &spec.Config{Groups: randomConfig(r)}
		head := &spec.Config{Groups: randomConfig(r)}
		if same := ReviewOf(base, base); !same.Empty() || len(same.Reach.Restarted)+len(same.Reach.Ended)+len(same.Reach.Started) > 0 {
			t.Fatalf("seed %d: against itself: %+v", seed, same)
		}
		m := newModel()
		m.update(base.Groups, Policy{})
		pids := make(map[spec.Namespec]int)
		for _, a := range m.Groups() {
			for _, p := range a.Processes {
				if p.Running {
					pids[spec.Namespec{Group: a.Group.Name, Process: p.Name}] = m.pidOf(a.Group.Name, p.Name)
				}
			}
		}
		review := ReviewOf(base, head)
		m.update(head.Groups, Policy{})
		said := make(map[spec.Namespec]string)
		for word, list := range map[string][]spec.Namespec{"restarted": review.Reach.Restarted, "ended": review.Reach.Ended} {
			for _, n := range list {
				if said[n] != "" {
					t.Fatalf("seed %d: %s is named twice", seed, n)
				}
				said[n] = word
			}
		}
		for n, was := range pids {
			is, want := m.pidOf(n.Group, n.Process), ""
			switch is {
			case was:
			case 0:
				want = "ended"
			default:
				want = "restarted"
			}
			if said[n] != want {
				t.Fatalf("seed %d: %s had pid %d and has %d, and was said to be %q", seed, n, was, is, said[n])
			}
		}
	}
}

// TestReachFollows: what is told of others: who restarts with what has a new pid, and who
// depends on it and goes on; and how long the stops may take.
func TestReachFollows(t *testing.T) {
	program := func(name string, priority, wait int, edit func(*spec.Process)) spec.Group {
		p := spec.Process{Name: name, Command: "/bin/" + name, Autostart: true, Priority: priority, StopWaitSecs: wait}
		if edit != nil {
			edit(&p)
		}
		return spec.Group{Name: name, Priority: priority, Processes: []spec.Process{p}}
	}
	needs := func(names ...string) func(*spec.Process) {
		return func(p *spec.Process) {
			for _, n := range names {
				p.DependsOn = append(p.DependsOn, spec.Dependency{Name: n, Until: spec.UntilRunning})
			}
		}
	}
	with := func(names ...string) func(*spec.Process) {
		return func(p *spec.Process) { p.RestartWith = names }
	}
	anew := func(p *spec.Process) { p.Command += " -v" }
	base := []spec.Group{
		program("db", 10, 60, nil), program("cache", 10, 5, nil), program("web", 20, 30, needs("db")), program("pool", 20, 10, with("db")),
		program("tail", 30, 10, with("pool")), program("idle", 30, 100, func(p *spec.Process) { p.Autostart = false }),
	}
	change := func(edits map[string]func(*spec.Process), gone ...string) []spec.Group {
		var head []spec.Group
		for _, g := range base {
			if slices.Contains(gone, g.Name) {
				continue
			}
			p := g.Processes[0]
			if edits[g.Name] != nil {
				edits[g.Name](&p)
			}
			g.Processes = []spec.Process{p}
			head = append(head, g)
		}
		return head
	}
	for _, r := range []struct {
		what string
		head []spec.Group
		want string
	}{
		{"nothing", base, "restarted [] ended [] following [] dependents [] wait 0s"},
		{"the database", change(map[string]func(*spec.Process){"db": anew}), "restarted [db] ended [] following [{pool db} {tail pool}] dependents [{web db}] wait 1m0s"},
		{"the database and what depends on it", change(map[string]func(*spec.Process){"db": anew, "web": anew}), "restarted [db web] ended [] following [{pool db} {tail pool}] dependents [] wait 1m30s"},
		{"two of one priority, at once", change(map[string]func(*spec.Process){"db": anew, "cache": anew}), "restarted [db cache] ended [] following [{pool db} {tail pool}] dependents [{web db}] wait 1m0s"},
		{"the database is gone", change(nil, "db"), "restarted [] ended [db] following [] dependents [{web db}] wait 1m0s"},
		{"two priorities are gone, one after another", change(nil, "cache", "tail"), "restarted [] ended [cache tail] following [] dependents [] wait 15s"},
		{"what does not run", change(nil, "idle"), "restarted [] ended [] following [] dependents [] wait 0s"},
		{"in place", change(map[string]func(*spec.Process){"db": func(p *spec.Process) { p.StopWaitSecs = 1 }}), "restarted [] ended [] following [] dependents [] wait 0s"},
	} {
		reach := ReviewOf(&spec.Config{Groups: base}, &spec.Config{Groups: r.head, Reconcile: spec.Reconcile{MaxRemovals: spec.Removals{N: 100, Percent: true}}}).Reach
		got := fmt.Sprintf("restarted %v ended %v following %v dependents %v wait %v", reach.Restarted, reach.Ended, reach.Following, reach.Dependents, reach.Wait)
		if got != r.want {
			t.Errorf("%s:\n%s, want\n%s", r.what, got, r.want)
		}
	}
}
