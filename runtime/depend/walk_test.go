package depend_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"supervisord/runtime/depend"
	"supervisord/runtime/proc"
	"supervisord/runtime/state"
	"supervisord/spec"
	"supervisord/spec/value"
)

var steps = flag.Int("steps", 100_000, "steps of the random walk")

// world is some processes that need each other, and what a loop around them does.
type world struct {
	t     *testing.T
	rng   *rand.Rand
	now   time.Time
	list  []*process // none needs one that comes after it
	by    map[spec.Namespec]*process
	graph *spec.Graph
	pids  int
	// person is who has asked for what happens now, in the place of the daemon.
	person bool
	// updated are the processes whose definition changes in this step, and only they and
	// those that ask for it may end.
	updated  map[*process]bool
	updating bool
	trace    []string
}

// process is one of them.
type process struct {
	name  spec.Namespec
	group *spec.Group
	def   *spec.Process
	m     proc.Machine
	// job is one that ends by itself, and that others may wait for the end of.
	job                bool
	done, ran, isReady bool
	stopped            bool // by a person
	restart            bool // once it is down
}

// newWorld has groups of one or two processes that need processes or groups before them.
func newWorld(t *testing.T, rng *rand.Rand) *world {
	w := &world{t: t, rng: rng, now: time.Unix(1e9, 0), by: make(map[spec.Namespec]*process)}
	var groups []*spec.Group
	for i := range 2 + rng.IntN(5) {
		g := &spec.Group{Name: fmt.Sprintf("g%d", i)}
		g.Processes = make([]spec.Process, 1+rng.IntN(2))
		jobs := rng.IntN(4) == 0 // of one kind, so that something holds for all of the group
		g.DependsOn, g.RestartWith = w.dependencies(groups)
		for j := range g.Processes {
			def := &g.Processes[j]
			def.Name, def.Autostart = fmt.Sprintf("p%d%d", i, j), rng.IntN(8) > 0
			def.DependsOn, def.RestartWith = w.dependencies(groups)
			p := &process{name: spec.Namespec{Group: g.Name, Process: def.Name}, group: g, def: def, job: jobs}
			w.randomKeys(p)
			w.list, w.by[p.name] = append(w.list, p), p
		}
		groups = append(groups, g)
	}
	w.graph = spec.NewGraph(groups)
	for _, p := range w.list {
		p.m.Step(w.now, p.defined())
	}
	return w
}

func (p *process) defined() proc.Input {
	return proc.Input{Kind: proc.Defined, Name: p.name.String(), Rules: proc.RulesOf(p.def)}
}

// dependencies are some on groups that there are, or on processes of these. An end is only
// asked for of jobs, and what starts by nobody is optional: else there would be no order.
func (w *world) dependencies(groups []*spec.Group) (needs []spec.Dependency, restart []string) {
	for _, g := range groups {
		name, members := g.Name, w.membersOf(g)
		if w.rng.IntN(2) == 0 {
			p := members[w.rng.IntN(len(members))]
			name, members = p.def.Name, []*process{p}
		}
		if w.rng.IntN(3) == 0 {
			until := []spec.Condition{spec.UntilRunning, spec.UntilRunning, spec.UntilStarted}
			if members[0].job {
				until = []spec.Condition{spec.UntilStarted, spec.UntilExited, spec.UntilDone, spec.UntilExited | spec.UntilFatal}
			}
			starts := slices.ContainsFunc(members, func(p *process) bool { return p.def.Autostart })
			needs = append(needs, spec.Dependency{Name: name, Until: until[w.rng.IntN(len(until))], Optional: !starts || w.rng.IntN(4) == 0})
		}
		if w.rng.IntN(6) == 0 {
			restart = append(restart, name)
		}
	}
	if w.rng.IntN(10) == 0 {
		needs = append(needs, spec.Dependency{Name: "missing", Until: spec.UntilRunning, Optional: true})
	}
	return needs, restart
}

func (w *world) membersOf(g *spec.Group) (list []*process) {
	for _, p := range w.list {
		if p.group == g {
			list = append(list, p)
		}
	}
	return list
}

// randomKeys are those of the restart policy and of probes.
func (w *world) randomKeys(p *process) {
	def, seconds := p.def, func(n int) time.Duration { return time.Duration(w.rng.IntN(n)) * time.Second }
	def.StartSecs, def.StartRetries, def.ExitCodes = w.rng.IntN(3), w.rng.IntN(3), []int{0}
	def.StopSignal, def.StopWaitSecs = 15, 5
	def.Autorestart = []spec.Autorestart{spec.RestartUnexpected, spec.RestartAlways}[w.rng.IntN(2)]
	def.Retry, def.Probes = spec.Retry{}, spec.Probes{}
	if w.rng.IntN(2) == 0 {
		def.Retry = spec.Retry{Backoff: seconds(3), Factor: float64(w.rng.IntN(3)), Max: seconds(5), Jitter: spec.Percent(w.rng.IntN(50)),
			Reset: seconds(5), GiveUp: []spec.GiveUp{spec.GiveUpRetries, spec.GiveUpNever}[w.rng.IntN(2)],
			Crashes: spec.CrashLimit{N: w.rng.IntN(4), Within: time.Minute}}
	}
	if w.rng.IntN(2) == 0 {
		kinds := []value.ProbeKind{value.ProbeNotify, value.ProbeFD, value.ProbeLog, value.ProbeTCP}
		def.Probes.Ready = spec.Probe{Kind: kinds[w.rng.IntN(len(kinds))], Target: "3"}
		def.Probes.ReadyTimeout = time.Second + seconds(20)
	}
	if w.rng.IntN(2) == 0 {
		def.Probes.Health = spec.Probe{Kind: value.ProbeTCP, Target: "localhost:1"}
		def.Probes.HealthFailures = 1 + w.rng.IntN(2)
		def.Probes.OnUnhealthy = []spec.OnUnhealthy{spec.UnhealthyRestart, spec.UnhealthyStop, spec.UnhealthyReport}[w.rng.IntN(3)]
		def.Probes.Watchdog = 2 * seconds(5) // well within which settle says that all is well
	}
	if p.job {
		def.Autorestart = []spec.Autorestart{spec.RestartUnexpected, spec.RestartNever}[w.rng.IntN(2)]
	}
}

// look is a process as those that need it see it.
func (w *world) look(name spec.Namespec) depend.Process {
	p := w.by[name]
	return depend.Process{State: p.m.State, Forked: p.m.PID != 0, Waiting: p.m.Waiting || p.restart, Done: p.done,
		Disabled: !p.def.Autostart || p.stopped}
}

func (w *world) waits(p *process) []depend.Wait { return depend.Waits(w.graph.Needs(p.name), w.look) }

// step gives one input to one machine, and answers what it asks for.
func (w *world) step(p *process, in proc.Input) {
	m := &p.m
	before, waited := m.State, m.Waiting
	in.Shut = len(w.waits(p)) > 0
	w.trace = append(w.trace, fmt.Sprintf("%s %v shut=%v", p.name, in.Kind, in.Shut))
	effects := slices.Clone(m.Step(w.now, in)) // those that follow step it again
	waits, kill, down := m.Waiting, 0, m.PID == 0
	renewed := false
	for _, e := range effects {
		switch e.Kind {
		case proc.Launch:
			p.isReady = false
			if !w.person {
				w.checkStart(p)
			}
			if waits {
				w.fail("%s is started and waits", p.name)
			}
		case proc.Emit:
			p.done = p.done || e.To == state.Exited && e.Expected
			if e.To == state.Running {
				if def := p.def.Probes.Ready; e.From == state.Starting && def != (spec.Probe{}) && !p.isReady {
					w.fail("%s is RUNNING, and nobody has found that it is ready", p.name)
				}
				renewed, p.ran = p.ran && e.From == state.Starting, true
			}
			if in.Kind == proc.Look && in.Shut || in.Kind == proc.StartInOrder && waits {
				w.fail("%s waits, and an event says that it is %v", p.name, e.To)
			}
		case proc.Kill:
			kill = e.PID
			if w.updating && !w.updated[p] && !p.restart {
				w.fail("%s is touched by an update of another", p.name)
			}
		}
	}
	if waits && !waited && in.Kind == proc.StartInOrder && m.State != before {
		w.fail("%s waits, and is %v", p.name, m.State)
	}
	if in.Kind == proc.Stop && m.Waiting {
		w.fail("%s waits, though it was stopped", p.name)
	}
	if renewed && m.State == state.Running {
		w.restartWith(p)
	}
	if kill != 0 && w.rng.IntN(4) > 0 {
		w.step(p, proc.Input{Kind: proc.Exited, Exit: proc.Exit{Code: -1, Signal: 15, How: "terminated by SIGTERM"}})
	}
	if down && p.restart && m.State.InStopped() {
		p.restart = false
		w.step(p, proc.Input{Kind: proc.StartInOrder})
	}
}

// restartWith restarts what asks for it, now that p has a new pid.
func (w *world) restartWith(p *process) {
	for _, name := range w.graph.RestartingWith(p.name) {
		q := w.by[name]
		if names := slices.Concat(q.def.RestartWith, q.group.RestartWith); !slices.Contains(names, p.def.Name) && !slices.Contains(names, p.group.Name) {
			w.fail("%s is to restart with %s, and asks for %q", q.name, p.name, names)
		}
		if s := q.m.State; q.m.PID != 0 && q.m.Up().Before(p.m.Up()) && (s == state.Starting || s == state.Running) {
			q.restart = true
			w.step(q, proc.Input{Kind: proc.Stop})
		}
	}
}

// checkStart fails if a process is started before all that it needs is there. It is another
// wording of package depend's rules, by the states themselves.
func (w *world) checkStart(p *process) {
	w.t.Helper()
	for _, need := range w.graph.Needs(p.name) {
		if len(need.Targets) == 0 && !need.Optional {
			w.fail("%s is started without %s", p.name, need.Name)
		}
		for _, target := range need.Targets {
			q := w.by[target]
			s := q.m.State
			there := false
			switch need.Until {
			case spec.UntilRunning:
				there = s == state.Running
			case spec.UntilStarted:
				there = s == state.Running || s == state.Exited || s == state.Starting && q.m.PID != 0
			case spec.UntilExited:
				there = s == state.Exited
			case spec.UntilDone:
				there = q.done
			case spec.UntilExited | spec.UntilFatal:
				there = s == state.Exited || s == state.Fatal
			}
			if need.Optional && !q.m.Waiting && !q.restart {
				there = there || s == state.Fatal || s == state.Exited || s == state.Stopped && (q.stopped || !q.def.Autostart)
			}
			if !there {
				w.fail("%s, which needs %v, is started while %s is %v", p.name, need, target, s)
			}
		}
	}
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	for _, line := range w.trace[max(0, len(w.trace)-40):] {
		w.t.Log(line)
	}
	for _, p := range w.list {
		w.t.Logf("%s: %v, waiting %v, needs %v, job %v, done %v", p.name, p.m.State, p.m.Waiting, w.graph.Needs(p.name), p.job, p.done)
	}
	w.t.Fatalf(format, args...)
}

// follow starts what need not wait any more, as the loop does at the end of a turn.
func (w *world) follow() {
	for again := true; again; {
		again = false
		for _, p := range w.list {
			if p.m.Waiting && len(w.waits(p)) == 0 {
				w.step(p, proc.Input{Kind: proc.Look})
				again = true
			}
		}
	}
}

// random lets one thing happen.
func (w *world) random() {
	p := w.list[w.rng.IntN(len(w.list))]
	switch w.rng.IntN(16) {
	case 0:
		p.stopped = false
		w.step(p, proc.Input{Kind: proc.StartInOrder})
	case 1:
		w.person = true
		p.stopped, p.restart = false, false
		w.step(p, proc.Input{Kind: proc.Start})
		w.person = false
	case 2:
		p.stopped, p.restart = true, false
		w.step(p, proc.Input{Kind: proc.Stop})
	case 3:
		w.update(p, w.list[w.rng.IntN(len(w.list))])
	case 4: // keys that are in force at once
		if p.m.State != state.Backoff {
			w.randomKeys(p)
			w.step(p, p.defined())
		}
	case 5, 6, 7:
		w.answer(p, w.rng.IntN(5) > 0)
	case 8:
		w.exit(p, w.rng.IntN(2))
	case 9, 10:
		w.ready(p)
	case 11:
		w.step(p, proc.Input{Kind: []proc.InputKind{proc.Healthy, proc.Unhealthy, proc.Unhealthy}[w.rng.IntN(3)], Text: "no"})
	case 12:
		w.step(p, proc.Input{Kind: proc.Notified, Notice: proc.Notice{Well: w.rng.IntN(3) > 0, Unwell: w.rng.IntN(8) == 0, Stopping: w.rng.IntN(8) == 0, Reloading: w.rng.IntN(4) == 0}})
	case 13:
		w.step(p, proc.Input{Kind: proc.Reset})
	case 14:
		w.now = w.now.Add(time.Duration(w.rng.IntN(3000)) * time.Millisecond)
		fallthrough
	case 15:
		w.tick()
	}
	w.follow()
}

func (w *world) tick() {
	for _, p := range w.list {
		w.step(p, proc.Input{Kind: proc.Tick})
	}
}

// update gives some processes another definition, for which they are restarted: all at
// once, or one after the other as rollout has it.
func (w *world) update(some ...*process) {
	w.updating, w.updated = true, make(map[*process]bool)
	rolling := w.rng.IntN(2) == 0
	for _, p := range some {
		w.updated[p] = true
	}
	var start []*process
	for _, p := range w.list {
		if !w.updated[p] {
			continue
		}
		p.done = false
		w.randomKeys(p)
		w.step(p, p.defined())
		if p.m.State.InRunning() {
			w.step(p, proc.Input{Kind: proc.Stop})
		}
		start = append(start, p)
		if rolling {
			w.startAll(start)
			start = nil
		}
	}
	w.startAll(start)
	w.updating = false
}

func (w *world) startAll(list []*process) {
	for _, p := range list {
		if p.m.State.InStopped() && !p.stopped {
			w.step(p, proc.Input{Kind: proc.StartInOrder})
		}
	}
	w.follow()
}

// answer ends a launch.
func (w *world) answer(p *process, well bool) {
	switch {
	case !p.m.Launching:
	case well:
		w.pids++
		w.step(p, proc.Input{Kind: proc.Launched, PID: w.pids})
	default:
		w.step(p, proc.Input{Kind: proc.LaunchFailed, Text: "no"})
	}
}

// exit ends a process by itself.
func (w *world) exit(p *process, code int) {
	if p.m.PID != 0 {
		w.step(p, proc.Input{Kind: proc.Exited, Exit: proc.Exit{Code: code, How: fmt.Sprintf("exit status %d", code)}})
	}
}

// ready has a process found ready by what it is asked for.
func (w *world) ready(p *process) {
	if p.m.State != state.Starting || p.m.PID == 0 || p.m.Late {
		return
	}
	in := proc.Input{Kind: proc.BecameReady}
	if p.def.Probes.Ready.Kind == value.ProbeNotify {
		in = proc.Input{Kind: proc.Notified, Notice: proc.Notice{Ready: true}}
	}
	p.isReady = true
	w.step(p, in)
}

// settle lets everything go well and is asked to start what starts by itself, after which
// all of that must run, or have ended where it is a job: there is no deadlock.
func (w *world) settle() {
	rounds := 0
	for ; rounds < 60*len(w.list) && w.unsettled() != nil; rounds++ {
		for _, p := range w.list {
			w.answer(p, true)
			w.ready(p)
			w.step(p, proc.Input{Kind: proc.Notified, Notice: proc.Notice{Well: true}})
			switch {
			case p.m.State == state.Stopping, p.m.Leaving, p.job && p.m.State == state.Running:
				w.exit(p, 0)
			case p.m.State.InStopped() && w.wanted(p):
				p.stopped = false
				w.step(p, proc.Input{Kind: proc.StartInOrder})
			}
		}
		w.now = w.now.Add(time.Second)
		w.tick()
		w.follow()
	}
	if p := w.unsettled(); p != nil {
		w.fail("%s is %v although nothing is in the way, and waits for %q", p.name, p.m.State, depend.Text(w.waits(p)))
	}
}

// wanted reports whether a process is to be started for the sake of its autostart.
func (w *world) wanted(p *process) bool {
	return p.def.Autostart && !p.m.Waiting && !(p.job && p.done && p.m.State == state.Exited)
}

// unsettled is one that is not as it is to be when all is well, nil for none.
func (w *world) unsettled() *process {
	for _, p := range w.list {
		good := p.m.State == state.Running && !p.job || p.m.State == state.Exited && p.job && p.done
		if p.def.Autostart && !good {
			return p
		}
	}
	return nil
}

// TestWalk takes random steps in random worlds: nothing is started by the daemon before
// what it needs is there, nothing is RUNNING that was not found ready, an update touches only
// what it is of and what asks for that, waiting is seen by nobody, and where all goes well
// everything runs in the end.
func TestWalk(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 9))
	t.Logf("seed %d, %d steps", seed, *steps)
	for done := 0; done < *steps; {
		w := newWorld(t, rng)
		for range 200 {
			w.random()
			done++
		}
		w.settle()
	}
}
