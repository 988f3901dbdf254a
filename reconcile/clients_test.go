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

	"supervisord/reconcile/watch"
)

// TestClientGone: a client that goes away does not affect the result.
func TestClientGone(t *testing.T) {
	inBubble(t, quick+"autoupdate=false\n", map[string]string{"conf.d/a.ini": ini("a")}, func(w *fixture, hint *fakeWatcher) {
		w.table.stopping = func(string, string) time.Duration { return 10 * time.Second }
		w.put(hint, "conf.d/a.ini", ini("a", "command=/bin/n"))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := w.rec.Apply(ctx, nil, "uid 1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.groups(); got != "a=n" {
			t.Errorf("groups: %s", got)
		}
		if e := w.rec.History(1)[0]; e.Result != Applied || e.Caller != "uid 1" || e.DurationMS != 10_000 {
			t.Errorf("history: %+v", e)
		}
	})
}

// TestOvertakenByUs: whoever adds or removes what the watcher did a moment ago
// succeeds; a minute later, or when it is not as the files say, it is a mistake
// like any other.
func TestOvertakenByUs(t *testing.T) {
	inBubble(t, "", map[string]string{"conf.d/a.ini": ini("a")}, func(w *fixture, hint *fakeWatcher) {
		ctx := context.Background()
		if err := w.rec.AddGroup(ctx, "nope", "uid 7"); !errors.Is(err, ErrBadName) {
			t.Errorf("add of an unknown group: %v", err)
		}
		if err := w.rec.RemoveGroup(ctx, "nope", "uid 7"); !errors.Is(err, ErrBadName) {
			t.Errorf("remove of an unknown group: %v", err)
		}
		w.put(hint, "conf.d/b.ini", ini("b"))
		for range 2 {
			if added, changed, removed, err := w.rec.Reread(ctx); err != nil || !slices.Equal(added, []string{"b"}) || len(changed)+len(removed) > 0 {
				t.Errorf("reread after the watcher: %v %v %v, %v", added, changed, removed, err)
			}
		}
		if err := w.rec.AddGroup(ctx, "b", "uid 7"); err != nil {
			t.Errorf("add a moment after the watcher: %v", err)
		}
		if added, changed, removed, err := w.rec.Reread(ctx); err != nil || len(added)+len(changed)+len(removed) > 0 {
			t.Errorf("reread after that: %v %v %v, %v", added, changed, removed, err)
		}
		time.Sleep(2 * time.Second)
		w.write("conf.d/b.ini", ini("b", "command=/bin/n"))
		if _, changed, _, _ := w.rec.Reread(ctx); len(changed) != 1 {
			t.Errorf("changed: %v", changed)
		}
		if err := w.rec.AddGroup(ctx, "b", "uid 7"); !errors.Is(err, ErrAlreadyAdded) {
			t.Errorf("add of a group that stands otherwise: %v", err)
		}
		if err := w.rec.RemoveGroup(ctx, "b", "uid 7"); !errors.Is(err, ErrStillRunning) {
			t.Errorf("remove of a running group: %v", err)
		}
		time.Sleep(2 * time.Second)
		w.sh("rm conf.d/b.ini")
		hint.hints <- watch.Hint{Trigger: TriggerWatch}
		synctest.Wait()
		if got := w.groups(); got != "a" {
			t.Fatalf("groups: %s", got)
		}
		owes := func(group, process string) bool { return w.rec.OwesRemoval(ctx, group, process) }
		if !owes("b", "") || !owes("b", "b") || owes("b", "other") || owes("a", "") || owes("nope", "nope") {
			t.Error("what a stop finds a moment after the watcher")
		}
		if err := w.rec.RemoveGroup(ctx, "b", "uid 7"); err != nil {
			t.Errorf("remove a moment after the watcher: %v", err)
		}
		if owes("b", "b") {
			t.Error("the removal is owed twice")
		}
		time.Sleep(2 * time.Second)
		w.put(hint, "conf.d/b.ini", ini("b"))
		time.Sleep(gracePeriod + time.Second)
		if err := w.rec.AddGroup(ctx, "b", "uid 7"); !errors.Is(err, ErrAlreadyAdded) {
			t.Errorf("add after a minute: %v", err)
		}
		// The minute ends between a reread and what it leads to.
		reread := func() string {
			added, _, removed, err := w.rec.Reread(ctx)
			return fmt.Sprint(added, removed, err)
		}
		w.put(hint, "conf.d/c.ini", ini("c"))
		time.Sleep(gracePeriod - time.Second)
		if got := reread(); got != "[c] [] <nil>" {
			t.Errorf("within the minute a reread says %s", got)
		}
		time.Sleep(2 * time.Second)
		if got := reread(); got != "[] [] <nil>" {
			t.Errorf("after the minute a reread says %s", got)
		}
		if err := w.rec.AddGroup(ctx, "c", "uid 7"); err != nil {
			t.Errorf("add of what a reread has told: %v", err)
		}
		if err := w.rec.AddGroup(ctx, "c", "uid 7"); !errors.Is(err, ErrAlreadyAdded) {
			t.Errorf("add for the second time: %v", err)
		}
		w.sh("rm conf.d/c.ini")
		hint.hints <- watch.Hint{Trigger: TriggerWatch}
		time.Sleep(gracePeriod - time.Second)
		if got := reread(); got != "[] [c] <nil>" {
			t.Errorf("within the minute a reread says %s", got)
		}
		time.Sleep(2 * time.Second)
		if !owes("c", "c") {
			t.Error("the removal that a reread has told is not owed")
		}
		if err := w.rec.RemoveGroup(ctx, "c", "uid 7"); err != nil {
			t.Errorf("remove of what a reread has told: %v", err)
		}
		if err := w.rec.AddGroup(ctx, "a", "uid 7"); !errors.Is(err, ErrAlreadyAdded) {
			t.Errorf("add of a group from the start: %v", err)
		}
	})
}

// TestAddBeforeItIsNoticed: a group whose file has just come back can be added at once.
func TestAddBeforeItIsNoticed(t *testing.T) {
	inBubble(t, "settle_removals=0\n", map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")}, func(w *fixture, hint *fakeWatcher) {
		ctx := context.Background()
		w.sh("mv conf.d/b.ini b.ini")
		hint.hints <- watch.Hint{Trigger: TriggerWatch}
		synctest.Wait()
		if got := w.groups(); got != "a" {
			t.Fatalf("groups: %s", got)
		}
		if err := w.rec.AddGroup(ctx, "b", "uid 7"); !errors.Is(err, ErrBadName) {
			t.Errorf("without its file: %v", err)
		}
		w.sh("mv b.ini conf.d/b.ini")
		if err := w.rec.AddGroup(ctx, "b", "uid 7"); err != nil || w.groups() != "a, b" {
			t.Errorf("with its file: %v; groups: %s", err, w.groups())
		}
		hint.hints <- watch.Hint{Trigger: TriggerWatch}
		synctest.Wait()
		if got := w.groups(); got != "a, b" {
			t.Errorf("groups, once it was noticed: %s", got)
		}
		w.autoupdate(false)
		w.write("conf.d/c.ini", ini("c"))
		if err := w.rec.AddGroup(ctx, "c", "uid 7"); !errors.Is(err, ErrBadName) {
			t.Errorf("without automatic updates and without a reread: %v", err)
		}
	})
}

// TestRemoveWhileRemoving: a remove that comes while the watcher is stopping the
// group waits for it and succeeds.
func TestRemoveWhileRemoving(t *testing.T) {
	inBubble(t, "", map[string]string{"conf.d/a.ini": ini("a")}, func(w *fixture, hint *fakeWatcher) {
		w.table.stopping = func(string, string) time.Duration { return 10 * time.Second }
		w.sh("rm conf.d/a.ini")
		hint.hints <- watch.Hint{Trigger: TriggerWatch}
		time.Sleep(time.Second)
		if err := w.rec.RemoveGroup(context.Background(), "a", "uid 7"); err != nil {
			t.Error(err)
		}
	})
}

// TestRemovedByHand: what a person removed although the files have it stays
// removed, until its definition changes or somebody asks.
func TestRemovedByHand(t *testing.T) {
	inBubble(t, "", map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")}, func(w *fixture, hint *fakeWatcher) {
		ctx := context.Background()
		gone := func() {
			t.Helper()
			w.table.set("a", "a", "STOPPED", true)
			if err := w.rec.RemoveGroup(ctx, "a", "uid 7"); err != nil {
				t.Fatal(err)
			}
			w.put(hint, "conf.d/b.ini", ini("b", "priority=5"))
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := w.groups(); got != "b" || w.rec.State().Phase != Held {
				t.Fatalf("groups: %s, %+v", got, w.rec.State())
			}
		}
		back := func(how string) {
			t.Helper()
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if got := w.groups(); !strings.HasPrefix(got, "a") || w.rec.State().Phase != Synced {
				t.Errorf("%s: groups: %s, %+v", how, got, w.rec.State())
			}
		}
		gone()
		if err := w.rec.AddGroup(ctx, "a", "uid 7"); err != nil {
			t.Error(err)
		}
		back("add")
		gone()
		if _, err := w.rec.Apply(ctx, nil, ""); err != nil {
			t.Error(err)
		}
		back("update")
		gone()
		w.put(hint, "conf.d/a.ini", ini("a", "command=/bin/n"))
		back("a new definition")
	})
}

// TestOldClient: Debian's supervisorctl update (reloadConfig, stop, remove, add)
// with the watcher awake all the time: every call succeeds, the result is what
// the files say, and nothing is started twice.
func TestOldClient(t *testing.T) {
	inBubble(t, "", map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")}, func(w *fixture, hint *fakeWatcher) {
		ctx := context.Background()
		w.write("conf.d/a.ini", ini("a", "command=/bin/n"))
		_, changed, _, err := w.rec.Reread(ctx)
		if err != nil || len(changed) != 1 {
			t.Fatalf("%v, %v", changed, err)
		}
		wake := func() {
			hint.hints <- watch.Hint{Trigger: TriggerWatch}
			time.Sleep(2 * time.Second)
			synctest.Wait()
		}
		w.table.set("a", "a", "STOPPED", true)
		wake()
		if err := w.rec.RemoveGroup(ctx, "a", "uid 7"); err != nil {
			t.Error(err)
		}
		wake()
		if err := w.rec.AddGroup(ctx, "a", "uid 7"); err != nil {
			t.Error(err)
		}
		wake()
		if got := w.groups(); got != "a=n, b" || w.rec.State().Phase != Synced {
			t.Errorf("groups: %s, %+v", got, w.rec.State())
		}
		if len(w.table.wrong) > 0 {
			t.Errorf("broken rules: %v", w.table.wrong)
		}
		var history []string
		for _, e := range w.rec.History(2) {
			history = append(history, fmt.Sprintf("%d %s by %s: %s, %s", e.Generation, e.Trigger, e.Caller, &e.Actions[0], e.Result))
		}
		equal(t, "history", history, []string{"4 update by uid 7: add a, applied", "3 update by uid 7: remove a, applied"})
		var events []string
		for len(w.events) > 0 {
			e := <-w.events
			events = append(events, e.Type+" "+e.Details())
		}
		equal(t, "events", events, []string{
			EventApplied + " add a\nadd b", EventApplied + " inplace a:a", EventApplied + " remove a",
			EventHeld + " reason:a person removed it: run update or add\nadd a", EventApplied + " add a",
		})
	})
}

// TestAddAheadOfTheWatcher: what a person adds after a reread, or removes, is not
// taken back by an automatic update that has not seen the files yet.
func TestAddAheadOfTheWatcher(t *testing.T) {
	inBubble(t, "", map[string]string{"conf.d/a.ini": ini("a")}, func(w *fixture, _ *fakeWatcher) {
		ctx := context.Background()
		w.table.after = func(string) { // as soon as the group is there, or gone
			w.rec.asks <- func(l *loop) { l.undecided = true }
			synctest.Wait()
		}
		w.write("conf.d/b.ini", ini("b")) // no hint yet
		if _, _, _, err := w.rec.Reread(ctx); err != nil {
			t.Fatal(err)
		}
		w.table.took()
		if err := w.rec.AddGroup(ctx, "b", "uid 7"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		equal(t, "log", words(w.table.took()), "add b; start b:b")
		w.table.set("b", "b", "STOPPED", true)
		if err := w.rec.RemoveGroup(ctx, "b", "uid 7"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		equal(t, "log", words(w.table.took()), "remove b")
		if err := w.rec.RemoveGroup(ctx, "a", "uid 7"); !errors.Is(err, ErrStillRunning) {
			t.Errorf("remove of a running group: %v", err)
		}
		if len(w.rec.History(0)) != 3 {
			t.Errorf("a refused remove is in the history: %+v", w.rec.History(0))
		}
	})
}
