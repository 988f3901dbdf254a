package client

import "context"

// Health is what probes have found out about a process.
type Health struct {
	Ready     string `json:"ready,omitempty"`     // yes or no, "" where it is not asked
	Health    string `json:"health,omitempty"`    // passing, failing or unknown, "" where it is not asked
	Complaint string `json:"complaint,omitempty"` // what the last look said that failed
	// StatusText is what the process has said last of itself.
	StatusText string `json:"status_text,omitempty"`
}

// Health asks for the health of every process that is probed, by group and name.
// Fault FaultUnknownMethod from a server that is not this supervisord.
func (c *Client) Health(ctx context.Context) (map[[2]string]Health, error) {
	return callAs(ctx, c, func(v any) (map[[2]string]Health, error) {
		all := make(map[[2]string]Health)
		_, err := listOf(v, func(v any) (Health, error) {
			f := structOf(v)
			h := Health{Ready: f.string("ready"), Health: f.string("health"), Complaint: f.string("complaint"), StatusText: optional[string](f, "status_text")}
			all[[2]string{f.string("group"), f.string("name")}] = h
			return h, f.err
		})
		return all, err
	}, "processes.getHealth")
}
