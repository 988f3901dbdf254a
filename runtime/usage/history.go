package usage

import (
	"context"
	"slices"
	"time"
)

const (
	// Interval is the time between two points of a History, and Span how far it goes back.
	Interval = 10 * time.Second
	Span     = 15 * time.Minute

	maxPoints = int(Span / Interval)
)

// History is what each process took of late. It is never changed.
type History struct {
	// Times are when it was measured, the oldest first.
	Times []time.Time
	// Of has a point for each of Times, of each process that there was at one of them; it
	// is zero where there was none.
	Of map[Process][]Point
}

// Point is what a process took at one time.
type Point struct {
	CPU      float32 // processors that it kept busy since the time before
	Resident int64   // bytes
}

// firstPatience is how long the first request waits for something to see.
const firstPatience = 200 * time.Millisecond

// History is what is known of the last Span. Asking for it makes it continue, or begin,
// while Run runs. Who is the first waits a moment for the first sample.
func (s *Sampler) History(ctx context.Context) *History {
	first := s.recorded.Next()
	select {
	case s.looked <- struct{}{}:
	default: // somebody else has just done so
	}
	if h := s.history.Load(); len(h.Times) > 0 || s.opt.Proc == "" {
		return h
	}
	timeout := time.NewTimer(firstPatience)
	defer timeout.Stop()
	select {
	case <-first:
	case <-timeout.C:
	case <-ctx.Done():
	}
	return s.history.Load()
}

// Changed is closed when there is a later History than at the time of the call.
func (s *Sampler) Changed() <-chan struct{} { return s.recorded.Next() }

// Run keeps the history, once somebody has looked at it and until nobody has for as long as
// it goes back, until ctx ends.
func (s *Sampler) Run(ctx context.Context) {
	for {
		select {
		case <-s.looked:
			s.record(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// record keeps it for as long as somebody looks.
func (s *Sampler) record(ctx context.Context) {
	defer s.history.Store(new(History))
	ticker := time.NewTicker(Interval)
	defer ticker.Stop()
	var last *Sample
	for unseen := time.Duration(0); unseen < Span; unseen += Interval {
		if sample, err := s.Sample(ctx); err == nil {
			s.history.Store(s.history.Load().with(last, sample))
			last = sample
			s.recorded.Tell()
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		select {
		case <-s.looked:
			unseen = 0
		default:
		}
	}
}

// with is the history with one more sample; last is the one before, nil for none.
func (h *History) with(last, sample *Sample) *History {
	next := &History{Times: push(h.Times, sample.At, len(h.Times)), Of: make(map[Process][]Point, len(sample.Of))}
	for p, points := range h.Of {
		if _, runs := sample.Of[p]; runs {
			continue
		}
		if points = push(points, Point{}, len(h.Times)); slices.ContainsFunc(points, func(one Point) bool { return one != Point{} }) {
			next.Of[p] = points
		}
	}
	for p, u := range sample.Of {
		next.Of[p] = push(h.Of[p], Point{CPU: busy(p, last, sample), Resident: u.Resident}, len(h.Times))
	}
	return next
}

// push is a list, filled up to so many, with one more at its end and not too long. The list
// itself stays as it is.
func push[T any](list []T, one T, length int) []T {
	all := make([]T, length-len(list), length+1)
	all = append(append(all, list...), one)
	return all[max(len(all)-maxPoints, 0):]
}

// busy is how many processors a process kept busy between two samples. One that began
// between them has taken all of its time there.
func busy(p Process, last, sample *Sample) float32 {
	if last == nil {
		return 0
	}
	took, between := sample.Of[p].CPU, sample.At.Sub(last.At)
	if before := last.Of[p]; before.PID == sample.Of[p].PID {
		took -= before.CPU
	}
	if between <= 0 {
		return 0
	}
	return float32(max(took, 0).Seconds() / between.Seconds())
}
