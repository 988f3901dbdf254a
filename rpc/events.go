package rpc

import (
	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
)

// EventsNamespace tells how the event listeners are doing, for Options.Extra. It is a
// namespace of its own because the structs of supervisor.* are not ours to add to.
func EventsNamespace(p Processes) Namespace {
	return Namespace{Name: "events", Methods: []Method{{
		Name: "getListeners",
		Help: "How each event listener is doing: the state of its side of the protocol, how many events wait in its pool's\n" +
			"buffer, how many the pool discarded, and since when the listener is busy with one (0 when it is not).",
		Returns: Param{Type: "array", Name: "listeners", Text: "structs with group, name, state, statename, waiting, dropped and since"},
		Func: ofEach(p, func(i runtime.Info) xmlrpc.Struct {
			if i.Listener == nil {
				return nil
			}
			return xmlrpc.Struct{
				{Name: "state", Value: int(i.Listener.State)},
				{Name: "statename", Value: i.Listener.State.String()},
				{Name: "waiting", Value: i.Listener.Waiting},
				{Name: "dropped", Value: i.Listener.Dropped},
				{Name: "since", Value: epoch(i.Listener.Since)},
			}
		}),
	}}}
}
