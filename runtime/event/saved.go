package event

import (
	"errors"
	"fmt"
	"time"

	"supervisord/runtime/moment"
	"supervisord/runtime/state"
)

// Saved is a Pool as it is written down for another one to go on from. Its options are
// not in it.
type Saved struct {
	Queue     []SavedEvent    `json:"queue,omitempty"`
	Listeners []SavedListener `json:"listeners"` // in the order of Options.Listeners
	Serials   int64           `json:"serials,omitempty"`
	Dropped   int64           `json:"dropped,omitempty"`
	Burst     int             `json:"burst,omitempty"`
}

// SavedEvent is an event in one pool. Each pool has its own.
type SavedEvent struct {
	Type       string         `json:"type"`
	Payload    string         `json:"payload"`
	Serial     int64          `json:"serial"`
	PoolSerial int64          `json:"poolserial"`
	Rejections int            `json:"rejections,omitempty"`
	NotBefore  *moment.Moment `json:"not_before,omitempty"`
}

// SavedListener is a listener with its event, and its half of a conversation.
type SavedListener struct {
	Flight *SavedEvent `json:"flight,omitempty"` // while BUSY

	Alive       bool           `json:"alive,omitempty"`
	Unread      bool           `json:"unread,omitempty"`
	StdinClosed bool           `json:"stdin_closed,omitempty"`
	Since       *moment.Moment `json:"since,omitempty"`
	Reports     int            `json:"reports,omitempty"`
	Restarting  bool           `json:"restarting,omitempty"`

	State   state.Listener `json:"state"`
	Handler Handler        `json:"handler,omitempty"` // of the event in flight
	Held    []byte         `json:"held,omitempty"`
	InBody  bool           `json:"in_body,omitempty"`
	Length  int64          `json:"length,omitempty"`
	Got     int64          `json:"got,omitempty"`
	Body    []byte         `json:"body,omitempty"`
}

// Save writes the pool down at now, between two calls.
func (p *Pool) Save(now time.Time) Saved {
	s := Saved{Serials: p.serials, Dropped: p.dropped, Burst: p.burst}
	for i := range p.queue.len() {
		s.Queue = append(s.Queue, p.queue.at(i).save(now))
	}
	for _, l := range p.listeners {
		s.Listeners = append(s.Listeners, l.save(now))
	}
	return s
}

func (it *item) save(now time.Time) SavedEvent {
	return SavedEvent{
		Type: it.event.Type.String(), Payload: it.event.Payload, Serial: it.event.serial, PoolSerial: it.serial,
		Rejections: it.rejections, NotBefore: moment.Of(it.notBefore, now),
	}
}

func (l *listener) save(now time.Time) SavedListener {
	p := &l.protocol
	s := SavedListener{
		Alive: l.alive, Unread: l.unread, StdinClosed: l.stdinClosed,
		Since: moment.Of(l.since, now), Reports: l.reports, Restarting: l.restarting,
		State: p.state, Handler: p.handler, Held: p.held, InBody: p.inBody,
	}
	if p.state == state.ListenerUnknown {
		s.Held = nil // nobody asks for it any more
	}
	if p.inBody {
		s.Length, s.Got, s.Body = p.length, p.got, p.body
	}
	if l.flight.event != nil {
		flight := l.flight.save(now)
		s.Flight = &flight
	}
	return s
}

// Resume makes a pool of what was written down, with options that may be others than
// before, where now is the time by which it was. There must be as many listeners.
func Resume(o Options, s *Saved, now time.Time) *Pool {
	p := New(o)
	p.serials, p.dropped, p.burst = s.Serials, s.Dropped, s.Burst
	for i := range s.Queue {
		p.queue.pushBack(s.Queue[i].resume(now))
	}
	for i, l := range p.listeners {
		l.resume(&s.Listeners[i], now)
	}
	return p
}

func (s *SavedEvent) resume(now time.Time) item {
	ev := newEvent(byName[s.Type], s.Payload)
	ev.accepted, ev.serial = true, s.Serial
	return item{event: ev, serial: s.PoolSerial, rejections: s.Rejections, notBefore: s.NotBefore.At(now)}
}

func (l *listener) resume(s *SavedListener, now time.Time) {
	l.alive, l.unread, l.stdinClosed = s.Alive, s.Unread, s.StdinClosed
	l.since, l.reports, l.restarting = s.Since.At(now), s.Reports, s.Restarting
	l.protocol = protocol{
		state: s.State, handler: s.Handler, held: s.Held, inBody: s.InBody, length: s.Length, got: s.Got, body: s.Body,
	}
	if s.Flight != nil {
		l.flight = s.Flight.resume(now)
	}
}

// Check reports what no pool comes to.
func (s *Saved) Check() error {
	for i := range s.Queue {
		if err := s.Queue[i].check(); err != nil {
			return err
		}
	}
	for i := range s.Listeners {
		if err := s.Listeners[i].check(); err != nil {
			return fmt.Errorf("listener %d: %w", i, err)
		}
	}
	if s.Serials < 0 || s.Dropped < 0 || s.Burst < 0 {
		return errors.New("it has counted less than nothing")
	}
	return nil
}

func (s *SavedEvent) check() error {
	switch t, known := byName[s.Type]; {
	case !known || below[t] != 1<<t:
		return fmt.Errorf("there is no event %q", s.Type)
	case s.Serial < 0 || s.PoolSerial < 0 || s.Rejections < 0:
		return errors.New("an event has a number below 0")
	}
	return nil
}

func (s *SavedListener) check() error {
	busy := s.State == state.Busy
	switch {
	case s.State.String() == "":
		return fmt.Errorf("there is no state %d", s.State)
	case busy != (s.Flight != nil), s.Handler > HandlePrint, s.Reports < 0 || s.Reports > maxReports:
		return fmt.Errorf("it is %v in a way that there is not", s.State)
	case s.InBody && !busy, s.InBody && (s.Got < 0 || s.Got >= s.Length || int64(len(s.Body)) > s.Got || s.Handler == HandlePrint && s.Length > maxPrinted):
		return errors.New("it is within a result that there is not")
	case len(s.Held) > maxResultLine, s.State == state.Acknowledged && len(s.Held) >= len(readyWord),
		s.State == state.Ready && len(s.Held) > 0:
		return errors.New("it has said too much")
	}
	if s.Flight != nil {
		return s.Flight.check()
	}
	return nil
}

// Save is the number of the next event.
func (s *Serials) Save() int64 { return s.next }

// Resume has the numbers go on from next.
func (s *Serials) Resume(next int64) { s.next = max(0, next) }
