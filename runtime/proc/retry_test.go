package proc

import (
	"math"
	"testing"
	"testing/quick"
	"time"

	"supervisord/spec"
)

func TestWait(t *testing.T) {
	const s = time.Second
	tests := []struct {
		name  string
		retry spec.Retry
		dice  float64
		want  []time.Duration // the first, the second ...
	}{
		{"Supervisor's way", spec.Retry{}, 0.5, []time.Duration{s, 2 * s, 3 * s, 4 * s}},
		{"first", spec.Retry{Backoff: 5 * s}, 0, []time.Duration{5 * s, 6 * s, 7 * s}},
		{"factor", spec.Retry{Factor: 1.5}, 0, []time.Duration{s, 1500 * time.Millisecond, 2250 * time.Millisecond}},
		{"longest", spec.Retry{Backoff: 4 * s, Factor: 2, Max: 10 * s}, 0, []time.Duration{4 * s, 8 * s, 10 * s, 10 * s}},
		{"first is longer than the longest", spec.Retry{Backoff: 4 * s, Max: s}, 0, []time.Duration{s, s}},
		{"never", spec.Retry{Backoff: 59 * s, GiveUp: spec.GiveUpNever}, 0, []time.Duration{59 * s, 60 * s, 60 * s}},
		{"never, and longer", spec.Retry{Backoff: 59 * s, GiveUp: spec.GiveUpNever, Max: 90 * s}, 0, []time.Duration{59 * s, 60 * s, 61 * s}},
		{"least", spec.Retry{Backoff: 10 * s, Jitter: 20}, 0, []time.Duration{8 * s}},
		{"middle", spec.Retry{Backoff: 10 * s, Jitter: 20}, 0.5, []time.Duration{10 * s}},
		{"most", spec.Retry{Backoff: 10 * s, Jitter: 20, Max: 10 * s}, 1, []time.Duration{12 * s}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for i, want := range test.want {
				if got := wait(&test.retry, i+1, test.dice); (got - want).Abs() > time.Microsecond {
					t.Errorf("wait %d is %v, want %v", i+1, got, want)
				}
			}
		})
	}
}

// TestWaitIsBounded: no policy and no number of failures makes a wait that is negative, or
// longer than people live.
func TestWaitIsBounded(t *testing.T) {
	bounded := func(backoff, most, factor uint32, jitter uint8, n uint32, dice uint32) bool {
		r := spec.Retry{Backoff: time.Duration(backoff) * time.Second, Factor: 1 + float64(factor%100), Max: time.Duration(most) * time.Second, Jitter: spec.Percent(jitter % 101)}
		d := wait(&r, 1+int(n%math.MaxInt32), float64(dice)/math.MaxUint32)
		return d >= 0 && d <= longest && (most == 0 || d <= 2*r.Max)
	}
	if err := quick.Check(bounded, nil); err != nil {
		t.Error(err)
	}
}
