package reconcile

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/reconcile/watch"
)

// TestVanishedFiles: a file that is gone is taken for deleted when it has been absent
// for settle_removals, and what comes back before is not touched. Each row is a
// sequence of steps:
//
//	DURATION   that much later
//	groups X   these are the groups
//	did X      this was done since the last "did"
//	phase X    State says this
//	else       a shell command in the root, of which the reconciler is told
func TestVanishedFiles(t *testing.T) {
	program := func(name string, keys ...string) string { return "conf.d/" + name + ".ini\x00" + ini(name, keys...) }
	rows := []struct {
		name  string
		files []string // path, NUL, content
		steps string
	}{
		{"removed and copied back", []string{program("a"), program("b")}, `
			mv conf.d/*.ini . | phase pending | 1s | groups a, b | mv *.ini conf.d | phase synced | 1m | did`},
		{"at the last moment", []string{program("a")}, `
			mv conf.d/a.ini . | 2900ms | mv a.ini conf.d | 1m | did`},
		{"not in time", []string{program("a")}, `
			mv conf.d/a.ini . | 2900ms | did | 200ms | did stop a:a; stopped a:a; remove a | mv a.ini conf.d | 3s | did add a; start a:a`},
		{"each file for itself", []string{program("a"), program("b"), program("c"), program("d"), program("e")}, `
			rm conf.d/a.ini | 2s | rm conf.d/b.ini | 1100ms | groups b, c, d, e | 1s | groups b, c, d, e | 1s | groups c, d, e`},
		{"gone, back and gone", []string{program("a")}, `
			mv conf.d/a.ini . | 2s | mv a.ini conf.d | mv conf.d/a.ini . | 2s | did | 1100ms | groups`},
		{"back as another", []string{program("a")}, `
			rm conf.d/a.ini | 1s | printf '[program:a]\ncommand=/bin/n' >conf.d/a.ini | did stop a:a; stopped a:a; change a; start a:a`},
		{"back as another that counts in place", []string{program("a")}, `
			mv conf.d/a.ini . | 1s | (cat a.ini; echo stopwaitsecs=3) >conf.d/a.ini | did change a`},
		{"a section of a file that stands", []string{"conf.d/two.ini\x00" + ini("a") + ini("b")}, `
			sed -i '/program:b/,$d' conf.d/two.ini | did stop b:b; stopped b:b; remove b`},
		{"an emptied file is none that is gone", []string{program("a"), program("b")}, `
			echo ';nothing' >conf.d/b.ini | did stop b:b; stopped b:b; remove b`},
		{"moved to another file", []string{program("a")}, `
			mv conf.d/a.ini . | 2s | mv a.ini conf.d/z.ini | 1m | did`},
		{"moved into a file that has others", []string{program("a"), program("b")}, `
			mv conf.d/a.ini . | 2s | cat a.ini >>conf.d/b.ini | 1m | did`},
		{"moved and changed", []string{program("a")}, `
			rm conf.d/a.ini | 2s | printf '[program:a]\ncommand=/bin/n' >conf.d/z.ini | did stop a:a; stopped a:a; change a; start a:a`},
		{"another file has it too", []string{program("a"), "conf.d/z.ini\x00" + ini("a", "priority=5")}, `
			rm conf.d/z.ini | 1m | groups a`},
		{"a renamed program starts after the old one", []string{program("old"), program("b"), program("c")}, `
			sed s/old/new/ conf.d/old.ini >conf.d/new.ini; rm conf.d/old.ini | 2900ms | did | phase pending | 200ms |
			did stop old:old; stopped old:old; remove old; add new; start new:new | phase synced`},
		{"a new program that comes later waits too", []string{program("old"), program("b"), program("c")}, `
			mv conf.d/old.ini . | 2s | sed s/old/new/ old.ini >conf.d/new.ini | did | 1100ms |
			did stop old:old; stopped old:old; remove old; add new; start new:new`},
		{"and goes ahead when the old one is back", []string{program("old"), program("b")}, `
			mv conf.d/old.ini . | printf '[program:new]\ncommand=/bin/new' >conf.d/new.ini | did | mv old.ini conf.d | did add new; start new:new`},
		{"a change does not wait", []string{program("a"), program("b"), program("c")}, `
			rm conf.d/a.ini | printf '[program:b]\ncommand=/bin/n' >conf.d/b.ini | did stop b:b; stopped b:b; change b; start b:b`},
		{"a section moved into the place of its file", []string{program("a"), program("b"), program("c")}, `
			(cat conf.d/a.ini; echo '[program:new]'; echo command=/bin/new) >conf.d/z.ini; rm conf.d/a.ini | did add new; start new:new`},
		{"all are gone: too many only when one is due", []string{program("a"), program("b")}, `
			mv conf.d/*.ini . | 2s | phase pending | 2s | phase held | mv *.ini conf.d | phase synced | did`},
		{"slowly: those that wait count too", []string{program("a"), program("b"), program("c")}, `
			mv conf.d/a.ini . | 2s | mv conf.d/b.ini . | 1s | phase held | 1m | groups a, b, c | did`},
		{"a group and its members come back one by one", []string{program("a"), program("b"), "conf.d/g.ini\x00[group:g]\nprograms=a,b\n"}, `
			mv conf.d/*.ini . | 1s | mv a.ini conf.d | mv b.ini conf.d | 1s | mv g.ini conf.d | 1m | did | groups g:a=a, g:b=b`},
		{"a group is dissolved", []string{program("a"), "conf.d/g.ini\x00[group:g]\nprograms=a\n"}, `
			rm conf.d/g.ini | 2s | did | 1100ms | did stop g:a; stopped g:a; remove g; add a; start a:a`},
		{"six times a minute", []string{program("a")}, strings.Repeat(`
			mv conf.d/a.ini . | 2s | mv a.ini conf.d | 2s | `, 6) + `did | phase synced`},
		{"broken when it is back", []string{program("a"), program("b")}, `
			mv conf.d/a.ini . | 1s | echo '[program:a]' >conf.d/a.ini | 1m | did | mv a.ini conf.d | 1s | phase synced | did`},
		{"under a name that is never read", []string{program("a"), program("b"), program("c")}, `
			mv conf.d/a.ini conf.d/a.ini.orig | 2s | mv conf.d/a.ini.orig conf.d/a.ini | 1m | did`},
		{"gone after it has moved", []string{program("a"), program("b")}, `
			mv conf.d/a.ini conf.d/z.ini | 1m | mv conf.d/z.ini . | 2900ms | did | 200ms | did stop a:a; stopped a:a; remove a`},
		{"gone after another has taken its place", []string{program("a"), program("b"), program("c")}, `
			mv conf.d/a.ini conf.d/z.ini; mv conf.d/b.ini conf.d/a.ini | 1m | mv conf.d/z.ini . | 2900ms | did | 200ms | did stop a:a; stopped a:a; remove a`},
		{"gone after a file that cannot be used has taken its place", []string{program("a"), program("b"), program("c")}, `
			mv conf.d/a.ini conf.d/z.ini; mv conf.d/b.ini conf.d/a.ini | 1m | echo '[program:n]' >conf.d/a.ini | rm conf.d/z.ini | 2900ms | did | 200ms |
			did stop a:a; stopped a:a; remove a`},
		{"its directory goes and comes back", []string{program("a")}, `
			mv conf.d x | 1m | mv x conf.d | 1m | did`},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			files := make(map[string]string)
			for _, f := range r.files {
				name, text, _ := strings.Cut(f, "\x00")
				files[name] = text
			}
			inBubble(t, "settle=20ms\nsettle_removals=3s\nrescan=0\n", files, func(w *fixture, hint *fakeWatcher) {
				w.table.took()
				time.Sleep(time.Hour)
				w.follow(hint, r.steps)
			})
		})
	}
}

// follow goes through steps, as TestVanishedFiles has them.
func (w *fixture) follow(hint *fakeWatcher, steps string) {
	w.t.Helper()
	for _, step := range strings.Split(steps, " |") {
		step = strings.TrimSpace(step)
		verb, rest, _ := strings.Cut(step, " ")
		d, notDuration := time.ParseDuration(step)
		got := ""
		switch {
		case notDuration == nil:
			time.Sleep(d)
			synctest.Wait()
			continue
		case verb == "groups":
			got = w.groups()
		case verb == "did":
			got = words(w.table.took())
		case verb == "phase":
			got = w.rec.State().Phase
		default:
			w.sh(step)
			hint.hints <- watch.Hint{Trigger: TriggerWatch}
			synctest.Wait()
			continue
		}
		if got != rest {
			w.t.Fatalf("%s: got %q; state %+v\nlog:\n%s", step, got, w.rec.State(), w.log)
		}
	}
}

// waiting is a fixture for removals that wait.
func waiting(t *testing.T, files map[string]string, test func(*fixture, *fakeWatcher)) {
	inBubble(t, "settle=20ms\nsettle_removals=3s\nrescan=0\nmax_removals=100%\n", files, test)
}

// TestNewGroupsWaitNotForEver: files that are deleted one after the other delay what is
// new for ten times settle_removals at the most.
func TestNewGroupsWaitNotForEver(t *testing.T) {
	waiting(t, programs(40), func(w *fixture, hint *fakeWatcher) {
		w.sh("mv conf.d/p00.ini .")
		w.put(hint, "conf.d/x.ini", ini("x"))
		began := time.Now()
		for i := 1; w.table.pidOf("x", "x") == 0; i++ {
			w.sh(fmt.Sprintf("mv conf.d/p%02d.ini .", i))
			hint.hints <- watch.Hint{Trigger: TriggerWatch}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if took := time.Since(began).Round(time.Second); took != 30*time.Second {
			t.Errorf("it started after %v", took)
		}
	})
}

// TestPersonDoesNotWait: an update removes its names at once, a reread lists what is
// gone, and what nobody named goes on waiting.
func TestPersonDoesNotWait(t *testing.T) {
	waiting(t, programs(4), func(w *fixture, hint *fakeWatcher) {
		ctx := context.Background()
		w.sh("rm conf.d/p00.ini conf.d/p01.ini conf.d/p02.ini")
		hint.hints <- watch.Hint{Trigger: TriggerWatch}
		synctest.Wait()
		if _, _, removed, err := w.rec.Reread(ctx); err != nil || len(removed) != 3 {
			t.Errorf("reread: removed %v, %v", removed, err)
		}
		report, err := w.rec.Apply(ctx, []string{"p01"}, "uid 0")
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "lines", report.Lines, []string{"p01: stopped", "p01: removed process group"})
		equal(t, "groups", w.groups(), "p00, p02, p03")
		w.table.set("p02", "p02", "STOPPED", true)
		if err := w.rec.RemoveGroup(ctx, "p02", "uid 0"); err != nil {
			t.Error(err)
		}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if s := w.rec.State(); s.Phase != Pending || !strings.Contains(s.Reason, "p00.ini is gone: its programs stay until it has been absent for 3s") {
			t.Errorf("%+v", s)
		}
		if f := w.file("conf.d/p00.ini"); f.State != FilePending || !strings.Contains(f.Reason, "is gone") || fmt.Sprint(f.Programs) != "[p00]" {
			t.Errorf("%+v", f)
		}
		w.log.once(t, "reconcile: waiting: group p00: ")
		time.Sleep(4 * time.Second)
		synctest.Wait()
		equal(t, "groups", w.groups(), "p03")
	})
}

// TestManyVanish: many are told in one line.
func TestManyVanish(t *testing.T) {
	waiting(t, programs(20), func(w *fixture, hint *fakeWatcher) {
		w.sh("rm conf.d/*.ini")
		hint.hints <- watch.Hint{Trigger: TriggerWatch}
		synctest.Wait()
		if n := w.log.count("reconcile: waiting: "); n != 1 {
			t.Errorf("%d lines\n%s", n, w.log)
		}
		w.log.once(t, "reconcile: waiting: 20 groups that are gone, the first: group p00: ")
	})
}

// TestEndForgets: a daemon that ends stops nothing because of what was absent, and the
// next one goes by the files that are there.
func TestEndForgets(t *testing.T) {
	waiting(t, programs(2), func(w *fixture, hint *fakeWatcher) {
		w.sh("rm conf.d/p00.ini")
		hint.hints <- watch.Hint{Trigger: TriggerWatch}
		synctest.Wait()
		w.table.took()
		w.stop()
		equal(t, "what the end did", words(w.table.took()), "")
		w.table = newModel()
		if err := w.tryStart(Options{Watcher: hint}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		equal(t, "groups", w.groups(), "p01")
	})
}

// TestRemovedByHandStaysThroughRedeploy: files that go and come back are not what a
// person waits for who removed a group.
func TestRemovedByHandStaysThroughRedeploy(t *testing.T) {
	waiting(t, programs(2), func(w *fixture, hint *fakeWatcher) {
		w.table.set("p00", "p00", "STOPPED", true)
		if err := w.rec.RemoveGroup(context.Background(), "p00", "uid 0"); err != nil {
			t.Fatal(err)
		}
		w.table.took()
		w.follow(hint, "mv conf.d/*.ini . | 1s | mv *.ini conf.d | 1m | did | groups p01")
	})
}

// TestAbsentWhileOff: an absence counts from its beginning, whoever looked.
func TestAbsentWhileOff(t *testing.T) {
	waiting(t, programs(2), func(w *fixture, hint *fakeWatcher) {
		w.autoupdate(false)
		w.table.took()
		w.follow(hint, "rm conf.d/p00.ini | 10s | did")
		w.autoupdate(true)
		synctest.Wait()
		w.follow(hint, "did stop p00:p00; stopped p00:p00; remove p00")
	})
}
