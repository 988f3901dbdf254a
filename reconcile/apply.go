package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"supervisord/spec"
)

// Outcome is the result of one step.
type Outcome struct {
	Step *Step
	// Begun is false for a step that newer content overtook before its turn.
	Begun bool
	Err   error // nil when the step was carried out whole
	Again bool  // the step failed and is planned again: nobody is told
	// Stopped are processes that were stopped to be restarted; Started those that
	// were started then, or that no longer need to be.
	Stopped, Started []string
	// RolledOut are the processes that a rollout has started with their new definition,
	// however it ended.
	RolledOut []string
}

// pendingStarts are the processes that were stopped to be restarted, and not
// started yet. An update that fails or is cut short leaves them to the next.
type pendingStarts map[ProcessKey]bool

// take notes what a step stopped and started.
func (p pendingStarts) take(o *Outcome) {
	for _, name := range o.Stopped {
		p[ProcessKey{o.Step.Group, name}] = true
	}
	for _, name := range o.Started {
		delete(p, ProcessKey{o.Step.Group, name})
	}
}

// prune drops what no longer needs to be started: processes that run, that a person
// stopped or that are gone.
func (p pendingStarts) prune(active []Active) {
	if len(p) == 0 {
		return
	}
	down := make(map[ProcessKey]bool)
	for _, a := range active {
		for _, q := range a.Processes {
			if !q.Running && !q.UserStopped {
				down[ProcessKey{a.Group.Name, q.Name}] = true
			}
		}
	}
	maps.DeleteFunc(p, func(key ProcessKey, _ bool) bool { return !down[key] })
}

// execution carries out one plan.
type execution struct {
	target    Target
	overtaken func() bool     // asked between the steps under way
	newer     <-chan struct{} // closed when that is so; ends the waits of a rollout. nil never
	old, new  *spec.Graph     // of what the steps take away and put in force
	outcomes  []Outcome       // one per step, each written by the one goroutine that has the step
}

// execute carries out a plan and returns when everything it began is done. The
// order is that of update: removed, then changed, then added groups;
// stops by descending, starts by ascending priority; what has the same priority
// in parallel, so that no stop waits for its peer's. What depends on another is
// stopped before it and started after it, whatever their priorities. Between priorities it asks
// overtaken, and stops there if so; the changed groups are one piece, so that
// nothing stays down while something else is thought about.
//
// Steps of more than one wave (rollout.go) come last, so that nothing waits for them; newer
// is closed when what they wait for is to wait no longer.
//
// A step that fails concerns only its own group. Where a new definition cannot
// be put in force, the old one is started again.
func execute(ctx context.Context, t Target, steps []Step, overtaken func() bool, newer <-chan struct{}) []Outcome {
	e, removed, changed, added, rolled := newExecution(steps)
	e.target, e.overtaken, e.newer = t, overtaken, newer
	whole := func(o *Outcome) { e.whole(ctx, o) }
	if !e.each(e.stops(removed), parallel(whole)) || len(changed) > 0 && overtaken() {
		return e.outcomes
	}
	e.change(ctx, changed)
	if e.each(e.starts(added), inOrder(whole)) && !overtaken() {
		parallel(func(o *Outcome) { e.roll(ctx, o) })(rolled)
	}
	return e.outcomes
}

// newExecution is one with nothing to act on yet, and its steps: those that take a group
// away, change it, make it, and change it in more than one wave.
func newExecution(steps []Step) (e *execution, removed, changed, added, rolled []*Outcome) {
	e = &execution{outcomes: make([]Outcome, len(steps))}
	var old, new []*spec.Group
	for i := range steps {
		o := &e.outcomes[i]
		o.Step = &steps[i]
		if o.Step.Old != nil {
			old = append(old, o.Step.Old)
		}
		if o.Step.New != nil {
			new = append(new, o.Step.New)
		}
		switch {
		case o.Step.New == nil:
			removed = append(removed, o)
		case o.Step.Old == nil:
			added = append(added, o)
		case isRolled(o.Step):
			rolled = append(rolled, o)
		default:
			changed = append(changed, o)
		}
	}
	e.old, e.new = spec.NewGraph(old), spec.NewGraph(new)
	return e, removed, changed, added, rolled
}

// each does batch after batch, and reports whether it came to the end.
func (e *execution) each(list [][]*Outcome, do func([]*Outcome)) bool {
	for _, b := range list {
		if e.overtaken() {
			return false
		}
		do(b)
	}
	return true
}

// change carries out the steps that change a group. What stops nothing and
// starts nothing comes first, then what starts something of a lower priority
// than anything that stops. Then everything that must stop is stopped, by
// descending priority, and everything is put in force and started, by ascending
// priority. Where the last to stop are the first to start, as in the usual case
// of only one priority, each of these groups goes through on its own; where groups depend
// on each other, all are stopped before any is started.
func (e *execution) change(ctx context.Context, changed []*Outcome) {
	still, below, through, rest := e.arrange(changed)
	whole := inOrder(func(o *Outcome) { e.whole(ctx, o) })
	whole(still)
	for _, b := range e.starts(below) {
		whole(b)
	}
	for _, b := range e.stops(rest) {
		parallel(func(o *Outcome) { o.Begun = true; o.Err = e.stop(ctx, o) })(b)
	}
	parallel(func(o *Outcome) { e.whole(ctx, o) })(through)
	for _, b := range e.starts(rest) {
		inOrder(func(o *Outcome) {
			if o.Err == nil {
				o.Err = e.put(ctx, o)
			}
		})(b)
	}
}

// arrange divides the steps that change a group by their places in the order.
func (e *execution) arrange(changed []*Outcome) (still, below, through, rest []*Outcome) {
	order := sortChanged(changed)
	related := e.related(changed)
	for _, o := range changed {
		place := order.place(o.Step)
		if related && place != placeStill {
			place = placeRest
		}
		switch place {
		case placeStill:
			still = append(still, o)
		case placeBelow:
			below = append(below, o)
		case placeThrough:
			through = append(through, o)
		default:
			rest = append(rest, o)
		}
	}
	return still, below, through, rest
}

// The places of a step in the order of changed groups.
const (
	placeStill   = iota // stops nothing and starts nothing
	placeBelow          // starts before anything stops
	placeThrough        // the last to stop and the first to start
	placeRest
)

// changedOrder is what decides about the place of a step.
type changedOrder struct {
	stops   bool // something stops
	first   int  // the lowest new priority of what stops: nothing above may start earlier
	last    int  // the lowest old priority of what stops
	through bool // what stops last, starts first, and all at one priority
}

func sortChanged(changed []*Outcome) changedOrder {
	var c changedOrder
	for _, o := range changed {
		s := o.Step
		if len(s.Stop) == 0 {
			continue
		}
		if !c.stops || s.New.Priority < c.first {
			c.first = s.New.Priority
		}
		if !c.stops || s.Old.Priority < c.last {
			c.last = s.Old.Priority
		}
		c.stops = true
	}
	c.through = true
	for _, o := range changed {
		if s := o.Step; len(s.Stop) > 0 && s.Old.Priority == c.last && s.New.Priority != c.first {
			c.through = false
		}
	}
	return c
}

func (c *changedOrder) place(s *Step) int {
	switch {
	case len(s.Stop) == 0 && len(s.Start) == 0:
		return placeStill
	case len(s.Stop) == 0 && (!c.stops || s.New.Priority < c.first):
		return placeBelow
	case len(s.Stop) > 0 && c.through && s.Old.Priority == c.last:
		return placeThrough
	}
	return placeRest
}

// whole carries out one step: stop, then put in force. A process that somebody
// starts in between is stopped once more.
func (e *execution) whole(ctx context.Context, o *Outcome) {
	o.Begun = true
	for range 3 {
		if o.Err = e.stop(ctx, o); o.Err != nil {
			return
		}
		if o.Err = e.put(ctx, o); !errors.Is(o.Err, ErrStillRunning) {
			return
		}
	}
}

// stop takes down what the step says, one priority after the other.
func (e *execution) stop(ctx context.Context, o *Outcome) error {
	s := o.Step
	for _, names := range e.stages(s) {
		o.Stopped = append(o.Stopped, intersect(names, s.Start)...)
		if err := e.target.StopProcesses(ctx, s.Group, names); err != nil {
			return fmt.Errorf("cannot stop group %s: %w", s.Group, err)
		}
	}
	return nil
}

// stages are the processes that a step takes down together, one stage after another.
func (e *execution) stages(s *Step) (list [][]string) {
	items := make([][]spec.Namespec, len(s.Stop))
	for i, name := range s.Stop {
		items[i] = []spec.Namespec{{Group: s.Group, Process: name}}
	}
	for _, stage := range e.old.Stages(items, func(i, j int) bool {
		return find(s.Old, s.Stop[i]).Priority == find(s.Old, s.Stop[j]).Priority
	}) {
		names := make([]string, len(stage))
		for i, at := range stage {
			names[i] = s.Stop[at]
		}
		list = append(list, names)
	}
	return list
}

// put brings the new definition into force. Where that fails for good the old
// one goes on as it was.
func (e *execution) put(ctx context.Context, o *Outcome) error {
	s := o.Step
	var err error
	if s.Replace {
		if err = e.target.SetGroup(ctx, s.Old, nil, nil); err != nil {
			return fmt.Errorf("cannot remove group %s: %w", s.Group, err)
		}
		err = e.target.SetGroup(ctx, nil, s.New, s.Start)
	} else {
		err = e.target.SetGroup(ctx, s.Old, s.New, s.Start)
	}
	if err == nil {
		o.Started = s.Start
		return nil
	}
	verb := "change"
	switch {
	case s.New == nil:
		verb = "remove"
	case s.Old == nil:
		verb = "add"
	}
	err = fmt.Errorf("cannot %s group %s: %w", verb, s.Group, err)
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrStillRunning) || s.Old == nil || s.New == nil {
		return err
	}
	back := s.Old
	start := slices.DeleteFunc(slices.Clone(s.Start), func(name string) bool { return find(back, name) == nil })
	var undo error
	if s.Replace {
		undo = e.target.SetGroup(ctx, nil, back, start)
	} else if len(s.Stop) > 0 {
		undo = e.target.SetGroup(ctx, back, back, intersect(start, s.Stop))
	}
	if undo != nil {
		return fmt.Errorf("%w; the old definition cannot be started again: %v", err, undo)
	}
	o.Started = start
	return err
}

// stops are the steps that are stopped together, one batch after another: by descending
// priority, and nothing before all that depends on it.
func (e *execution) stops(list []*Outcome) [][]*Outcome {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b *Outcome) int { return cmp.Compare(oldPriority(b.Step), oldPriority(a.Step)) })
	return batches(sorted, oldPriority, e.old.Stages, oldGroup)
}

// starts are those that are put in force together: by ascending priority, and nothing
// before what it depends on.
func (e *execution) starts(list []*Outcome) [][]*Outcome {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b *Outcome) int { return cmp.Compare(newPriority(a.Step), newPriority(b.Step)) })
	return batches(sorted, newPriority, e.new.StartStages, newGroup)
}

// related reports whether any of these groups depends on another of them.
func (e *execution) related(list []*Outcome) bool {
	same := func(*Step) int { return 0 }
	return len(batches(list, same, e.old.Stages, oldGroup)) > 1 || len(batches(list, same, e.new.StartStages, newGroup)) > 1
}

// batches divides steps that are sorted into those of one priority and one stage.
func batches(sorted []*Outcome, priority func(*Step) int, stages func([][]spec.Namespec, func(i, j int) bool) [][]int, group func(*Step) *spec.Group) (cut [][]*Outcome) {
	items := make([][]spec.Namespec, len(sorted))
	for i, o := range sorted {
		g := group(o.Step)
		for j := range g.Processes {
			items[i] = append(items[i], spec.Namespec{Group: g.Name, Process: g.Processes[j].Name})
		}
	}
	for _, stage := range stages(items, func(i, j int) bool { return priority(sorted[i].Step) == priority(sorted[j].Step) }) {
		var batch []*Outcome
		for _, i := range stage {
			batch = append(batch, sorted[i])
		}
		cut = append(cut, batch)
	}
	return cut
}

func oldGroup(s *Step) *spec.Group { return s.Old }
func newGroup(s *Step) *spec.Group { return s.New }
func oldPriority(s *Step) int      { return s.Old.Priority }
func newPriority(s *Step) int      { return s.New.Priority }

// parallel does all of a batch at once and waits for the last.
func parallel(do func(*Outcome)) func([]*Outcome) {
	return func(batch []*Outcome) {
		var all sync.WaitGroup
		for _, o := range batch {
			all.Go(func() { do(o) })
		}
		all.Wait()
	}
}

func inOrder(do func(*Outcome)) func([]*Outcome) {
	return func(batch []*Outcome) {
		for _, o := range batch {
			do(o)
		}
	}
}

// intersect lists what of a is in b too, in a's order.
func intersect(a, b []string) []string {
	both := make([]string, 0, len(a))
	for _, x := range a {
		if slices.Contains(b, x) {
			both = append(both, x)
		}
	}
	return both
}

// lines are Supervisor's output for an update that came out so, of these desired groups:
// removed, changed, added. Of groups that needed nothing, or only to be tried again, it
// is what is owed.
//
// Source: contract/reconcile.md section 5.
func lines(outcomes []Outcome, desired []spec.Group, list map[string]owed) []string {
	var removed, changed, added []string
	did := make(map[string]*Outcome)
	for i := range outcomes {
		o := &outcomes[i]
		if !o.Begun {
			continue
		}
		did[o.Step.Group] = o
	}
	for _, name := range removedInOrder(list) {
		if did[name] == nil {
			removed = append(removed, name+": stopped", name+": removed process group")
		}
	}
	for i := range outcomes {
		o := &outcomes[i]
		switch name := o.Step.Group; {
		case !o.Begun || o.Again || o.Step.New != nil:
		case o.Err != nil:
			removed = append(removed, name+": stopped", name+": has problems; not removing")
		default:
			removed = append(removed, name+": stopped", name+": removed process group")
		}
	}
	for i := range desired {
		name := desired[i].Name
		o, t := did[name], list[name]
		action, stopped := t.action, t.stopped
		if o != nil {
			switch {
			case o.Again, o.Step.New == nil: // the second is as it was desired before
				continue
			case o.Step.Old == nil:
				action = Add
			case action != Add:
				action, stopped = Restart, stopped || o.Step.Stopped
			}
			if o.Err != nil && o.Step.Old == nil {
				added = append(added, "ERROR: "+o.Err.Error())
				continue
			}
			if o.Err != nil {
				changed = append(changed, "ERROR: "+o.Err.Error())
				continue
			}
		}
		switch action {
		case Add:
			added = append(added, name+": added process group")
		case Restart:
			if stopped {
				changed = append(changed, name+": stopped")
			}
			changed = append(changed, name+": updated process group")
		}
	}
	return slices.Concat(removed, changed, added)
}

// active lists the definitions in force.
func definitions(active []Active) []*spec.Group {
	list := make([]*spec.Group, len(active))
	for i, a := range active {
		list[i] = a.Group
	}
	return list
}
