package client

import (
	"context"

	"supervisord/rpc/planned"
)

// Explanation is where the definition of a process comes from.
type Explanation struct {
	Group       string           `json:"group"`
	Name        string           `json:"name"`
	Settings    []Setting        `json:"settings"`
	Next        []planned.Action `json:"next"` // what an update would do to it
	UserStopped bool             `json:"user_stopped"`
}

// Setting is one key of a process.
type Setting struct {
	Key        string `json:"key"`
	Value      string `json:"value"` // of a variable "set": values of variables are never shown
	Unit       string `json:"unit"`
	File       string `json:"file"`
	Line       int    `json:"line"` // 0 where no file gives it
	Default    bool   `json:"default"`
	Generation int    `json:"generation"` // of the update that brought it; 0 where the daemon began with it, or that is not known
}

// Drift is something that differs from the files although no update is due.
type Drift struct {
	Kind  string `json:"kind"` // stopped, started, removed or executable
	Group string `json:"group"`
	Name  string `json:"name"` // "" for a whole group
	Text  string `json:"text"`
}

// Explain asks where the definition of a process comes from. Fault FaultUnknownMethod from a
// server that is not this supervisord.
func (c *Client) Explain(ctx context.Context, name string) (Explanation, error) {
	return callAs(ctx, c, func(v any) (Explanation, error) {
		f := structOf(v)
		e := Explanation{Group: f.string("group"), Name: f.string("name"), UserStopped: f.bool("user_stopped"),
			Next: list(f, "next", action), Settings: list(f, "settings", func(v any) (Setting, error) {
				f := structOf(v)
				s := Setting{Key: f.string("key"), Value: f.string("value"), Unit: f.string("unit"), File: f.string("file"),
					Line: f.int("line"), Default: f.bool("default"), Generation: f.int("generation")}
				return s, f.err
			})}
		return e, f.err
	}, "reconcile.explain", name)
}

// Drift asks what differs from the files although no update is due; faults are as of Explain.
func (c *Client) Drift(ctx context.Context) ([]Drift, error) {
	return callAs(ctx, c, func(v any) ([]Drift, error) {
		return listOf(v, func(v any) (Drift, error) {
			f := structOf(v)
			d := Drift{Kind: f.string("kind"), Group: f.string("group"), Name: f.string("name"), Text: f.string("text")}
			return d, f.err
		})
	}, "reconcile.getDrift")
}
