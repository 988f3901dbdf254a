package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"supervisord/reconcile"
	"supervisord/rpc"
	"supervisord/rpc/xmlrpc"
	"supervisord/spec"
)

// reconcileNamespace is the reconciler over XML-RPC, beside the namespaces that
// Supervisor has.
//
// Source: reconciler.md, Seeing it.
func reconcileNamespace(r *reconcile.Reconciler) rpc.Namespace {
	names := rpc.Param{Type: "array", Name: "names", Text: "groups to look at; none means all", Optional: true}
	return rpc.Namespace{Name: "reconcile", Methods: []rpc.Method{
		{
			Name:    "getState",
			Help:    "How the files and the active groups stand to each other.",
			Returns: rpc.Param{Type: "struct", Name: "result", Text: "phase, generation, desired, applied, reason, since, autoupdate, directories"},
			Func: func(context.Context, rpc.Args) (any, error) {
				return stateStruct(r.State()), nil
			},
		}, {
			Name:    "diff",
			Help:    "What an update would do, and why. Nothing is changed. Values of environment variables are not shown.",
			Params:  []rpc.Param{names},
			Returns: rpc.Param{Type: "array", Name: "actions", Text: "structs with action, group, process, changes, reason and file"},
			Func: func(ctx context.Context, a rpc.Args) (any, error) {
				only, err := a.Names(0)
				if err != nil {
					return nil, err
				}
				actions, err := r.Diff(ctx, only)
				if err != nil {
					return nil, reconcileFault(ctx, err)
				}
				return actionStructs(actions), nil
			},
		}, {
			Name: "apply",
			Help: "Reads the files and brings the active groups to what they say, as one operation: a client that goes away\n" +
				"changes nothing about the result.",
			Params:  []rpc.Param{names},
			Returns: rpc.Param{Type: "struct", Name: "result", Text: "generation, result, ok, actions, lines"},
			Waits:   true,
			Done:    "update applied",
			Func: func(ctx context.Context, a rpc.Args) (any, error) {
				only, err := a.Names(0)
				if err != nil {
					return nil, err
				}
				report, err := r.Apply(ctx, only, rpc.Caller(ctx))
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
			},
		}, {
			Name:    "getFiles",
			Help:    "Each watched file or directory, its state and the programs from it.",
			Returns: rpc.Param{Type: "array", Name: "files", Text: "structs with path, state, programs, changed and reason"},
			Func: func(context.Context, rpc.Args) (any, error) {
				files := []any{}
				for _, f := range r.Files() {
					files = append(files, xmlrpc.Struct{
						{Name: "path", Value: f.Path},
						{Name: "state", Value: f.State},
						{Name: "programs", Value: stringList(f.Programs)},
						{Name: "changed", Value: seconds(f.Changed)},
						{Name: "reason", Value: f.Reason},
					})
				}
				return files, nil
			},
		}, {
			Name:    "getHistory",
			Help:    "The last updates, the newest first.",
			Params:  []rpc.Param{{Type: "int", Name: "limit", Text: "how many at the most; 10 if not given", Optional: true}},
			Returns: rpc.Param{Type: "array", Name: "entries", Text: "structs with generation, time, trigger, caller, actions, result, duration_ms"},
			Func: func(_ context.Context, a rpc.Args) (any, error) {
				limit := int64(10)
				if len(a) > 0 {
					var err error
					if limit, err = a.Int(0); err != nil {
						return nil, err
					}
				}
				return historyStructs(r.History(int(limit))), nil
			},
		}, {
			Name:    "setAutoupdate",
			Help:    "Turns automatic updates on or off until the daemon is restarted.",
			Params:  []rpc.Param{{Type: "boolean", Name: "flag", Text: "whether changes are applied by themselves"}},
			Returns: rpc.Param{Type: "boolean", Name: "result", Text: "always true"},
			Done:    "autoupdate set to %s",
			Func: func(ctx context.Context, a rpc.Args) (any, error) {
				on, ok := a[0].(bool)
				if !ok {
					return nil, xmlrpc.NewFault(xmlrpc.IncorrectParameters, "")
				}
				if err := r.SetAutoupdate(ctx, on, rpc.Caller(ctx)); err != nil {
					return nil, reconcileFault(ctx, err)
				}
				return true, nil
			},
		},
	}}
}

func stateStruct(s reconcile.State) xmlrpc.Struct {
	dirs := []any{}
	for _, d := range s.Directories {
		dirs = append(dirs, xmlrpc.Struct{{Name: "path", Value: d.Path}, {Name: "real", Value: d.Real}})
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

func historyStructs(entries []reconcile.Entry) []any {
	list := []any{}
	for _, e := range entries {
		actions := []any{}
		for i := range e.Actions {
			actions = append(actions, e.Actions[i].String())
		}
		list = append(list, xmlrpc.Struct{
			{Name: "generation", Value: e.Generation},
			{Name: "time", Value: seconds(e.Time)},
			{Name: "trigger", Value: e.Trigger},
			{Name: "caller", Value: e.Caller},
			{Name: "actions", Value: actions},
			{Name: "result", Value: e.Result},
			{Name: "duration_ms", Value: int(e.DurationMS)},
		})
	}
	return list
}

// reconcileFault is what a client sees when a name is wrong, when the reconciler
// has ended with the daemon, or when the files cannot be used: every mistake then
// has a line, with its place.
func reconcileFault(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, reconcile.ErrBadName):
		return xmlrpc.NewFault(xmlrpc.BadName, err.Error())
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
func seconds(t time.Time) int {
	if t.IsZero() {
		return 0
	}
	return int(t.Unix())
}
