package reconcile

import (
	"fmt"
	"strings"
	"testing"
)

// TestDefinedTwice: a section that two files define is said in the log, once, with
// both files and lines, and in files; and which of them wins.
func TestDefinedTwice(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name   string
		watch  bool
		files  map[string]string // below root
		groups string
		loser  string
		winner string
		said   string // what the log says, with ROOT for root
	}{
		{
			name:   "include",
			files:  map[string]string{"conf.d/a.ini": ini("x", "startsecs=2"), "conf.d/b.ini": "; copy\n" + ini("x", "command=/bin/late")},
			groups: "x=late", loser: "conf.d/a.ini", winner: "conf.d/b.ini",
			said: "ROOT/conf.d/b.ini:2: [program:x] the section is also in ROOT/conf.d/a.ini:1",
		},
		{
			name: "watch", watch: true,
			files:  map[string]string{"conf.d/web.ini": ini("web"), "conf.d/web (1).ini": ini("web", "command=/bin/old")},
			groups: "web", loser: "conf.d/web (1).ini", winner: "conf.d/web.ini", // a space comes before a full stop
			said: "ROOT/conf.d/web.ini:1: [program:web] the section is also in ROOT/conf.d/web (1).ini:1",
		},
		{
			name: "both patterns of watch", watch: true,
			files:  map[string]string{"conf.d/web.ini": ini("web"), "conf.d/web.conf": ini("web", "command=/bin/conf")},
			groups: "web=conf", loser: "conf.d/web.ini", winner: "conf.d/web.conf", // *.ini comes first
			said: "ROOT/conf.d/web.conf:1: [program:web] the section is also in ROOT/conf.d/web.ini:1",
		},
		{
			name: "group",
			files: map[string]string{"conf.d/p.ini": ini("a") + ini("b"), "conf.d/g1.ini": "[group:g]\nprograms=a\n",
				"conf.d/g2.ini": "[group:g]\nprograms=b\n"},
			groups: "a, g:b=b", loser: "conf.d/g1.ini", winner: "conf.d/g2.ini",
			said: "ROOT/conf.d/g2.ini:1: [group:g] the section is also in ROOT/conf.d/g1.ini:1",
		},
		{
			name:   "the daemon's own section",
			files:  map[string]string{"conf.d/a.ini": ini("x") + "[supervisord]\nloglevel=debug\n"},
			groups: "x", loser: "main.conf", winner: "conf.d/a.ini",
			said: "ROOT/conf.d/a.ini:4: [supervisord] the section is also in ROOT/main.conf:1",
		},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			w := newFixture(t, "", r.files)
			w.watch = r.watch
			w.start()
			w.becomes(r.groups)
			w.log.once(t, "defined twice", strings.ReplaceAll(r.said, "ROOT", w.root), "the values here win")
			loser, winner := w.file(r.loser), w.file(r.winner)
			if got := strings.Join(loser.Warnings, "\n"); loser.State != FileApplied || !strings.Contains(got, "is also in "+winner.Path+":") || !strings.Contains(got, "the values there win") {
				t.Errorf("files say of the one that loses: %+v", loser)
			}
			if got := strings.Join(winner.Warnings, "\n"); winner.State != FileApplied || !strings.Contains(got, "is also in "+loser.Path+":") || !strings.Contains(got, "the values here win") {
				t.Errorf("files say of the one that wins: %+v", winner)
			}

			w.write("conf.d/other.ini", ini("other")) // a later view says nothing anew
			w.eventually("the other one runs", func() bool { return strings.Contains(w.groups(), "other") })
			if n := w.log.count("defined twice"); n != 1 {
				t.Errorf("said %d times:\n%s", n, w.log)
			}
			if r.loser == "main.conf" {
				return
			}
			w.sh(fmt.Sprintf("mv '%s' away", r.loser))
			w.eventually("no file says so", func() bool { return !strings.Contains(strings.Join(w.file(r.winner).Warnings, ""), "is also in") })
			w.eventually("its end is told", func() bool { return w.log.count("no longer defined twice") == 1 })
			w.sh(fmt.Sprintf("mv away '%s'", r.loser))
			w.eventually("it is said again", func() bool { return w.log.count("reconcile: defined twice") == 2 })
		})
	}
}

// TestDefinedTwiceByMany: of three files the last wins, and each case is said.
func TestDefinedTwiceByMany(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("x") + ini("y"), "conf.d/b.ini": ini("x", "command=/bin/b"),
		"conf.d/c.ini": ini("x", "command=/bin/c") + ini("y")}).start()
	w.becomes("x=c, y")
	if n := w.log.count("defined twice", "also in "+w.root+"/conf.d/a.ini"); n != 3 {
		t.Errorf("said %d times, want 3:\n%s", n, w.log)
	}
	if f := w.file("conf.d/a.ini"); strings.Count(strings.Join(f.Warnings, "\n"), "is also in") != 3 {
		t.Errorf("files say %+v", f)
	}
}

// TestNotDefinedTwice: what is one section of one file is no warning, however often
// it is met.
func TestNotDefinedTwice(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("x"), "conf.d/b.ini": ini("y")})
	w.write("main.conf", "[supervisord]\n[include]\nfiles = conf.d/*.ini conf.d/a.*\n[reconcile]\nstatedir="+w.root+"/state\n"+quick)
	w.start()
	w.eventually("it is read", func() bool { return w.file("conf.d/a.ini").State == FileApplied })
	if n := w.log.count("defined twice"); n > 0 || strings.Contains(strings.Join(w.file("conf.d/a.ini").Warnings, ""), "also in") {
		t.Errorf("%+v\n%s", w.file("conf.d/a.ini"), w.log)
	}
}
