package event

import (
	"strconv"
	"time"
)

// periods are the ticks in the order of their sending.
var periods = []struct {
	t       Type
	seconds int64
}{{Tick5, 5}, {Tick60, 60}, {Tick3600, 3600}}

// Ticks are the TICK_* events due at now, the time of the last call being last.
// There is one for each period whose boundary lies between the two, however many
// were passed, and after a step backwards as well; none when last is zero, which
// says that this is the first look at the clock. Both are wall-clock times.
//
// Source: contract/events.md section 7.
func Ticks(last, now time.Time) []*Event {
	if last.IsZero() {
		return nil
	}
	var due []*Event
	for _, p := range periods {
		if when := slice(now, p.seconds); when != slice(last, p.seconds) {
			due = append(due, newEvent(p.t, "when:"+strconv.FormatInt(when, 10)))
		}
	}
	return due
}

// UntilTick is how long it is to the first boundary after now, more than 0 and no more
// than 5 s. It is a duration because a boundary is a time of the wall clock alone: one
// that is compared with a deadline has both go by that clock, and who sets it back
// delays the deadline.
func UntilTick(now time.Time) time.Duration {
	shortest := periods[0].seconds
	next := slice(now, shortest) + shortest
	return time.Duration(next-now.Unix())*time.Second - time.Duration(now.Nanosecond())
}

// slice is the beginning of the period in which t lies, in seconds.
func slice(t time.Time, period int64) int64 {
	s := t.Unix()
	return s - ((s%period)+period)%period
}
