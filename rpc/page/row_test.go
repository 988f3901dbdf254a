package page

import (
	"slices"
	"testing"
	"time"

	"supervisord/runtime"
	"supervisord/runtime/state"
)

// TestAttention: how much of it a process needs, and why.
func TestAttention(t *testing.T) {
	now := time.Now()
	ended := &runtime.End{How: "exit status 3"}
	at := func(ago time.Duration) *runtime.ListenerInfo { return &runtime.ListenerInfo{Since: now.Add(-ago)} }
	for _, tc := range []struct {
		name  string
		info  runtime.Info
		level Level
		why   string
	}{
		{"how it ended is not cut off by where to look", runtime.Info{State: state.Fatal, SpawnErr: "Exited too quickly (process log may have details)", LastEnd: ended}, Bad, "Exited too quickly: exit status 3"},
		{"no details to look for", runtime.Info{State: state.Fatal, SpawnErr: "can't find command '/x'"}, Bad, "can't find command '/x'"},
		{"disabled", runtime.Info{State: state.Fatal, Disabled: true, LastEnd: ended}, Idle, "disabled: only a request that names it starts it"},
		{"fine", runtime.Info{State: state.Running, Now: now}, Good, ""},
		{"a listener without an event", runtime.Info{State: state.Running, Now: now, Listener: new(runtime.ListenerInfo)}, Good, ""},
		{"a listener at work", runtime.Info{State: state.Running, Now: now, Listener: at(29 * time.Second)}, Good, ""},
		{"a listener that is stuck", runtime.Info{State: state.Running, Now: now, Listener: at(31 * time.Second)}, Warn, "at one event since " + Time{now, now.Add(-31 * time.Second)}.Short()},
		{"a listener that was stuck when it was killed", runtime.Info{State: state.Fatal, Now: now, Listener: at(time.Hour), LastEnd: ended}, Bad, "exit status 3"},
	} {
		if level, why := attention(&tc.info, false); level != tc.level || why != tc.why {
			t.Errorf("%s: %s %q, want %s %q", tc.name, level, why, tc.level, tc.why)
		}
	}
}

// TestByUrgency: files that need somebody stand first, others as they were.
func TestByUrgency(t *testing.T) {
	files := []File{{Path: "a", State: "applied"}, {Path: "b", State: "pending"}, {Path: "c", State: "held"}, {Path: "d", State: "applied"}, {Path: "e", State: "invalid"}}
	slices.SortStableFunc(files, ByUrgency)
	got := ""
	for _, f := range files {
		got += f.Path
	}
	if got != "ecbad" {
		t.Errorf("%s, want ecbad", got)
	}
}
