package reconcile

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/reconcile/watch"
	"supervisord/spec"
)

// accountHost is a machine on which accounts come and go.
type accountHost struct {
	testHost
	mu    sync.Mutex
	users map[string]bool
}

func (h *accountHost) LookupUser(name string) (spec.Account, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.users[name] {
		return spec.Account{}, spec.ErrNoAccount
	}
	return spec.Account{Name: name, UID: 77, GID: 77}, nil
}

func (h *accountHost) set(name string, there bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users[name] = there
}

// TestUnusableStaysAsItIs: what a file defines that can no longer be used stays as
// it is, members of groups included, through automatic updates, a person's update of
// everything, of its own name and of another, reread, diff, and a second look; every
// other file goes ahead. When it can be used again, the files are in force.
//
// Source: reconciler.md, When it does not act.
func TestUnusableStaysAsItIs(t *testing.T) {
	logged := func(name string) string { return ini(name, "stdout_logfile=%(here)s/../logs/"+name) }
	group := func(name string, members ...string) string {
		return "[group:" + name + "]\nprograms=" + strings.Join(members, ",") + "\n"
	}
	two := map[string]string{"conf.d/g.ini": group("g", "a", "b"), "conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")}
	rows := []struct {
		name   string
		files  map[string]string
		break_ string            // commands that make something unusable
		user   string            // an account that is there until then, and is back at the end
		edit   map[string]string // files that change then, which are not in force for as long as it is
		before string            // the groups, without other
		broken string            // the file that cannot be used
		mend   string
		after  string
	}{
		{name: "the file of a member goes", files: two, break_: "rm conf.d/a.ini", before: "g:a=a, g:b=b",
			edit: map[string]string{"conf.d/b.ini": ini("b", "command=/bin/n")}, broken: "conf.d/g.ini",
			mend: "printf '[program:a]\ncommand=/bin/a\n' >conf.d/a.ini", after: "g:a=a, g:b=n"},
		{name: "the files of all members go", files: two, break_: "rm conf.d/a.ini conf.d/b.ini", before: "g:a=a, g:b=b", broken: "conf.d/g.ini",
			mend: "rm conf.d/g.ini", after: ""},
		{name: "the section of a member goes from a file that stands", files: map[string]string{"conf.d/g.ini": group("g", "a", "b"), "conf.d/ab.ini": ini("a") + ini("b")},
			break_: "printf '[program:b]\ncommand=/bin/b\n' >conf.d/ab.ini", before: "g:a=a, g:b=b", broken: "conf.d/g.ini",
			mend: "printf '[group:g]\nprograms=b\n' >conf.d/g.ini", after: "g:b=b"},
		{name: "the file of a member gets a name that is not read", files: two, break_: "mv conf.d/a.ini conf.d/a.ini.bak", before: "g:a=a, g:b=b", broken: "conf.d/g.ini",
			mend: "mv conf.d/a.ini.bak conf.d/c.ini", after: "g:a=a, g:b=b"},
		{name: "the group itself has a new name meanwhile", files: two, break_: "rm conf.d/a.ini; mv conf.d/g.ini conf.d/g2.ini", before: "g:a=a, g:b=b", broken: "conf.d/g2.ini",
			mend: "sed -i s/a,b/b/ conf.d/g2.ini", after: "g:b=b"},
		{name: "it becomes ambiguous what a member is", files: two, before: "g:a=a, g:b=b", broken: "conf.d/g.ini",
			break_: "printf '[fcgi-program:a]\ncommand=/bin/f\nsocket=unix:///tmp/f\n' >conf.d/f.ini",
			mend:   "rm conf.d/f.ini", after: "g:a=a, g:b=b"},
		{name: "a fcgi-program of a group goes", files: map[string]string{"conf.d/g.ini": group("g", "f", "b"), "conf.d/b.ini": ini("b"),
			"conf.d/f.ini": "[fcgi-program:f]\ncommand=/bin/f\nsocket=unix:///tmp/f\n"}, break_: "rm conf.d/f.ini", before: "g:b=b, g:f=f", broken: "conf.d/g.ini",
			mend: "sed -i s/f,b/b/ conf.d/g.ini", after: "g:b=b"},
		{name: "the directory of a log goes", files: map[string]string{"conf.d/a.ini": logged("a"), "logs/.keep": ""}, break_: "mv logs logs2", before: "a", broken: "conf.d/a.ini",
			mend: "mv logs2 logs", after: "a"},
		{name: "the directory of a member's log goes", files: map[string]string{"conf.d/g.ini": group("g", "a", "b", "c"), "conf.d/a.ini": ini("a"), "conf.d/b.ini": logged("b"), "conf.d/c.ini": ini("c"), "logs/.keep": ""},
			break_: "mv logs logs2", before: "g:a=a, g:b=b, g:c=c", broken: "conf.d/b.ini", mend: "mv logs2 logs", after: "g:a=a, g:b=b, g:c=c"},
		{name: "the directory of a log goes, of two programs in a file", files: map[string]string{"conf.d/ab.ini": logged("a") + ini("b"), "logs/.keep": ""},
			break_: "mv logs logs2", before: "a, b", broken: "conf.d/ab.ini",
			edit: map[string]string{"conf.d/ab.ini": logged("a") + ini("b", "command=/bin/n")}, mend: "mv logs2 logs", after: "a, b=n"},
		{name: "an account goes", files: map[string]string{"conf.d/a.ini": ini("a", "user=joe")}, user: "joe", before: "a", broken: "conf.d/a.ini", after: "a"},
		{name: "the account of a listener goes", files: map[string]string{"conf.d/l.ini": "[eventlistener:l]\ncommand=/bin/l\nevents=TICK_5\nuser=joe\n"}, user: "joe", before: "l", broken: "conf.d/l.ini", after: "l"},
		{name: "an account of a group in one file goes", files: map[string]string{"conf.d/g.ini": group("g", "a", "b") + ini("a", "user=joe") + ini("b")}, user: "joe",
			before: "g:a=a, g:b=b", broken: "conf.d/g.ini", after: "g:a=a, g:b=b"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				files := maps.Clone(r.files)
				files["conf.d/other.ini"] = ini("other")
				w := newFixture(t, "max_removals=100%\n"+quick, files)
				h := &accountHost{testHost: w.host, users: map[string]bool{r.user: true}}
				h.uid = 0
				w.seen = h
				hint := &fakeWatcher{make(chan watch.Hint, 1)}
				if err := w.tryStart(Options{Watcher: hint}); err != nil {
					t.Fatal(err)
				}
				look := func() {
					time.Sleep(2 * time.Minute)
					hint.hints <- watch.Hint{Trigger: TriggerRescan}
					synctest.Wait()
				}
				is := func(what, groups, other string) {
					t.Helper()
					if groups != "" {
						groups += ", "
					}
					list := strings.Split(groups+other, ", ")
					slices.Sort(list)
					equal(t, what, w.groups(), strings.Join(list, ", "))
				}
				look()
				is("groups", r.before, "other")
				w.table.took()
				untouched := func(what string) {
					t.Helper()
					for _, line := range w.table.took() {
						if !strings.Contains(line, "other") {
							t.Errorf("%s: %s", what, line)
						}
					}
				}

				h.set(r.user, false)
				w.sh(r.break_)
				w.put(hint, "conf.d/other.ini", ini("other", "command=/bin/one"))
				is("groups", r.before, "other=one")
				for name, text := range r.edit {
					w.write(name, text)
				}
				look()
				untouched("automatically")
				if f := w.file(r.broken); f.State != FileInvalid || f.Reason == "" {
					t.Errorf("%s: %+v", r.broken, f)
				}
				if s := w.rec.State(); s.Phase != Invalid {
					t.Errorf("%+v", s)
				}
				ctx := context.Background()
				if actions, err := w.rec.Diff(ctx, nil); err != nil || len(actions) > 0 {
					t.Errorf("diff: %v, %v", actions, err)
				}
				if _, _, _, err := w.rec.Reread(ctx); err == nil {
					t.Error("reread finds nothing wrong")
				}
				for i, names := range [][]string{nil, {"other"}, {"g", "a", "b", "l"}, {"all"}} {
					command := string(rune('p' + i))
					w.write("conf.d/other.ini", ini("other", "command=/bin/"+command))
					report, err := w.rec.Apply(ctx, names, "uid 0")
					if err != nil || report.OK || !strings.Contains(strings.Join(report.Lines, "\n"), "ERROR: "+w.root+"/"+r.broken) {
						t.Errorf("update %v: %+v, %v", names, report, err)
					}
					if i != 2 {
						is("groups after the update", r.before, "other="+command)
					}
					untouched("by a person's update")
					look()
					is("groups afterwards", r.before, "other="+command)
					untouched("after a person's update")
				}

				h.set(r.user, true)
				w.sh(r.mend)
				look()
				is("groups at the end", r.after, "other=s")
				if s := w.rec.State(); s.Phase != Synced || s.Desired != s.Applied {
					t.Errorf("%+v", s)
				}
				w.stop()
			})
		})
	}
}

// TestUnusableByName: a person may still take away by name what cannot be used, and
// bring it back as it was. A member of it is nothing by itself.
func TestUnusableByName(t *testing.T) {
	files := map[string]string{"conf.d/g.ini": "[group:g]\nprograms=a,b\n", "conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b"), "conf.d/c.ini": ini("c")}
	inBubble(t, "", files, func(w *fixture, hint *fakeWatcher) {
		ctx := context.Background()
		look := func(sh string) {
			t.Helper()
			w.sh(sh)
			time.Sleep(2 * time.Minute)
			hint.hints <- watch.Hint{Trigger: TriggerRescan}
			synctest.Wait()
		}
		look("rm conf.d/a.ini")
		for name, want := range map[string]error{"a": ErrBadName, "b": ErrBadName, "g": ErrAlreadyAdded} {
			if err := w.rec.AddGroup(ctx, name, ""); !errors.Is(err, want) {
				t.Errorf("add %s: %v, want %v", name, err, want)
			}
		}
		if err := w.rec.RemoveGroup(ctx, "b", ""); !errors.Is(err, ErrBadName) {
			t.Errorf("remove b: %v", err)
		}
		if err := w.rec.RemoveGroup(ctx, "g", ""); !errors.Is(err, ErrStillRunning) {
			t.Errorf("remove g while it runs: %v", err)
		}
		equal(t, "groups", w.groups(), "c, g:a=a, g:b=b")
		if err := w.table.StopProcesses(ctx, "g", []string{"a", "b"}); err != nil {
			t.Fatal(err)
		}
		if err := w.rec.RemoveGroup(ctx, "g", ""); err != nil {
			t.Error(err)
		}
		look("true")
		equal(t, "groups after remove", w.groups(), "c")
		if report, err := w.rec.Apply(ctx, []string{"c"}, ""); err != nil || report.OK {
			t.Errorf("update c: %+v, %v", report, err)
		}
		equal(t, "groups after update of another", w.groups(), "c")
		look("true")
		if err := w.rec.AddGroup(ctx, "g", ""); err != nil {
			t.Errorf("add g: %v", err)
		}
		look("true")
		equal(t, "groups after add", w.groups(), "c, g:a=a, g:b=b")
		look("printf '[program:a]\ncommand=/bin/n\n' >conf.d/a.ini")
		equal(t, "groups at the end", w.groups(), "c, g:a=n, g:b=b")
		w.phase(Synced)
	})
}

// TestUnusableInHeldDirectory: what cannot be used stays as it is, too, while its file is
// out of sight, and when it has come back.
func TestUnusableInHeldDirectory(t *testing.T) {
	files := map[string]string{"logs/.keep": "", "conf.d/a.ini": ini("a", "stdout_logfile=%(here)s/../logs/a"), "conf.d/b.ini": ini("b")}
	inBubble(t, "settle_removals=0\nmax_removals=100%\n", files, func(w *fixture, hint *fakeWatcher) {
		a := w.table.pidOf("a", "a")
		for _, sh := range []string{"mv logs logs2", "mv conf.d conf2", "mv logs2 logs", "mv logs logs2", "mv conf2 conf.d", "mv logs2 logs"} {
			w.sh(sh)
			hint.hints <- watch.Hint{Trigger: TriggerWatch}
			synctest.Wait()
			if got := w.groups(); got != "a, b" || w.table.pidOf("a", "a") != a {
				t.Fatalf("%s: groups: %s; pid %d, was %d; %v", sh, got, w.table.pidOf("a", "a"), a, w.rec.State())
			}
		}
	})
}
