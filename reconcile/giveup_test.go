package reconcile

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/reconcile/watch"
)

// TestUpdateGivesUp: an update that cannot be carried out however often it is planned
// again has failed, and says why; one that succeeds in the end says nothing of its tries.
func TestUpdateGivesUp(t *testing.T) {
	for _, r := range []struct {
		name    string
		refused int // so often a change of the group is refused
		why     error
		text    string // why it failed, "" where it did not
	}{
		{"others change the group each time", 1000, ErrConflict, "gave up after 10 tries: cannot change group a: group changed meanwhile"},
		{"others start it each time", 1000, ErrStillRunning, "gave up after 10 tries: cannot change group a: still running"},
		{"others change it once", 1, ErrConflict, ""},
	} {
		t.Run(r.name, func(t *testing.T) {
			inBubble(t, quick+"autoupdate=false\n", map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")}, func(w *fixture, hint *fakeWatcher) {
				n := 0
				w.table.refusing(func(op string) error {
					if n++; op == "change a" && n <= r.refused {
						return r.why
					}
					return nil
				})
				w.write("conf.d/a.ini", ini("a", "command=/bin/n"))
				report, err := w.rec.Apply(context.Background(), nil, "uid 0")
				if err != nil {
					t.Fatal(err)
				}
				entry := w.rec.History(1)[0]
				if r.text == "" {
					equal(t, "lines", report.Lines, []string{"a: stopped", "a: updated process group"})
					equal(t, "result", fmt.Sprint(report.OK, " ", report.Result, " ", entry.Result), "true applied applied")
					equal(t, "groups", w.groups(), "a=n, b")
					return
				}
				equal(t, "lines", report.Lines, []string{"ERROR: " + r.text})
				equal(t, "result", fmt.Sprint(report.OK, " ", report.Result), "false failed: "+r.text)
				equal(t, "history", entry.Caller+" "+entry.Result, "uid 0 failed: "+r.text)
				w.log.once(t, "level=WARN", r.text)
				for {
					select {
					case e := <-w.events:
						if e.Type == EventFailed && e.Reason == r.text {
							return
						}
						continue
					default:
					}
					t.Fatal("no event tells of it")
				}
			})
		})
	}
}

// TestFirstUpdateTriesAgain: where automatic updates are off nobody else would do what
// the first one is refused.
func TestFirstUpdateTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, quick+"autoupdate=false\n", map[string]string{"conf.d/a.ini": ini("a")})
		n := 0
		w.table.refusing(func(string) error {
			if n++; n == 1 {
				return ErrConflict
			}
			return nil
		})
		if err := w.tryStart(Options{Watcher: &fakeWatcher{make(chan watch.Hint, 1)}}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		equal(t, "groups", w.groups(), "a")
		equal(t, "history", w.rec.History(1)[0].Result, Applied)
		w.stop()
	})
}

// TestOvertakenForEver: an update whose files change during each of its tries is not
// told as if it had done everything.
func TestOvertakenForEver(t *testing.T) {
	files := map[string]string{"conf.d/a.ini": ini("a")}
	inBubble(t, "", files, func(w *fixture, hint *fakeWatcher) {
		time.Sleep(time.Minute)
		n, over := 0, atomic.Bool{}
		w.table.before = func(op string) { // always something before z
			if n++; !over.Load() && op != "add z" && n <= 2*maxRounds {
				w.write(fmt.Sprintf("conf.d/n%d.ini", n), ini(fmt.Sprintf("n%d", n), "priority=1"))
				hint.hints <- watch.Hint{Trigger: TriggerWatch}
				time.Sleep(time.Second)
			}
		}
		w.write("conf.d/n0.ini", ini("n0", "priority=1"))
		w.write("conf.d/z.ini", ini("z", "priority=2"))
		report, err := w.rec.Apply(context.Background(), nil, "uid 0")
		if err != nil {
			t.Fatal(err)
		}
		const text = "gave up after 10 tries: the files changed during each of them"
		if got := report.Lines[len(report.Lines)-1]; report.OK || got != "ERROR: "+text || !strings.HasSuffix(report.Result, text) {
			t.Errorf("%v, %s: %q", report.OK, report.Result, report.Lines)
		}
		over.Store(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := w.groups(); !strings.HasSuffix(got, ", z") {
			t.Errorf("groups an hour later: %s", got)
		}
	})
}
