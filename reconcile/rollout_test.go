package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"supervisord/spec"
)

func rollout(r spec.Rollout) func(*spec.Process) { return func(p *spec.Process) { p.Rollout = r } }

// rolled is a program of n processes that are restarted r at a time.
func rolled(name string, n int, r spec.Rollout, edit ...func(*spec.Process)) spec.Group {
	g := numbered(name, n)
	for i := range g.Processes {
		for _, e := range append(edit, rollout(r)) {
			e(&g.Processes[i])
		}
	}
	return g
}

// waves are the parts of a step, one after another.
func waves(s *Step) (list []Step) {
	at, last := turns(s)
	old := s.Old
	for turn := range last + 1 {
		w := wave(s, old, at, turn, last)
		list, old = append(list, *w), w.New
	}
	return list
}

// TestWaves is how a step is divided: which processes are started anew together.
func TestWaves(t *testing.T) {
	half := spec.Rollout{N: 50, Percent: true}
	newer := command("/new")
	for _, test := range []struct {
		name     string
		old, new spec.Group
		want     string
	}{
		{"all at once", numbered("w", 3), rolled("w", 3, spec.Rollout{}, newer), "w_0 w_1 w_2"},
		{"one at a time", numbered("w", 3), rolled("w", 3, spec.Rollout{N: 1}, newer), "w_0 / w_1 / w_2"},
		{"more than there are", numbered("w", 3), rolled("w", 3, spec.Rollout{N: 5}, newer), "w_0 w_1 w_2"},
		{"half", numbered("w", 5), rolled("w", 5, half, newer), "w_0 w_1 / w_2 w_3 / w_4"},
		{"less than one", numbered("w", 3), rolled("w", 3, spec.Rollout{N: 1, Percent: true}, newer), "w_0 / w_1 / w_2"},
		{"a share of all, not of those that differ", numbered("w", 4), func() spec.Group {
			g := rolled("w", 4, half)
			g.Processes[1].Command, g.Processes[2].Command, g.Processes[3].Command = "/new", "/new", "/new"
			return g
		}(), "w_1 w_2 / w_3"},
		{"what is new or gone comes first", numbered("w", 2), rolled("w", 4, spec.Rollout{N: 1}, newer), "w_0 w_2 w_3 / w_1"},
		{"nothing is restarted", numbered("w", 2), rolled("w", 2, spec.Rollout{N: 1}), ""},
	} {
		m := newModel()
		m.update([]spec.Group{test.old}, Policy{})
		steps := Plan(m.Groups(), []spec.Group{test.new}, Policy{})
		if len(steps) != 1 {
			t.Fatalf("%s: %d steps", test.name, len(steps))
		}
		list := waves(&steps[0])
		var got []string
		before := steps[0].Old
		for _, w := range list {
			got = append(got, strings.Join(w.Start, " "))
			if w.Old != before {
				t.Errorf("%s: a wave does not begin where the last one ended", test.name)
			}
			before = w.New
		}
		if text := strings.Join(got, " / "); text != test.want || before != steps[0].New {
			t.Errorf("%s: %s, want %s", test.name, text, test.want)
		}
	}
}

// TestRollout: each wave waits for the one before, and the definition of those whose turn
// has not come stays in force.
func TestRollout(t *testing.T) {
	m := newModel()
	m.update([]spec.Group{numbered("w", 3)}, Policy{})
	m.took()
	m.coming = func(_ context.Context, group, process string) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.log = append(m.log, "await "+process)
		return nil
	}
	out := m.update([]spec.Group{rolled("w", 3, spec.Rollout{N: 1}, command("/new"))}, Policy{})
	want := "stop w:w_0; stopped w:w_0; change w; start w:w_0; await w_0; " +
		"stop w:w_1; stopped w:w_1; change w; start w:w_1; await w_1; stop w:w_2; stopped w:w_2; change w; start w:w_2"
	if got := words(m.took()); got != want || out[0].Err != nil {
		t.Errorf("%v\ngot  %s\nwant %s", out[0].Err, got, want)
	}
	if stale := m.stale(); len(stale) > 0 || len(m.wrong) > 0 {
		t.Errorf("stale %v, wrong %v", stale, m.wrong)
	}
}

// TestRolloutStops: it stops where a process does not come up, and says so; the next try
// begins by looking at that one, and goes on when it is up.
func TestRolloutStops(t *testing.T) {
	m := newModel()
	m.update([]spec.Group{numbered("w", 4)}, Policy{})
	m.took()
	broken := true
	m.coming = func(_ context.Context, group, process string) error {
		if broken && process == "w_1" {
			return fmt.Errorf("%s: Exited too quickly", process)
		}
		return nil
	}
	desired := []spec.Group{rolled("w", 4, spec.Rollout{N: 1}, command("/new"))}
	const failed = "rollout of group w stopped, w_2, w_3 not restarted: w_1: Exited too quickly"
	for range 3 {
		out := m.update(desired, Policy{})
		if out[0].Err == nil || out[0].Err.Error() != failed {
			t.Fatalf("it ended with %v, want %s", out[0].Err, failed)
		}
		if steps := Plan(m.Groups(), desired, Policy{}); len(steps) != 1 || !slices.Equal(steps[0].Start, []string{"w_2", "w_3"}) {
			t.Fatalf("what is left: %+v", steps)
		}
	}
	if got := words(m.took()); strings.Count(got, "start ") != 2 {
		t.Errorf("more than two were started: %s", got)
	}
	broken = false
	if out := m.update(desired, Policy{}); out[0].Err != nil {
		t.Error(out[0].Err)
	}
	if steps := Plan(m.Groups(), desired, Policy{}); len(steps) > 0 {
		t.Errorf("left: %+v", steps)
	}
}

// TestLastWaveWaits: also where one wave is left over, it is begun only when what went before
// has come up.
func TestLastWaveWaits(t *testing.T) {
	m := newModel()
	m.update([]spec.Group{numbered("w", 2)}, Policy{})
	m.coming = func(_ context.Context, group, process string) error {
		return fmt.Errorf("%s: Exited too quickly", process)
	}
	desired := []spec.Group{rolled("w", 2, spec.Rollout{N: 1}, command("/new"))}
	pid := m.pidOf("w", "w_1")
	for range 3 {
		if out := m.update(desired, Policy{}); out[0].Err == nil {
			t.Error("it did not stop")
		}
	}
	if m.pidOf("w", "w_1") != pid {
		t.Error("the last was restarted although the first had not come up")
	}
}

// TestRolloutIsOvertaken: newer content ends the wait, and is a conflict to those who plan.
func TestRolloutIsOvertaken(t *testing.T) {
	m := newModel()
	m.update([]spec.Group{numbered("w", 2)}, Policy{})
	newer := make(chan struct{})
	m.coming = func(ctx context.Context, group, process string) error {
		close(newer)
		<-ctx.Done()
		return ctx.Err()
	}
	steps := Plan(m.Groups(), []spec.Group{rolled("w", 2, spec.Rollout{N: 1}, command("/new"))}, Policy{})
	over := func() bool {
		select {
		case <-newer:
			return true
		default:
			return false
		}
	}
	out := execute(context.Background(), m, steps, over, newer)
	if !errors.Is(out[0].Err, ErrConflict) || !out[0].Begun {
		t.Errorf("it ended with %v", out[0].Err)
	}
}

// TestRolloutLeavesStopped: what a person stops meanwhile stays down.
func TestRolloutLeavesStopped(t *testing.T) {
	m := newModel()
	m.update([]spec.Group{numbered("w", 2)}, Policy{})
	m.took()
	m.coming = func(context.Context, string, string) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.groups["w"].procs["w_1"].state, m.groups["w"].procs["w_1"].user = "STOPPED", true
		return nil
	}
	out := m.update([]spec.Group{rolled("w", 2, spec.Rollout{N: 1}, command("/new"))}, Policy{})
	if got := words(m.took()); out[0].Err != nil || strings.Contains(got, "start w:w_1") {
		t.Errorf("%v: %s", out[0].Err, got)
	}
}
