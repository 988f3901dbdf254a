package main

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"supervisord/reconcile"
	"supervisord/rpc"
	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
	"supervisord/spec"
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

// Disable has nothing but a person start what has the name, and stops it as a person's stop
// does. Where something cannot be stopped it stays disabled all the same, and the fault names
// it.
func (p persons) Disable(ctx context.Context, name string, wait bool) (xmlrpc.Struct, error) {
	s, err := p.reconciler.Disable(ctx, name, rpc.Caller(ctx))
	if err == nil {
		results, err := p.supervisor.StopDisabled(ctx, runtime.Select{Group: s.Intent.Group, Process: s.Intent.Process}, wait)
		if err := notStopped(spec.Namespec{Group: s.Intent.Group, Process: s.Intent.Process}, results, err); err != nil {
			return nil, err
		}
	}
	return asSaid(ctx)(s, err)
}

// notStopped is what is wrong where something that was disabled still runs: err is that of
// the stop of the one process, or of all.
func notStopped(one spec.Namespec, results []runtime.Result, err error) error {
	refused, is := errors.AsType[*runtime.Error](err)
	switch {
	case is && refused.Kind != runtime.ShuttingDown:
		results = []runtime.Result{{Group: one.Group, Name: one.Process, Err: err}}
	case err != nil:
		return err
	}
	var texts []string
	for _, r := range results {
		refused, is := errors.AsType[*runtime.Error](r.Err)
		if is && refused.Kind != runtime.NotRunning && refused.Kind != runtime.BadName { // those are down
			texts = append(texts, spec.Namespec{Group: r.Group, Process: r.Name}.String()+": "+cmp.Or(refused.Detail, refused.Kind.String()))
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return xmlrpc.NewFault(xmlrpc.Failed, "disabled, but not stopped: "+strings.Join(texts, "; "))
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
