package state_test

import (
	"testing"

	"supervisord/runtime/state"
)

func TestCounts(t *testing.T) {
	for _, tc := range []struct {
		counts state.Counts
		want   string
	}{
		{nil, "no processes"},
		{state.Counts{state.Fatal: 1}, "1 process: FATAL"},
		{state.Counts{state.Fatal: 1, state.Running: 3, state.Stopped: 0}, "4 processes: 3 RUNNING, 1 FATAL"},
		{state.Counts{state.Fatal: 1, state.Stopped: 1}, "2 processes: 1 STOPPED, 1 FATAL"},
	} {
		if got := tc.counts.String(); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}
