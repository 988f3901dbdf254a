package main

import (
	"context"
	"errors"
	"time"

	"supervisord/reconcile"
	"supervisord/rpc"
	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
)

// persons is what rpc asks to note what people want of groups and processes.
type persons struct {
	reconciler *reconcile.Reconciler
	supervisor *runtime.Supervisor
}

var _ rpc.Persons = persons{}

// Pause has no automatic update touch what has the name.
func (p persons) Pause(ctx context.Context, name string, length time.Duration, reason string) (xmlrpc.Struct, error) {
	return asSaid(ctx)(p.reconciler.Pause(ctx, name, length, reason, rpc.Caller(ctx)))
}

// Resume ends that.
func (p persons) Resume(ctx context.Context, name string) (xmlrpc.Struct, error) {
	return asSaid(ctx)(p.reconciler.Resume(ctx, name, rpc.Caller(ctx)))
}

// Disable has nothing but a person start what has the name, and stops it as a person's stop does.
func (p persons) Disable(ctx context.Context, name string, wait bool) (xmlrpc.Struct, error) {
	s, err := p.reconciler.Disable(ctx, name, rpc.Caller(ctx))
	if err == nil {
		_, err = p.supervisor.Stop(ctx, runtime.Select{Group: s.Intent.Group, Process: s.Intent.Process}, wait)
		var refused *runtime.Error
		if errors.As(err, &refused) && (refused.Kind == runtime.NotRunning || refused.Kind == runtime.BadName) { // it is down
			err = nil
		}
		if err != nil {
			return nil, err
		}
	}
	return asSaid(ctx)(s, err)
}

// Enable ends that.
func (p persons) Enable(ctx context.Context, name string) (xmlrpc.Struct, error) {
	return asSaid(ctx)(p.reconciler.Enable(ctx, name, rpc.Caller(ctx)))
}

// Intents are what is paused and disabled.
func (p persons) Intents(context.Context) ([]any, error) {
	structs := []any{}
	list, known := p.reconciler.Intents()
	for i := range list {
		structs = append(structs, append(intentStruct(&list[i]), xmlrpc.Member{Name: "known", Value: known[i]}))
	}
	return structs, nil
}

// asSaid is the answer to somebody who says what they want.
func asSaid(ctx context.Context) func(reconcile.Said, error) (xmlrpc.Struct, error) {
	return func(s reconcile.Said, err error) (xmlrpc.Struct, error) {
		switch {
		case errors.Is(err, reconcile.ErrWhole):
			return nil, xmlrpc.NewFault(xmlrpc.Failed, err.Error())
		case err != nil:
			return nil, reconcileFault(ctx, err)
		}
		return append(intentStruct(&s.Intent), xmlrpc.Member{Name: "changed", Value: s.Changed}, xmlrpc.Member{Name: "kept", Value: s.Kept}), nil
	}
}

func intentStruct(i *reconcile.Intent) xmlrpc.Struct {
	return xmlrpc.Struct{
		{Name: "kind", Value: i.Kind}, {Name: "group", Value: i.Group}, {Name: "name", Value: i.Process},
		{Name: "since", Value: seconds(i.Since)}, {Name: "until", Value: seconds(i.Until)},
		{Name: "by", Value: i.By}, {Name: "reason", Value: i.Reason},
	}
}
