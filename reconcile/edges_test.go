package reconcile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/reconcile/watch"
)

// TestTimerDuringUpdate: what is due while an update runs waits for its end. A
// loop that did not wait would spin, and time in the bubble would stand still.
func TestTimerDuringUpdate(t *testing.T) {
	files := map[string]string{"conf.d/a.ini": ini("a"), "conf.d/bad.ini": "[program:bad"}
	inBubble(t, "rescan=1s\n", files, func(w *fixture, hint *fakeWatcher) {
		w.table.stopping = func(string, string) time.Duration { return time.Minute }
		w.put(hint, "conf.d/a.ini", ini("a", "command=/bin/n"))
		if s := w.rec.State(); s.Phase != Applying {
			t.Fatalf("state: %+v", s)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := w.groups(); got != "a=n" {
			t.Errorf("groups: %s", got)
		}
	})
}

// TestHistoryAtShutdown: what an update did before the daemon ended in the middle
// of it is in the history of the next.
func TestHistoryAtShutdown(t *testing.T) {
	files := map[string]string{"conf.d/a.ini": ini("a", "priority=2"), "conf.d/b.ini": ini("b", "priority=1")}
	inBubble(t, "max_removals=100%\n", files, func(w *fixture, hint *fakeWatcher) {
		w.table.stopping = func(group, _ string) time.Duration {
			return map[string]time.Duration{"a": time.Second, "b": time.Hour}[group]
		}
		w.sh("rm conf.d/*.ini")
		hint.hints <- watch.Hint{Trigger: TriggerWatch}
		time.Sleep(time.Minute) // a is gone, b takes its time
		w.stop()
		var history []Entry
		if !stored(w.rec.Store().Dir()).Load(historyItem, &history) || len(history) != 2 {
			t.Fatalf("history: %+v", history)
		}
		if e := history[1]; len(e.Actions) != 1 || e.Actions[0].String() != "remove a" {
			t.Errorf("the last entry is %+v", e)
		}
	})
}

// TestDiffDuringStop: somebody who asks for the difference while a process is
// being stopped for a change does not make it stay down.
func TestDiffDuringStop(t *testing.T) {
	inBubble(t, "", map[string]string{"conf.d/a.ini": ini("a", "autostart=false")}, func(w *fixture, hint *fakeWatcher) {
		w.table.start(w.table.groups["a"], "a") // by hand
		w.table.stopping = func(string, string) time.Duration { return 10 * time.Second }
		tries := 0
		w.table.refusing(func(op string) error {
			if tries++; op == "change a" && tries == 1 {
				return ErrConflict
			}
			return nil
		})
		w.put(hint, "conf.d/a.ini", ini("a", "autostart=false", "command=/bin/n"))
		if _, err := w.rec.Diff(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.groups(); got != "a=n" {
			t.Errorf("groups: %s", got)
		}
	})
}

// TestRetriesOfTwo: two groups that keep failing at different times are each told
// of once.
func TestRetriesOfTwo(t *testing.T) {
	inBubble(t, "", map[string]string{"conf.d/c.ini": ini("c")}, func(w *fixture, hint *fakeWatcher) {
		w.table.refusing(func(op string) error { return errors.New("no " + op) })
		w.put(hint, "conf.d/a.ini", ini("a"))
		time.Sleep(10 * time.Second)
		w.put(hint, "conf.d/b.ini", ini("b"))
		time.Sleep(time.Hour)
		synctest.Wait()
		w.log.once(t, "no add a")
		w.log.once(t, "no add b")
		if n := len(w.rec.History(0)); n != 3 {
			t.Errorf("%d entries in the history, want the start and one for each: %+v", n, w.rec.History(0))
		}
		w.table.refusing(func(op string) error { return errors.New("still no " + op) })
		time.Sleep(time.Hour)
		synctest.Wait()
		w.log.once(t, "still no add a")
	})
}

// TestForgets: names that come and go leave nothing behind.
func TestForgets(t *testing.T) {
	inBubble(t, "max_removals=100%\n", nil, func(w *fixture, hint *fakeWatcher) {
		for i := range 20 {
			name := fmt.Sprintf("job%d", i)
			w.put(hint, "conf.d/job.ini", ini(name))
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			if got := w.groups(); got != name {
				t.Fatalf("groups: %s, want %s", got, name)
			}
		}
		remembered, err := ask(context.Background(), w.rec, func(l *loop, answer func(map[string]int)) {
			g := l.guard
			answer(map[string]int{
				"updated": len(g.updated), "earlier": len(g.earlier), "returns": len(g.returns), "seen": len(g.seen), "changed": len(g.changed), "failed": len(g.failed),
				"removed": len(g.removed), "gone": len(g.gone), "owed": len(l.debts),
				"pending": len(l.pending),
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		for what, n := range remembered {
			if n > 2 {
				t.Errorf("%s: %d names are remembered", what, n)
			}
		}
	})
}

// TestHistoryIsBounded: by entries, and by the actions in them.
func TestHistoryIsBounded(t *testing.T) {
	var history []Entry
	record := func(e Entry) { history = withEntry(history, e) }
	for i := range 2 * historyLimit {
		record(Entry{Generation: i})
	}
	if len(history) != historyLimit || history[0].Generation != historyLimit {
		t.Errorf("%d entries from %d on", len(history), history[0].Generation)
	}
	for i := range 3 {
		record(Entry{Generation: i, Actions: make([]Action, historyActions/2)})
	}
	if len(history) != 2 || history[0].Generation != 1 {
		t.Errorf("%d entries, the first with %d actions", len(history), len(history[0].Actions))
	}
	if record(Entry{Actions: make([]Action, 2*historyActions)}); len(history) != 1 {
		t.Errorf("%d entries; the last one stays however long it is", len(history))
	}
}

// TestFilesShowRemovals: files that are gone, and the sections that are gone from
// files, are listed for as long as what they defined is active.
func TestFilesShowRemovals(t *testing.T) {
	files := programs(5)
	files["conf.d/two.ini"] = ini("q") + ini("r")
	inBubble(t, "", files, func(w *fixture, hint *fakeWatcher) {
		w.autoupdate(false)
		w.sh("rm conf.d/p*.ini")
		w.put(hint, "conf.d/two.ini", ini("q"))
		check := func(state, reason string) {
			t.Helper()
			for name, groups := range map[string]string{
				"conf.d/p00.ini": "p00", "conf.d/two.ini": "q r", "conf.d": "q p00 p01 p02 p03 p04 r",
			} {
				f := w.file(name)
				if f.State != state || strings.Join(f.Programs, " ") != groups || !strings.Contains(f.Reason, reason) {
					t.Errorf("%s: %+v, want %s of %s", name, f, state, groups)
				}
			}
		}
		check(FilePending, "")
		w.autoupdate(true)
		synctest.Wait()
		check(FileHeld, "max_removals")
		if _, err := w.rec.Apply(context.Background(), nil, ""); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if f := w.file("conf.d/p00.ini"); f.Path != "" {
			t.Errorf("after the update: %+v", f)
		}
	})
}

// TestFilesShowWarnings: what is accepted although it is probably a mistake stands
// with its file, the main file too.
func TestFilesShowWarnings(t *testing.T) {
	const program = "[program:%s]\ncommand=/bin/cat\n%s\n"
	files := map[string]string{
		"conf.d/a.ini": fmt.Sprintf(program, "a", "autorestrat=true"), "conf.d/b.ini": fmt.Sprintf(program, "b", ""),
		"conf.d/c.ini": fmt.Sprintf(program, "c", "startsecs=x"),
	}
	inBubble(t, "setle=1s", files, func(w *fixture, _ *fakeWatcher) {
		for name, want := range map[string]struct{ state, warnings string }{
			"main.conf":    {FileApplied, "[reconcile] setle: the key is unknown and has no effect (did you mean settle?)"},
			"conf.d/a.ini": {FileApplied, "a.ini:3: [program:a] autorestrat: the key is unknown and has no effect (did you mean autorestart?)"},
			"conf.d/b.ini": {FileApplied, ""},
			"conf.d/c.ini": {FileInvalid, ""},
		} {
			f := w.file(name)
			if got := strings.Join(f.Warnings, "\n"); f.State != want.state || f.Directory || (got == "") != (want.warnings == "") || !strings.HasSuffix(got, want.warnings) {
				t.Errorf("%s: %+v, want %+v", name, f, want)
			}
		}
		if f := w.file("conf.d"); !f.Directory {
			t.Errorf("the directory: %+v", f)
		}
	})
}

// TestStoreLeavesNoTemporaries: what a daemon left that was killed while it wrote is
// removed by a later write, not what another one is writing now.
func TestStoreLeavesNoTemporaries(t *testing.T) {
	dir := t.TempDir()
	long := time.Now().Add(-time.Hour)
	for _, name := range []string{"x.json.left.tmp", "x.json.new.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half of it and more"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(filepath.Join(dir, "x.json.left.tmp"), long, long); err != nil {
		t.Fatal(err)
	}
	if err := OpenStore(dir, nil).Save("x", "y", true); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(dir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "what is there", left, []string{dir + "/x.json", dir + "/x.json.new.tmp"})
	var got string
	if !stored(dir).Load("x", &got) || got != "y" {
		t.Errorf("read %q", got)
	}
}

// TestChangeAtEachStep: whichever step of an update newer content comes in, the
// newest is in force in the end, and what neither concerns is left alone.
func TestChangeAtEachStep(t *testing.T) {
	files := map[string]string{
		"conf.d/keep.ini": ini("keep"), "conf.d/a.ini": ini("a", "priority=1"), "conf.d/b.ini": ini("b", "priority=2"),
		"conf.d/c.ini": ini("c", "priority=3"), "conf.d/d.ini": ini("d", "priority=4"),
	}
	for step, reached := int32(1), true; reached; step++ {
		inBubble(t, "max_removals=100%\n", files, func(w *fixture, hint *fakeWatcher) {
			keep := w.table.pidOf("keep", "keep")
			var asked atomic.Int32
			w.table.stopping = func(string, string) time.Duration { return 3 * time.Second }
			w.table.before = func(string) {
				if asked.Add(1) != step {
					return
				}
				w.write("conf.d/a.ini", ini("a", "priority=1"))                        // back to what it was
				w.write("conf.d/b.ini", ini("b", "priority=2", "command=/bin/newest")) // changed once more
				w.write("conf.d/c.ini", ini("c", "priority=3"))                        // back from the dead
				w.sh("rm -f conf.d/d.ini conf.d/e.ini")
				hint.hints <- watch.Hint{Trigger: TriggerWatch}
			}
			w.write("conf.d/a.ini", ini("a", "priority=1", "command=/bin/n"))
			w.write("conf.d/b.ini", ini("b", "priority=2", "command=/bin/n"))
			w.write("conf.d/e.ini", ini("e"))
			w.sh("rm conf.d/c.ini")
			hint.hints <- watch.Hint{Trigger: TriggerWatch}
			time.Sleep(time.Minute)
			synctest.Wait()
			want := "a, b=newest, c, keep"
			if reached = asked.Load() >= step; !reached {
				want = "a=n, b=n, d, e, keep"
			}
			if got := w.groups(); got != want || w.rec.State().Phase != Synced {
				t.Errorf("step %d: groups %s, want %s; %+v", step, got, want, w.rec.State())
			}
			if w.table.pidOf("keep", "keep") != keep || len(w.table.wrong)+len(w.table.stale()) > 0 {
				t.Errorf("step %d: keep was touched, or rules broken: %v", step, w.table.wrong)
			}
		})
		if step == 1 && !reached {
			t.Fatal("nothing was asked of the table")
		}
	}
}

// TestRealDirectories: State says where each include directory really is, also
// after the link on its path was flipped, as git-sync does for each commit.
func TestRealDirectories(t *testing.T) {
	inBubble(t, "", nil, func(w *fixture, hint *fakeWatcher) {
		real := func() string {
			t.Helper()
			hint.hints <- watch.Hint{Trigger: TriggerWatch}
			synctest.Wait()
			for _, d := range w.rec.State().Directories {
				if d.Path == w.root+"/conf.d" {
					return d.Real
				}
			}
			t.Fatalf("no conf.d: %+v", w.rec.State())
			return ""
		}
		w.sh("mkdir -p wt/1111 wt/2222; rmdir conf.d; ln -s wt/1111 conf.d")
		equal(t, "directory", real(), w.root+"/wt/1111")
		w.sh("ln -s wt/2222 t; mv -T t conf.d")
		equal(t, "directory", real(), w.root+"/wt/2222")
		w.sh("rm conf.d")
		equal(t, "a directory that is not there", real(), "")
	})
}

// TestTenThousandFiles: with so many files an edit of one is one action, and a
// removal of some is held or not as with few.
func TestTenThousandFiles(t *testing.T) {
	const n = 10_000
	w := newFixture(t, "rescan=0\n", nil)
	for i := range n {
		name := fmt.Sprintf("p%05d", i)
		if err := os.WriteFile(w.root+"/conf.d/"+name+".ini", []byte(ini(name)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w.start()
	w.eventually("all are there", func() bool { return len(w.table.Groups()) == n })
	w.table.took()
	w.write("conf.d/p00007.ini", ini("p00007", "command=/bin/n"))
	w.eventually("one is changed", func() bool { return w.rec.History(1)[0].Trigger == TriggerWatch })
	w.eventually("nothing is being done", func() bool { return w.rec.State().Phase == Synced })
	equal(t, "actions", words(w.table.took()), "stop p00007:p00007; stopped p00007:p00007; change p00007; start p00007:p00007")
	w.sh("rm conf.d/p0[0-5]*.ini")
	w.eventually("the removal of most is held", func() bool { return strings.Contains(w.rec.State().Reason, "would remove 6000 of 10000") })
	equal(t, "actions", words(w.table.took()), "")
}
