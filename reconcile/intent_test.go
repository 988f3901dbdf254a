package reconcile

import (
	"encoding/json"
	"testing"
	"time"

	"supervisord/spec"
)

// What is kept is read again: in the same boot by the clock that nobody sets, in another by
// that on the wall, by which a pause never gets longer than it was.
func TestIntentsAreKept(t *testing.T) {
	now := time.Now()
	const left = time.Hour
	list := intents{
		{Kind: Paused, Group: "a", Process: "p", Since: now.Add(-time.Minute), Until: now.Add(left), By: "uid 0", Reason: "why"},
		{Kind: Disabled, Group: "b", Since: now, By: "uid 1"},
	}
	for _, c := range []struct {
		name        string
		boot, later string        // as it is written down, and read
		set         time.Duration // how the wall clock is set meanwhile
		want        time.Duration // what the pause has left
	}{
		{"same boot", "x", "x", 0, left},
		{"same boot, clock set forward", "x", "x", 10 * time.Hour, left},
		{"same boot, clock set back", "x", "x", -10 * time.Hour, left},
		{"other boot", "x", "y", 0, left},
		{"other boot, half an hour later", "x", "y", 30 * time.Minute, left - 30*time.Minute},
		{"other boot, when it is over", "x", "y", 2 * time.Hour, -left},
		{"other boot, without a clock of its own", "x", "y", -20 * 365 * 24 * time.Hour, left},
		{"no boot is known", "", "", 30 * time.Minute, left - 30*time.Minute},
	} {
		data, err := json.Marshal(list.record(c.boot))
		if err != nil {
			t.Fatal(err)
		}
		var r *intentRecord
		if err := json.Unmarshal(data, &r); err != nil {
			t.Fatal(err)
		}
		r.Intents[0].Until.Wall -= int64(c.set) // as the clock then sees it
		got := r.restore(c.later)
		if len(got) != 2 || got[0].Name() != "a:p" || got[0].By != "uid 0" || got[0].Reason != "why" || got[1].Name() != "b" || !got[1].Until.IsZero() {
			t.Fatalf("%s: %+v", c.name, got)
		}
		if off := (time.Until(got[0].Until) - c.want).Abs(); off > 10*time.Second {
			t.Errorf("%s: it has %v left, want %v", c.name, time.Until(got[0].Until), c.want)
		}
		if over := len(got.at(time.Now())) == 1; over != (c.want < 0) {
			t.Errorf("%s: over %v", c.name, over)
		}
	}
	if got := (*intentRecord)(nil).restore("x"); got != nil {
		t.Errorf("of nothing there is %v", got)
	}
}

// Which steps a pause holds.
func TestIntentTouched(t *testing.T) {
	g := func(names ...string) *spec.Group {
		g := &spec.Group{Name: "g"}
		for _, n := range names {
			g.Processes = append(g.Processes, spec.Process{Name: n})
		}
		return g
	}
	on := func(names ...string) (list []Action) {
		for _, n := range names {
			list = append(list, Action{Group: "g", Process: n})
		}
		return list
	}
	for name, c := range map[string]struct {
		step            Step
		whole, x, other bool // the group, its process x, another group of the same processes
	}{
		"a sibling":        {Step{Group: "g", Old: g("x", "y"), New: g("x", "y"), Actions: on("y")}, true, false, false},
		"it":               {Step{Group: "g", Old: g("x", "y"), New: g("x", "y"), Actions: on("x", "y")}, true, true, false},
		"the group alone":  {Step{Group: "g", Old: g("x"), New: g("x"), Actions: on("")}, true, false, false},
		"its removal":      {Step{Group: "g", Old: g("x"), Actions: on("")}, true, true, false},
		"that of another":  {Step{Group: "g", Old: g("y"), Actions: on("")}, true, false, false},
		"it is added":      {Step{Group: "g", New: g("x"), Actions: on("")}, true, true, false},
		"another is added": {Step{Group: "g", New: g("y"), Actions: on("")}, true, false, false},
		"made anew":        {Step{Group: "g", Old: g("x"), New: g("x"), Replace: true, Actions: on("")}, true, true, false},
	} {
		for i, want := range map[Intent]bool{{Group: "g"}: c.whole, {Group: "g", Process: "x"}: c.x, {Group: "h", Process: "x"}: c.other} {
			if got := i.touchedBy(&c.step); got != want {
				t.Errorf("%s: %s: %v", name, i.Name(), got)
			}
		}
	}
}
