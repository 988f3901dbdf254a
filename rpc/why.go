package rpc

import (
	"context"

	"supervisord/rpc/xmlrpc"
)

// Whys is what rpc asks to say why something is so. The methods may be called from any
// goroutine, and give up when ctx ends; an error is as that of Method.Func.
type Whys interface {
	Explain(ctx context.Context, group, process string) (xmlrpc.Struct, error)
	Drift(ctx context.Context) ([]any, error)
}

// WhyNamespace has the methods that say why, for Options.Extra.
func WhyNamespace(w Whys) Namespace {
	return Namespace{Name: "reconcile", Methods: []Method{
		{
			Name: "explain",
			Help: "Where each key of a process comes from: its file and line, and the update (generation) that brought its\n" +
				"value, 0 where the daemon began with it or that is not known. Values of environment variables are not shown. next is what an update\n" +
				"would do to it, as of diff, and user_stopped whether a person has stopped it.",
			Params:  []Param{{Type: "string", Name: "name", Text: "name of the process, as group:name where they differ"}},
			Returns: Param{Type: "struct", Name: "result", Text: "group, name, settings (key, value, unit, file, line, default, generation), next, user_stopped"},
			Waits:   true,
			Func: func(ctx context.Context, a Args) (any, error) {
				n, err := a.Process(0)
				if err != nil {
					return nil, err
				}
				return w.Explain(ctx, n.Group, n.Process)
			},
		}, {
			Name: "getDrift",
			Help: "What differs from the files although no update would change it, or none by itself: kind is stopped, started\n" +
				"or removed (by hand), or executable (the program on disk is another than the one that runs).",
			Returns: Param{Type: "array", Name: "drift", Text: "structs with kind, group, name (empty for a whole group) and text"},
			Waits:   true,
			Func:    func(ctx context.Context, _ Args) (any, error) { return w.Drift(ctx) },
		},
	}}
}
