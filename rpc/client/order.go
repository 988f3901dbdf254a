package client

import "context"

// Dependency is a process and what it depends on.
type Dependency struct {
	Group       string   `json:"group"`
	Name        string   `json:"name"`
	State       string   `json:"state"`
	Waiting     string   `json:"waiting"` // what its start waits for, "" for nothing
	Needs       []Need   `json:"needs"`
	RestartWith []string `json:"restart_with"`
}

// Need is one thing that a process depends on.
type Need struct {
	Text    string   `json:"text"`    // as the files have it: migrate:done
	Met     bool     `json:"met"`     // it is there
	Targets []string `json:"targets"` // the processes that it means; none where nothing has the name
}

// Dependencies asks what every process depends on. Fault FaultUnknownMethod from a server
// that is not this supervisord.
func (c *Client) Dependencies(ctx context.Context) ([]Dependency, error) {
	return callAs(ctx, c, func(v any) ([]Dependency, error) {
		return listOf(v, func(v any) (Dependency, error) {
			f := structOf(v)
			d := Dependency{Group: f.string("group"), Name: f.string("name"), State: f.string("statename"),
				Waiting: f.string("waiting"), RestartWith: list(f, "restart_with", asString),
				Needs: list(f, "needs", func(v any) (Need, error) {
					f := structOf(v)
					n := Need{Text: f.string("text"), Met: f.bool("met"), Targets: list(f, "targets", asString)}
					return n, f.err
				})}
			return d, f.err
		})
	}, "processes.getDependencies")
}

// StartWithDependencies starts a process and what it depends on, and waits for that.
func (c *Client) StartWithDependencies(ctx context.Context, name string) ([]Result, error) {
	return c.results(ctx, "processes.startWithDependencies", name)
}
