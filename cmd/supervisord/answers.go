package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"supervisord/reconcile"
	"supervisord/rpc"
	"supervisord/rpc/planned"
	"supervisord/rpc/xmlrpc"
	"supervisord/spec"
)

// answers is the reconciler as rpc asks it: what it says, as clients get it.
type answers struct{ *reconcile.Reconciler }

var _ rpc.Reconciler = answers{}

// State is how files and groups stand to each other.
func (a answers) State(context.Context) (xmlrpc.Struct, error) {
	return stateStruct(a.Reconciler.State()), nil
}

// Diff is what an update would do.
func (a answers) Diff(ctx context.Context, names []string) ([]any, error) {
	actions, err := a.Reconciler.Diff(ctx, names)
	if err != nil {
		return nil, reconcileFault(ctx, err)
	}
	return actionStructs(actions), nil
}

// Plan is what an update would do, with the name of that plan; of another tree, if one is
// given, in place of the daemon's own files.
func (a answers) Plan(ctx context.Context, names []string, tree string) (xmlrpc.Struct, error) {
	plan := func() (reconcile.Planned, error) { return a.Reconciler.PlanTree(ctx, names, tree) }
	if tree == "" {
		plan = func() (reconcile.Planned, error) { return a.Reconciler.Plan(ctx, names) }
	}
	p, err := plan()
	if err != nil {
		return nil, reconcileFault(ctx, err)
	}
	return xmlrpc.Struct{
		{Name: "plan", Value: p.ID},
		{Name: "actions", Value: actionStructs(p.Actions)},
		{Name: "reach", Value: reachStruct(plannedReach(p.Reach))},
	}, nil
}

func reachStruct(r planned.Reach) xmlrpc.Struct {
	links := func(list []planned.Link) []any {
		structs := []any{}
		for _, l := range list {
			structs = append(structs, xmlrpc.Struct{{Name: "process", Value: l.Process}, {Name: "of", Value: l.Of}})
		}
		return structs
	}
	return xmlrpc.Struct{
		{Name: "restarted", Value: stringList(r.Restarted)},
		{Name: "ended", Value: stringList(r.Ended)},
		{Name: "started", Value: stringList(r.Started)},
		{Name: "following", Value: links(r.Following)},
		{Name: "dependents", Value: links(r.Dependents)},
		{Name: "wait_seconds", Value: r.WaitSeconds},
		{Name: "removals", Value: r.Removals},
		{Name: "held", Value: r.Held},
	}
}

// Apply is an update.
func (a answers) Apply(ctx context.Context, names []string) (xmlrpc.Struct, error) {
	return a.ApplyPlan(ctx, "", names)
}

// ApplyPlan is an update that must be a certain plan, unless that is "".
func (a answers) ApplyPlan(ctx context.Context, plan string, names []string) (xmlrpc.Struct, error) {
	report, err := a.Reconciler.ApplyPlan(ctx, names, plan, rpc.Caller(ctx))
	if errors.Is(err, reconcile.ErrMoved) {
		return nil, xmlrpc.NewFault(xmlrpc.Conflict, err.Error())
	}
	return reportStruct(ctx, report, err)
}

// Revert takes files back to what they were.
func (a answers) Revert(ctx context.Context, target string) (xmlrpc.Struct, error) {
	report, err := a.Reconciler.Revert(ctx, target, rpc.Caller(ctx))
	return reportStruct(ctx, report, err)
}

// Unpin has a file count again that was taken back.
func (a answers) Unpin(ctx context.Context, target string) error {
	if err := a.Reconciler.Unpin(ctx, target, rpc.Caller(ctx)); err != nil {
		return reconcileFault(ctx, err)
	}
	return nil
}

func reportStruct(ctx context.Context, report reconcile.Report, err error) (xmlrpc.Struct, error) {
	if err != nil {
		return nil, reconcileFault(ctx, err)
	}
	return xmlrpc.Struct{
		{Name: "generation", Value: report.Generation},
		{Name: "result", Value: report.Result},
		{Name: "ok", Value: report.OK},
		{Name: "actions", Value: actionStructs(report.Actions)},
		{Name: "lines", Value: stringList(report.Lines)},
	}, nil
}

// Files lists each watched file and directory.
func (a answers) Files(context.Context) ([]any, error) {
	files := []any{}
	for _, f := range a.Reconciler.Files() {
		files = append(files, xmlrpc.Struct{
			{Name: "path", Value: f.Path},
			{Name: "state", Value: f.State},
			{Name: "programs", Value: stringList(f.Programs)},
			{Name: "changed", Value: seconds(f.Changed)},
			{Name: "reason", Value: f.Reason},
			{Name: "warnings", Value: stringList(f.Warnings)},
		})
	}
	return files, nil
}

// History lists the last updates, the newest first.
func (a answers) History(_ context.Context, limit int) ([]any, error) {
	return historyStructs(a.Reconciler.History(limit), a.Reconciler.CanRevert), nil
}

// SetAutoupdate turns automatic updates on or off.
func (a answers) SetAutoupdate(ctx context.Context, on bool) error {
	if err := a.Reconciler.SetAutoupdate(ctx, on, rpc.Caller(ctx)); err != nil {
		return reconcileFault(ctx, err)
	}
	return nil
}

func stateStruct(s reconcile.State) xmlrpc.Struct {
	dirs := []any{}
	for _, d := range s.Directories {
		dirs = append(dirs, xmlrpc.Struct{{Name: "path", Value: d.Path}, {Name: "real", Value: d.Real}, {Name: "awaited", Value: d.Awaited}})
	}
	return xmlrpc.Struct{
		{Name: "phase", Value: s.Phase},
		{Name: "generation", Value: s.Generation},
		{Name: "desired", Value: s.Desired},
		{Name: "applied", Value: s.Applied},
		{Name: "reason", Value: s.Reason},
		{Name: "since", Value: seconds(s.Since)},
		{Name: "autoupdate", Value: s.Autoupdate},
		{Name: "directories", Value: dirs},
		{Name: "deferred", Value: s.Deferred},
		{Name: "verifying", Value: s.Verifying},
		{Name: "rejected", Value: stringList(s.Rejected)},
		{Name: "revision", Value: s.InForce},
		{Name: "attempted_revision", Value: s.Attempted},
		{Name: "outcome", Value: s.Outcome},
		{Name: "statedir_error", Value: s.StateDirError},
	}
}

func actionStructs(actions []reconcile.Action) []any {
	list := []any{}
	for _, a := range actions {
		changes := []any{}
		for _, c := range a.Changes {
			changes = append(changes, xmlrpc.Struct{
				{Name: "key", Value: c.Key}, {Name: "old", Value: c.Old}, {Name: "new", Value: c.New},
			})
		}
		list = append(list, xmlrpc.Struct{
			{Name: "action", Value: a.Action},
			{Name: "group", Value: a.Group},
			{Name: "process", Value: a.Process},
			{Name: "changes", Value: changes},
			{Name: "reason", Value: a.Reason},
			{Name: "file", Value: a.File},
		})
	}
	return list
}

// historyStructs are entries for a client, and of each whether one can go back to it.
func historyStructs(entries []reconcile.Entry, canRevert func(int) bool) []any {
	list := []any{}
	for i := range entries {
		e := &entries[i]
		actions, reasons := []any{}, []any{}
		for k := range e.Actions {
			actions, reasons = append(actions, e.Actions[k].String()), append(reasons, e.Actions[k].Reason)
		}
		list = append(list, append(entryStruct(e), xmlrpc.Struct{{Name: "actions", Value: actions}, {Name: "reasons", Value: reasons}, {Name: "revertible", Value: canRevert(e.Generation)}}...))
	}
	return list
}

// entryStruct is an entry of the history without its actions.
func entryStruct(e *reconcile.Entry) xmlrpc.Struct {
	return xmlrpc.Struct{
		{Name: "generation", Value: e.Generation},
		{Name: "time", Value: seconds(e.Time)},
		{Name: "trigger", Value: e.Trigger},
		{Name: "caller", Value: e.Caller},
		{Name: "result", Value: e.Result},
		{Name: "duration_ms", Value: e.DurationMS},
		{Name: "reason", Value: e.Reason},
		{Name: "revision", Value: e.Revision},
	}
}

// Generation is one update with its actions, and what it changed in the files.
func (a answers) Generation(ctx context.Context, number int) (xmlrpc.Struct, error) {
	p, err := a.Reconciler.Past(number)
	if err != nil {
		return nil, reconcileFault(ctx, err)
	}
	entries := []any{}
	for i := range p.Entries {
		e := &p.Entries[i]
		entries = append(entries, append(entryStruct(e), xmlrpc.Member{Name: "actions", Value: actionStructs(e.Actions)}))
	}
	return xmlrpc.Struct{
		{Name: "generation", Value: p.Generation},
		{Name: "entries", Value: entries},
		{Name: "files", Value: fileDiffStructs(p.Files)},
		{Name: "forgotten", Value: p.Forgotten},
	}, nil
}

// DiffGenerations is how the files differ between two updates.
func (a answers) DiffGenerations(ctx context.Context, from, to int) ([]any, error) {
	files, err := a.Reconciler.Between(from, to)
	if err != nil {
		return nil, reconcileFault(ctx, err)
	}
	return fileDiffStructs(files), nil
}

func fileDiffStructs(files []reconcile.FileDiff) []any {
	list := []any{}
	for _, f := range files {
		sections := []any{}
		for _, s := range f.Sections {
			keys := []any{}
			for _, k := range s.Fields {
				keys = append(keys, xmlrpc.Struct{{Name: "key", Value: k.Key}, {Name: "old", Value: k.Old}, {Name: "new", Value: k.New}})
			}
			sections = append(sections, xmlrpc.Struct{{Name: "section", Value: s.Section}, {Name: "change", Value: s.Change}, {Name: "keys", Value: keys}})
		}
		list = append(list, xmlrpc.Struct{{Name: "path", Value: f.Path}, {Name: "change", Value: f.Change}, {Name: "sections", Value: sections}})
	}
	return list
}

// reconcileFault is what a client sees when a name is wrong, when the reconciler
// has ended with the daemon, or when the files cannot be used: every mistake then
// has a line, with its place.
func reconcileFault(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, reconcile.ErrBadName), errors.Is(err, reconcile.ErrNoGeneration):
		return xmlrpc.NewFault(xmlrpc.BadName, err.Error())
	case errors.Is(err, reconcile.ErrTree):
		return xmlrpc.NewFault(xmlrpc.Failed, err.Error())
	case errors.Is(err, reconcile.ErrNotRunning):
		return xmlrpc.NewFault(xmlrpc.ShutdownState, "")
	case ctx.Err() != nil:
		return ctx.Err()
	}
	text := err.Error()
	if mistakes := (*spec.LoadError)(nil); errors.As(err, &mistakes) {
		var lines []string
		for _, e := range mistakes.All() {
			lines = append(lines, e.Report())
		}
		text = strings.Join(lines, "\n")
	}
	return xmlrpc.NewFault(xmlrpc.CantReread, text)
}

func stringList(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// seconds is a time as clients get it, 0 for none.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
