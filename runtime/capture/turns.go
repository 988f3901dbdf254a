package capture

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A request that comes while streams copy on all processors waits until one of them leaves
// the rest to the poller, and then behind the streams that the poller has for it. So while
// there are requests, streams take turns on all processors but one. A thread of the daemon
// then waits for the poller, and the system lets one that has slept run at once.
const (
	attention = 100 * time.Millisecond // after a request, since others may follow
	turnLimit = 10 * time.Millisecond
)

// attended is when there was a request; nil for never.
var attended atomic.Pointer[time.Time]

// Attend says that there is a request. For a tenth of a second, streams whose output only goes to the
// log leave one processor to those that follow. It never blocks.
func Attend() {
	now := time.Now()
	attended.Store(&now)
}

// attentive reports whether there was a request lately.
func attentive() bool {
	at := attended.Load()
	return at != nil && time.Since(*at) < attention
}

// copying are the turns of all streams.
var copying = turns{limit: turnLimit}

// turns are taken in order. Who has not ended its turn in time, since its disk hangs or is
// slow, keeps nobody waiting: it counts no more, and its next turn does not either.
type turns struct {
	limit time.Duration // after which a turn does not count any more

	mu      sync.Mutex
	taken   []*turn // that count
	waiting []*turn
	watched bool // give is called in time if nobody ends its turn
}

// turn is one stream's.
type turn struct {
	begun time.Time
	given chan struct{} // gets a value for each turn that was waited for
	late  bool          // the last one was not ended in time
}

func newTurn() *turn { return &turn{given: make(chan struct{}, 1)} }

// take waits for a turn and begins it.
func (ts *turns) take(t *turn) {
	ts.mu.Lock()
	now := time.Now()
	if t.late {
		t.begun = now
		ts.mu.Unlock()
		return
	}
	ts.waiting = append(ts.waiting, t)
	ts.give(now)
	ts.mu.Unlock()
	<-t.given
}

// end ends a turn.
func (ts *turns) end(t *turn) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	now := time.Now()
	t.late = now.Sub(t.begun) >= ts.limit
	ts.taken = slices.DeleteFunc(ts.taken, func(other *turn) bool { return other == t })
	ts.give(now)
}

// give lets those begin who can. ts.mu is held.
func (ts *turns) give(now time.Time) {
	ts.taken = slices.DeleteFunc(ts.taken, func(t *turn) bool { return now.Sub(t.begun) >= ts.limit })
	for len(ts.waiting) > 0 && len(ts.taken) < max(1, runtime.GOMAXPROCS(0)-1) {
		t := ts.waiting[0]
		ts.waiting = slices.Delete(ts.waiting, 0, 1)
		ts.taken = append(ts.taken, t)
		t.begun = now
		t.given <- struct{}{}
	}
	if len(ts.waiting) > 0 && !ts.watched {
		ts.watched = true
		time.AfterFunc(ts.limit, func() {
			ts.mu.Lock()
			defer ts.mu.Unlock()
			ts.watched = false
			ts.give(time.Now())
		})
	}
}
