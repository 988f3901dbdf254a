package main

import (
	"context"

	"supervisord/reconcile"
	"supervisord/rpc"
	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
	"supervisord/runtime/hang"
)

// whys is what rpc asks to say why something is so.
type whys struct {
	reconciler *reconcile.Reconciler
	supervisor *runtime.Supervisor
	disks      *hang.Disks // of executables
}

var _ rpc.Whys = whys{}

// Explain says where the definition of a process comes from and what an update would do to it.
func (w whys) Explain(ctx context.Context, group, process string) (xmlrpc.Struct, error) {
	e, err := w.reconciler.Explain(ctx, group, process)
	if err != nil {
		return nil, reconcileFault(ctx, err)
	}
	settings := []any{}
	for _, s := range e.Settings {
		settings = append(settings, xmlrpc.Struct{
			{Name: "key", Value: s.Key}, {Name: "value", Value: s.Value}, {Name: "unit", Value: s.Unit},
			{Name: "file", Value: s.File}, {Name: "line", Value: s.Line}, {Name: "default", Value: s.Default},
			{Name: "generation", Value: s.Generation},
		})
	}
	return xmlrpc.Struct{
		{Name: "group", Value: e.Group}, {Name: "name", Value: e.Process}, {Name: "settings", Value: settings},
		{Name: "next", Value: actionStructs(e.Next)}, {Name: "user_stopped", Value: e.UserStopped},
	}, nil
}

// Drift is what differs from the files although nothing is pending.
func (w whys) Drift(ctx context.Context) ([]any, error) {
	infos, err := w.supervisor.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	drift, err := w.reconciler.Drift(ctx, executables(ctx, w.disks, infos))
	if err != nil {
		return nil, reconcileFault(ctx, err)
	}
	list := []any{}
	for _, d := range drift {
		list = append(list, xmlrpc.Struct{
			{Name: "kind", Value: d.Kind}, {Name: "group", Value: d.Group}, {Name: "name", Value: d.Process}, {Name: "text", Value: d.Text},
		})
	}
	return list, nil
}
