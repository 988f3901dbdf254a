package rpc

import (
	"context"

	"supervisord/rpc/xmlrpc"
)

// EventsNamespace tells how the event listeners are doing, for Options.Extra. It is a
// namespace of its own because the structs of supervisor.* are not ours to add to.
func EventsNamespace(p Processes) Namespace {
	return Namespace{Name: "events", Methods: []Method{{
		Name: "getListeners",
		Help: "How each event listener is doing: the state of its side of the protocol, how many events wait in its pool's\n" +
			"buffer, how many the pool discarded, and since when the listener is busy with one (0 when it is not).",
		Returns: Param{Type: "array", Name: "listeners", Text: "structs with group, name, state, statename, waiting, dropped and since"},
		Func: func(ctx context.Context, _ Args) (any, error) {
			infos, err := p.Snapshot(ctx)
			if err != nil {
				return nil, err
			}
			list := []any{}
			for _, i := range infos {
				if i.Listener == nil {
					continue
				}
				list = append(list, xmlrpc.Struct{
					{Name: "group", Value: i.Group},
					{Name: "name", Value: i.Name},
					{Name: "state", Value: int(i.Listener.State)},
					{Name: "statename", Value: i.Listener.State.String()},
					{Name: "waiting", Value: i.Listener.Waiting},
					{Name: "dropped", Value: i.Listener.Dropped},
					{Name: "since", Value: epoch(i.Listener.Since)},
				})
			}
			return list, nil
		},
	}}}
}
