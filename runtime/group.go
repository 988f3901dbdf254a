package runtime

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"supervisord/runtime/event"
	"supervisord/runtime/launch"
	"supervisord/runtime/proc"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// group is an active process group. It belongs to the loop.
type group struct {
	def     *spec.Group
	procs   []*process // in the order of the definition
	names   map[string]*process
	pool    *event.Pool
	sockets map[string]*launch.Socket // by URL
}

// process finds a member by name, nil when there is none.
func (g *group) process(name string) *process { return g.names[name] }

// byPriority lists the members by ascending priority, in the order of the
// definition where that is equal.
func (g *group) byPriority() []*process {
	procs := slices.Clone(g.procs)
	slices.SortStableFunc(procs, func(a, b *process) int { return cmp.Compare(a.def.Priority, b.def.Priority) })
	return procs
}

// ordered lists the groups by ascending priority, in the order of activation
// where that is equal.
func (s *Supervisor) ordered() []*group {
	groups := slices.Clone(s.groups)
	slices.SortStableFunc(groups, func(a, b *group) int { return cmp.Compare(a.def.Priority, b.def.Priority) })
	return groups
}

// Begin announces that the daemon is up and starts every autostart process of
// the groups added so far, by ascending priority of the groups and, inside a
// group, of the processes. Groups added later are started when they are added.
func (s *Supervisor) Begin(ctx context.Context) error {
	return s.ask(ctx, func() {
		if s.begun {
			return
		}
		s.begun = true
		s.emit(event.SupervisorRunning())
		for _, g := range s.ordered() {
			s.autostart(g)
		}
	})
}

func (s *Supervisor) autostart(g *group) {
	for _, p := range g.byPriority() {
		if p.def.Autostart && !p.leftAlone() {
			s.start(p)
		}
	}
}

// start starts a process when all that it depends on is there.
func (s *Supervisor) start(p *process) {
	p.userStopped, p.order.within = false, nil
	s.step(p, proc.Input{Kind: proc.StartInOrder})
}

// GroupState is an active group at one moment.
type GroupState struct {
	// Group is the very definition that SetGroup was given; it is never changed.
	Group     *spec.Group
	Processes []ProcessState // in the order of the definition
}

// ProcessState is what planning an update needs to know of a process.
type ProcessState struct {
	Name  string
	State state.Process
	// UserStopped: the last request for the process was a stop, by a client
	// and not by an update.
	UserStopped bool
	// Disabled: a person has disabled it; UserStopped says whether nobody has started it
	// since.
	Disabled bool
	// Failed: it could not be started, so far or for good, or has ended in a way that
	// its exit codes do not expect.
	Failed bool
	// Waiting: it is to be started when what it waits for is there.
	Waiting bool
	// Crashed is how often it has left RUNNING unasked and unexpected since a start was
	// asked for.
	Crashed int
	// Ending: the daemon is about to end, and so is the process.
	Ending bool
	// Trouble is why it is not RUNNING, or not well, in a few words; "" where nothing is
	// known.
	Trouble string
}

// Groups lists the active groups in the order of their activation, all of one
// moment.
func (s *Supervisor) Groups(ctx context.Context) ([]GroupState, error) {
	var groups []GroupState
	err := s.ask(ctx, func() {
		for _, g := range s.groups {
			state := GroupState{Group: g.def}
			for _, p := range g.procs {
				state.Processes = append(state.Processes, p.state())
			}
			groups = append(groups, state)
		}
	})
	return groups, err
}

// state is what planning an update needs to know of a process.
func (p *process) state() ProcessState {
	m := &p.machine
	return ProcessState{
		Name: p.def.Name, State: m.State, UserStopped: p.userStopped, Disabled: p.disabled, Failed: m.Failed(), Waiting: m.Waiting,
		Crashed: m.Crashed, Ending: m.Frozen, Trouble: p.trouble(),
	}
}

// trouble is what went wrong with a process last, in a few words.
func (p *process) trouble() string {
	m := &p.machine
	spawnErr, _, _ := strings.Cut(m.SpawnErr, " (process log may have details)")
	ended := p.ends.last != nil && !m.Stopped.Before(m.Started)
	switch {
	case m.Health == proc.HealthFailing:
		return "unhealthy: " + m.Complaint
	case m.State == state.Starting && m.Rules.Ready:
		return "not ready yet"
	case spawnErr != "" && ended && !strings.HasPrefix(spawnErr, "Bad exit code"):
		return spawnErr + ": " + p.ends.last.How
	case ended:
		return p.ends.last.How
	}
	return spawnErr
}

// SetGroup activates a definition of one group, as a whole or not at
// all.
//
// With old nil, new is added: its logs and sockets are prepared first, and it
// becomes active; a nil start then starts its autostart processes. With new
// nil, old is removed. Otherwise the definitions are exchanged in place:
// processes of both keep their pid, their state and their history, those only
// in old go, those only in new come, stopped; then start is started in its
// order. New rules and log settings are in force at once; what a process is
// given at exec is used at its next start. A group of event listeners and any
// other kind do not replace each other in place.
//
// old is the pointer that Groups gave. Refusals: AlreadyAdded, BadName,
// Conflict when the active definition is not old, StillRunning when a process
// that would go is not stopped, Failed when a socket cannot be made or the kind
// cannot be changed.
func (s *Supervisor) SetGroup(ctx context.Context, old, new *spec.Group, start []string) error {
	err := s.setGroup(ctx, old, new, start)
	if err != nil && old != nil {
		s.endUpdate(old.Name)
	}
	return err
}

func (s *Supervisor) setGroup(ctx context.Context, old, new *spec.Group, start []string) error {
	name := groupName(old, new)
	if old != nil && new != nil && (old.Listener == nil) != (new.Listener == nil) {
		return &Error{Kind: Failed, Name: name,
			Detail: "a group of event listeners cannot become another kind in place, nor the reverse: remove it and add it"}
	}
	var g *group
	var now inForce
	look := func() error {
		g, now = s.byName[name], inForce{}
		switch {
		case old == nil && g != nil:
			return &Error{Kind: AlreadyAdded, Name: name}
		case old != nil && g == nil:
			return &Error{Kind: BadName, Name: name}
		case old != nil && g.def != old:
			return &Error{Kind: Conflict, Name: name}
		case s.Mood() != state.MoodRunning:
			return &Error{Kind: ShuttingDown, Name: name}
		}
		if g != nil {
			now.sockets, now.processes = g.sockets, make(map[string]activeProcess, len(g.procs))
			for _, p := range g.procs {
				now.processes[p.def.Name] = activeProcess{p.def, [2]string{p.out[0].auto, p.out[1].auto}}
			}
		}
		return nil
	}
	var refused error
	if err := s.ask(ctx, func() { refused = look() }); err != nil || refused != nil {
		return firstError(err, refused)
	}
	var made *parts
	if new != nil {
		var err error
		if made, err = s.prepare(new, now); err != nil {
			return err
		}
		s.warnFallback(new, now)
	}
	err := s.ask(ctx, func() {
		if refused = look(); refused != nil {
			return
		}
		switch {
		case new == nil:
			refused = s.remove(g)
		case g == nil:
			s.add(new, made, start)
		default:
			refused = s.exchange(g, new, made, start)
		}
	})
	if err := firstError(err, refused); err != nil {
		made.discard()
		return err
	}
	return nil
}

func groupName(old, new *spec.Group) string {
	if old != nil {
		return old.Name
	}
	return new.Name
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// idle reports whether a process may be taken away: nothing runs, and nothing
// is about to.
func (p *process) idle() bool { return p.machine.State.InStopped() && p.machine.PID == 0 }

func (s *Supervisor) remove(g *group) error {
	for _, p := range g.procs {
		if !p.idle() {
			return &Error{Kind: StillRunning, Name: g.def.Name}
		}
	}
	s.groups = slices.DeleteFunc(s.groups, func(o *group) bool { return o == g })
	s.pools = slices.DeleteFunc(s.pools, func(o *group) bool { return o == g })
	delete(s.byName, g.def.Name)
	for _, p := range g.procs {
		s.retire(p)
	}
	s.reaching -= reaching(g.def)
	s.updateSubreaper()
	s.holdAuto(g)
	s.reorder()
	s.emit(event.GroupRemoved(g.def.Name))
	s.tableChanged()
	return nil
}

// retire ends a slot that has no process.
func (s *Supervisor) retire(p *process) {
	p.removed = true
	p.nextReport, p.nextPoll = time.Time{}, time.Time{}
	s.schedule(p)
	s.endOrphans(p)
	s.touch(p) // whoever waits for it is answered
	outs := p.out
	s.changeLogs(p, func() {
		for _, o := range outs {
			o.log.Release()
			removeAuto(o.auto)
		}
	})
}

func (s *Supervisor) add(def *spec.Group, made *parts, start []string) {
	g := &group{def: def, names: make(map[string]*process), sockets: made.sockets}
	if l := def.Listener; l != nil {
		s.tick(time.Now()) // what is due is for the others: its first is at the next boundary
		g.pool = event.New(s.poolOptions(def))
		s.pools = append(s.pools, g)
	}
	for i := range def.Processes {
		p := made.fresh[def.Processes[i].Name]
		s.place(g, p, i)
	}
	s.groups = append(s.groups, g)
	s.byName[def.Name] = g
	s.reaching += reaching(def)
	s.updateSubreaper()
	s.holdAuto(g)
	s.reorder()
	s.tableChanged()
	s.emit(event.GroupAdded(def.Name))
	if !s.begun {
		return
	}
	if start == nil {
		s.autostart(g)
		return
	}
	s.startNamed(g, start)
}

// startNamed starts processes of a group at the end of its update. None of them counts as
// gone before it is its turn.
func (s *Supervisor) startNamed(g *group, names []string) {
	var procs []*process
	for _, name := range names {
		if p := g.process(name); p != nil && !p.leftAlone() {
			p.order.updating = true
			procs = append(procs, p)
		}
	}
	for _, p := range procs {
		s.start(p)
	}
	s.updated(g)
}

// place makes p the rank'th process of g under the definition there.
func (s *Supervisor) place(g *group, p *process, rank int) {
	def := &g.def.Processes[rank]
	if p.def == nil && s.isDisabled(spec.Namespec{Group: g.def.Name, Process: def.Name}) {
		p.disabled, p.userStopped = true, true
	}
	p.group, p.def, p.rank = g, def, rank
	s.step(p, proc.Input{Kind: proc.Defined, Name: def.Name, Rules: proc.RulesOf(def)})
	p.socket = nil
	if def.Socket != nil {
		p.socket = g.sockets[def.Socket.URL]
	}
	g.procs = append(g.procs, p)
	g.names[def.Name] = p
}

// exchange swaps a group's definition.
func (s *Supervisor) exchange(g *group, def *spec.Group, made *parts, start []string) error {
	stays := make(map[string]bool, len(def.Processes))
	for i := range def.Processes {
		stays[def.Processes[i].Name] = true
	}
	for _, p := range g.procs {
		if !stays[p.def.Name] && !p.idle() {
			return &Error{Kind: StillRunning, Name: p.name()}
		}
	}
	s.reaching += reaching(def) - reaching(g.def)
	s.updateSubreaper()
	before, names := g.procs, g.names
	g.def, g.procs, g.names, g.sockets = def, nil, make(map[string]*process), made.sockets
	for i := range def.Processes {
		name := def.Processes[i].Name
		p := names[name]
		if p == nil {
			p = made.fresh[name]
		}
		if p.def != nil && !p.def.Equal(&def.Processes[i]) {
			p.order.done = false
		}
		s.place(g, p, i)
	}
	s.reorder()
	for _, p := range before {
		if !stays[p.def.Name] {
			s.retire(p)
		}
	}
	if g.pool != nil {
		s.perform(g, g.pool.Change(s.poolOptions(def), time.Now()))
	}
	for _, p := range g.procs {
		s.reconfigure(p, made.logs[p.def.Name])
		if p.descendants.pgid != 0 {
			s.reportRunning(p) // under its new definition
		}
	}
	s.holdAuto(g)
	s.tableChanged()
	s.startNamed(g, start)
	return nil
}
