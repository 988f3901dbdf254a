package runtime

import (
	"testing"
	"time"
	"unsafe"

	"supervisord/runtime/event"
)

// stepped is a time as it would have been read had the wall clock been set by step:
// the monotonic clock, which nobody can set, is where it was.
func stepped(t *testing.T, at time.Time, step time.Duration) time.Time {
	t.Helper()
	wall := (*uint64)(unsafe.Pointer(&at)) // its first field: a flag, 33 bits of seconds, 30 of nanoseconds
	before := at
	*wall += uint64(step/time.Second) << 30
	if before.Sub(at) != 0 || at.Unix()-before.Unix() != int64(step/time.Second) {
		t.Fatalf("%v is no longer made as it was: by %v, stepped to %v", before, step, at)
	}
	return at
}

// TestClockSteps: whoever sets the clock delays and hurries no deadline, whether
// somebody listens to ticks or not.
func TestClockSteps(t *testing.T) {
	for _, step := range []time.Duration{0, -time.Second, -time.Hour, -400 * 24 * time.Hour, 3 * time.Second, time.Hour, 400 * 24 * time.Hour} {
		before := time.Now()
		deadline := before.Add(100 * time.Millisecond)
		now := stepped(t, before, step).Add(20 * time.Millisecond)
		s := &Supervisor{}
		tick := now.Add(event.UntilTick(now))
		if got := untilFirst(now, deadline, s.nextTick(now), time.Time{}); got != 80*time.Millisecond {
			t.Errorf("stepped by %v: without ticks the loop sleeps %v, want 80ms", step, got)
		}
		want := min(80*time.Millisecond, tick.Sub(now))
		if got := untilFirst(now, deadline, tick); got != want {
			t.Errorf("stepped by %v: with ticks the loop sleeps %v, want %v", step, got, want)
		}
	}
}
