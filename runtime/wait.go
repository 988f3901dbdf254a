package runtime

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

// errWaiting stands for an outcome that is not known yet.
var errWaiting = errors.New("waiting")

// sameMoment is how far apart two outcomes may be and still count as having
// come at the same time; they are then listed in the order of the request.
const sameMoment = 50 * time.Millisecond

// call is a request whose outcome may take a while. It belongs to the loop
// until done is closed, and to whoever asked from then on.
type call struct {
	single   bool // about one process: its error is the call's
	inOrder  bool // outcomes are listed as they were asked for, not as they came
	order    map[*process]int
	outcomes []outcome
	left     int
	begun    time.Time
	done     chan struct{}
}

// outcome is the result for one process.
type outcome struct {
	Result
	after time.Duration // since the request, in steps of sameMoment; 0 for at once
	order int           // in the request
}

// waiter is a call's interest in a process.
type waiter struct {
	call  *call
	until func() (bool, error) // runs in the loop
}

func newCall(single bool) *call {
	return &call{single: single, order: make(map[*process]int), begun: time.Now(), done: make(chan struct{})}
}

// expect announces for which processes there will be an outcome, all of them
// before the first is due, so that the call cannot end too early.
func (c *call) expect(procs []*process) {
	for i, p := range procs {
		c.order[p] = i
	}
	if c.left = len(procs); c.left == 0 {
		close(c.done)
	}
}

// await registers for a process's changes; it returns an outcome that is there
// already, and errWaiting otherwise.
func (c *call) await(p *process, until func() (bool, error)) error {
	if over, err := until(); over {
		return err
	}
	p.waiters = append(p.waiters, waiter{c, until})
	return errWaiting
}

// answered records an outcome that is there at once, unless it is waited for.
func (c *call) answered(p *process, err error) {
	if err != errWaiting {
		c.record(p, err, 0)
	}
}

// due records an outcome that was waited for.
func (c *call) due(p *process, err error) {
	c.record(p, err, sameMoment+time.Since(c.begun).Truncate(sameMoment))
}

func (c *call) record(p *process, err error, after time.Duration) {
	c.outcomes = append(c.outcomes, outcome{
		Result: Result{Group: p.group.def.Name, Name: p.def.Name, Err: err},
		after:  after, order: c.order[p],
	})
	if c.left--; c.left == 0 {
		close(c.done)
	}
}

// wait returns a call's outcome when it has one. The end of ctx ends the wait,
// not what was begun.
func (s *Supervisor) wait(ctx context.Context, c *call) ([]Result, error) {
	select {
	case <-c.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.done:
		select {
		case <-c.done:
		default:
			return nil, s.gone()
		}
	}
	if c.single {
		return nil, c.outcomes[0].Err
	}
	slices.SortFunc(c.outcomes, func(a, b outcome) int {
		if c.inOrder {
			return cmp.Compare(a.order, b.order)
		}
		return cmp.Or(cmp.Compare(a.after, b.after), cmp.Compare(a.order, b.order))
	})
	results := make([]Result, len(c.outcomes))
	for i, o := range c.outcomes {
		results[i] = o.Result
	}
	return results, nil
}

// answer ends the waits for processes that changed in this turn, and puts their
// deadlines in order.
func (s *Supervisor) answer() {
	for i := 0; i < len(s.touched); i++ {
		p := s.touched[i]
		s.touched[i], p.inTouched = nil, false
		kept := p.waiters[:0]
		for _, w := range p.waiters {
			if over, err := w.until(); over {
				w.call.due(p, err)
			} else {
				kept = append(kept, w)
			}
		}
		clear(p.waiters[len(kept):])
		p.waiters = kept
		if len(kept) == 0 {
			p.nextReport = time.Time{}
		}
		if p.restartWhenStopped && p.idle() { // after those who waited have seen it stopped
			p.restartWhenStopped = false
			if !p.removed && !p.machine.Frozen {
				s.start(p)
			}
		}
		s.schedule(p)
	}
	s.touched = s.touched[:0]
}

// reportLater has the log say that somebody waits for the stop of p, unless it
// stops at once.
func (s *Supervisor) reportLater(p *process) {
	if p.nextReport.IsZero() {
		p.nextReport = time.Now().Add(firstReport)
	}
}

func (s *Supervisor) reportStop(p *process, now time.Time) {
	p.nextReport = now.Add(reportStops)
	s.log.Info("waiting for " + p.def.Name + " to stop")
}
