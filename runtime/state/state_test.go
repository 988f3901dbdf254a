package state

import "testing"

// TestFailed: what needs somebody, to the page, to /readyz and to supervisorctl.
func TestFailed(t *testing.T) {
	for _, tc := range []struct {
		state    Process
		status   int
		expected []int
		want     bool
	}{
		{Running, 0, []int{0}, false}, {Starting, 3, []int{0}, false}, {Stopping, 0, nil, false}, {Stopped, -1, []int{0}, false},
		{Backoff, 0, []int{0}, true}, {Fatal, 0, []int{0}, true}, {Unknown, 0, []int{0}, true},
		{Exited, 0, []int{0}, false}, {Exited, 3, []int{0}, true}, {Exited, 3, []int{0, 3}, false}, {Exited, -1, []int{0}, true},
		{Exited, 0, []int{2}, true}, {Exited, 0, nil, false}, {Exited, 3, nil, true},
	} {
		if got := tc.state.Failed(tc.status, tc.expected); got != tc.want {
			t.Errorf("%v with status %d of %v: %v", tc.state, tc.status, tc.expected, got)
		}
	}
}
