package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"supervisord/runtime/notice"
	"supervisord/spec"
)

// model is a Target without processes: a table with the rules that a Target
// must keep, and a log of what it was asked.
type model struct {
	mu     sync.Mutex
	order  []string
	groups map[string]*modelGroup
	pids   int
	log    []string
	wrong  []string // broken rules
	notice notice.Notice
	off    map[spec.Namespec]bool      // what is disabled
	fate   func(p spec.Process) string // the state of a process just after its start; RUNNING where nil

	stopping func(group, process string) time.Duration              // how long a stop takes
	refuse   func(op string) error                                  // asked before each SetGroup, with "add x", "remove x", "change x"
	before   func(op string)                                        // called before each operation, without the lock
	coming   func(ctx context.Context, group, process string) error // what AwaitRunning gives; nil for nothing
	after    func(op string)                                        // called after each SetGroup that succeeded, without the lock
}

type modelGroup struct {
	def   *spec.Group
	procs map[string]*modelProcess
}

type modelProcess struct {
	state string
	user  bool
	pid   int
	given spec.Process // the definition that the running child was started with
	// As Process has them.
	crashed int
	waiting bool
	failed  bool // of EXITED
	says    []string
	off     bool // disabled
}

func newModel() *model { return &model{groups: make(map[string]*modelGroup)} }

// Changed is told by set, and by all else that alters the table.
func (m *model) Changed() <-chan struct{} { return m.notice.Next() }

func (p *modelProcess) running() bool {
	return slices.Contains([]string{"STARTING", "RUNNING", "BACKOFF", "STOPPING"}, p.state)
}

func (m *model) Groups() []Active {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := []Active{}
	for _, name := range m.order {
		g := m.groups[name]
		a := Active{Group: g.def}
		for _, p := range g.def.Processes {
			l := g.procs[p.Name]
			a.Processes = append(a.Processes, Process{Name: p.Name, State: l.state, Running: l.running(), UserStopped: l.user, Failed: l.state == "FATAL" || l.state == "BACKOFF" || l.failed,
				Crashed: l.crashed, Waiting: l.waiting, Disabled: l.off})
		}
		list = append(list, a)
	}
	return list
}

func (m *model) SetGroup(_ context.Context, old, new *spec.Group, start []string) (err error) {
	var op string
	switch {
	case old == nil:
		op = "add " + new.Name
	case new == nil:
		op = "remove " + old.Name
	default:
		op = "change " + new.Name
	}
	if m.before != nil {
		m.before(op)
	}
	if m.after != nil {
		defer func() {
			if err == nil {
				m.after(op)
			}
		}()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != nil {
		if err := m.refuse(op); err != nil {
			return err
		}
	}
	m.log = append(m.log, op)
	if old == nil {
		if m.groups[new.Name] != nil {
			return ErrConflict
		}
		g := &modelGroup{def: new, procs: make(map[string]*modelProcess)}
		m.groups[new.Name] = g
		m.order = append(m.order, new.Name)
		for i := range new.Processes {
			g.procs[new.Processes[i].Name] = m.fresh(new.Name, new.Processes[i].Name)
			if start == nil && new.Processes[i].Autostart {
				m.startAll(g, []string{new.Processes[i].Name})
			}
		}
		m.startAll(g, start)
		return nil
	}
	g := m.groups[old.Name]
	if g == nil || g.def != old {
		return ErrConflict
	}
	if new == nil {
		for name, p := range g.procs {
			if p.running() {
				return fmt.Errorf("%w: %s", ErrStillRunning, name)
			}
		}
		delete(m.groups, old.Name)
		m.order = slices.DeleteFunc(m.order, func(n string) bool { return n == old.Name })
		return nil
	}
	for name, p := range g.procs {
		was, is := find(old, name), find(new, name)
		if !p.running() {
			continue
		}
		if is == nil || slices.ContainsFunc(spec.Compare(*was, *is), func(f spec.Field) bool { return f.Restart }) {
			return fmt.Errorf("%w: %s", ErrStillRunning, name)
		}
	}
	for name := range g.procs {
		if find(new, name) == nil {
			delete(g.procs, name)
		}
	}
	for _, p := range new.Processes {
		if g.procs[p.Name] == nil {
			g.procs[p.Name] = m.fresh(new.Name, p.Name)
		}
	}
	g.def = new
	m.startAll(g, start)
	return nil
}

func (m *model) startAll(g *modelGroup, names []string) {
	for _, n := range names {
		if p := g.procs[n]; p == nil || !p.off || !p.user {
			m.start(g, n)
		}
	}
}

// fresh is a process that has not been there.
func (m *model) fresh(group, name string) *modelProcess {
	off := m.isOff(group, name)
	return &modelProcess{state: "STOPPED", off: off, user: off}
}

func (m *model) isOff(group, name string) bool {
	return m.off[spec.Namespec{Group: group, Process: name}] || m.off[spec.Namespec{Group: group}]
}

func (m *model) SetDisabled(_ context.Context, names map[spec.Namespec]bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.notice.Tell()
	m.off = names
	for _, name := range m.order {
		g := m.groups[name]
		for i := range g.def.Processes {
			q := &g.def.Processes[i]
			p := g.procs[q.Name]
			switch was := p.off; {
			case m.isOff(name, q.Name) && !was:
				p.off, p.user = true, true
			case was && !m.isOff(name, q.Name):
				if p.off = false; q.Autostart && !p.running() {
					m.start(g, q.Name)
				}
			}
		}
	}
	return nil
}

func (m *model) start(g *modelGroup, name string) {
	p := g.procs[name]
	switch {
	case p == nil:
		m.wrong = append(m.wrong, "start of unknown "+g.def.Name+":"+name)
		return
	case p.running():
		m.wrong = append(m.wrong, "start of running "+g.def.Name+":"+name)
		return
	}
	m.pids++
	*p = modelProcess{state: "RUNNING", pid: m.pids, given: *find(g.def, name), off: p.off}
	if m.fate != nil {
		p.state = m.fate(p.given)
	}
	if !p.running() {
		p.pid = 0
	}
	m.log = append(m.log, "start "+g.def.Name+":"+name)
	m.notice.Tell()
}

// AwaitRunning waits for what a test says of each process: with nothing, all come up.
func (m *model) AwaitRunning(ctx context.Context, group string, names []string) error {
	for _, n := range names {
		m.mu.Lock()
		coming := m.coming
		m.mu.Unlock()
		if coming == nil {
			continue
		}
		if err := coming(ctx, group, n); err != nil {
			return err
		}
	}
	return nil
}

// LastOutput is what says of a transcript has given it.
func (m *model) LastOutput(group, process string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if g := m.groups[group]; g != nil && g.procs[process] != nil {
		return g.procs[process].says
	}
	return nil
}

func (m *model) StopProcesses(ctx context.Context, group string, names []string) error {
	if m.before != nil {
		m.before("stop " + group)
	}
	var all sync.WaitGroup
	for _, n := range names {
		all.Go(func() {
			m.mu.Lock()
			g := m.groups[group]
			if g == nil || g.procs[n] == nil || !g.procs[n].running() {
				m.mu.Unlock()
				return
			}
			p := g.procs[n]
			p.state = "STOPPING"
			m.log = append(m.log, "stop "+group+":"+n)
			var wait time.Duration
			if m.stopping != nil {
				wait = m.stopping(group, n)
			}
			m.mu.Unlock()
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
			m.mu.Lock()
			p.state, p.pid = "STOPPED", 0
			m.log = append(m.log, "stopped "+group+":"+n)
			m.notice.Tell()
			m.mu.Unlock()
		})
	}
	all.Wait()
	return ctx.Err()
}

// set puts a process into a state as if it had got there by itself.
func (m *model) set(group, process, state string, user bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.notice.Tell()
	p := m.groups[group].procs[process]
	p.state, p.user = state, user
	if !p.running() {
		p.pid = 0
	}
}

// refusing sets what is refused from now on.
func (m *model) refusing(f func(op string) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = f
}

// pidOf is the pid of a process, 0 for none.
func (m *model) pidOf(group, process string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if g := m.groups[group]; g != nil && g.procs[process] != nil {
		return g.procs[process].pid
	}
	return 0
}

// took gives the log since the last call.
func (m *model) took() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.log
	m.log = nil
	return l
}

// stale lists running children whose own definition is another than the one
// they were started with in a key that needs a restart.
func (m *model) stale() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []string
	for name, g := range m.groups {
		for pname, p := range g.procs {
			if !p.running() {
				continue
			}
			for _, f := range spec.Compare(p.given, *find(g.def, pname)) {
				if f.Restart {
					list = append(list, name+":"+pname+" "+f.Key)
				}
			}
		}
	}
	return list
}

// program is a group of one process, edited by the functions.
func program(name string, edit ...func(*spec.Process)) spec.Group {
	p := spec.Process{
		Name: name, Priority: 999, Command: "/bin/" + name, Umask: -1, Autostart: true,
		StartSecs: 1, StartRetries: 3, ExitCodes: []int{0}, StopSignal: 15, StopWaitSecs: 10,
		Origin: spec.Origin{File: "/etc/" + name + ".ini", Section: "program:" + name, Line: 1},
	}
	for _, e := range edit {
		e(&p)
	}
	return spec.Group{Name: name, Kind: spec.KindProgram, Priority: p.Priority, Processes: []spec.Process{p}, Origin: p.Origin}
}

func command(s string) func(*spec.Process) { return func(p *spec.Process) { p.Command = s } }
func priority(n int) func(*spec.Process)   { return func(p *spec.Process) { p.Priority = n } }
func stopwait(n int) func(*spec.Process)   { return func(p *spec.Process) { p.StopWaitSecs = n } }
func autostart(b bool) func(*spec.Process) { return func(p *spec.Process) { p.Autostart = b } }
func numbered(name string, n int) spec.Group {
	g := program(name)
	one := g.Processes[0]
	g.Processes = nil
	for i := range n {
		one.Name = fmt.Sprintf("%s_%d", name, i)
		g.Processes = append(g.Processes, one)
	}
	return g
}

// never is the overtaken of an update that nothing overtakes.
func never() bool { return false }

// update plans and carries out, once.
func (m *model) update(desired []spec.Group, p Policy) []Outcome {
	steps := Plan(m.Groups(), desired, p)
	return execute(context.Background(), m, steps, never, nil)
}

// words joins a log for comparison.
func words(log []string) string { return strings.Join(log, "; ") }

// carryOn is an update that goes on from what earlier ones left to be started.
func (m *model) carryOn(desired []spec.Group, pending pendingStarts, overtaken func() bool) []Outcome {
	active := m.Groups()
	pending.prune(active)
	outcomes := execute(context.Background(), m, Plan(active, desired, Policy{PendingStarts: pending}), overtaken, nil)
	for i := range outcomes {
		pending.take(&outcomes[i])
	}
	return outcomes
}
