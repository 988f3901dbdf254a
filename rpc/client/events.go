package client

import (
	"context"

	"supervisord/runtime/state"
)

// Listener is how one event listener is doing.
type Listener struct {
	Group     string         `json:"-"`
	Name      string         `json:"-"`
	State     state.Listener `json:"state"`
	StateName string         `json:"statename"`
	Waiting   int            `json:"waiting"` // events in its pool's buffer
	Dropped   int            `json:"dropped"` // events that its pool discarded
	Since     int            `json:"since"`   // busy since, in seconds since the epoch; 0 where it is not
}

func listener(v any) (Listener, error) {
	f := structOf(v)
	l := Listener{
		Group: f.string("group"), Name: f.string("name"),
		State: state.Listener(f.int("state")), StateName: f.string("statename"),
		Waiting: f.int("waiting"), Dropped: f.int("dropped"), Since: f.int("since"),
	}
	return l, f.err
}

// Listeners asks how every event listener is doing. Fault FaultUnknownMethod
// from a server that is not this supervisord.
func (c *Client) Listeners(ctx context.Context) ([]Listener, error) {
	return callAs(ctx, c, func(v any) ([]Listener, error) { return listOf(v, listener) }, "events.getListeners")
}
