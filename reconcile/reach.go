package reconcile

import (
	"slices"
	"time"

	"supervisord/spec"
)

// Reach is what an update means to the processes that run, as far as that can be told
// beforehand. Each process is named once in Restarted, Ended and Following together.
type Reach struct {
	Restarted []spec.Namespec // they end and are started again
	Ended     []spec.Namespec // they end for good
	Started   []spec.Namespec // they do not run and are started
	// Following restart once what they name with restart_with has a new pid.
	Following []Link
	// Dependents need something that ends, by depends_on, and go on running.
	Dependents []Link
	// Wait is the longest that the update may wait for what it stops: what is stopped
	// together counts once, by its longest stopwaitsecs.
	Wait time.Duration
	// Removals is how many groups are removed, and Held why an automatic update would
	// leave them to a person; "" if it would not.
	Removals int
	Held     string
}

// Link is a process, and the one because of which it is listed.
type Link struct{ Process, Of spec.Namespec }

// Supposed is the groups of a configuration as if everything that starts by itself were
// running: what an update would find where all is well.
func Supposed(cfg *spec.Config) []Active {
	active := make([]Active, len(cfg.Groups))
	for i := range cfg.Groups {
		g := &cfg.Groups[i]
		active[i].Group = g
		for j := range g.Processes {
			p := Process{Name: g.Processes[j].Name, State: "STOPPED"}
			if g.Processes[j].Autostart {
				p.State, p.Running = "RUNNING", true
			}
			active[i].Processes = append(active[i].Processes, p)
		}
	}
	return active
}

// ReachOf says what a plan for these active groups reaches, where limit is max_removals. It
// is pure.
func ReachOf(active []Active, steps []Step, limit spec.Removals) Reach {
	runs := make(map[spec.Namespec]bool)
	for i := range active {
		for _, p := range active[i].Processes {
			runs[spec.Namespec{Group: active[i].Group.Name, Process: p.Name}] = p.Running
		}
	}
	var r Reach
	ends := make(map[spec.Namespec]bool)
	for i := range steps {
		s := &steps[i]
		if isRemoval(*s) {
			r.Removals++
		}
		starts := s.starts()
		for _, name := range s.Stop {
			n := spec.Namespec{Group: s.Group, Process: name}
			switch {
			case !runs[n]:
				continue
			case slices.Contains(starts, name):
				r.Restarted = append(r.Restarted, n)
			default:
				r.Ended = append(r.Ended, n)
			}
			ends[n] = true
		}
		for _, name := range starts {
			if n := (spec.Namespec{Group: s.Group, Process: name}); !ends[n] {
				r.Started = append(r.Started, n)
			}
		}
	}
	after := afterwards(active, steps)
	r.follow(spec.NewGraph(after), runs, ends, steps)
	r.depend([]*spec.Graph{spec.NewGraph(definitions(active)), spec.NewGraph(after)}, after, runs, ends)
	r.Wait = longestWait(steps, runs)
	r.Held = newGuard().tooMany(time.Time{}, steps, active, limit)
	return r
}

// starts are the processes that a step starts, by the rule too.
func (s *Step) starts() []string {
	if s.New == nil || s.Start != nil {
		return s.Start
	}
	var names []string
	for i := range s.New.Processes {
		if p := &s.New.Processes[i]; p.Autostart {
			names = append(names, p.Name)
		}
	}
	return names
}

// afterwards is the groups that are active once steps are carried out.
func afterwards(active []Active, steps []Step) (groups []*spec.Group) {
	next := make(map[string]*spec.Group, len(steps))
	for i := range steps {
		next[steps[i].Group] = steps[i].New
	}
	for i := range active {
		g := active[i].Group
		if to, changes := next[g.Name]; changes {
			g = to
		}
		if g != nil {
			groups = append(groups, g)
		}
	}
	for i := range steps {
		if steps[i].Old == nil {
			groups = append(groups, steps[i].New)
		}
	}
	return groups
}

// follow finds what restarts because something else has a new pid, and what restarts for
// that in turn. What was created again with its group has had no pid before.
func (r *Reach) follow(graph *spec.Graph, runs, ends map[spec.Namespec]bool, steps []Step) {
	anew := make(map[string]bool)
	for i := range steps {
		anew[steps[i].Group] = steps[i].Replace
	}
	todo := slices.DeleteFunc(slices.Clone(r.Restarted), func(n spec.Namespec) bool { return anew[n.Group] })
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		for _, n := range graph.RestartingWith(at) {
			if runs[n] && !ends[n] {
				ends[n] = true
				r.Following = append(r.Following, Link{n, at})
				todo = append(todo, n)
			}
		}
	}
}

// depend finds what needs something that ends, before the update or after it.
func (r *Reach) depend(graphs []*spec.Graph, after []*spec.Group, runs, ends map[spec.Namespec]bool) {
	stays := make(map[spec.Namespec]bool)
	for _, g := range after {
		for i := range g.Processes {
			n := spec.Namespec{Group: g.Name, Process: g.Processes[i].Name}
			stays[n] = runs[n] && !ends[n]
		}
	}
	list := slices.Concat(r.Restarted, r.Ended)
	for _, f := range r.Following {
		list = append(list, f.Process)
	}
	for _, of := range list {
		for _, graph := range graphs {
			for _, n := range graph.Dependents(of) {
				if stays[n] {
					stays[n] = false
					r.Dependents = append(r.Dependents, Link{n, of})
				}
			}
		}
	}
}

// longestWait is how long the stops of a plan may take, carried out as execute does it.
func longestWait(steps []Step, runs map[spec.Namespec]bool) (total time.Duration) {
	e, removed, changed, _, rolled := newExecution(steps)
	_, _, through, rest := e.arrange(changed)
	for _, batch := range slices.Concat(e.stops(removed), e.stops(rest), [][]*Outcome{through}) {
		longest := time.Duration(0)
		for _, o := range batch {
			longest = max(longest, e.waitFor(o.Step, runs))
		}
		total += longest
	}
	longest := time.Duration(0)
	for _, o := range rolled { // at once, each wave after the one before
		sum := time.Duration(0)
		at, last := turns(o.Step)
		for turn := range last + 1 {
			sum += e.waitFor(wave(o.Step, o.Step.Old, at, turn, last), runs)
		}
		longest = max(longest, sum)
	}
	return total + longest
}

// maxStop is the longest stop that is reported: what people write for "never" may be more
// than a Duration holds.
const maxStop = 10 * 365 * 24 * time.Hour

// waitFor is how long the stop of one step may take.
func (e *execution) waitFor(s *Step, runs map[spec.Namespec]bool) (total time.Duration) {
	for _, stage := range e.stages(s) {
		longest := 0
		for _, name := range stage {
			if runs[spec.Namespec{Group: s.Group, Process: name}] {
				longest = max(longest, find(s.Old, name).StopWaitSecs)
			}
		}
		total += min(time.Duration(longest), maxStop/time.Second) * time.Second
	}
	return total
}
