package client

import "context"

// End is how a process ended last.
type End struct {
	How    string `json:"how"`    // as the log has it: "exit status 3", "terminated by SIGKILL"
	Signal string `json:"signal"` // the name of the signal that ended it, "" for none
	Core   bool   `json:"core"`   // its memory was dumped
	OOM    bool   `json:"oom"`    // the kernel's out-of-memory killer has ended it
}

// Ends asks how each process last ended, by group and name. Fault
// FaultUnknownMethod from a server that is not this supervisord.
func (c *Client) Ends(ctx context.Context) (map[[2]string]End, error) {
	return callAs(ctx, c, func(v any) (map[[2]string]End, error) {
		ends := make(map[[2]string]End)
		_, err := listOf(v, func(v any) (End, error) {
			f := structOf(v)
			e := End{How: f.string("how"), Signal: f.string("signal"), Core: f.bool("core"), OOM: f.bool("oom")}
			ends[[2]string{f.string("group"), f.string("name")}] = e
			return e, f.err
		})
		return ends, err
	}, "processes.getExits")
}
