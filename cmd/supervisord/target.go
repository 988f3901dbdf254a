package main

import (
	"context"
	"errors"
	"fmt"

	"supervisord/reconcile"
	"supervisord/rpc"
	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
	"supervisord/runtime/state"
	"supervisord/runtime/usage"
	"supervisord/spec"
)

// The two sides that are plugged into each other here.
var (
	_ rpc.Processes    = processes{}
	_ rpc.Config       = desired{}
	_ reconcile.Target = target{}
)

// processes is the process table as clients see it.
type processes struct {
	*runtime.Supervisor
	daemon *daemon
	life   *life
}

// Stop answers a client that goes through the removal of a group which an automatic update
// has just removed: nothing is left to stop.
func (p processes) Stop(ctx context.Context, sel runtime.Select, wait bool) ([]runtime.Result, error) {
	results, err := p.Supervisor.Stop(ctx, sel, wait)
	var refused *runtime.Error
	if errors.As(err, &refused) && refused.Kind == runtime.BadName && p.life.reconciler.OwesRemoval(ctx, sel.Group, sel.Process) {
		return nil, nil
	}
	return results, err
}

// Restart is refused unless the life to come is ready.
func (p processes) Restart(ctx context.Context) error {
	err := p.daemon.prepareRestart(ctx, p.life, rpc.Caller(ctx))
	if refused := (*notReadyError)(nil); errors.As(err, &refused) {
		p.life.logger.Error("restart refused, nothing was stopped: " + refused.reason)
		return xmlrpc.NewFault(xmlrpc.CantReread, refused.reason)
	}
	return err
}

// Shutdown begins the end of the daemon.
func (p processes) Shutdown(ctx context.Context) error {
	p.life.leave()
	return p.Supervisor.Shutdown(ctx)
}

// roots are the processes of the table that there are, to be measured.
func roots(s *runtime.Supervisor) func(context.Context) ([]usage.Root, error) {
	return func(ctx context.Context) ([]usage.Root, error) {
		infos, err := s.Snapshot(ctx)
		list := make([]usage.Root, 0, len(infos))
		for i := range infos {
			if p := &infos[i]; p.PID != 0 {
				list = append(list, usage.Root{Process: usage.Process{Group: p.Group, Name: p.Name}, PID: p.PID})
			}
		}
		return list, err
	}
}

// target is the process table as the reconciler sees it.
type target struct{ *runtime.Supervisor }

// Groups lists the active groups; none once the supervisor has ended.
func (t target) Groups() []reconcile.Active {
	groups, err := t.Supervisor.Groups(context.Background())
	if err != nil {
		return nil
	}
	active := make([]reconcile.Active, len(groups))
	for i, g := range groups {
		active[i].Group = g.Group
		for _, p := range g.Processes {
			active[i].Processes = append(active[i].Processes, reconcile.Process{
				Name: p.Name, State: p.State.String(),
				Running:     p.State.InRunning() || p.State == state.Stopping || p.Waiting,
				UserStopped: p.UserStopped, Disabled: p.Disabled,
				Failed:  p.Failed,
				Waiting: p.Waiting, Crashed: p.Crashed, Ending: p.Ending, Trouble: p.Trouble,
			})
		}
	}
	return active
}

// SetGroup translates the refusals on which the reconciler branches.
func (t target) SetGroup(ctx context.Context, old, new *spec.Group, start []string) error {
	err := t.Supervisor.SetGroup(ctx, old, new, start)
	var refused *runtime.Error
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Kind {
	case runtime.Conflict, runtime.AlreadyAdded, runtime.BadName:
		return fmt.Errorf("%w: %v", reconcile.ErrConflict, err)
	case runtime.StillRunning:
		return fmt.Errorf("%w: %v", reconcile.ErrStillRunning, err)
	}
	return err
}

// LastOutput are the last lines of a process.
func (t target) LastOutput(group, process string) []string {
	lines, _ := t.Supervisor.LastOutput(context.Background(), group, process) // of one that is gone there are none
	return lines
}

// desired is the reconciler as clients of Supervisor's own methods see it.
type desired struct {
	*reconcile.Reconciler
	supervisor *runtime.Supervisor
}

// Active asks the process table, which knows without listing every group.
func (d desired) Active(name string) bool { return d.supervisor.Active(name) }

// ConfigFiles leaves the directories out.
func (d desired) ConfigFiles() []rpc.ConfigFile {
	var files []rpc.ConfigFile
	for _, f := range d.Files() {
		if !f.Directory {
			files = append(files, rpc.ConfigFile{Path: f.Path, State: f.State, Reason: f.Reason, Warnings: len(f.Warnings)})
		}
	}
	return files
}

// Progress is that of the reconciler.
func (d desired) Progress() rpc.Progress { return rpc.Progress(d.Reconciler.Progress()) }

// Prints are the fingerprints of what is active and desired, and the revision.
func (d desired) Prints() (applied, desired, revision string) {
	s := d.Reconciler.State()
	return s.Applied, s.Desired, s.InForce
}

// AddGroup and RemoveGroup translate the reconciler's refusals into those that
// become faults.
func (d desired) AddGroup(ctx context.Context, name string) error {
	return refusal(d.Reconciler.AddGroup(ctx, name, rpc.Caller(ctx)), name)
}

func (d desired) RemoveGroup(ctx context.Context, name string) error {
	return refusal(d.Reconciler.RemoveGroup(ctx, name, rpc.Caller(ctx)), name)
}

func refusal(err error, name string) error {
	for is, kind := range map[error]runtime.Kind{
		reconcile.ErrBadName:      runtime.BadName,
		reconcile.ErrAlreadyAdded: runtime.AlreadyAdded,
		reconcile.ErrStillRunning: runtime.StillRunning,
		reconcile.ErrNotRunning:   runtime.ShuttingDown,
	} {
		if errors.Is(err, is) {
			return &runtime.Error{Kind: kind, Name: name}
		}
	}
	return err
}
