package reconcile

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"supervisord/spec"
)

// TestBroughtBy: which update brought the value of a key, by what the history tells.
func TestBroughtBy(t *testing.T) {
	entry := func(generation int, trigger string, actions ...Action) Entry {
		return Entry{Generation: generation, Trigger: trigger, Actions: actions}
	}
	change := func(action, process string, keys ...string) Action {
		a := Action{Action: action, Group: "g", Process: process}
		for _, k := range keys {
			a.Changes = append(a.Changes, Change{Key: k})
		}
		return a
	}
	for _, r := range []struct {
		what    string
		history []Entry
		want    int // for the key command of g:p
	}{
		{"nothing is known", nil, 0},
		{"it was added", []Entry{entry(3, TriggerWatch, change(Add, ""))}, 3},
		{"and changed", []Entry{entry(3, TriggerWatch, change(Add, "")), entry(4, TriggerWatch, change(Restart, "p", "command"))}, 4},
		{"another key was changed", []Entry{entry(3, TriggerWatch, change(Add, "")), entry(4, TriggerWatch, change(Inplace, "p", "priority"))}, 3},
		{"another process was", []Entry{entry(3, TriggerWatch, change(Add, "")), entry(4, TriggerWatch, change(Restart, "q", "command"))}, 3},
		{"it came with numprocs", []Entry{entry(3, TriggerWatch, change(Add, "")), entry(5, TriggerUpdate, change(Numprocs, "p"))}, 5},
		{"it was removed and came back", []Entry{entry(3, TriggerWatch, change(Restart, "p", "command")), entry(4, TriggerUpdate, change(Remove, "")), entry(6, TriggerUpdate, change(Add, ""))}, 6},
		{"the daemon was started since", []Entry{entry(3, TriggerWatch, change(Restart, "p", "command")), entry(3, TriggerStart)}, 0},
		{"and changed it as it started", []Entry{entry(4, TriggerStart, change(Restart, "p", "command"))}, 4},
	} {
		if got := broughtBy(r.history, "g", "p")("command"); got != r.want {
			t.Errorf("%s: %d, want %d", r.what, got, r.want)
		}
	}
}

// TestExplain: a key is where the files have it, and what is pending is told.
func TestExplain(t *testing.T) {
	t.Parallel()
	w := newFixture(t, quick+"autoupdate=false\n", map[string]string{"conf.d/a.ini": ini("a", "priority=5", "environment=K=\"secret\"")}).start()
	w.write("conf.d/a.ini", ini("a", "priority=6", "environment=K=\"secret\""))
	if _, err := w.rec.Apply(context.Background(), nil, ""); err != nil {
		t.Fatal(err)
	}
	w.write("conf.d/a.ini", ini("a", "priority=7", "environment=K=\"secret\""))
	w.table.set("a", "a", "STOPPED", true)
	e, err := w.rec.Explain(context.Background(), "a", "a")
	if err != nil || !e.UserStopped || len(e.Next) != 1 && len(e.Next) != 2 {
		t.Fatalf("%+v, %v", e, err)
	}
	found := map[string]string{}
	for _, s := range e.Settings {
		found[s.Key] = fmt.Sprintf("%s %d %d", s.Value, s.Line, s.Generation)
	}
	for key, want := range map[string]string{"priority": "6 3 2", "environment K": "set 4 1", "startsecs": "1 0 1"} {
		if found[key] != want {
			t.Errorf("%s is %q, want %q", key, found[key], want)
		}
	}
	for _, name := range []string{"b", "a:b"} {
		n := spec.ParseNamespec(name)
		if _, err := w.rec.Explain(context.Background(), n.Group, n.Process); !errors.Is(err, ErrBadName) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDrift: what differs although nothing is pending.
func TestDrift(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "", map[string]string{
		"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b", "autostart=false"), "conf.d/c.ini": ini("c"), "conf.d/d.ini": ini("d"),
	}).start()
	told := func(executables map[spec.Namespec]Executable) string {
		t.Helper()
		list, err := w.rec.Drift(context.Background(), executables)
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, d := range list {
			text += d.Kind + " " + spec.Namespec{Group: d.Group, Process: d.Process}.String() + "; "
		}
		return text
	}
	if got := told(nil); got != "" {
		t.Errorf("at first: %s", got)
	}
	w.table.set("a", "a", "STOPPED", true)
	w.table.set("b", "b", "RUNNING", false)
	w.table.set("c", "c", "EXITED", false) // which is no drift: it has ended by itself
	w.table.set("d", "d", "STOPPED", false)
	if err := w.rec.RemoveGroup(context.Background(), "d", ""); err != nil {
		t.Fatal(err)
	}
	name := func(n string) spec.Namespec { return spec.Namespec{Group: n, Process: n} }
	if got, want := told(nil), "stopped a; started b; removed d:*; "; got != want {
		t.Errorf("by hand: %s, want %s", got, want)
	}
	got := told(map[spec.Namespec]Executable{name("a"): {}, name("b"): {Path: "/b", Replaced: true}, name("c"): {Path: "/c", Gone: true}})
	if want := "stopped a; started b; executable b; executable c; removed d:*; "; got != want {
		t.Errorf("with executables: %s, want %s", got, want)
	}
	if got := told(map[spec.Namespec]Executable{name("c"): {Path: "/mnt/c", Unknown: "/mnt does not answer"}}); got != "stopped a; started b; executable c; removed d:*; " {
		t.Errorf("on a disk that hangs: %s", got)
	}
}
