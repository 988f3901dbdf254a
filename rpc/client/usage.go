package client

import "context"

// Usage is what a process takes with all that descends from it.
type Usage struct {
	Group, Name string
	Restarts    int
	PID         int     // 0 where it does not run or cannot be measured
	At          float64 // when that was, in seconds since the epoch
	CPU         float64 // seconds since it began
	Memory      float64 // bytes
	Files       int     // open; -1 where that is not known
	Threads     int
	Processes   int
}

// Usage asks what every process takes. Fault FaultUnknownMethod from a server that is not
// this supervisord.
func (c *Client) Usage(ctx context.Context) ([]Usage, error) {
	return callAs(ctx, c, func(v any) ([]Usage, error) {
		return listOf(v, func(v any) (Usage, error) {
			f := structOf(v)
			u := Usage{
				Group: f.string("group"), Name: f.string("name"), Restarts: f.int("restarts"), PID: f.int("pid"),
				At: f.float("at"), CPU: f.float("cpu"), Memory: f.float("memory"),
				Files: f.int("files"), Threads: f.int("threads"), Processes: f.int("processes"),
			}
			return u, f.err
		})
	}, "processes.getUsage")
}
