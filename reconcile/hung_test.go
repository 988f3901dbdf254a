package reconcile

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/reconcile/watch"
	"supervisord/runtime/hang"
)

// bothDirs is a main file that includes conf.d and extra.
func (w *fixture) bothDirs(settings string) {
	w.write("main.conf", "[supervisord]\n[include]\nfiles = conf.d/*.ini extra/*.ini\n[reconcile]\nstatedir="+w.root+"/state\n"+settings)
}

// TestHungDirectory: what comes from a disk that does not answer stays as it is;
// everything else and every client goes on, and what changed there meanwhile is
// applied when it answers.
func TestHungDirectory(t *testing.T) {
	files := map[string]string{"conf.d/a.ini": ini("a"), "extra/x.ini": ini("x"), "extra/y.ini": ini("y")}
	inBubble(t, "", files, func(w *fixture, hint *fakeWatcher) {
		ctx := context.Background()
		w.bothDirs(quick)
		hint.hints <- watch.Hint{Trigger: TriggerWatch}
		synctest.Wait()
		equal(t, "groups", w.groups(), "a, x, y")
		w.hang("extra")
		w.put(hint, "conf.d/b.ini", ini("b"))

		began := time.Now()
		state, list, history := w.rec.State(), w.rec.Files(), w.rec.History(0)
		if state.Phase == "" || len(list) == 0 || len(history) == 0 {
			t.Errorf("no answer: %+v, %d files, %d entries", state, len(list), len(history))
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("State, Files and History waited %v for a disk", took)
		}

		time.Sleep(hang.Patience)
		synctest.Wait()
		equal(t, "groups", w.groups(), "a, b, x, y")
		if holds := w.holds(); !strings.Contains(holds, w.root+"/extra does not answer: its programs stay as they are") {
			t.Errorf("holds: %s", holds)
		}
		if f := w.file("extra/x.ini"); f.State != FileHeld {
			t.Errorf("x.ini: %+v", f)
		}

		// Any number of clients: each is answered at once by now.
		began = time.Now()
		var clients sync.WaitGroup
		for range 100 {
			clients.Go(func() {
				if _, _, removed, err := w.rec.Reread(ctx); err != nil || len(removed) > 0 {
					t.Errorf("reread: removed %v, %v", removed, err)
				}
				if actions, err := w.rec.Diff(ctx, nil); err != nil || len(actions) > 0 {
					t.Errorf("diff: %v, %v", actions, err)
				}
			})
		}
		clients.Wait()
		if report, err := w.rec.Apply(ctx, nil, "uid 0"); err != nil || report.OK || len(report.Actions) > 0 ||
			!strings.Contains(strings.Join(report.Lines, "\n"), "ERROR: the directory "+w.root+"/extra does not answer: its programs stay as they are") {
			t.Errorf("update: %+v, %v", report, err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("clients waited %v", took)
		}
		equal(t, "groups", w.groups(), "a, b, x, y")

		w.write("extra/x.ini", ini("x", "command=/bin/n"))
		w.sh("rm extra/y.ini")
		w.answers("extra")
		synctest.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		equal(t, "groups when it answers", w.groups(), "a, b, x=n, y")
		if holds := w.holds(); !strings.Contains(holds, "came back without 1 file") {
			t.Errorf("holds: %s", holds)
		}
		time.Sleep(2 * returnTime)
		synctest.Wait()
		equal(t, "groups a minute later", w.groups(), "a, b, x=n")
		equal(t, "holds", w.holds(), "[]")
	})
}

// TestClientGivesUp: a client whose context ends is not kept by a disk, and what
// it asked for is over with it.
func TestClientGivesUp(t *testing.T) {
	inBubble(t, "", map[string]string{"conf.d/a.ini": ini("a")}, func(w *fixture, _ *fakeWatcher) {
		w.hang("conf.d")
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		var clients sync.WaitGroup
		for name, ask := range map[string]func() error{
			"reread": func() error { _, _, _, err := w.rec.Reread(ctx); return err },
			"diff":   func() error { _, err := w.rec.Diff(ctx, nil); return err },
			"check":  func() error { return w.rec.Check(ctx) },
			"update": func() error { _, err := w.rec.Apply(ctx, nil, ""); return err },
		} {
			clients.Go(func() {
				if err := ask(); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		clients.Wait()
		if took := time.Since(began); took != 100*time.Millisecond {
			t.Errorf("clients waited %v", took)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		equal(t, "groups", w.groups(), "a")
		w.answers("conf.d")
	})
}

// TestHungLogs: a directory for logs that does not answer makes no file wrong.
func TestHungLogs(t *testing.T) {
	logged := func(name string, lines ...string) string {
		return ini(name, append(lines, "stdout_logfile=%(here)s/../logs/"+name)...)
	}
	files := map[string]string{"conf.d/a.ini": logged("a"), "logs/.keep": ""}
	inBubble(t, quick, files, func(w *fixture, hint *fakeWatcher) {
		w.hang("logs")
		w.put(hint, "conf.d/b.ini", logged("b"))
		time.Sleep(hang.Patience)
		synctest.Wait()
		equal(t, "groups", w.groups(), "a, b")
		if _, _, _, err := w.rec.Reread(context.Background()); err != nil {
			t.Error(err)
		}
		if s := w.rec.State(); s.Phase != Synced {
			t.Errorf("%+v", s)
		}
		w.answers("logs")
		synctest.Wait()
		equal(t, "groups when it answers", w.groups(), "a, b")
		if actions, err := w.rec.Diff(context.Background(), nil); err != nil || len(actions) > 0 {
			t.Errorf("diff: %v, %v", actions, err)
		}
	})
}

// TestHungMainFile: nothing is known of the main file then; all stays as it is.
func TestHungMainFile(t *testing.T) {
	inBubble(t, "", map[string]string{"conf.d/a.ini": ini("a")}, func(w *fixture, hint *fakeWatcher) {
		w.hang("main.conf")
		w.put(hint, "conf.d/b.ini", ini("b"))
		time.Sleep(hang.Patience)
		synctest.Wait()
		if s := w.rec.State(); s.Phase != Invalid || !strings.Contains(s.Reason, "does not answer") {
			t.Errorf("%+v", s)
		}
		equal(t, "groups", w.groups(), "a")
		w.answers("main.conf")
		synctest.Wait()
		equal(t, "groups when it answers", w.groups(), "a, b")
	})
}

// TestEndsThoughDisksHang: neither the include directory nor the state directory
// keeps Run from ending.
func TestEndsThoughDisksHang(t *testing.T) {
	inBubble(t, "", map[string]string{"conf.d/a.ini": ini("a")}, func(w *fixture, hint *fakeWatcher) {
		w.hang("conf.d")
		w.put(hint, "other", "")
		began := time.Now()
		w.stop()
		if took := time.Since(began); took > keepPatience {
			t.Errorf("it took %v", took)
		}
		if _, _, _, err := w.rec.Reread(context.Background()); !errors.Is(err, ErrNotRunning) {
			t.Errorf("reread after the end: %v", err)
		}
		w.answers("conf.d")
	})
}

// TestBadMainFile: settings have a last good, as contents do. Without it a bad
// save of the main file would leave settle, rescan and autoupdate at nothing.
func TestBadMainFile(t *testing.T) {
	inBubble(t, "settle=2s\nrescan=10s\n", programs(4), func(w *fixture, hint *fakeWatcher) {
		text, err := os.ReadFile(w.root + "/main.conf")
		if err != nil {
			t.Fatal(err)
		}
		before := string(text)
		w.put(hint, "main.conf", strings.Replace(before, "[supervisord]\n", "[supervisord]\nloglevel=nonsense\n", 1))
		if s := w.rec.State(); s.Phase != Invalid || !s.Autoupdate {
			t.Errorf("%+v", s)
		}
		settings := w.rec.published.Load().view.settings
		if settings.Settle != 2*time.Second || settings.Rescan != 10*time.Second {
			t.Errorf("settings: %+v", settings)
		}
		if f := w.file("main.conf"); f.State != FileInvalid || !strings.Contains(f.Reason, "loglevel") || f.Changed.IsZero() {
			t.Errorf("main.conf: %+v", f)
		}
		n := 0
		for _, f := range w.rec.Files() {
			if strings.HasSuffix(f.Path, "main.conf") {
				n++
			}
		}
		if n != 1 {
			t.Errorf("main.conf is listed %d times", n)
		}
		// Missed by every notice, its repair is found by looking again.
		w.write("main.conf", before)
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if s := w.rec.State(); s.Phase != Synced {
			t.Errorf("%+v", s)
		}
		equal(t, "groups", w.groups(), "p00, p01, p02, p03")
	})
}

// TestHungLink: a link to a disk that does not answer holds the file of that name alone,
// as it was in force, or leaves it out where nothing is known of it. It is read again when
// the disk answers.
func TestHungLink(t *testing.T) {
	for _, r := range []struct {
		name string
		link string // how the files x and y of the disk get into the directory
	}{
		{"link", "ln -s ../disk/x.ini conf.d/x.ini; ln -s ../disk/y.ini conf.d/y.ini"},
		{"link of a link", "ln -s disk/x.ini x.ini; ln -s ../x.ini conf.d/x.ini; ln -s ../disk/y.ini conf.d/y.ini"},
		{"absolute", "ln -s $PWD/disk/x.ini conf.d/x.ini; ln -s $PWD/disk/y.ini conf.d/y.ini"},
	} {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("a"), "disk/x.ini": ini("x")})
				w.sh(r.link)
				hint := &fakeWatcher{make(chan watch.Hint, 1)}
				if err := w.tryStart(Options{Watcher: hint}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				equal(t, "groups", w.groups(), "a, x")

				// y, too, which was not there before.
				w.write("disk/y.ini", ini("y"))
				for _, path := range []string{"disk", "conf.d/x.ini", "conf.d/y.ini"} {
					w.hang(path)
				}
				began := time.Now()
				w.put(hint, "conf.d/b.ini", ini("b"))
				time.Sleep(hang.Patience)
				synctest.Wait()
				equal(t, "groups with the disk hung", w.groups(), "a, b, x")
				if f := w.file("conf.d/x.ini"); f.State != FileHeld || !strings.Contains(f.Reason, "conf.d/x.ini does not answer: its programs stay as they are") {
					t.Errorf("x.ini: %+v", f)
				}
				if f := w.file("conf.d/y.ini"); f.State != FileIgnored || f.Reason != "it does not answer" {
					t.Errorf("y.ini: %+v", f)
				}
				if f := w.file("conf.d/a.ini"); f.State != FileApplied {
					t.Errorf("a.ini: %+v", f)
				}
				time.Sleep(time.Second)
				w.put(hint, "conf.d/a.ini", ini("a", "command=/bin/n"))
				w.sh("rm conf.d/b.ini")
				hint.hints <- watch.Hint{Trigger: TriggerWatch}
				synctest.Wait()
				time.Sleep(time.Second)
				synctest.Wait()
				equal(t, "groups after a change beside it", w.groups(), "a=n, x")
				report, err := w.rec.Apply(context.Background(), nil, "uid 0")
				if err != nil || report.OK || !strings.Contains(strings.Join(report.Lines, "\n"), "ERROR: "+w.root+"/conf.d/x.ini does not answer: its programs stay as they are") {
					t.Errorf("update: %+v, %v", report, err)
				}
				if took := time.Since(began); took > hang.Patience+3*time.Second {
					t.Errorf("all of that took %v", took)
				}

				w.write("disk/x.ini", ini("x", "command=/bin/m"))
				for _, path := range []string{"disk", "conf.d/x.ini", "conf.d/y.ini"} {
					w.answers(path)
				}
				synctest.Wait()
				time.Sleep(time.Second)
				synctest.Wait()
				equal(t, "groups when it answers", w.groups(), "a=n, x=m, y")
				equal(t, "holds", w.holds(), "[]")
				w.stop()
			})
		})
	}
}
