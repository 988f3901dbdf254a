package reconcile

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/reconcile/watch"
	"supervisord/spec"
)

// TestStateWaitsForNoWrite: the state directory may take as long as it will to write.
func TestStateWaitsForNoWrite(t *testing.T) {
	w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("a")}).start()
	w.rec.store.writing.Lock() // Save is in fsync on a disk that does not answer
	defer w.rec.store.writing.Unlock()
	done := make(chan struct{})
	go func() { w.rec.State(); close(done) }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Error("State waits for a write to the state directory")
	}
}

// TestFirstUpdateIsFinished: neither a person's update nor an edit overtakes it, since
// with automatic updates off nobody else would finish it.
func TestFirstUpdateIsFinished(t *testing.T) {
	for what, meanwhile := range map[string]func(*fixture, *fakeWatcher) error{
		"an update": func(w *fixture, _ *fakeWatcher) error {
			_, err := w.rec.Apply(context.Background(), []string{"a"}, "uid 0")
			return err
		},
		"an edit": func(w *fixture, hint *fakeWatcher) error {
			w.put(hint, "conf.d/a.ini", ini("a", "priority=1", "startsecs=2"))
			return nil
		},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newFixture(t, quick+"autoupdate=false\n", map[string]string{
					"conf.d/a.ini": ini("a", "priority=1"), "conf.d/b.ini": ini("b", "priority=2"), "conf.d/c.ini": ini("c", "priority=3")})
				hint := &fakeWatcher{make(chan watch.Hint, 1)}
				w.table.before = func(op string) { time.Sleep(time.Second) }
				if err := w.tryStart(Options{Watcher: hint}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if err := meanwhile(w, hint); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				equal(t, "groups", w.groups(), "a, b, c")
				w.stop()
			})
		})
	}
}

// TestNewestContentStands: what an update has read anew is not taken back by an automatic one with an older view.
func TestNewestContentStands(t *testing.T) {
	files := map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b"), "conf.d/c.ini": ini("c")}
	inBubble(t, "", files, func(w *fixture, hint *fakeWatcher) {
		time.Sleep(time.Minute)
		w.table.stopping = func(g, p string) time.Duration { return 5 * time.Second }
		w.sh("rm conf.d/a.ini")
		w.write("conf.d/b.ini", ini("b", "command=/bin/one"))
		done := make(chan struct{})
		go func() { _, _ = w.rec.Apply(context.Background(), nil, "uid 0"); close(done) }()
		time.Sleep(time.Second)
		w.put(hint, "conf.d/b.ini", ini("b", "command=/bin/two")) // settled: overtakes
		w.write("conf.d/b.ini", ini("b", "command=/bin/three"))   // not settled yet when the step in hand ends
		w.table.took()
		<-done
		equal(t, "after the update", w.groups(), "b=three, c")
		synctest.Wait()
		time.Sleep(time.Minute)
		equal(t, "a minute later", w.groups(), "b=three, c")
	})
}

// TestFailedRemovalCountsOnce: a group that could not be removed is not among those that have gone.
func TestFailedRemovalCountsOnce(t *testing.T) {
	g := newGuard()
	var active []Active
	var steps []Step
	for _, n := range []string{"a", "b", "c", "d"} {
		p := program(n)
		active = append(active, Active{Group: &p})
	}
	steps = Plan(active, []spec.Group{*active[0].Group, *active[1].Group}, Policy{})
	now := time.Now()
	limit := spec.Removals{N: 50, Percent: true}
	if v := g.admit(now, steps, active, limit, pause{}); len(v.steps) != 2 {
		t.Fatal(v)
	}
	g.began(now, steps)
	g.succeeded("c")
	g.fails(now, "d", "cannot be stopped", false)
	active = []Active{active[0], active[1], active[3]}
	now = now.Add(2 * time.Second)
	v := g.admit(now, Plan(active, []spec.Group{*active[0].Group, *active[1].Group}, Policy{}), active, limit, pause{})
	if len(v.holds) > 0 {
		t.Errorf("2 of 4 may go, one of them is tried again: %v", v.holds)
	}
}

// TestOvertakenRemovalCountsOnce: nor is one whose turn did not come.
func TestOvertakenRemovalCountsOnce(t *testing.T) {
	files := map[string]string{}
	for i, n := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		pr := "priority=1"
		if i == 7 {
			pr = "priority=9"
		}
		files["conf.d/"+n+".ini"] = ini(n, pr)
	}
	inBubble(t, "", files, func(w *fixture, hint *fakeWatcher) {
		time.Sleep(2 * time.Minute)
		w.table.stopping = func(g, p string) time.Duration { return 5 * time.Second }
		w.sh("rm conf.d/h.ini conf.d/g.ini conf.d/f.ini conf.d/e.ini") // h stops first; 4 of 8
		hint.hints <- watch.Hint{Trigger: TriggerWatch}
		synctest.Wait()
		w.put(hint, "conf.d/a.ini", ini("a", "priority=1", "startsecs=3")) // overtakes
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		equal(t, "groups", w.groups(), "a, b, c, d")
	})
}

// TestOvertakenComesNext: what an update did not come to is done by the one that overtook it, and
// does not wait for another turn.
func TestOvertakenComesNext(t *testing.T) {
	inBubble(t, "", map[string]string{"conf.d/a.ini": ini("a")}, func(w *fixture, hint *fakeWatcher) {
		time.Sleep(time.Minute)
		w.table.stopping = func(g, p string) time.Duration { return 300 * time.Millisecond }
		w.write("conf.d/b.ini", ini("b"))
		w.put(hint, "conf.d/a.ini", ini("a", "command=/bin/one"))
		time.Sleep(100 * time.Millisecond)
		w.put(hint, "conf.d/c.ini", ini("c")) // overtakes
		time.Sleep(300 * time.Millisecond)
		synctest.Wait()
		equal(t, "groups", w.groups(), "a=one, b, c")
	})
}

// TestTwoRemoves: the second of two people who remove a group does not bring it back.
func TestTwoRemoves(t *testing.T) {
	inBubble(t, "", map[string]string{"conf.d/a.ini": ini("a", "autostart=false"), "conf.d/b.ini": ini("b")}, func(w *fixture, hint *fakeWatcher) {
		time.Sleep(time.Minute)
		w.table.before = func(op string) { time.Sleep(10 * time.Millisecond) }
		errs := make(chan error, 2)
		for range 2 {
			go func() { errs <- w.rec.RemoveGroup(context.Background(), "a", "uid 0") }()
		}
		<-errs
		<-errs
		time.Sleep(time.Hour)
		equal(t, "groups", w.groups(), "b")
	})
}

// TestFreeze: automatic updates that are turned off stop after the step in hand.
func TestFreeze(t *testing.T) {
	files := map[string]string{"conf.d/a.ini": ini("a", "priority=1"), "conf.d/b.ini": ini("b", "priority=2"), "conf.d/c.ini": ini("c"), "conf.d/d.ini": ini("d")}
	inBubble(t, "", files, func(w *fixture, hint *fakeWatcher) {
		time.Sleep(time.Minute)
		w.table.stopping = func(g, p string) time.Duration { return 5 * time.Second }
		w.sh("rm conf.d/a.ini conf.d/b.ini")
		hint.hints <- watch.Hint{Trigger: TriggerWatch}
		synctest.Wait()
		w.autoupdate(false)
		time.Sleep(time.Hour)
		equal(t, "groups", w.groups(), "a, c, d")
	})
}

// TestEndBetweenRounds: what an update did before the end is in the history.
func TestEndBetweenRounds(t *testing.T) {
	inBubble(t, "", map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b", "priority=1000")}, func(w *fixture, hint *fakeWatcher) {
		time.Sleep(time.Minute)
		w.table.stopping = func(g, p string) time.Duration { return 5 * time.Second }
		w.sh("rm conf.d/a.ini conf.d/b.ini")
		errs := make(chan error, 1)
		go func() { _, err := w.rec.Apply(context.Background(), nil, "uid 0"); errs <- err }()
		time.Sleep(time.Second)
		w.put(hint, "conf.d/c.ini", ini("c"))
		w.hang("conf.d")
		time.Sleep(5 * time.Second)
		w.stop()
		<-errs
		if len(w.rec.History(0)) < 2 {
			t.Error("what was done is not in the history")
		}
		w.answers("conf.d")
	})
}

// TestGuardForgets: with automatic updates off, too.
func TestGuardForgets(t *testing.T) {
	g := newGuard()
	now := time.Now()
	for i := range 5_000 {
		p := program("a", stopwait(i))
		now = now.Add(time.Minute)
		g.observe(now, &spec.Config{Groups: []spec.Group{p}})
	}
	if n := len(g.earlier["a"]); n > 100 {
		t.Errorf("%d definitions of the last minute", n)
	}
}
