package rpc

import (
	"testing"
	"time"

	"supervisord/runtime"
	"supervisord/runtime/state"
)

// TestOurWords: the description says when a process is started again, and what probes have
// found out, where keys of ours are used, and has Supervisor's words everywhere else.
func TestOurWords(t *testing.T) {
	for _, test := range []struct {
		info runtime.Info
		want string
	}{
		{runtime.Info{State: state.Backoff, SpawnErr: "Exited too quickly"}, "Exited too quickly"},
		{runtime.Info{State: state.Backoff, Name: "web"}, `unknown error (try "tail web")`},
		{runtime.Info{State: state.Backoff, SpawnErr: "Bad exit code 3", Retry: 4, RetryIn: 11001 * time.Millisecond}, "Bad exit code 3, retry 4 in 12 s"},
		{runtime.Info{State: state.Backoff, Retry: 1}, "retry 1 in 0 s"},
		{runtime.Info{State: state.Starting}, ""},
		{runtime.Info{State: state.Starting, Probed: &runtime.ProbeInfo{Health: "unknown"}}, ""},
		{runtime.Info{State: state.Starting, Probed: &runtime.ProbeInfo{Asked: true}}, "not ready yet"},
		{runtime.Info{State: state.Running, PID: 7, Probed: &runtime.ProbeInfo{Asked: true, Ready: true}}, "pid 7, uptime 0:00:00"},
		{runtime.Info{State: state.Running, PID: 7, Probed: &runtime.ProbeInfo{Health: "passing"}}, "pid 7, uptime 0:00:00, health passing"},
		{runtime.Info{State: state.Running, PID: 7, Probed: &runtime.ProbeInfo{Health: "failing", Complaint: "status 500"}},
			"pid 7, uptime 0:00:00, health failing: status 500"},
		{runtime.Info{State: state.Starting, Probed: &runtime.ProbeInfo{Asked: true, Status: "loading"}}, "not ready yet, status: loading"},
		{runtime.Info{State: state.Running, PID: 7, Probed: &runtime.ProbeInfo{Reloading: true, Health: "passing", Status: "3 clients"}},
			"pid 7, uptime 0:00:00, reloading, health passing, status: 3 clients"},
		{runtime.Info{State: state.Running, PID: 7, Probed: &runtime.ProbeInfo{Leaving: true}}, "pid 7, uptime 0:00:00, stopping by itself"},
		{runtime.Info{State: state.Stopping, PID: 7, Probed: &runtime.ProbeInfo{Status: "3 clients"}}, "status: 3 clients"},
		{runtime.Info{State: state.Stopping, PID: 7, Probed: &runtime.ProbeInfo{}}, ""},
	} {
		if got := describe(test.info); got != test.want {
			t.Errorf("%+v is %q, want %q", test.info, got, test.want)
		}
	}
}
