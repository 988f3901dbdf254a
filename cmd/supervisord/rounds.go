package main

import (
	"sync"
	"time"
)

// rounds is the one timer of all that is looked at again and again, so that a daemon
// with nothing else to do wakes up once for all of it. Its methods may be called from
// any goroutine.
type rounds struct {
	begun time.Time

	mu    sync.Mutex // guards the following, for a few instructions
	timer *time.Timer
	list  map[*round]bool
}

// round is one recurring look.
type round struct {
	every time.Duration
	next  time.Time
	ticks chan time.Time
}

func newRounds() *rounds {
	r := &rounds{begun: time.Now(), list: make(map[*round]bool)}
	r.timer = time.AfterFunc(time.Hour, r.tick)
	r.timer.Stop()
	return r
}

// every gives ticks as a time.Ticker does, at the multiples of d since the rounds began.
// A tick that nobody has taken when the next one comes is one with it.
func (r *rounds) every(d time.Duration) (ticks <-chan time.Time, stop func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := &round{every: d, next: r.after(time.Now(), d), ticks: make(chan time.Time, 1)}
	r.list[k] = true
	r.arm()
	return k.ticks, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.list, k)
		r.arm()
	}
}

// after is the first multiple of d that is later than now.
func (r *rounds) after(now time.Time, d time.Duration) time.Time {
	return r.begun.Add((now.Sub(r.begun)/d + 1) * d)
}

// tick ticks all whose time has come.
func (r *rounds) tick() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for k := range r.list {
		if k.next.After(now) {
			continue
		}
		k.next = r.after(now, k.every)
		select {
		case k.ticks <- now:
		default:
		}
	}
	r.arm()
}

// arm sets the timer to the first tick to come. r.mu is held.
func (r *rounds) arm() {
	var first time.Time
	for k := range r.list {
		if first.IsZero() || k.next.Before(first) {
			first = k.next
		}
	}
	if first.IsZero() {
		r.timer.Stop()
		return
	}
	r.timer.Reset(time.Until(first))
}
