package event

import (
	"log/slog"
	"math"
	"slices"
	"strconv"
	"time"

	"supervisord/runtime/state"
)

// Serials numbers the events of one daemon, from 0. The zero value is ready. It
// outlives pools and restarts of the daemon's configuration.
type Serials struct{ next int64 }

func (s *Serials) take() int64 { return take(&s.next) }

// take is a number of a counter that wraps to 0 after 2^63-1.
func take(counter *int64) int64 {
	n := *counter
	if n == math.MaxInt64 {
		*counter = 0
	} else {
		*counter = n + 1
	}
	return n
}

// Options are what a pool is made of. All but Name, Server and Serials may
// change while it lives; see Change.
type Options struct {
	Name    string   // of the group
	Server  string   // the daemon's identifier
	Serials *Serials // shared by all pools

	Subscription Set
	BufferSize   int      // events; less than 1 counts as 1
	Listeners    []string // names of the processes, in declaration order
	Handler      Handler
	StallTimeout time.Duration // restart a listener silent for so long; 0 never
}

// Pool buffers events for the listeners of one group and keeps each listener's
// side of the protocol. All methods belong to the loop. The effects that a method
// returns are valid until the pool's next method call.
//
// Source: contract/events.md sections 2, 4 and 5.
// Differs: a rejected event comes back to this pool alone (row 68), after a pause
// if it was rejected before (70), a listener that does not read its stdin gets no
// second event (71), and no event is delivered twice for overlapping
// subscriptions (74).
type Pool struct {
	options   Options
	listeners []*listener
	queue     queue
	serials   int64 // next poolserial
	dropped   int64
	burst     int // events discarded since the buffer was last below its size
	effects   []Effect
	head      []byte // the parts of every header that stay the same
	middle    []byte
}

// New makes a pool whose listeners have not been spawned yet.
func New(o Options) *Pool {
	p := &Pool{
		options: o,
		head:    []byte("ver:3.0 server:" + o.Server + " serial:"),
		middle:  []byte(" pool:" + o.Name + " poolserial:"),
	}
	p.options.BufferSize = max(1, o.BufferSize)
	for _, name := range o.Listeners {
		p.listeners = append(p.listeners, newListener(name, o.Handler))
	}
	return p
}

// Wants reports whether the pool is subscribed to t. Whoever makes costly events
// may ask first.
func (p *Pool) Wants(t Type) bool { return p.options.Subscription.Has(t) }

// Waiting is the number of events in the buffer. Those with a listener are not
// among them.
func (p *Pool) Waiting() int { return p.queue.len() }

// Dropped is the number of events discarded since the pool was made.
func (p *Pool) Dropped() int64 { return p.dropped }

// Status is how one listener is doing.
type Status struct {
	State state.Listener
	// Since is when the event it is busy with was sent; zero when it is not busy.
	Since time.Time
}

// Listener is the status of the listener at index i.
func (p *Pool) Listener(i int) Status {
	l := p.listeners[i]
	s := Status{State: l.protocol.state}
	if s.State == state.Busy {
		s.Since = l.since
	}
	return s
}

// Offer puts an event at the end of the buffer if the pool is subscribed to it.
// A full buffer loses its oldest event.
func (p *Pool) Offer(ev *Event) []Effect {
	p.effects = p.effects[:0]
	if !p.Wants(ev.Type) {
		return nil
	}
	if !ev.accepted {
		ev.accepted, ev.serial = true, p.options.Serials.take()
	}
	p.makeRoom(p.options.BufferSize - 1)
	p.queue.pushBack(item{event: ev, serial: take(&p.serials)})
	return p.effects
}

// makeRoom discards the oldest events until no more than n are left.
func (p *Pool) makeRoom(n int) {
	for p.queue.len() > n {
		gone := p.queue.popFront()
		p.dropped++
		p.burst++
		p.log(Line{Level: slog.LevelError, kind: lineOverflow, name: p.options.Name, serial: gone.event.serial})
	}
}

// requeue puts an event that was sent back to the head of the buffer.
func (p *Pool) requeue(it item) {
	p.log(Line{Level: slog.LevelDebug, kind: lineRebuffered, name: p.options.Name,
		serial: it.event.serial, size: p.queue.len(), of: p.options.BufferSize})
	p.makeRoom(p.options.BufferSize - 1)
	p.queue.pushFront(it)
}

// reject takes the event of listener l away from it, to be sent again.
func (p *Pool) reject(l *listener, now time.Time) {
	it := l.flight
	l.flight = item{}
	it.rejections++
	it.notBefore = time.Time{}
	if pause := pauseAfter(it.rejections); pause > 0 {
		it.notBefore = now.Add(pause)
	}
	p.requeue(it)
}

// pauseAfter is how long an event waits after its nth rejection: not at all the
// first time, then from 100 ms doubling up to 10 s, so that a listener that can
// never take an event does not keep the machine busy. What comes after it waits
// too, as the order demands.
func pauseAfter(rejections int) time.Duration {
	const first, longest = 100 * time.Millisecond, 10 * time.Second
	if rejections < 2 {
		return 0
	}
	return min(first<<min(rejections-2, 10), longest)
}

// Dispatch sends what can be sent, oldest first, each to the first listener that
// can take it, and sees to listeners that have not answered. running says whether
// the process of a listener is in state RUNNING.
func (p *Pool) Dispatch(now time.Time, running func(i int) bool) []Effect {
	p.effects = p.effects[:0]
	for sent := 0; p.queue.len() > 0; sent++ {
		next := p.queue.front()
		if next.notBefore.After(now) {
			break
		}
		next.notBefore = time.Time{} // so that Deadline looks ahead
		i := p.free(running)
		if i < 0 {
			if sent > 0 {
				p.log(Line{Level: slog.LevelDebug, kind: lineRebuffered, name: p.options.Name,
					serial: next.event.serial, size: p.queue.len() - 1, of: p.options.BufferSize})
			}
			break
		}
		p.send(i, p.queue.popFront(), now)
	}
	if p.burst > 0 && p.queue.len() < p.options.BufferSize {
		if p.burst > 1 {
			p.log(Line{Level: slog.LevelWarn, kind: lineBurst, name: p.options.Name, size: p.burst})
		}
		p.burst = 0
	}
	for i, l := range p.listeners {
		p.watch(i, l, now)
	}
	return p.effects
}

// free is the first listener that can take an event, -1 for none.
func (p *Pool) free(running func(i int) bool) int {
	for i, l := range p.listeners {
		if l.free() && running(i) {
			return i
		}
	}
	return -1
}

func (p *Pool) send(i int, it item, now time.Time) {
	l := p.listeners[i]
	l.sent(it, now)
	p.effects = append(p.effects, Effect{Kind: Send, Listener: i, Data: p.envelope(it)})
	p.log(Line{Level: slog.LevelDebug, kind: lineSent, name: l.name, serial: it.event.serial})
}

// envelope is the header line and the payload. The length is in characters (row
// 69).
func (p *Pool) envelope(it item) []byte {
	const digits = 20
	ev := it.event
	name := ev.Type.String()
	b := make([]byte, 0, len(p.head)+len(p.middle)+len(name)+len(" eventname: len:\n")+3*digits+len(ev.Payload))
	b = append(b, p.head...)
	b = strconv.AppendInt(b, ev.serial, 10)
	b = append(b, p.middle...)
	b = strconv.AppendInt(b, it.serial, 10)
	b = append(b, " eventname:"...)
	b = append(b, name...)
	b = append(b, " len:"...)
	b = strconv.AppendInt(b, int64(ev.chars), 10)
	b = append(b, '\n')
	return append(b, ev.Payload...)
}

// Written tells that the write of the last Send to listener i has ended: whole,
// or not because nobody reads its stdin any more.
func (p *Pool) Written(i int, whole bool, now time.Time) []Effect {
	p.effects = p.effects[:0]
	l := p.listeners[i]
	l.unread = false
	if whole || l.stdinClosed {
		return p.effects
	}
	l.stdinClosed = true
	if l.protocol.state == state.Busy {
		it := l.flight
		l.flight = item{}
		l.protocol.undoSend()
		l.enter(now)
		p.log(Line{Level: slog.LevelDebug, kind: lineEPIPE, name: l.name, serial: it.event.serial})
		p.requeue(it)
	}
	p.log(Line{Level: slog.LevelWarn, kind: lineStdinClosed, name: l.name})
	return p.effects
}

// Output takes what listener i wrote to its stdout.
func (p *Pool) Output(i int, data []byte, now time.Time) []Effect {
	p.effects = p.effects[:0]
	l := p.listeners[i]
	for len(data) > 0 {
		var t token
		before := l.protocol.state
		t, data = l.protocol.next(data)
		switch t.kind {
		case tokenNone:
			continue
		case tokenResult:
			p.result(l, t, now)
			continue
		case tokenBadResult:
			p.log(Line{Level: slog.LevelWarn, kind: lineBadResult, name: l.name, detail: Text(t.line)})
		case tokenReady, tokenViolation: // the change of state says it all
		}
		p.changed(l, before, now)
	}
	return p.effects
}

// changed logs what the protocol made of l's state, and takes back an event that
// can no longer be answered.
func (p *Pool) changed(l *listener, before state.Listener, now time.Time) {
	after := l.protocol.state
	l.enter(now)
	p.log(Line{Level: slog.LevelDebug, kind: lineState, name: l.name, from: before, to: after})
	if after == state.ListenerUnknown {
		p.log(Line{Level: slog.LevelWarn, kind: lineUnknown, name: l.name})
		if before == state.Busy {
			p.reject(l, now)
		}
	}
}

// result judges a whole result.
func (p *Pool) result(l *listener, t token, now time.Time) {
	ok := t.length == int64(len(okBody)) && string(t.body) == okBody
	if l.protocol.handler == HandlePrint {
		var text []byte
		if text, ok = prefixLines(t.body); !ok {
			p.log(Line{Level: slog.LevelWarn, kind: lineFailed, name: l.name})
			l.protocol.fail()
			p.changed(l, state.Busy, now)
			return
		}
		p.effects = append(p.effects, Effect{Kind: Print, Data: text})
	}
	if l.reports > 0 {
		p.log(Line{Level: slog.LevelInfo, kind: lineAnswered, name: l.name, waited: now.Sub(l.since)})
	}
	verdict := Line{Level: slog.LevelDebug, kind: lineProcessed, name: l.name}
	if !ok {
		verdict = Line{Level: slog.LevelWarn, kind: lineRejected, name: l.name}
	}
	p.log(verdict)
	p.changed(l, state.Busy, now)
	if ok {
		l.flight = item{}
	} else {
		p.reject(l, now)
	}
}

// Spawned tells that the process of listener i has just been started.
func (p *Pool) Spawned(i int, now time.Time) {
	p.listeners[i].spawned(now)
}

// Exited tells that the process of listener i has ended and all its output was
// handed over. An event that it had not answered comes back.
func (p *Pool) Exited(i int, now time.Time) []Effect {
	p.effects = p.effects[:0]
	p.release(p.listeners[i], now)
	return p.effects
}

func (p *Pool) release(l *listener, now time.Time) {
	if l.protocol.state == state.Busy {
		p.reject(l, now)
	}
	l.exited(now)
}

// Change gives a living pool new options; its name, the daemon's identifier and
// the serials stay. Listeners are known by name: one that stays keeps its state,
// one that goes gives its event back. A smaller buffer loses its oldest events.
func (p *Pool) Change(o Options, now time.Time) []Effect {
	p.effects = p.effects[:0]
	p.options.Subscription, p.options.BufferSize = o.Subscription, max(1, o.BufferSize)
	p.options.Listeners, p.options.StallTimeout = o.Listeners, o.StallTimeout
	had := p.listeners
	p.listeners = nil
	for _, name := range o.Listeners {
		l := newListener(name, o.Handler)
		if i := slices.IndexFunc(had, func(l *listener) bool { return l.name == name }); i >= 0 {
			l = had[i]
			l.handler = o.Handler
			had = slices.Delete(had, i, i+1)
		}
		p.listeners = append(p.listeners, l)
	}
	for _, l := range had {
		p.release(l, now)
	}
	p.makeRoom(p.options.BufferSize)
	return p.effects
}

func (p *Pool) log(l Line) { p.effects = append(p.effects, Effect{Kind: Log, Line: l}) }
