package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/reconcile/watch"
)

// fakeWatcher is a Watcher that hints when the test says so.
type fakeWatcher struct{ hints chan watch.Hint }

func (w *fakeWatcher) Hints() <-chan watch.Hint { return w.hints }
func (w *fakeWatcher) Set(watch.Scope)          {}
func (w *fakeWatcher) Run(ctx context.Context)  { <-ctx.Done() }

// inBubble runs a test under fake time on a fixture with a fake watcher.
func inBubble(t *testing.T, settings string, files map[string]string, test func(*fixture, *fakeWatcher)) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, settings, files)
		hint := &fakeWatcher{make(chan watch.Hint, 1)}
		if err := w.tryStart(Options{Watcher: hint}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		test(w, hint)
		w.stop()
	})
}

// put writes a file and hints.
func (w *fixture) put(hint *fakeWatcher, name, text string) {
	w.write(name, text)
	hint.hints <- watch.Hint{Trigger: TriggerWatch}
	synctest.Wait()
}

// TestPace: no more than one automatic update of a group in a second; what came
// meanwhile is done together. Others do not wait for it.
func TestPace(t *testing.T) {
	inBubble(t, "", nil, func(w *fixture, hint *fakeWatcher) {
		w.put(hint, "conf.d/a.ini", ini("a"))
		w.put(hint, "conf.d/b.ini", ini("b"))
		if got := w.groups(); got != "a, b" {
			t.Fatalf("the first update of a group waits: %q", got)
		}
		w.put(hint, "conf.d/a.ini", ini("a", "command=/bin/one"))
		w.put(hint, "conf.d/a.ini", ini("a", "command=/bin/two"))
		if got := w.groups(); got != "a, b" {
			t.Errorf("two updates in one second: %q", got)
		}
		if s := w.rec.State(); s.Phase != Pending {
			t.Errorf("phase %s", s.Phase)
		}
		time.Sleep(updateEvery)
		synctest.Wait()
		if got := w.groups(); got != "a=two, b" {
			t.Errorf("after a second: %q", got)
		}
		if n := len(w.rec.History(0)); n != 4 {
			t.Errorf("%d updates, want 4", n)
		}
	})
}

// TestFlapping: a group that comes back to an earlier definition five times in a
// minute is held until it has been quiet for a minute. Others go ahead.
func TestFlapping(t *testing.T) {
	inBubble(t, "", map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")}, func(w *fixture, hint *fakeWatcher) {
		updates := func() int {
			n := 0
			for _, e := range w.rec.History(0) {
				for _, a := range e.Actions {
					if a.Group == "a" && e.Trigger == TriggerWatch {
						n++
					}
				}
			}
			return n
		}
		for i := range 12 {
			w.put(hint, "conf.d/a.ini", ini("a", fmt.Sprintf("command=/bin/a%d", i%2)))
			time.Sleep(2 * time.Second)
			synctest.Wait()
		}
		if n := updates(); n != flapLimit+1 { // two are new, four come back, the fifth is held
			t.Errorf("%d updates of a flapping group, want %d", n, flapLimit+1)
		}
		if s := w.rec.State(); s.Phase != Held || !strings.Contains(s.Reason, "group a") {
			t.Errorf("state: %+v", s)
		}
		w.put(hint, "conf.d/b.ini", ini("b", "command=/bin/n"))
		if !strings.Contains(w.groups(), "b=n") {
			t.Errorf("another group is held as well: %s", w.groups())
		}
		last := time.Now()
		w.put(hint, "conf.d/a.ini", ini("a", "command=/bin/last"))
		time.Sleep(flapWindow - time.Second)
		synctest.Wait()
		if strings.Contains(w.groups(), "last") {
			t.Errorf("applied %v after the last change", time.Since(last))
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !strings.Contains(w.groups(), "a=last") || w.rec.State().Phase != Synced {
			t.Errorf("after a quiet minute: %s, %+v", w.groups(), w.rec.State())
		}
		if n := w.log.count("level=WARN", "held: group a"); n != 1 {
			t.Errorf("the hold was logged %d times", n)
		}
	})
}

// TestEditsAreNoFlapping: somebody who tries one thing after the other is not kept
// waiting, though two of them are alike.
func TestEditsAreNoFlapping(t *testing.T) {
	inBubble(t, "", map[string]string{"conf.d/a.ini": ini("a")}, func(w *fixture, hint *fakeWatcher) {
		for i := range 20 {
			command := fmt.Sprintf("a%d", i)
			if i%6 == 0 {
				command = "again"
			}
			w.put(hint, "conf.d/a.ini", ini("a", "command=/bin/"+command))
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if got := w.groups(); got != "a="+command {
				t.Fatalf("edit %d: %s, %+v", i, got, w.rec.State())
			}
		}
	})
}

// TestFlappingReleased: a person's update ends the hold.
func TestFlappingReleased(t *testing.T) {
	inBubble(t, "", map[string]string{"conf.d/a.ini": ini("a")}, func(w *fixture, hint *fakeWatcher) {
		for i := range 7 {
			w.put(hint, "conf.d/a.ini", ini("a", fmt.Sprintf("command=/bin/a%d", i%2)))
			time.Sleep(2 * time.Second)
		}
		synctest.Wait()
		if w.rec.State().Phase != Held {
			t.Fatalf("state: %+v", w.rec.State())
		}
		if _, err := w.rec.Apply(context.Background(), []string{"a"}, ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := w.groups(); got != "a=a0" || w.rec.State().Phase != Synced {
			t.Errorf("after update: %s, %+v", got, w.rec.State())
		}
	})
}

// TestChangeWhileUpdating: what comes while an update runs is done next, from
// the newest content; the update finishes the step in hand.
func TestChangeWhileUpdating(t *testing.T) {
	files := map[string]string{"conf.d/a.ini": ini("a"), "conf.d/z.ini": ini("z", "priority=1"), "conf.d/y.ini": ini("y", "priority=2")}
	inBubble(t, "max_removals=100%\n", files, func(w *fixture, hint *fakeWatcher) {
		w.table.stopping = func(string, string) time.Duration { return 10 * time.Second }
		w.sh("rm conf.d/y.ini conf.d/z.ini")
		w.put(hint, "conf.d/a.ini", ini("a", "command=/bin/one"))
		if s := w.rec.State(); s.Phase != Applying {
			t.Fatalf("state: %+v", s)
		}
		time.Sleep(time.Second)
		w.put(hint, "conf.d/a.ini", ini("a", "command=/bin/two"))
		w.put(hint, "conf.d/z.ini", ini("z", "priority=1", "autorestart=true"))
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.groups(); got != "a=two, z" {
			t.Errorf("groups: %s\n%s", got, words(w.table.took()))
		}
		log := words(w.table.took())
		if strings.Contains(log, "remove z") || strings.Contains(log, "stop z") {
			t.Errorf("a program that came back before its turn was stopped: %s", log)
		}
		if n := strings.Count(log, "change a"); n != 1 {
			t.Errorf("a was changed %d times: %s", n, log)
		}
		if e := w.rec.History(0); e[1].Result != Overtaken || e[0].Result != Applied {
			t.Errorf("history: %+v", e)
		}
	})
}

// TestUpdateWhileUpdating: a person's update does not wait for an automatic one
// to go through all its steps, and does not collide with it.
func TestUpdateWhileUpdating(t *testing.T) {
	files := map[string]string{"conf.d/y.ini": ini("y", "priority=2"), "conf.d/z.ini": ini("z", "priority=1")}
	inBubble(t, "max_removals=100%\n", files, func(w *fixture, hint *fakeWatcher) {
		w.table.stopping = func(string, string) time.Duration { return 10 * time.Second }
		w.sh("rm conf.d/y.ini conf.d/z.ini")
		w.put(hint, "conf.d/a.ini", ini("a"))
		var wait sync.WaitGroup
		wait.Go(func() {
			if _, err := w.rec.Apply(context.Background(), []string{"a"}, "uid 7"); err != nil {
				t.Error(err)
			}
		})
		began := time.Now()
		wait.Wait()
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("the person waited %v", took)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.groups(); got != "a" {
			t.Errorf("groups: %s", got)
		}
	})
}

// TestStaleView: an update of one name goes by what is in the file now; the
// automatic one, which has not seen it yet, does not take it back.
func TestStaleView(t *testing.T) {
	inBubble(t, "", map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")}, func(w *fixture, _ *fakeWatcher) {
		w.write("conf.d/a.ini", ini("a", "command=/bin/n")) // no hint yet
		if _, err := w.rec.Apply(context.Background(), []string{"a"}, ""); err != nil {
			t.Fatal(err)
		}
		w.table.took()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.groups(); got != "a=n, b" || len(w.table.took()) > 0 {
			t.Errorf("groups: %s", got)
		}
		if s := w.rec.State(); s.Phase != Synced || s.Desired != s.Applied {
			t.Errorf("state: %+v", s)
		}
	})
}

// TestSwitch: automatic updates can be turned off and on.
func TestSwitch(t *testing.T) {
	inBubble(t, "", nil, func(w *fixture, hint *fakeWatcher) {
		w.autoupdate(false)
		w.put(hint, "conf.d/a.ini", ini("a"))
		time.Sleep(time.Minute)
		if s := w.rec.State(); s.Phase != Pending || s.Autoupdate || w.groups() != "" {
			t.Errorf("off: %s, %+v", w.groups(), s)
		}
		if err := w.rec.AddGroup(context.Background(), "a", "uid 7"); !errors.Is(err, ErrBadName) {
			t.Errorf("add without reread: %v", err)
		}
		w.autoupdate(true)
		time.Sleep(time.Second)
		synctest.Wait()
		if s := w.rec.State(); s.Phase != Synced || !s.Autoupdate || w.groups() != "a" {
			t.Errorf("on: %s, %+v", w.groups(), s)
		}
	})
}

// TestRetry: a step that fails is tried again, at longer and longer intervals,
// told once, and at once when the file changes. Others go ahead.
func TestRetry(t *testing.T) {
	inBubble(t, "", nil, func(w *fixture, hint *fakeWatcher) {
		tries := 0
		w.table.refusing(func(op string) error {
			if op == "add a" {
				tries++
				return errors.New("socket is taken")
			}
			return nil
		})
		w.write("conf.d/a.ini", ini("a"))
		w.put(hint, "conf.d/b.ini", ini("b"))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got := w.groups(); got != "b" || tries < 10 || tries > 20 {
			t.Errorf("groups %s after %d tries", got, tries)
		}
		w.log.once(t, "socket is taken")
		if n := len(w.rec.History(0)); n > 3 {
			t.Errorf("%d entries in the history", n)
		}
		tries = 0
		w.put(hint, "conf.d/a.ini", ini("a", "command=/bin/n"))
		time.Sleep(time.Second)
		synctest.Wait()
		if tries == 0 {
			t.Error("a changed file is not tried at once")
		}
		w.table.refusing(nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := w.groups(); got != "a=n, b" || w.rec.State().Phase != Synced {
			t.Errorf("groups: %s, %+v", got, w.rec.State())
		}
	})
}

// TestEvents: what was applied, failed and is held is told.
func TestEvents(t *testing.T) {
	inBubble(t, "max_removals=0\n", map[string]string{"conf.d/a.ini": ini("a")}, func(w *fixture, hint *fakeWatcher) {
		next := func(typ, told string) {
			t.Helper()
			select {
			case e := <-w.events:
				got := fmt.Sprintf("generation:%d trigger:%s actions:%d\n%s", e.Generation, e.Trigger, len(e.Actions), e.Details())
				if e.Type != typ || !strings.HasPrefix(got, told) {
					t.Errorf("event %s %q, want %s %q", e.Type, got, typ, told)
				}
			default:
				t.Errorf("no event %s", typ)
			}
		}
		next(EventApplied, "generation:1 trigger:start actions:1\nadd a")
		w.put(hint, "conf.d/b.ini", ini("b"))
		next(EventApplied, "generation:2 trigger:watch actions:1\nadd b")
		time.Sleep(time.Second)
		w.sh("rm conf.d/a.ini")
		hint.hints <- watch.Hint{Trigger: TriggerRescan}
		synctest.Wait()
		next(EventHeld, "generation:2 trigger:rescan actions:1\nreason:it would remove 1 of 2 active groups, more than max_removals=0 allows")
		w.table.refusing(func(string) error { return errors.New("no") })
		w.write("conf.d/a.ini", ini("a"))
		w.put(hint, "conf.d/c.ini", ini("c"))
		next(EventFailed, "generation:2 trigger:watch actions:0\nreason:cannot add group c: no")
	})
}

// TestShutdown: when the context ends in the middle of an update, Run ends after
// the step in hand, and who asked is told.
func TestShutdown(t *testing.T) {
	inBubble(t, "", map[string]string{"conf.d/a.ini": ini("a")}, func(w *fixture, hint *fakeWatcher) {
		w.table.stopping = func(string, string) time.Duration { return time.Hour }
		w.sh("rm conf.d/a.ini")
		answer := make(chan error, 1)
		go func() {
			_, err := w.rec.Apply(context.Background(), nil, "")
			answer <- err
		}()
		time.Sleep(time.Second)
		w.stop()
		select {
		case err := <-answer:
			if err != nil && !errors.Is(err, ErrNotRunning) {
				t.Error(err)
			}
		case <-time.After(time.Second):
			t.Error("nobody answers")
		}
		if _, err := w.rec.Apply(context.Background(), nil, ""); !errors.Is(err, ErrNotRunning) {
			t.Errorf("after the end: %v", err)
		}
	})
}
