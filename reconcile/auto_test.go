package reconcile

import (
	"context"
	"os"
	"strings"
	"testing"
)

// TestDropIn is the main job: a file appears, changes, goes.
func TestDropIn(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("a")}).start()
	w.becomes("a")
	w.write("conf.d/b.ini", ini("b"))
	w.becomes("a, b")
	a := w.table.pidOf("a", "a")
	w.write("conf.d/b.ini", ini("b", "command=/bin/other"))
	w.becomes("a, b=other")
	w.write("conf.d/a.ini", ini("a", "stopwaitsecs=3"))
	w.eventually("stopwaitsecs is in force", func() bool { return w.table.Groups()[0].Group.Processes[0].StopWaitSecs == 3 })
	if w.table.pidOf("a", "a") != a {
		t.Error("a change that counts in place cost the process")
	}
	w.sh("rm conf.d/b.ini")
	w.becomes("a")
	for _, line := range []string{
		"add b (generation 2, " + w.root + "/conf.d/b.ini): it is new in the files",
		"restart b:b (generation 3, " + w.root + "/conf.d/b.ini): command differs: ",
		"inplace a:a (generation 4, " + w.root + "/conf.d/a.ini): stopwaitsecs differs: in force at once",
		"remove b (generation 5, " + w.root + "/conf.d/b.ini): it is gone from the files",
	} {
		w.log.once(t, line)
	}
	if got := len(w.rec.History(0)); got != 5 {
		t.Errorf("%d updates in the history, want 5: %+v", got, w.rec.History(0))
	}
	for _, e := range w.rec.History(4) {
		if e.Trigger != TriggerWatch || e.Result != Applied || len(e.Actions) != 1 {
			t.Errorf("an update is not one action that a notice brought: %+v", e)
		}
	}
}

// TestNoChange: what differs in the text alone is nothing.
func TestNoChange(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")}).start()
	w.becomes("a, b")
	for _, sh := range []string{
		"echo '; a comment' >>conf.d/a.ini",
		"touch conf.d/a.ini",
		"chmod 600 conf.d/a.ini",
		"cp conf.d/a.ini x && mv x conf.d/a.ini",
		"mv conf.d/a.ini conf.d/c.ini",
		"cat conf.d/b.ini >>conf.d/c.ini && rm conf.d/b.ini",
		"echo command=/bin/zzz >conf.d/c.ini~",
		"echo '[program:q]' >conf.d/.q.ini.swp",
	} {
		w.sh(sh)
		w.still(sh)
	}
	if got := len(w.rec.History(0)); got != 1 {
		t.Errorf("updates that did nothing are in the history: %+v", w.rec.History(0))
	}
}

func TestApplyIsATransaction(t *testing.T) {
	t.Parallel()
	w := newFixture(t, quick+"autoupdate=false\n", map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")}).start()
	w.becomes("a, b")
	w.write("conf.d/a.ini", ini("a", "command=/bin/n"))
	w.write("conf.d/c.ini", ini("c"))
	w.sh("rm conf.d/b.ini")
	w.phase(Pending)
	w.still("autoupdate is off")
	actions, err := w.rec.Diff(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var short []string
	for _, a := range actions {
		short = append(short, a.String())
	}
	equal(t, "diff", strings.Join(short, ", "), "remove b, restart a:a, add c")

	report, err := w.rec.Apply(context.Background(), nil, "uid 0")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "lines", report.Lines, []string{
		"b: stopped", "b: removed process group", "a: stopped", "a: updated process group", "c: added process group",
	})
	if !report.OK || report.Result != Applied || len(report.Actions) != 3 {
		t.Errorf("report: %+v", report)
	}
	w.becomes("a=n, c")
	w.phase(Synced)
	if e := w.rec.History(1)[0]; e.Caller != "uid 0" || e.Trigger != TriggerUpdate || e.Generation != report.Generation {
		t.Errorf("history: %+v", e)
	}
	if _, err := os.Stat(w.root + "/state"); err != nil {
		t.Error(err)
	}
}
