package reconcile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/reconcile/watch"
)

// TestBadFile: a file that cannot be used keeps its own last good content in
// force, every other one goes ahead, the mistake is told once with its place,
// and the file is tried again when it changes.
func TestBadFile(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]string{
		"no syntax":     "[program:a\ncommand=/bin/a\n",
		"wrong content": "[program:a]\ncommand=/bin/a\npriority=high\n",
		"no command":    "[program:a]\nautostart=true\n",
		"not text":      "[program:a]\ncommand=\xff\xfe\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")}).start()
			w.becomes("a, b")
			w.write("conf.d/a.ini", bad)
			if reason := w.phase(Invalid); !strings.Contains(reason, "conf.d/a.ini") {
				t.Errorf("reason %q does not name the file", reason)
			}
			w.write("conf.d/c.ini", ini("c"))
			w.write("conf.d/b.ini", ini("b", "command=/bin/n"))
			w.becomes("a, b=n, c")
			if f := w.file("conf.d/a.ini"); f.State != FileInvalid || f.Reason == "" {
				t.Errorf("the file is %+v", f)
			}
			w.log.once(t, "level=ERROR")
			w.write("conf.d/a.ini", ini("a", "command=/bin/good"))
			w.becomes("a=good, b=n, c")
			w.phase(Synced)
			if f := w.file("conf.d/a.ini"); f.State != FileApplied || f.Reason != "" {
				t.Errorf("the file is %+v", f)
			}
		})
	}
}

// TestBadNewFile: a file that never was good is left out, and says so.
func TestBadNewFile(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("a")}).start()
	w.write("conf.d/b.ini", "[program:b]\ncommand=%(nope)s\n")
	w.phase(Invalid)
	w.becomes("a")
	w.write("conf.d/b.ini", ini("b"))
	w.becomes("a, b")
	w.phase(Synced)
}

// including is a reconciler of the programs a and b, whose files the setup has put where
// the patterns find them.
func including(t *testing.T, patterns, setup string) *fixture {
	t.Helper()
	w := newFixture(t, "", map[string]string{"a.ini": ini("a"), "b.ini": ini("b")})
	w.write("main.conf", "[supervisord]\n[include]\nfiles = "+patterns+"\n[reconcile]\nstatedir="+w.root+"/state\n"+quick)
	w.sh(setup)
	w.start()
	w.becomes("a, b")
	return w
}

// TestMatchedDirectoryGoes: a directory that a wildcard matched goes like a file,
// as long as what stands before the wildcard is there. What is held never stands
// against a live file.
func TestMatchedDirectoryGoes(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name    string
		include string
		setup   string
		do      string
		want    string
	}{
		{"it is deleted", "top/*/*.ini", "mkdir -p top/1 top/2; mv a.ini top/1; mv b.ini top/2", "rm -r top/1", "b"},
		{"it is renamed", "top/*/*.ini", "mkdir -p top/1 top/2; mv a.ini top/1; mv b.ini top/2", "mv top/1 top/3", "a, b"},
		{"it is renamed and edited", "top/*/*.ini", "mkdir -p top/1 top/2; mv a.ini top/1; mv b.ini top/2", "mv top/1 top/3; sed -i s,/bin/a,/bin/n, top/3/a.ini", "a=n, b"},
		{"a parent that the wildcard matched is deleted", "top/*/conf/*.ini", "mkdir -p top/1/conf top/2/conf; mv a.ini top/1/conf; mv b.ini top/2/conf", "rm -r top/1", "b"},
		{"two wildcards", "top/*/*/*.ini", "mkdir -p top/1/x top/2/x; mv a.ini top/1/x; mv b.ini top/2/x", "rm -r top/1", "b"},
		{"the include no longer leads there", "d/*.ini e/*.ini", "mkdir d e; mv a.ini d; mv b.ini e", "sed -i 's,d/\\*.ini,,' main.conf; sleep 0.2; rm -r d", "b"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			w := including(t, r.include, r.setup)
			b := w.table.pidOf("b", "b")
			w.sh(r.do)
			w.becomes(r.want)
			w.phase(Synced)
			if w.table.pidOf("b", "b") != b {
				t.Error("b was restarted")
			}
		})
	}
}

// TestHeldYields: what is held yields to a live file that has the same section now, and
// goes on yielding; what no live file has stays as it is.
func TestHeldYields(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name    string
		include string
		setup   string
		do      []string // each with what becomes of it
	}{
		{"an emptied file", "d/*.ini", "mkdir d; cat a.ini b.ini >d/two.ini", []string{
			"sed s,/bin/a,/bin/n, a.ini >d/1.ini; true >d/two.ini", "a=n, b", "sed s,/bin/a,/bin/m, a.ini >d/1.ini", "a=m, b", "touch d/two.ini", "a=m, b",
		}},
		{"an emptied file that is read last", "d/*.ini", "mkdir d; cat a.ini b.ini >d/0.ini", []string{
			"sed s,/bin/a,/bin/n, a.ini >d/1.ini; true >d/0.ini", "a=n, b", "rm d/1.ini", "a, b",
		}},
		{"a directory that is gone", "d/*.ini e/*.ini", "mkdir d e; mv a.ini d; mv b.ini e", []string{
			"sed s,/bin/b,/bin/n, e/b.ini >new; mv e away; mv new d/b.ini", "a, b=n", "sed -i s,/bin/n,/bin/m, d/b.ini", "a, b=m",
		}},
		{"the one that it yields to is held as well", "d/*.ini e/*.ini", "mkdir d e; mv a.ini d; mv b.ini e", []string{
			"sed s,/bin/b,/bin/n, e/b.ini >new; mv e away; mv new d/b.ini", "a, b=n",
			"true >d/b.ini; sed -i s,/bin/a,/bin/x, d/a.ini", "a=x, b=n", "sed s,/bin/b,/bin/m, away/b.ini >d/b.ini", "a=x, b=m",
		}},
		{"the one that it yields to cannot be used and goes", "d/*.ini e/*.ini", "mkdir d e logs; mv a.ini d; mv b.ini e", []string{
			"(sed s,/bin/b,/bin/n, e/b.ini; echo stdout_logfile=$PWD/logs/b) >new; mv e away; mv new d/b.ini", "a, b=n",
			"mv logs logs2; true >d/b.ini; sed -i s,/bin/a,/bin/x, d/a.ini", "a=x, b=n", "rm d/b.ini; sed -i s,/bin/x,/bin/y, d/a.ini", "a=y, b",
		}},
		{"both cannot be used for a while", "d/*.ini e/*.ini", "mkdir d e logs; mv a.ini d; (cat b.ini; echo stdout_logfile=$PWD/logs/b) >e/b.ini", []string{
			"sed s,/bin/b,/bin/n, e/b.ini >new; mv e away; mv new d/b.ini", "a, b=n",
			"mv logs logs2; sed -i s,/bin/a,/bin/x, d/a.ini", "a=x, b=n", "mv logs2 logs; sed -i s,/bin/x,/bin/y, d/a.ini", "a=y, b=n",
			"mv logs logs2; sed -i s,/bin/y,/bin/x, d/a.ini", "a=x, b=n", "rm d/b.ini; sed -i s,/bin/x,/bin/y, d/a.ini", "a=y, b=n",
			"mv logs2 logs; sed -i s,/bin/y,/bin/x, d/a.ini", "a=x, b",
		}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			w := including(t, r.include, r.setup)
			for i := 0; i < len(r.do); i += 2 {
				w.sh(r.do[i])
				w.becomes(r.do[i+1])
				if err := w.rec.AtRest(t.Context()); err != nil {
					t.Fatal(err)
				}
				equal(t, "groups at rest after "+r.do[i], w.groups(), r.do[i+1])
			}
		})
	}
}

// TestNewFileWhereOthersAreHeld: what is new in a directory that came back without its
// files is read, while they are held.
func TestNewFileWhereOthersAreHeld(t *testing.T) {
	t.Parallel()
	w := including(t, "d/*.ini e/*.ini", "mkdir d e; mv a.ini d; mv b.ini e")
	w.sh("mv e away")
	w.phase(Held)
	w.sh("mkdir f; sed s,/bin/a,/bin/n, d/a.ini >f/new.ini; mv f e; rm d/a.ini") // e is never seen empty
	w.becomes("a=n, b")
	if reason := w.phase(Held); !strings.Contains(reason, "came back without any of its files") {
		t.Errorf("reason: %s", reason)
	}
	w.sh("mv away/b.ini e")
	w.phase(Synced)
	w.becomes("a=n, b")
}

// TestEmptied: a file that had programs and is blank now is no removal, until a
// person decides; one in which all is commented out is.
func TestEmptied(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "max_removals=100%\n"+quick, map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b"), "conf.d/note.ini": "; nothing\n"}).start()
	a := w.table.pidOf("a", "a")
	w.sh("true >conf.d/a.ini; true >conf.d/note.ini")
	if reason := w.phase(Held); !strings.Contains(reason, "a.ini is empty") {
		t.Errorf("reason: %s", reason)
	}
	if f := w.file("conf.d/a.ini"); f.State != FileHeld {
		t.Errorf("a.ini: %+v", f)
	}
	w.write("conf.d/b.ini", ini("b", "command=/bin/n"))
	w.becomes("a, b=n")
	w.write("conf.d/a.ini", ini("a"))
	w.phase(Synced)
	if w.table.pidOf("a", "a") != a {
		t.Error("a was restarted")
	}
	w.sh("printf ' \\n\\n' >conf.d/a.ini")
	w.phase(Held)
	if _, err := w.rec.Apply(t.Context(), nil, ""); err != nil {
		t.Fatal(err)
	}
	w.becomes("b=n")
	w.write("conf.d/a.ini", ini("a"))
	w.becomes("a, b=n")
	w.write("conf.d/a.ini", "; "+strings.ReplaceAll(ini("a"), "\n", "\n; "))
	w.becomes("b=n")
	w.write("conf.d/a.ini", ini("a"))
	w.becomes("a, b=n")
	w.sh("true >conf.d/a.ini")
	w.phase(Held)
	w.sh("rm conf.d/a.ini")
	w.becomes("b=n")
}

// TestEmptiedWhileUnusable: a file that is emptied while it cannot be used is held as any
// other that is emptied, by each look.
func TestEmptiedWhileUnusable(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "max_removals=100%\n"+quick, map[string]string{"conf.d/b.ini": ini("b"), "logs/.keep": ""})
	w.write("conf.d/a.ini", ini("a", "stdout_logfile="+w.root+"/logs/a"))
	w.start()
	for i, edit := range []string{"mv logs away", "true >conf.d/a.ini", "", "mv away logs", ""} {
		w.sh(edit + fmt.Sprintf("\nsed -i s,^command=.*,command=/bin/%d, conf.d/b.ini", i))
		w.becomes(fmt.Sprintf("a, b=%d", i))
		if err := w.rec.AtRest(t.Context()); err != nil {
			t.Fatal(err)
		}
		equal(t, "groups at rest", w.groups(), fmt.Sprintf("a, b=%d", i))
	}
	w.sh("rm conf.d/a.ini")
	w.becomes("b=4")
}

// TestBadFileGoes: a bad file that is deleted is a removal like any other.
func TestBadFileGoes(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")}).start()
	w.write("conf.d/a.ini", "[")
	w.phase(Invalid)
	w.sh("rm conf.d/a.ini")
	w.becomes("b")
	w.phase(Synced)
}

// TestStrict: with on_invalid=strict any bad file holds the whole update.
func TestStrict(t *testing.T) {
	t.Parallel()
	w := newFixture(t, quick+"on_invalid=strict\n", map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")}).start()
	w.write("conf.d/a.ini", "[program:a]\n")
	w.phase(Invalid)
	w.still("one file is bad", func() {
		w.write("conf.d/b.ini", ini("b", "command=/bin/n"))
		w.write("conf.d/c.ini", ini("c"))
	})
	if _, err := w.rec.Apply(context.Background(), nil, ""); err == nil {
		t.Error("an update was accepted with a bad file")
	}
	w.write("conf.d/a.ini", ini("a"))
	w.becomes("a, b=n, c")
}

// TestBadMain: a main file that cannot be used changes nothing, and says so.
func TestBadMain(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("a")}).start()
	bad := func(level string) func() {
		return func() {
			w.write("main.conf", "[supervisord]\nloglevel="+level+"\n[include]\nfiles=conf.d/*.ini\n[reconcile]\n"+quick)
			w.eventually("the reason names "+level, func() bool {
				s := w.rec.State()
				return s.Phase == Invalid && strings.Contains(s.Reason, level)
			})
		}
	}
	bad("loud")()
	w.stillAfter("the main file is bad", func() { w.write("conf.d/b.ini", ini("b")) }, bad("louder"), bad("shrill"))
	w.main(quick)
	w.becomes("a, b")
	w.phase(Synced)
}

// TestOutOfSight: a directory or a link on the path that is gone or cannot be
// read is no removal.
func TestOutOfSight(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name     string
		include  string
		setup    string // makes two files, a and b
		lose     string
		back     string
		deny     string // path that cannot be seen instead of lose
		elsewise string // a change elsewhere that must go ahead meanwhile
	}{
		{name: "the directory is renamed away", include: "d/*.ini", setup: "mkdir d; mv a.ini b.ini d", lose: "mv d e", back: "mv e d"},
		{name: "the directory is removed whole", include: "d/*.ini", setup: "mkdir d; mv a.ini b.ini d", lose: "mv d e; rm -r e; ", back: "mkdir e; for p in a b; do printf '[program:%s]\ncommand=/bin/%s\n' $p $p >e/$p.ini; done; mv e d"},
		{name: "a parent is renamed away", include: "p/q/d/*.ini", setup: "mkdir -p p/q/d; mv a.ini b.ini p/q/d", lose: "mv p/q x", back: "mv x p/q"},
		{name: "a link dangles", include: "l/*.ini", setup: "mkdir d; mv a.ini b.ini d; ln -s d l", lose: "ln -sfT nowhere l", back: "ln -sfT d l"},
		{name: "a link loops", include: "l/*.ini", setup: "mkdir d; mv a.ini b.ini d; ln -s d l", lose: "ln -sfT l l", back: "ln -sfT d l"},
		{name: "links to files dangle", include: "d/*.ini", setup: "mkdir d r; mv a.ini b.ini r; ln -s ../r/a.ini ../r/b.ini d", lose: "mv r x", back: "mv x r"},
		{name: "one of several directories", include: "apps/*/*.ini", setup: "mkdir -p apps/1 apps/2; mv a.ini apps/1; mv b.ini apps/2", lose: "mv apps x", back: "mv x apps"},
		{name: "the directory may not be read", include: "d/*.ini", setup: "mkdir d; mv a.ini b.ini d", deny: "d"},
		{name: "a parent may not be entered", include: "p/d/*.ini", setup: "mkdir -p p/d; mv a.ini b.ini p/d", deny: "p"},
		{name: "the files may not be read", include: "d/*.ini", setup: "mkdir d; mv a.ini b.ini d", deny: "d/a.ini"},
		{name: "a file stands in the place of the directory", include: "d/*.ini", setup: "mkdir d; mv a.ini b.ini d", lose: "mv d e; touch d", back: "rm d; mv e d"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			w := newFixture(t, "", map[string]string{"a.ini": ini("a"), "b.ini": ini("b"), "other/c.ini": ini("c")})
			w.write("main.conf", "[supervisord]\n[include]\nfiles = "+r.include+" other/*.ini\n[reconcile]\nstatedir="+w.root+"/state\n"+quick)
			w.sh(r.setup)
			w.start()
			w.becomes("a, b, c")
			a, b := w.table.pidOf("a", "a"), w.table.pidOf("b", "b")
			if r.deny != "" {
				w.host.denied.Store(filepath.Join(w.root, r.deny), true)
				w.sh("chmod 700 " + r.deny + "; chmod 711 " + r.deny)
			} else {
				w.sh(r.lose)
			}
			if reason := w.phase(Held); !strings.Contains(reason, "stay as they are") {
				t.Errorf("reason: %q", reason)
			}
			w.write("other/c.ini", ini("c", "command=/bin/n"))
			w.becomes("a, b, c=n")
			if r.deny != "" {
				w.host.denied.Clear()
				w.sh("chmod 755 " + r.deny)
			} else {
				w.sh(r.back)
			}
			w.phase(Synced)
			w.becomes("a, b, c=n")
			if w.table.pidOf("a", "a") != a || w.table.pidOf("b", "b") != b {
				t.Error("what was out of sight was restarted")
			}
			w.eventually("the end of the hold is in the log", func() bool { return w.log.count("no longer held") > 0 })
		})
	}
}

// TestComesBackWithLess: a directory that was out of sight and comes back with
// some of its files is given a minute for the others; what is in it counts at
// once.
func TestComesBackWithLess(t *testing.T) {
	files := map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b"), "conf.d/c.ini": ini("c")}
	inBubble(t, "", files, func(w *fixture, hint *fakeWatcher) {
		look := func(sh string) {
			w.sh(sh)
			hint.hints <- watch.Hint{Trigger: TriggerWatch}
			synctest.Wait()
		}
		look("mv conf.d x")
		if w.rec.State().Phase != Held {
			t.Fatalf("state: %+v", w.rec.State())
		}
		look("mkdir conf.d")
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := w.groups(); got != "a, b, c" || w.rec.State().Phase != Held {
			t.Errorf("an empty directory: %s, %+v", got, w.rec.State())
		}
		look("cp x/a.ini conf.d; printf '[program:b]\ncommand=/bin/n\n' >conf.d/b.ini")
		if got := w.groups(); got != "a, b=n, c" || w.rec.State().Phase != Held {
			t.Errorf("two of three: %s, %+v", got, w.rec.State())
		}
		if f := w.file("conf.d/c.ini"); f.State != FileHeld {
			t.Errorf("the missing file is %+v", f)
		}
		if f := w.file("conf.d/a.ini"); f.State != FileApplied {
			t.Errorf("the file that is back is %+v", f)
		}
		time.Sleep(returnTime / 2)
		hint.hints <- watch.Hint{Trigger: TriggerRescan}
		time.Sleep(returnTime/2 - time.Second)
		synctest.Wait()
		if got := w.groups(); got != "a, b=n, c" {
			t.Errorf("within the minute: %s", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := w.groups(); got != "a, b=n" || w.rec.State().Phase != Synced {
			t.Errorf("after the minute: %s, %+v", got, w.rec.State())
		}
	})
}

// TestComesBackAndGoes: what has come back with its directory is deleted if it goes again,
// while others are still waited for, and once nothing is.
func TestComesBackAndGoes(t *testing.T) {
	files := map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b"), "conf.d/c.ini": ini("c")}
	inBubble(t, "max_removals=100%\n"+quick, files, func(w *fixture, hint *fakeWatcher) {
		for _, step := range [][2]string{
			{"mv conf.d x", "a, b, c"}, {"mv x conf.d; rm conf.d/c.ini", "a, b, c"}, {"rm conf.d/b.ini", "a, c"}, {"rm conf.d/a.ini", "c"},
			{"mv conf.d x", "c"}, {"mv x conf.d", "c"},
		} {
			w.sh(step[0])
			time.Sleep(2 * time.Second)
			hint.hints <- watch.Hint{Trigger: TriggerWatch}
			synctest.Wait()
			equal(t, step[0], w.groups(), step[1])
		}
		time.Sleep(2 * returnTime)
		synctest.Wait()
		equal(t, "in the end: it was last seen with nothing, which may be a mount point", w.groups(), "c")
	})
}

// TestOutOfSightAccepted: a person who runs update is believed.
func TestOutOfSightAccepted(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")}).start()
	w.becomes("a, b")
	w.sh("rm -r conf.d; true")
	w.eventually("nothing is there, or it is held", func() bool { return w.groups() == "" || w.rec.State().Phase == Held })
	w.sh("mkdir -p conf.d; mv conf.d x")
	report, err := w.rec.Apply(context.Background(), nil, "")
	if err != nil || !report.OK {
		t.Fatalf("%+v, %v", report, err)
	}
	w.becomes("")
	w.phase(Synced)
	w.sh("mkdir conf.d")
	w.write("conf.d/a.ini", ini("a"))
	w.becomes("a")
}

// TestMissingAtStart: an include directory that comes later, and its parent.
func TestMissingAtStart(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "", nil)
	w.sh("rmdir conf.d")
	w.start()
	w.becomes("")
	w.sh("mkdir conf.d")
	w.write("conf.d/a.ini", ini("a"))
	w.becomes("a")
}

// TestAtStart: what a daemon does that starts with a bad file.
func TestAtStart(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name     string
		settings string
		before   map[string]string // an earlier life, if any
		lose     string            // commands at its end
		files    map[string]string
		main     string
		want     string // groups, or
		refused  string // the error
	}{
		{
			name:   "its last good content",
			before: map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")},
			files:  map[string]string{"conf.d/a.ini": "[program:a]\n", "conf.d/b.ini": ini("b", "command=/bin/n")},
			want:   "a, b=n",
		},
		{
			name:  "left out if there is none",
			files: map[string]string{"conf.d/a.ini": "[program:a]\n", "conf.d/b.ini": ini("b")},
			want:  "b",
		},
		{
			name:  "the members of a group that cannot be used",
			files: map[string]string{"conf.d/a.ini": "[group:g]\nprograms=x,b\n", "conf.d/b.ini": ini("b"), "conf.d/c.ini": ini("c")},
			want:  "c",
		},
		{
			name: "the members of a group that cannot be used and of one that can",
			files: map[string]string{"conf.d/a.ini": "[group:g]\nprograms=x,b,d\n", "conf.d/b.ini": ini("b"), "conf.d/c.ini": ini("c") + ini("d"),
				"conf.d/h.ini": "[group:h]\nprograms=b\n"},
			want: "c, h:b=b",
		},
		{
			name:  "the members of a group in a file that has another mistake",
			files: map[string]string{"conf.d/a.ini": "[group:g]\nprograms=a,b\n[program:a]\ncommand=/bin/a\nuser=nobody-at-all\n", "conf.d/b.ini": ini("b"), "conf.d/c.ini": ini("c")},
			want:  "c",
		},
		{
			name:   "a group in force whose member's file is gone",
			before: map[string]string{"conf.d/a.ini": "[group:g]\nprograms=x,b\n", "conf.d/b.ini": ini("b"), "conf.d/x.ini": ini("x"), "conf.d/c.ini": ini("c")},
			lose:   "rm conf.d/x.ini",
			want:   "c, g:b=b, g:x=x",
		},
		{
			name: "strict", settings: "on_invalid=strict\n",
			files:   map[string]string{"conf.d/a.ini": "[program:a]\n", "conf.d/b.ini": ini("b")},
			refused: "program section program:a does not specify a command",
		},
		{
			name: "autoupdate off", settings: "autoupdate=false\n",
			files:   map[string]string{"conf.d/a.ini": "[program:a]\n", "conf.d/b.ini": ini("b")},
			refused: "program section program:a does not specify a command",
		},
		{
			name: "a bad main file", main: "[supervisord]\nminfds=many\n",
			refused: "many",
		},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			w := newFixture(t, quick+r.settings, r.before)
			if r.before != nil {
				w.start()
				w.stop()
				w.table = newModel()
			}
			w.sh(r.lose)
			for name, text := range r.files {
				w.write(name, text)
			}
			if r.main != "" {
				w.write("main.conf", r.main)
			}
			err := w.tryStart(Options{})
			if r.refused != "" {
				if err == nil || !strings.Contains(err.Error(), r.refused) {
					t.Fatalf("error %v, want %q", err, r.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			w.becomes(r.want)
			w.phase(Invalid)
			w.log.once(t, "level=ERROR", "conf.d/a.ini")
		})
	}
}

// TestCheck: what a reload asks before it stops anything.
func TestCheck(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("a")}).start()
	if err := w.rec.Check(context.Background()); err != nil {
		t.Errorf("good files: %v", err)
	}
	w.write("conf.d/b.ini", "[program:b]\n")
	if err := w.rec.Check(context.Background()); err == nil || !strings.Contains(err.Error(), "program:b") {
		t.Errorf("a bad file: %v", err)
	}
}

// TestNeverRead: files that editors and packages leave behind are no
// configuration, and files says why.
func TestNeverRead(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("a")})
	w.write("main.conf", "[supervisord]\n[include]\nfiles = conf.d/*\n[reconcile]\nstatedir="+w.root+"/state\n"+quick)
	w.start()
	w.becomes("a")
	w.still("no configuration", func() {
		for _, name := range []string{
			".hidden.ini", "..data_tmp", "a.ini~", "#a.ini#", ".a.ini.swp", "a.ini.swx", "a.tmp",
			"a.ini.dpkg-new", "a.ini.dpkg-dist", "a.ini.rpmsave", "a.ini.rpmnew", "a.ini.rpmorig", "a.ini.SAVE", "a.ini.orig", ".nfs0001",
			"a.ini.bak", "a.ini.old", "a.ini.disabled", "a.ini.ucf-dist", "a.sync-conflict-20240301-101112-ABCDEF.ini",
			"a (Ann's conflicted copy 2024-03-01).ini", "a.ini..path1",
		} {
			if err := os.WriteFile(filepath.Join(w.root, "conf.d", name), []byte(ini("zzz")), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	})
	w.write("conf.d/b.ini", ini("b"))
	w.becomes("a, b")
	for _, name := range []string{"a.ini.dpkg-new", "a.ini.bak", "a.sync-conflict-20240301-101112-ABCDEF.ini"} {
		if f := w.file("conf.d/" + name); f.State != FileIgnored || !strings.Contains(f.Reason, "never read as configuration") {
			t.Errorf("%s is %+v", name, f)
		}
	}
}

// TestConflictCopy: under --watch, what a synchroniser puts beside a file changes
// nothing, and edits of the file go on being applied.
func TestConflictCopy(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "", map[string]string{
		"conf.d/web.ini": ini("web"), "conf.d/web.sync-conflict-20240301-101112-ABCDEF.ini": ini("web", "command=/bin/old"),
	})
	w.watch = true
	w.start()
	w.becomes("web")
	w.write("conf.d/web.ini", ini("web", "command=/bin/new"))
	w.becomes("web=new")
	if f := w.file("conf.d/web.sync-conflict-20240301-101112-ABCDEF.ini"); f.State != FileIgnored {
		t.Errorf("the copy is %+v", f)
	}
	if n := w.log.count("defined twice"); n > 0 {
		t.Errorf("a copy that is not read is warned about:\n%s", w.log)
	}
}

// TestDotPattern: a pattern that itself begins with a dot reads dotfiles.
func TestDotPattern(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("a")})
	w.write("main.conf", "[supervisord]\n[include]\nfiles = conf.d/.*.ini\n[reconcile]\nstatedir="+w.root+"/state\n"+quick)
	w.start()
	w.becomes("")
	if err := os.WriteFile(w.root+"/conf.d/.d.ini", []byte(ini("d")), 0o644); err != nil {
		t.Fatal(err)
	}
	w.becomes("d")
}

// TestHalfWritten: a file that is written slowly is not read before it is left
// alone, even if the first part of it is a whole program.
func TestHalfWritten(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "settle=1500ms\nrescan=0\n", nil).start() // a busy machine makes more of a pause
	w.sh("printf '[program:a]\ncommand=/bin/sle' >conf.d/a.ini; sleep 0.05; printf 'ep 100\n' >>conf.d/a.ini; sleep 0.05; echo autorestart=true >>conf.d/a.ini")
	w.eventually("it runs", func() bool { return len(w.table.Groups()) == 1 })
	if got := w.table.Groups()[0].Group.Processes[0].Command; got != "/bin/sleep 100" {
		t.Errorf("command %q", got)
	}
	w.phase(Synced)
	if got := w.rec.History(0); len(got) != 2 {
		t.Errorf("not one update: %+v", got)
	}
}

// TestUnknownNames: an update of a name that does not exist says so and does
// the rest.
func TestUnknownNames(t *testing.T) {
	t.Parallel()
	w := newFixture(t, quick+"autoupdate=false\n", map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")}).start()
	w.write("conf.d/a.ini", ini("a", "command=/bin/n"))
	w.write("conf.d/b.ini", ini("b", "command=/bin/n"))
	report, err := w.rec.Apply(context.Background(), []string{"nope", "a"}, "")
	if err != nil || report.OK {
		t.Errorf("%+v, %v", report, err)
	}
	equal(t, "lines", report.Lines, []string{"ERROR: no such group: nope", "a: stopped", "a: updated process group"})
	w.becomes("a=n, b")
	if _, err := w.rec.Diff(context.Background(), []string{"nope"}); !errors.Is(err, ErrBadName) {
		t.Errorf("diff of an unknown name: %v", err)
	}
	if report, err := w.rec.Apply(context.Background(), []string{"x", "all"}, ""); err != nil || !report.OK {
		t.Errorf("all among the names: %+v, %v", report, err)
	}
	w.becomes("a=n, b=n")
}
