package runtime

import (
	"cmp"
	"context"
	"slices"
	"time"

	"supervisord/runtime/logfile"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// snapshot is the table at one moment. It is never changed once published.
type snapshot struct {
	infos  []Info // by group, then name
	byName map[slotName]int
	groups map[string]bool
}

// slotName names one process of the table.
type slotName struct {
	Group   string `json:"group"`
	Process string `json:"process"`
}

// Active reports whether a group of that name is active.
func (s *Supervisor) Active(group string) bool {
	snap, err := s.current(context.Background())
	return err == nil && snap.groups[group]
}

// Snapshot is every active process by group name, then process name, all of one
// moment. The loop has work only if a process changed since the last one.
func (s *Supervisor) Snapshot(ctx context.Context) ([]Info, error) {
	snap, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	infos := slices.Clone(snap.infos)
	now := time.Now()
	for i := range infos {
		infos[i].at(now)
	}
	return infos, nil
}

// Info is one process. BadName when there is none.
func (s *Supervisor) Info(ctx context.Context, group, process string) (Info, error) {
	snap, err := s.current(ctx)
	if err != nil {
		return Info{}, err
	}
	i, ok := snap.byName[slotName{group, process}]
	if !ok {
		return Info{}, &Error{Kind: BadName, Name: spec.Namespec{Group: group, Process: process}.String()}
	}
	info := snap.infos[i]
	info.at(time.Now())
	return info, nil
}

// at completes an Info with what depends on the present time.
func (i *Info) at(now time.Time) {
	i.Now = now
	i.Uptime = now.Sub(i.up)
	i.Dropped, i.LogBytes = 0, 0
	for _, log := range i.logs {
		i.Dropped += log.Dropped()
		i.LogBytes += log.Size()
	}
	if i.Retry != 0 {
		i.RetryIn = max(0, i.retryAt.Sub(now))
	}
}

// Count is how many processes are in each state at this moment. The loop itself counts
// them each time, so an answer also says that it is not stuck.
func (s *Supervisor) Count(ctx context.Context) (state.Counts, error) {
	count := make(state.Counts)
	err := s.ask(ctx, func() {
		for _, g := range s.groups {
			for _, p := range g.procs {
				count[p.machine.State]++
			}
		}
	})
	return count, err
}

// Changed is closed when processes may have changed since the call.
func (s *Supervisor) Changed() <-chan struct{} { return s.tableNotice.Next() }

// tableChanged has the next snapshot rebuilt, and says that there is something new.
func (s *Supervisor) tableChanged() {
	s.snapshot.Store(nil)
	s.tableNotice.Tell()
	select {
	case s.opt.Changed <- struct{}{}:
	default: // it was said, or nobody wants to know
	}
}

// current is a snapshot that is not out of date.
func (s *Supervisor) current(ctx context.Context) (*snapshot, error) {
	snap := s.snapshot.Load()
	if snap != nil {
		return snap, nil
	}
	err := s.ask(ctx, func() { snap = s.publish() })
	if err != nil {
		if snap = s.snapshot.Load(); snap != nil {
			return snap, nil // the loop has ended: the last one stands
		}
	}
	return snap, err
}

// publish makes a snapshot if there is none, in the loop.
func (s *Supervisor) publish() *snapshot {
	snap := s.snapshot.Load()
	if snap == nil {
		snap = s.take()
		s.snapshot.Store(snap)
	}
	return snap
}

// take makes a snapshot, in the loop.
func (s *Supervisor) take() *snapshot {
	groups := slices.Clone(s.groups)
	slices.SortFunc(groups, func(a, b *group) int { return cmp.Compare(a.def.Name, b.def.Name) })
	n := 0
	for _, g := range groups {
		n += len(g.procs)
	}
	snap := &snapshot{
		infos:  make([]Info, 0, n),
		byName: make(map[slotName]int, n),
		groups: make(map[string]bool, len(groups)),
	}
	for _, g := range groups {
		snap.groups[g.def.Name] = true
		procs := slices.Clone(g.procs) // pointers are sorted faster than Infos
		slices.SortFunc(procs, func(a, b *process) int { return cmp.Compare(a.def.Name, b.def.Name) })
		for _, p := range procs {
			snap.byName[slotName{g.def.Name, p.def.Name}] = len(snap.infos)
			snap.infos = append(snap.infos, s.info(p))
		}
	}
	return snap
}

func (s *Supervisor) info(p *process) Info {
	m := &p.machine
	i := Info{
		Group: p.group.def.Name, Name: p.def.Name,
		State: m.State, PID: m.PID, Start: m.Started, Stop: m.Stopped,
		SpawnErr: m.SpawnErr, ExitStatus: m.ExitStatus, Starts: p.starts, LastEnd: p.ends.last, Ends: p.ends.counts, Runs: p.runs,
		StdoutLog: p.out[0].path, StderrLog: p.out[1].path,
		Priority: p.def.Priority, GroupPrio: p.group.def.Priority,
		MetricsPort: p.def.MetricsPort, MetricsPath: p.def.MetricsPath, Waiting: p.order.text, Disabled: p.disabled,
		up: m.Up(), logs: [2]*logfile.Writer{p.out[0].log, p.out[1].log},
	}
	i.Retry, i.retryAt, _ = m.Retry()
	i.Probed = p.probed()
	if p.group.pool != nil {
		i.Listener = p.group.listenerInfo(p.rank)
	}
	return i
}
