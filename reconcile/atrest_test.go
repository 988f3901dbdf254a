package reconcile

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Who asks whether there is more to be done is answered when what the files say, looked
// at anew, is applied. What waits for people is no reason to wait for it.
func TestAtRest(t *testing.T) {
	rows := []struct {
		name      string
		reconcile string
		change    func(w *fixture)
		wait      time.Duration // before the answer
		groups    string        // at the answer
	}{
		{"nothing to do", "", func(*fixture) {}, 0, "a, b"},
		{"a file that nobody has told of", "", func(w *fixture) { w.write("conf.d/c.ini", ini("c")) }, 0, "a, b, c"},
		{"an update that takes a while", "", func(w *fixture) {
			w.table.stopping = func(string, string) time.Duration { return 5 * time.Second }
			w.write("conf.d/a.ini", ini("a", "command=/bin/n"))
		}, 5 * time.Second, "a=n, b"},
		{"a removal that is not due", "settle=20ms\nsettle_removals=3s\nrescan=0\n", func(w *fixture) { w.sh("rm conf.d/a.ini") }, 3 * time.Second, "b"},
		{"a change that comes too soon after another", "", func(w *fixture) {
			w.write("conf.d/a.ini", ini("a", "command=/bin/n"))
			if err := w.rec.AtRest(context.Background()); err != nil {
				t.Error(err)
			}
			w.write("conf.d/a.ini", ini("a", "command=/bin/m"))
		}, time.Second, "a=m, b"},
		{"a broken file", "", func(w *fixture) { w.write("conf.d/c.ini", "[program:c]\n") }, 0, "a, b"},
		{"a removal that is held", quick + "max_removals=0\n", func(w *fixture) { w.sh("rm conf.d/a.ini") }, 0, "a, b"},
		{"what waits for a person", quick + "autoupdate=false\n", func(w *fixture) { w.write("conf.d/c.ini", ini("c")) }, 0, "a, b"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, row.reconcile, map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")}, func(w *fixture, _ *fakeWatcher) {
				time.Sleep(time.Minute)
				row.change(w)
				began := time.Now()
				if err := w.rec.AtRest(context.Background()); err != nil {
					t.Fatal(err)
				}
				equal(t, "groups", w.groups(), row.groups)
				if took := time.Since(began); took < row.wait || took > row.wait+100*time.Millisecond {
					t.Errorf("it took %v, want %v", took, row.wait)
				}
			})
		})
	}
}

// Who gives up waiting, or asks one that has ended, is told so.
func TestAtRestGivenUp(t *testing.T) {
	inBubble(t, "", map[string]string{"conf.d/a.ini": ini("a")}, func(w *fixture, _ *fakeWatcher) {
		w.table.stopping = func(string, string) time.Duration { return time.Hour }
		w.write("conf.d/a.ini", ini("a", "command=/bin/n"))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := w.rec.AtRest(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error is %v", err)
		}
		synctest.Wait()
	})
}
