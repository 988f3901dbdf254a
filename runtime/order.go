package runtime

import (
	"cmp"
	"context"
	"slices"

	"supervisord/runtime/depend"
	"supervisord/runtime/proc"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// order is what the loop knows of who waits for whom. It belongs to the loop.
type order struct {
	graph   *spec.Graph // of the groups in force; nil where it would be out of date
	waiting []*process  // to be started
	ending  []*process  // to be stopped
	changed bool        // a process or a definition has, since followOrder looked
}

// inOrder is what a process keeps of an order. The zero value is none.
type inOrder struct {
	within    map[spec.Namespec]bool // while waiting: what else it does not wait for; nil waits for all
	text      string                 // what it waits for, "" for nothing
	stopAfter map[spec.Namespec]bool // who must be down before it is stopped; nil where no stop waits
	done      bool                   // it has ended as expected since it was defined so
	ran       bool                   // it has been RUNNING
	noted     bool                   // it is in order.waiting
	updating  bool                   // an update has taken it down, and has not said yet what becomes of it
}

// save writes it down; nil for nothing.
func (o *inOrder) save() *handedOrder {
	h := handedOrder{Within: slotsOf(o.within), StopAfter: slotsOf(o.stopAfter), Done: o.done, Ran: o.ran}
	if h == (handedOrder{}) {
		return nil
	}
	return &h
}

// resume makes it again. A daemon that knew of no order says nothing of a process; then it is
// what its state tells.
func (h *handedOrder) resume(m *proc.Machine) inOrder {
	if h == nil {
		return inOrder{done: m.State == state.Exited && !m.Failed(), ran: m.State == state.Running}
	}
	return inOrder{within: namesIn(h.Within), stopAfter: namesIn(h.StopAfter), done: h.Done, ran: h.Ran}
}

func slotsOf(names map[spec.Namespec]bool) *[]slotName {
	if names == nil {
		return nil
	}
	slots := make([]slotName, 0, len(names))
	for name := range names {
		slots = append(slots, slotName(name))
	}
	slices.SortFunc(slots, func(a, b slotName) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Process, b.Process))
	})
	return &slots
}

func namesIn(slots *[]slotName) map[spec.Namespec]bool {
	if slots == nil {
		return nil
	}
	names := make(map[spec.Namespec]bool, len(*slots))
	for _, slot := range *slots {
		names[spec.Namespec(slot)] = true
	}
	return names
}

// namespec names the process among all.
func (p *process) namespec() spec.Namespec {
	return spec.Namespec{Group: p.group.def.Name, Process: p.def.Name}
}

// reorder says that definitions have changed.
func (s *Supervisor) reorder() { s.order.graph, s.order.changed = nil, true }

// currentGraph is the graph of the groups in force.
func (s *Supervisor) currentGraph() *spec.Graph {
	if s.order.graph == nil {
		defs := make([]*spec.Group, len(s.groups))
		for i, g := range s.groups {
			defs[i] = g.def
		}
		s.order.graph = spec.NewGraph(defs)
	}
	return s.order.graph
}

// asOthersSee is a process as those that need it see it.
func (s *Supervisor) asOthersSee(name spec.Namespec) depend.Process {
	p, err := s.find(name.Group, name.Process)
	if err != nil {
		return depend.Process{State: state.Stopped, Disabled: true}
	}
	m := &p.machine
	return depend.Process{State: m.State, Forked: m.PID != 0, Waiting: m.Waiting || p.restartWhenStopped || p.order.updating, Done: p.order.done,
		Disabled: !p.def.Autostart || p.userStopped || p.disabled, ByPerson: p.disabled}
}

// waits is what a start of p waits for.
func (s *Supervisor) waits(p *process) []depend.Wait {
	needs := s.currentGraph().Needs(p.namespec())
	if p.order.within != nil {
		needs = depend.Within(needs, p.order.within)
	}
	return depend.Waits(needs, s.asOthersSee)
}

// shut reports whether a start of p that may wait has to.
func (s *Supervisor) shut(p *process, in proc.InputKind) bool {
	switch in {
	case proc.StartInOrder, proc.Look, proc.Exited, proc.GroupEnded, proc.KillFailed, proc.Tick:
		return p.order.stopAfter != nil || len(s.waits(p)) > 0
	}
	return false
}

// noteOrder keeps what an event means to those that depend on p.
func (s *Supervisor) noteOrder(p *process, e proc.Effect) {
	switch {
	case e.To == state.Exited && e.Expected:
		p.order.done = true
	case e.To == state.Running:
		if p.order.ran && e.From == state.Starting {
			s.restartWith(p)
		}
		p.order.ran = true
	}
}

// restartWith restarts what is to run with p, which has a new pid, unless it began
// after p.
func (s *Supervisor) restartWith(p *process) {
	if s.Mood() != state.MoodRunning { // each is stopped when it is its turn
		return
	}
	for _, name := range s.currentGraph().RestartingWith(p.namespec()) {
		q, err := s.find(name.Group, name.Process)
		if err != nil || q.machine.PID == 0 || !q.machine.Up().Before(p.machine.Up()) {
			continue
		}
		switch q.machine.State {
		case state.Starting, state.Running:
			s.log.Info(q.name() + ": restarting, since " + p.name() + " has pid " + itoa(p.machine.PID) + " now (restart_with)")
			q.restartWhenStopped = true
			s.step(q, proc.Input{Kind: proc.Stop})
		}
	}
}

// noteWaiting keeps track of whether p waits.
func (s *Supervisor) noteWaiting(p *process) {
	switch {
	case p.machine.Waiting && !p.order.noted:
		p.order.noted = true
		s.order.waiting = append(s.order.waiting, p)
	case !p.machine.Waiting:
		p.order.within, p.order.text = nil, ""
	}
}

// followOrder starts and stops what no longer needs to wait, by priority where several
// need not. It looks when anything has changed.
func (s *Supervisor) followOrder() {
	o := &s.order
	if len(o.waiting) == 0 && len(o.ending) == 0 || !o.changed {
		return
	}
	o.changed = false
	for again := true; again; {
		again = s.stopInOrder()
		waiting := o.waiting
		o.waiting = nil
		slices.SortStableFunc(waiting, byPriorities)
		for _, p := range waiting {
			again = s.lookAtWaiting(p) || again
			if p.order.noted = p.machine.Waiting && !p.removed; p.order.noted {
				o.waiting = append(o.waiting, p)
			}
		}
	}
}

// byPriorities is the order of starts.
func byPriorities(a, b *process) int {
	return cmp.Or(cmp.Compare(a.group.def.Priority, b.group.def.Priority), cmp.Compare(a.def.Priority, b.def.Priority))
}

// updated says that the update of a group is over, whatever has come of it.
func (s *Supervisor) updated(g *group) {
	for _, p := range g.procs {
		p.order.updating = false
	}
	s.order.changed = true
}

// lookAtWaiting starts p if it need not wait any longer, and reports whether it waits no
// longer.
func (s *Supervisor) lookAtWaiting(p *process) bool {
	if p.removed || !p.machine.Waiting || p.order.stopAfter != nil {
		return false
	}
	list := s.waits(p)
	if len(list) == 0 {
		s.step(p, proc.Input{Kind: proc.Look})
		return true
	}
	text := depend.Text(list)
	if p.order.within != nil && depend.Stuck(list) {
		s.log.Warn(p.name() + " is not started: it needs " + text)
		s.step(p, proc.Input{Kind: proc.Stop})
		return true
	}
	if text != p.order.text {
		p.order.text = text
		s.log.Info(p.name() + " waits for " + text)
		s.touch(p)
	}
	return false
}

// stopLater has p stopped when others are down.
func (s *Supervisor) stopLater(p *process, others []spec.Namespec) {
	if p.order.stopAfter == nil {
		s.order.ending = append(s.order.ending, p)
	}
	p.order.stopAfter = setOf(others)
	s.touch(p)
}

// stopNow says that the stop of p no longer waits for anything.
func (s *Supervisor) stopNow(p *process) {
	if p.order.stopAfter != nil {
		p.order.stopAfter = nil
		s.order.ending = slices.DeleteFunc(s.order.ending, func(q *process) bool { return q == p })
	}
}

// stopInOrder stops what need not wait for the stop of others any more, and reports
// whether there was anything.
func (s *Supervisor) stopInOrder() (any bool) {
	for _, p := range slices.Clone(s.order.ending) {
		for name := range p.order.stopAfter {
			if q, err := s.find(name.Group, name.Process); err != nil || q.down() {
				delete(p.order.stopAfter, name)
			}
		}
		if len(p.order.stopAfter) > 0 && !p.removed {
			continue
		}
		any = true
		again := p.restartWhenStopped && !p.userStopped // enabled since
		s.callOffStart(p)
		p.restartWhenStopped = again
		if len(p.waiters) > 0 {
			s.reportLater(p)
		}
		s.step(p, proc.Input{Kind: proc.Stop})
	}
	return any
}

// dependentsAmong are those of some processes that need p, even by way of others.
func (s *Supervisor) dependentsAmong(p *process, among map[spec.Namespec]bool) (list []spec.Namespec) {
	if among == nil {
		return nil
	}
	graph, seen := s.currentGraph(), make(map[spec.Namespec]bool)
	for todo := []spec.Namespec{p.namespec()}; len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, name := range graph.Dependents(at) {
			if !seen[name] {
				seen[name] = true
				todo = append(todo, name)
				if among[name] {
					list = append(list, name)
				}
			}
		}
	}
	return list
}

// stopStages divides all processes into those that the end of the daemon stops together,
// one stage after another: those of a group, by descending priority, and nothing before
// all that needs it is down.
func (s *Supervisor) stopStages() (list [][]*process) {
	var procs []*process
	for _, g := range slices.Backward(s.ordered()) {
		members := g.byPriority()
		slices.Reverse(members)
		procs = append(procs, members...)
	}
	items := make([][]spec.Namespec, len(procs))
	for i, p := range procs {
		items[i] = []spec.Namespec{p.namespec()}
	}
	for _, stage := range s.currentGraph().Stages(items, func(i, j int) bool { return procs[i].group == procs[j].group }) {
		var together []*process
		for _, i := range stage {
			together = append(together, procs[i])
		}
		list = append(list, together)
	}
	return list
}

func namesOf(procs []*process) map[spec.Namespec]bool {
	set := make(map[spec.Namespec]bool, len(procs))
	for _, p := range procs {
		set[p.namespec()] = true
	}
	return set
}

func setOf(names []spec.Namespec) map[spec.Namespec]bool {
	set := make(map[spec.Namespec]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// Dependency is what is known of one process of the order.
type Dependency struct {
	Group, Name string
	State       state.Process
	Waiting     string // what its start waits for, "" for nothing
	Needs       []NeedState
	RestartWith []string // as its group has them, then its definition
}

// NeedState is one thing that a process needs.
type NeedState struct {
	Text    string // as a file has it
	Met     bool
	Targets []spec.Namespec // the processes that it means; none where nothing has the name
}

// Dependencies returns what every process depends on, all at one moment.
func (s *Supervisor) Dependencies(ctx context.Context) (list []Dependency, err error) {
	err = s.ask(ctx, func() {
		graph := s.currentGraph()
		for _, g := range s.ordered() {
			for _, p := range g.byPriority() {
				d := Dependency{Group: g.def.Name, Name: p.def.Name, State: p.machine.State, Waiting: p.order.text,
					RestartWith: slices.Concat(g.def.RestartWith, p.def.RestartWith)}
				for _, need := range graph.Needs(p.namespec()) {
					met := len(depend.Waits([]spec.Need{need}, s.asOthersSee)) == 0
					d.Needs = append(d.Needs, NeedState{need.String(), met, need.Targets})
				}
				list = append(list, d)
			}
		}
	})
	return list, err
}
