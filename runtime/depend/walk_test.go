package depend_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"supervisord/runtime/depend"
	"supervisord/runtime/proc"
	"supervisord/runtime/state"
	"supervisord/spec"
)

var steps = flag.Int("steps", 100_000, "steps of the random walk")

// world is some processes that need each other, and what a loop around them does.
type world struct {
	t     *testing.T
	rng   *rand.Rand
	now   time.Time
	names []spec.Namespec // none needs one that comes after it
	graph *spec.Graph
	m     map[spec.Namespec]*proc.Machine
	done  map[spec.Namespec]bool
	pids  int
	// What is being done: asked for by a person, or by the daemon.
	person bool
	// touched are processes whose definition changes in this step, and only they may end.
	touched  map[spec.Namespec]bool
	updating bool
	trace    []string
}

func newWorld(t *testing.T, rng *rand.Rand) *world {
	w := &world{t: t, rng: rng, now: time.Unix(1e9, 0), m: make(map[spec.Namespec]*proc.Machine), done: make(map[spec.Namespec]bool)}
	var groups []*spec.Group
	for i := range 2 + rng.IntN(6) {
		name := fmt.Sprintf("p%d", i)
		p := spec.Process{Name: name, Autostart: true, StartSecs: rng.IntN(3), StartRetries: 2, ExitCodes: []int{0}, StopSignal: 15, StopWaitSecs: 5,
			Autorestart: []spec.Autorestart{spec.RestartUnexpected, spec.RestartAlways}[rng.IntN(2)]}
		for j := range i {
			if rng.IntN(3) == 0 {
				p.DependsOn = append(p.DependsOn, spec.Dependency{Name: fmt.Sprintf("p%d", j), Optional: rng.IntN(4) == 0,
					Until: []spec.Condition{spec.UntilRunning, spec.UntilRunning, spec.UntilStarted}[rng.IntN(3)]})
			}
		}
		groups = append(groups, &spec.Group{Name: name, Processes: []spec.Process{p}})
		at := spec.Namespec{Group: name, Process: name}
		w.names, w.m[at] = append(w.names, at), new(proc.Machine)
		w.m[at].Step(w.now, proc.Input{Kind: proc.Defined, Name: name, Rules: proc.RulesOf(&p)})
	}
	w.graph = spec.NewGraph(groups)
	return w
}

func (w *world) look(name spec.Namespec) depend.Process {
	m := w.m[name]
	return depend.Process{State: m.State, Forked: m.PID != 0, Waiting: m.Waiting, Done: w.done[name]}
}

func (w *world) waits(name spec.Namespec) []depend.Wait {
	return depend.Waits(w.graph.Needs(name), w.look)
}

// step gives one input to one machine, and answers what it asks for.
func (w *world) step(name spec.Namespec, in proc.Input) {
	m := w.m[name]
	in.Shut = len(w.waits(name)) > 0
	w.trace = append(w.trace, fmt.Sprintf("%s %v shut=%v", name, in.Kind, in.Shut))
	kill := 0
	for _, e := range m.Step(w.now, in) {
		switch e.Kind {
		case proc.Launch:
			if !w.person {
				w.checkStart(name)
			}
		case proc.Emit:
			w.done[name] = w.done[name] || e.To == state.Exited && e.Expected
		case proc.Kill:
			kill = e.PID
			if w.updating && !w.touched[name] {
				w.fail("%s is touched by an update of another", name)
			}
		}
	}
	if kill != 0 && w.rng.IntN(4) > 0 {
		w.step(name, proc.Input{Kind: proc.Exited, Exit: proc.Exit{Code: -1, Signal: 15, How: "terminated by SIGTERM"}})
	}
}

// checkStart fails if a process is started before all that it needs is there.
func (w *world) checkStart(name spec.Namespec) {
	w.t.Helper()
	for _, need := range w.graph.Needs(name) {
		for _, target := range need.Targets {
			m := w.m[target]
			there := m.State == state.Running
			if need.Until == spec.UntilStarted {
				there = there || m.PID != 0 && m.State == state.Starting || m.State == state.Exited
			}
			if need.Optional && !m.Waiting {
				there = there || m.State == state.Fatal || m.State == state.Exited
			}
			if !there {
				w.fail("%s is started while %s is %v", name, target, m.State)
			}
		}
	}
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	for _, line := range w.trace[max(0, len(w.trace)-40):] {
		w.t.Log(line)
	}
	for _, name := range w.names {
		w.t.Logf("%s: %v, waiting %v, needs %v", name, w.m[name].State, w.m[name].Waiting, w.graph.Needs(name))
	}
	w.t.Fatalf(format, args...)
}

// follow starts what need not wait any more, as the loop does at the end of a turn.
func (w *world) follow() {
	for again := true; again; {
		again = false
		for _, name := range w.names {
			if m := w.m[name]; m.Waiting && len(w.waits(name)) == 0 {
				w.step(name, proc.Input{Kind: proc.Look})
				again = true
			}
		}
	}
}

// random lets one thing happen.
func (w *world) random() {
	name := w.names[w.rng.IntN(len(w.names))]
	m := w.m[name]
	switch w.rng.IntN(9) {
	case 0:
		w.step(name, proc.Input{Kind: proc.StartInOrder})
	case 1:
		w.person = true
		w.step(name, proc.Input{Kind: proc.Start})
		w.person = false
	case 2:
		w.step(name, proc.Input{Kind: proc.Stop})
	case 3: // an update of some, which are restarted
		w.updating, w.touched = true, map[spec.Namespec]bool{name: true, w.names[w.rng.IntN(len(w.names))]: true}
		for n := range w.touched {
			w.done[n] = false
			if w.m[n].State.InRunning() {
				w.step(n, proc.Input{Kind: proc.Stop})
			}
		}
		for _, n := range w.names {
			if w.touched[n] && w.m[n].State.InStopped() {
				w.step(n, proc.Input{Kind: proc.StartInOrder})
			}
		}
		w.follow()
		w.updating = false
	case 4, 5:
		w.answer(name, w.rng.IntN(5) > 0)
	case 6:
		if m.PID != 0 {
			code := w.rng.IntN(2)
			w.step(name, proc.Input{Kind: proc.Exited, Exit: proc.Exit{Code: code, How: fmt.Sprintf("exit status %d", code)}})
		}
	case 7:
		w.now = w.now.Add(time.Duration(w.rng.IntN(3000)) * time.Millisecond)
		fallthrough
	case 8:
		for _, n := range w.names {
			w.step(n, proc.Input{Kind: proc.Tick})
		}
	}
	w.follow()
}

// answer ends a launch.
func (w *world) answer(name spec.Namespec, well bool) {
	switch m := w.m[name]; {
	case !m.Launching:
	case well:
		w.pids++
		w.step(name, proc.Input{Kind: proc.Launched, PID: w.pids})
	default:
		w.step(name, proc.Input{Kind: proc.LaunchFailed, Text: "no"})
	}
}

// settle lets everything go well, after which everything must run.
func (w *world) settle() {
	for range 20 * len(w.names) {
		for _, name := range w.names {
			m := w.m[name]
			w.answer(name, true)
			if m.State == state.Stopping {
				w.step(name, proc.Input{Kind: proc.Exited, Exit: proc.Exit{Code: 0, How: "exit status 0"}})
			}
			if m.State.InStopped() {
				w.step(name, proc.Input{Kind: proc.StartInOrder})
			}
			w.step(name, proc.Input{Kind: proc.Tick})
		}
		w.follow()
		w.now = w.now.Add(time.Second)
	}
	for _, name := range w.names {
		if w.m[name].State != state.Running {
			w.fail("%s is %v although nothing is in the way, and waits for %q", name, w.m[name].State, depend.Text(w.waits(name)))
		}
	}
}

// TestWalk takes random steps in random worlds: nothing is started by the daemon before
// what it needs is there, an update touches only what it is of, and where all goes well
// everything runs in the end.
func TestWalk(t *testing.T) {
	rng := rand.New(rand.NewPCG(16, 9))
	for done := 0; done < *steps; {
		w := newWorld(t, rng)
		for range 200 {
			w.random()
			done++
		}
		w.settle()
	}
}
