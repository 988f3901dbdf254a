package moment

import (
	"encoding/json"
	"testing"
	"time"
)

// A time goes through a handover, and means the same.
func TestMoment(t *testing.T) {
	present, now := Now()
	for _, ago := range []time.Duration{0, time.Nanosecond, time.Hour, -time.Hour} {
		before := now.Add(-ago)
		data, err := json.Marshal(Of(before, now))
		if err != nil {
			t.Fatal(err)
		}
		var m *Moment
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		after := m.At(present.Time())
		if off := after.Sub(before).Abs(); off > sameClock {
			t.Errorf("%v ago: it has moved by %v", ago, off)
		}
		if !after.Round(0).Equal(before.Round(0)) || !m.AsShown().Equal(before.Round(0)) {
			t.Errorf("%v ago: %v and %v of %v", ago, after, m.AsShown(), before)
		}
	}
	if m := Of(time.Time{}, now); m != nil || !m.At(now).IsZero() || !m.AsShown().IsZero() {
		t.Error("there is a time that was never")
	}
}

// The wall clock is set between the two: what is measured goes on, what is shown stays.
func TestClockSet(t *testing.T) {
	_, now := Now()
	m := Of(now.Add(-time.Minute), now)
	m.Wall -= int64(time.Hour)
	if up := now.Sub(m.At(now)); up != time.Minute {
		t.Errorf("it has been up for %v", up)
	}
	if shown := m.AsShown(); !shown.Equal(now.Add(-time.Minute - time.Hour).Round(0)) {
		t.Errorf("it is shown as of %v", shown)
	}
}

// The present is of the clock that a service manager compares with, and goes on.
func TestPresent(t *testing.T) {
	before, _ := Now()
	if after, _ := Now(); before <= 0 || after < before {
		t.Errorf("%v, then %v", before, after)
	}
}
