// Package moment writes times down so that another process can continue from them, whatever
// is done to the wall clock meanwhile.
//
// It imports nothing of ours.
package moment

import (
	"time"

	"golang.org/x/sys/unix"
)

// Moment is a time relative to another one, the present of the writer. nil is the zero time.
type Moment struct {
	Ago  int64 `json:"ago"`  // nanoseconds before that present, by a clock that nobody sets; negative is after it
	Wall int64 `json:"wall"` // nanoseconds since 1970, by the wall clock
}

// Of writes down t at now.
func Of(t, now time.Time) *Moment {
	if t.IsZero() {
		return nil
	}
	return &Moment{Ago: int64(now.Sub(t)), Wall: t.UnixNano()}
}

// sameClock is how far the two clocks may come apart without anybody having set one.
const sameClock = 10 * time.Millisecond

// At is the time, for measuring, where now is that present: the time by which Of went. If
// the wall clock was not set meanwhile, it is the very time by that, too.
func (m *Moment) At(now time.Time) time.Time {
	if m == nil {
		return time.Time{}
	}
	t := now.Add(-time.Duration(m.Ago))
	if off := time.Duration(m.Wall - t.UnixNano()); off.Abs() < sameClock {
		t = t.Add(off)
	}
	return t
}

// AsShown is the time by the wall clock only, for people, as it was at the time. It is
// not for measuring.
func (m *Moment) AsShown() time.Time {
	if m == nil {
		return time.Time{}
	}
	return time.Unix(0, m.Wall)
}

// Present is a moment that every process of this boot knows: what CLOCK_MONOTONIC says, that
// nobody sets, in nanoseconds.
type Present int64

// Now is the present, and what time it is.
func Now() (Present, time.Time) {
	var at unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &at) != nil {
		return 0, time.Now() // then no time passes
	}
	return Present(at.Nano()), time.Now()
}

// Time is what time it was then, for measuring.
func (p Present) Time() time.Time {
	present, now := Now()
	return now.Add(-max(0, time.Duration(present-p)))
}
