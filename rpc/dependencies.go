package rpc

import (
	"context"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
)

// Order is what rpc asks of the process table about who depends on whom.
// *runtime.Supervisor is the real one.
type Order interface {
	// StartWithDeps starts one process and, before it, what it depends on; there is a
	// result for each that was not started already, and for the process itself.
	StartWithDeps(ctx context.Context, group, name string, wait bool) ([]runtime.Result, error)
	// Dependencies is every process with what it depends on.
	Dependencies(ctx context.Context) ([]runtime.Dependency, error)
}

// OrderNamespace has the methods for processes that depend on others, for Options.Extra.
func OrderNamespace(o Order) Namespace {
	return Namespace{Name: "processes", Methods: []Method{
		{
			Name: "startWithDependencies",
			Help: "Start a process and, before it, all its dependencies that are not satisfied yet. With wait, the answer\n" +
				"comes when each has stayed up for startsecs or has failed.",
			Params: []Param{
				{Type: "string", Name: "name", Text: "name of the process, as group:name where they differ"},
				{Type: "boolean", Name: "wait", Text: "answer only when it is done", Optional: true},
			},
			Returns: Param{Type: "array", Name: "result", Text: "a struct for each process: name, group, status, description"},
			Done:    "%s started with its dependencies",
			Func: func(ctx context.Context, a Args) (any, error) {
				n, err := a.Process(0)
				if err != nil {
					return nil, err
				}
				all, err := withWait(func(ctx context.Context, sel runtime.Select, wait bool) ([]runtime.Result, error) {
					return o.StartWithDeps(ctx, sel.Group, sel.Process, wait)
				})(ctx, runtime.Select(n), a[1:])
				return results(all), err
			},
		}, {
			Name: "getDependencies",
			Help: "What each process depends on: as the files have it (text), the processes that this means (targets, none\n" +
				"where nothing has the name), and whether it is there (met). waiting is what its start waits for.",
			Returns: Param{Type: "array", Name: "processes", Text: "structs with group, name, statename, waiting, needs, restart_with"},
			Func: func(ctx context.Context, _ Args) (any, error) {
				all, err := o.Dependencies(ctx)
				list := make([]any, len(all))
				for i, d := range all {
					list[i] = dependency(d)
				}
				return list, err
			},
		},
	}}
}

func dependency(d runtime.Dependency) xmlrpc.Struct {
	needs := make([]any, len(d.Needs))
	for i, n := range d.Needs {
		targets := make([]any, len(n.Targets))
		for j, t := range n.Targets {
			targets[j] = t.String()
		}
		needs[i] = xmlrpc.Struct{{Name: "text", Value: n.Text}, {Name: "met", Value: n.Met}, {Name: "targets", Value: targets}}
	}
	restart := make([]any, len(d.RestartWith))
	for i, name := range d.RestartWith {
		restart[i] = name
	}
	return xmlrpc.Struct{
		{Name: "group", Value: d.Group}, {Name: "name", Value: d.Name}, {Name: "statename", Value: d.State.String()},
		{Name: "waiting", Value: d.Waiting}, {Name: "needs", Value: needs}, {Name: "restart_with", Value: restart},
	}
}
