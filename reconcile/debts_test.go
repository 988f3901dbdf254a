package reconcile

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/reconcile/watch"
	"supervisord/spec"
)

// TestDebts: what is owed of a group is how it differs from what it was before the first
// automatic update of which nobody has been told.
func TestDebts(t *testing.T) {
	one, two := program("x"), program("x", command("/n"))
	for _, row := range []struct {
		name string
		path []*spec.Group // what automatic updates made of x, and what it was
		paid int           // before this one somebody was told
		wait time.Duration
		want string
	}{
		{"added", []*spec.Group{nil, &one}, 0, 0, Add},
		{"removed", []*spec.Group{&one, nil}, 0, 0, Remove},
		{"changed", []*spec.Group{&one, &two}, 0, 0, Restart},
		{"added and changed", []*spec.Group{nil, &one, &two}, 0, 0, Add},
		{"added, told, changed", []*spec.Group{nil, &one, &two}, 2, 0, Restart},
		{"there and back", []*spec.Group{&one, &two, &one}, 0, 0, ""},
		{"added and removed", []*spec.Group{nil, &one, nil}, 0, 0, ""},
		{"removed and added otherwise", []*spec.Group{&one, nil, &two}, 0, 0, Restart},
		{"told", []*spec.Group{nil, &one}, 2, 0, ""},
		{"a minute ago", []*spec.Group{nil, &one}, 0, gracePeriod, ""},
		{"just within a minute", []*spec.Group{nil, &one}, 0, gracePeriod - 1, Add},
	} {
		now := time.Unix(1e9, 0)
		d := make(debts)
		for i, g := range row.path[1:] {
			if row.paid == i+1 {
				d.pay(nil)
			}
			d.begin(now, []Step{{Group: "x", Old: row.path[i], New: g}})
			d.done(now, "x")
		}
		if row.paid == len(row.path) {
			d.pay([]string{"x"})
		}
		var active []Active
		if g := row.path[len(row.path)-1]; g != nil {
			active = append(active, Active{Group: g})
		}
		if got := d.owed(now.Add(row.wait), active, nil)["x"].action; got != row.want {
			t.Errorf("%s: %q is owed, want %q", row.name, got, row.want)
		}
		if got := d.owed(now, active, []string{"y"}); len(got) > 0 {
			t.Errorf("%s: owed under another name: %v", row.name, slices.Collect(maps.Keys(got)))
		}
	}
}

// TestUpdateAfterTheWatcher: a person's update a moment after an automatic one prints
// what Supervisor's would have, once, and starts afresh what failed and nothing else.
func TestUpdateAfterTheWatcher(t *testing.T) {
	inBubble(t, "settle_removals=0\nmax_removals=100%\n", map[string]string{"conf.d/old.ini": ini("old"), "conf.d/c.ini": ini("c")}, func(w *fixture, hint *fakeWatcher) {
		ctx := context.Background()
		update := func(names ...string) string {
			report, err := w.rec.Apply(ctx, names, "uid 7")
			if err != nil || !report.OK {
				t.Errorf("update: %+v, %v", report, err)
			}
			return strings.Join(report.Lines, "; ")
		}
		w.put(hint, "conf.d/app.ini", ini("app"))
		w.put(hint, "conf.d/well.ini", ini("well"))
		w.put(hint, "conf.d/byhand.ini", ini("byhand"))
		w.put(hint, "conf.d/c.ini", ini("c", "command=/bin/n"))
		w.sh("rm conf.d/old.ini")
		hint.hints <- watch.Hint{Trigger: TriggerWatch}
		synctest.Wait()
		w.table.set("app", "app", "FATAL", false)
		w.table.set("byhand", "byhand", "STOPPED", true)
		w.table.took()
		well, c := w.table.pidOf("well", "well"), w.table.pidOf("c", "c")
		if got, want := update(), "old: stopped; old: removed process group; c: stopped; c: updated process group; app: added process group; byhand: added process group; well: added process group"; got != want {
			t.Errorf("update prints\n%s\nwant\n%s", got, want)
		}
		if got := strings.Join(w.table.took(), "; "); got != "change app; start app:app" {
			t.Errorf("and did %s", got)
		}
		if w.table.pidOf("well", "well") != well || w.table.pidOf("c", "c") != c {
			t.Error("what runs was restarted")
		}
		w.table.set("app", "app", "FATAL", false)
		if got := update(); got != "" {
			t.Errorf("the second time it prints %s", got)
		}
		if got := w.table.took(); len(got) > 0 {
			t.Errorf("and did %v", got)
		}
		// By name, and nothing after a minute.
		time.Sleep(2 * time.Second)
		w.put(hint, "conf.d/d.ini", ini("d"))
		w.put(hint, "conf.d/e.ini", ini("e"))
		if got := update("e"); got != "e: added process group" {
			t.Errorf("update e prints %s", got)
		}
		time.Sleep(gracePeriod)
		if got := update(); got != "" {
			t.Errorf("a minute later it prints %s", got)
		}
	})
}
