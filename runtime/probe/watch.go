package probe

import (
	"context"
	"hash/fnv"
	"math"
	"time"
)

// A Look is one look: nil when all is well, and otherwise what is not. It returns when ctx
// ends, or soon after.
type Look func(ctx context.Context) error

// Options say how to watch one run of a program.
type Options struct {
	Name     string // by which looks are spread
	Look     Look
	Interval time.Duration // from one look to the next
	Once     bool          // the first success is all there is to find out
	// Post takes what is new, nil for a success. It is called from the Watch's goroutine,
	// and may wait.
	Post func(*Watch, error)
}

// Watch looks at one run of a program, from Start until Stop or, with Once, a success.
type Watch struct {
	stop  context.CancelFunc
	ended chan struct{}
}

// Start begins to look, at once.
func Start(o Options) *Watch {
	ctx, stop := context.WithCancel(context.Background())
	w := &Watch{stop, make(chan struct{})}
	go func() { // ends soon after Stop
		defer close(w.ended)
		w.run(ctx, o)
	}()
	return w
}

// Stop ends it, and the look that is under way. It does not wait; what is posted meanwhile
// is of no use any more.
func (w *Watch) Stop() { w.stop() }

// Ended is closed when no look is under way any more after Stop.
func (w *Watch) Ended() <-chan struct{} { return w.ended }

func (w *Watch) run(ctx context.Context, o Options) {
	began, phase := time.Now(), phaseOf(o.Name, o.Interval)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for first, passed := true, false; ; first = false {
		err := o.Look(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil || first || !passed {
			o.Post(w, err)
		}
		if passed = err == nil; passed && o.Once {
			return
		}
		now := time.Now()
		timer.Reset(together(next(began, now, o.Interval, phase), o.Interval).Sub(now))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// next is when to look after now, where the first look was at began: phase after that, and
// at whole intervals from there.
func next(began, now time.Time, interval, phase time.Duration) time.Time {
	second := began.Add(phase)
	if now.Before(second) {
		return second
	}
	return second.Add(now.Sub(second)/interval*interval + interval)
}

// zero is where the slots begin.
var zero = time.Now()

const (
	slots       = 20 // in an interval
	longestSlot = time.Second / 4
)

// together is the end of the slot in which at is, a small part of the interval: what is due
// in one slot is done when its end wakes the daemon once.
func together(at time.Time, interval time.Duration) time.Time {
	slot := min(interval/slots, longestSlot)
	if slot <= 0 {
		return at
	}
	into := at.Sub(zero) % slot
	return at.Add((slot - into) % slot)
}

// phaseOf is the place of a program in the interval, more than 0 and at most all of it.
func phaseOf(name string, interval time.Duration) time.Duration {
	h := fnv.New32a()
	h.Write([]byte(name))
	h.Write([]byte("phase")) // what comes last is mixed least
	return interval - time.Duration(float64(interval)*(float64(h.Sum32())/(math.MaxUint32+1)))
}
