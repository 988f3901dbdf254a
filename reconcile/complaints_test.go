package reconcile

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/reconcile/watch"
	"supervisord/runtime/hang"
)

// wrong is a program's file with a mistake in its third line.
func wrong(name string) string { return ini(name, "startsecs=soon") }

// said are the lines of the log about mistakes since the last call, in short: + or - and
// the file, with its line.
func (w *fixture) said(seen *int) string {
	w.t.Helper()
	log := w.log.String()
	var list []string
	for line := range strings.Lines(log[*seen:]) {
		for sign, words := range map[string]string{"+": `msg="reconcile: invalid: `, "-": `msg="reconcile: no longer invalid: `} {
			if _, rest, ok := strings.Cut(line, words); ok {
				place, _, _ := strings.Cut(rest, ": ")
				list = append(list, sign+strings.TrimPrefix(strings.TrimPrefix(place, w.root+"/"), "conf.d/"))
			}
		}
	}
	*seen = len(log)
	slices.Sort(list)
	return strings.Join(list, " ")
}

// TestMistakesAreToldOneByOne: each mistake is told once when it comes and once when it
// is over, whatever else is wrong; one of a file that cannot be seen is not over.
func TestMistakesAreToldOneByOne(t *testing.T) {
	type step struct {
		name, text string // a file and what it says now; no text removes it
		said       string
	}
	good := ini("x")
	for _, r := range []struct {
		name     string
		settings string
		steps    []step
	}{
		{"one is mended while another stands", "", []step{
			{"a.ini", wrong("a"), "+a.ini:3"},
			{"b.ini", wrong("b"), "+b.ini:3"},
			{"a.ini", good, "-a.ini:3"},
			{"c.ini", ini("c"), ""},
			{"b.ini", "", "-b.ini:3"},
		}},
		{"while everything is held by another", "on_invalid=strict\n", []step{
			{"a.ini", wrong("a"), "+a.ini:3"},
			{"b.ini", wrong("b"), "+b.ini:3"},
			{"a.ini", good, "-a.ini:3"},
			{"c.ini", wrong("c"), "+c.ini:3"},
			{"c.ini", "", "-c.ini:3"},
		}},
		{"two of a file", "", []step{
			{"a.ini", wrong("a") + "stopsignal=NO\n", "+a.ini:3 +a.ini:4"},
			{"a.ini", wrong("a"), "-a.ini:4"},
			{"a.ini", ini("a"), "-a.ini:3"},
		}},
		{"it moves to another line", "", []step{
			{"a.ini", wrong("a"), "+a.ini:3"},
			{"a.ini", "\n" + wrong("a"), ""},
			{"a.ini", ini("a"), "-a.ini:3"},
		}},
		{"a mistake in the main file", "", []step{
			{"a.ini", wrong("a"), "+a.ini:3"},
			{"b.ini", wrong("b"), "+b.ini:3"},
			{"main", "loglevel=nonsense\n", "+main.conf:2"},
			{"a.ini", good, "-a.ini:3"},
			{"c.ini", wrong("c"), "+c.ini:3"},
			{"main", "", "-main.conf:2"},
			{"b.ini", good, "-b.ini:3"},
			{"c.ini", "", "-c.ini:3"},
		}},
		{"a main file from which no other is known", "", []step{
			{"a.ini", wrong("a"), "+a.ini:3"},
			{"b.ini", wrong("b"), "+b.ini:3"},
			{"main", "[include\n", "+main.conf:1"},
			{"a.ini", good, ""},
			{"main", "", "-a.ini:3 -main.conf:1"},
			{"b.ini", good, "-b.ini:3"},
		}},
	} {
		t.Run(r.name, func(t *testing.T) {
			inBubble(t, quick+r.settings, nil, func(w *fixture, hint *fakeWatcher) {
				text, err := os.ReadFile(w.root + "/main.conf")
				if err != nil {
					t.Fatal(err)
				}
				seen := 0
				for i, s := range r.steps {
					switch {
					case s.name == "main" && strings.HasPrefix(s.text, "["):
						w.write("main.conf", s.text)
					case s.name == "main":
						w.write("main.conf", strings.Replace(string(text), "[supervisord]\n", "[supervisord]\n"+s.text, 1))
					case s.text == "":
						w.sh("rm conf.d/" + s.name)
					default:
						w.write("conf.d/"+s.name, s.text)
					}
					hint.hints <- watch.Hint{Trigger: TriggerWatch}
					time.Sleep(2 * time.Second) // a group is changed once in a second
					synctest.Wait()
					equal(t, "told after step "+string(rune('1'+i)), w.said(&seen), s.said)
				}
			})
		})
	}
}

// TestUnseenMistakeStands: a mistake in a file that cannot be seen for now is not over,
// and is not told again when the file can be seen.
func TestUnseenMistakeStands(t *testing.T) {
	for _, r := range []struct {
		name      string
		lose      func(*fixture)
		find      func(*fixture)
		firstGood bool
	}{
		{"its disk hangs", func(w *fixture) { w.hang("extra") }, func(w *fixture) { w.answers("extra") }, true},
		{"its disk hangs, and nothing is known of it", func(w *fixture) { w.hang("extra") }, func(w *fixture) { w.answers("extra") }, false},
		{"its directory is gone", func(w *fixture) { w.sh("mv extra away") }, func(w *fixture) { w.sh("mv away extra") }, true},
		{"it may not be read", func(w *fixture) { w.host.denied.Store(w.root+"/extra/x.ini", true) },
			func(w *fixture) { w.host.denied.Delete(w.root + "/extra/x.ini") }, true},
		{"it may not be read, and nothing is known of it", func(w *fixture) { w.host.denied.Store(w.root+"/extra/x.ini", true) },
			func(w *fixture) { w.host.denied.Delete(w.root + "/extra/x.ini") }, false},
	} {
		t.Run(r.name, func(t *testing.T) {
			inBubble(t, "", map[string]string{"conf.d/a.ini": ini("a"), "extra/y.ini": ini("y")}, func(w *fixture, hint *fakeWatcher) {
				turn := func() {
					hint.hints <- watch.Hint{Trigger: TriggerWatch}
					time.Sleep(hang.Patience + time.Second)
					synctest.Wait()
				}
				w.bothDirs(quick)
				if r.firstGood {
					w.write("extra/x.ini", ini("x"))
					turn()
				}
				seen := 0
				w.write("extra/x.ini", wrong("x"))
				turn()
				equal(t, "told when it comes", w.said(&seen), "+extra/x.ini:3")
				r.lose(w)
				turn()
				equal(t, "told when it is out of sight", w.said(&seen), "")
				r.find(w)
				turn()
				equal(t, "told when it is seen again", w.said(&seen), "")
				w.write("extra/x.ini", ini("x"))
				turn()
				equal(t, "told when it is mended", w.said(&seen), "-extra/x.ini:3")
			})
		})
	}
}
