package event

import (
	"time"

	"supervisord/runtime/state"
)

// listener is one member of a pool.
type listener struct {
	name     string
	handler  Handler // of the next event; the protocol has that of this one
	protocol protocol
	flight   item // the event it is busy with

	alive       bool // between Spawned and Exited
	unread      bool // a write to its stdin has not ended
	stdinClosed bool // its stdin is closed

	since      time.Time // of the state, or of the event sent
	reports    int       // made since then
	restarting bool      // was asked for
}

func newListener(name string, h Handler) *listener {
	l := &listener{name: name, handler: h}
	l.protocol.reset()
	return l
}

// free reports whether the listener can take an event, if its process is RUNNING.
func (l *listener) free() bool {
	return l.protocol.state == state.Ready && !l.unread && !l.stdinClosed
}

// enter begins the time by which the listener's next step is judged.
func (l *listener) enter(now time.Time) { l.since, l.reports = now, 0 }

func (l *listener) sent(it item, now time.Time) {
	l.flight, l.unread = it, true
	l.protocol.state, l.protocol.handler = state.Busy, l.handler
	l.enter(now)
}

func (l *listener) spawned(now time.Time) {
	l.exited(now)
	l.alive = true
}

func (l *listener) exited(now time.Time) {
	l.protocol.reset()
	l.flight = item{}
	l.alive, l.unread, l.stdinClosed, l.restarting = false, false, false, false
	l.enter(now)
}
