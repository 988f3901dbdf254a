package runtime

import (
	"context"
	"log/slog"
	"time"

	"supervisord/runtime/event"
	"supervisord/runtime/proc"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// poolOptions are what a listener group's pool is made of.
func (s *Supervisor) poolOptions(def *spec.Group) event.Options {
	l := def.Listener
	wanted, err := event.Subscribe(l.Events)
	if err != nil {
		s.log.Error("eventlistener " + def.Name + ": " + err.Error()) // spec refuses it before
	}
	handler, _ := event.LookupHandler(l.ResultHandler)
	names := make([]string, len(def.Processes))
	for i := range def.Processes {
		names[i] = def.Processes[i].Name
	}
	return event.Options{
		Name: def.Name, Server: s.opt.Identifier, Serials: s.opt.Serials,
		Subscription: wanted, BufferSize: l.BufferSize, Listeners: names,
		Handler: handler, StallTimeout: l.StallTimeout,
	}
}

// emit offers an event to every pool, in the order of the groups' activation.
func (s *Supervisor) emit(ev *event.Event) {
	for _, g := range s.pools {
		if g.pool.Wants(ev.Type) {
			s.snapshot.Store(nil) // one more waits, also where the pool has nothing to say of it
			s.perform(g, g.pool.Offer(ev))
		}
	}
}

// wanted reports whether any pool is subscribed to t.
func (s *Supervisor) wanted(t event.Type) bool {
	for _, g := range s.pools {
		if g.pool.Wants(t) {
			return true
		}
	}
	return false
}

func (s *Supervisor) emitState(p *process, e proc.Effect) {
	s.emit(event.StateChanged(event.Transition{
		Group: p.group.def.Name, Name: p.def.Name, From: e.From, To: e.To,
		Tries: e.Tries, PID: e.PID, Expected: e.Expected,
		Signal: e.Exit.Signal, Core: e.Exit.Core, OOM: e.Exit.OOM,
	}))
}

func (s *Supervisor) emitLog(p *process, ch state.Channel, data []byte) {
	if s.wanted(event.ProcessLogStdout + event.Type(ch)) {
		s.emit(event.Logged(p.group.def.Name, p.def.Name, p.machine.PID, ch, data))
	}
}

func (s *Supervisor) emitComm(p *process, ch state.Channel, data []byte) {
	if s.log.Enabled(context.Background(), slog.LevelDebug) {
		s.log.Debug("'" + p.def.Name + "' " + ch.String() + " emitted a comm event")
	}
	if s.wanted(event.ProcessCommunicationStdout + event.Type(ch)) {
		s.emit(event.Communicated(p.group.def.Name, p.def.Name, p.machine.PID, ch, data))
	}
}

// deliver sends the pools' events to listeners that are ready.
func (s *Supervisor) deliver(now time.Time) {
	for _, g := range s.pools {
		s.perform(g, g.pool.Dispatch(now, func(i int) bool {
			return g.procs[i].machine.State == state.Running
		}))
	}
}

// perform carries out a pool's effects. Send and Restart come last, since they call
// the pool again, which then reuses the memory of the effects. A pool does nothing
// but take an event without an effect, so what is known of its listeners is out of
// date when there is one, whatever brought it about.
func (s *Supervisor) perform(g *group, effects []event.Effect) {
	if len(effects) > 0 {
		s.snapshot.Store(nil)
	}
	var few [2]event.Effect // as many as there are as a rule
	later := few[:0]
	for _, e := range effects {
		switch e.Kind {
		case event.Log:
			if s.log.Enabled(context.Background(), e.Line.Level) {
				s.log.Log(context.Background(), e.Line.Level, e.Line.String())
			}
		case event.Print:
			s.opt.Print(e.Data)
		default:
			later = append(later, e)
		}
	}
	for _, e := range later {
		switch p := g.procs[e.Listener]; e.Kind {
		case event.Send:
			s.send(g, p, e.Data)
		case event.Restart:
			s.restartListener(p)
		}
	}
}

// send writes an event to a listener's standard input. The pool hears when it
// is written, so that a listener that does not read is never sent a second one.
func (s *Supervisor) send(g *group, p *process, data []byte) {
	if p.stdin == nil {
		s.perform(g, g.pool.Written(p.rank, false, time.Now()))
		return
	}
	if whole, err := p.stdin.Send(data); whole || err != nil {
		s.perform(g, g.pool.Written(p.rank, whole, time.Now()))
	} // else the pool hears when the rest is written
}

// listenerStarted tells the pool of a listener that was started.
func (s *Supervisor) listenerStarted(p *process) {
	p.group.pool.Spawned(p.rank, time.Now())
	if p.stdin != nil {
		p.stdin.OnDrained(s.eventDrained(p))
	}
}

// eventDrained is told of what had to be queued for a listener in its present run.
func (s *Supervisor) eventDrained(p *process) func(whole bool) {
	g, run := p.group, p.run
	return func(whole bool) {
		s.post(func() {
			current := p.run == run && p.stdin != nil && p.group == g
			// An event that was sent behind what is drained now is drained later.
			if current && !(whole && p.stdin.Queued() > 0) {
				s.perform(g, g.pool.Written(p.rank, whole, time.Now()))
			}
		})
	}
}

// listenerExited tells the pool of a listener that has ended.
func (s *Supervisor) listenerExited(p *process) {
	s.perform(p.group, p.group.pool.Exited(p.rank, time.Now()))
}

// listenerOutput hands a listener's output to its pool.
func (s *Supervisor) listenerOutput(p *process, data []byte) {
	if p.group.pool != nil {
		s.perform(p.group, p.group.pool.Output(p.rank, data, time.Now()))
	}
}

// restartListener stops a listener that does not answer and starts it again,
// unless somebody else wants it stopped meanwhile.
func (s *Supervisor) restartListener(p *process) {
	if !p.machine.State.InRunning() {
		return
	}
	s.step(p, proc.Input{Kind: proc.Stop})
	p.restartWhenStopped = true
}

// tickTypes are the events that need a clock.
var tickTypes = []event.Type{event.Tick5, event.Tick60, event.Tick3600}

// tick emits the ticks that are due.
func (s *Supervisor) tick(now time.Time) {
	for _, ev := range event.Ticks(s.ticked, now) {
		s.emit(ev)
	}
	s.ticked = now
}

// nextTick is when to look at the ticks again: never while nobody wants any, so
// that an idle daemon sleeps.
func (s *Supervisor) nextTick(now time.Time) time.Time {
	for _, t := range tickTypes {
		if s.wanted(t) {
			return now.Add(event.UntilTick(now))
		}
	}
	return time.Time{}
}

// poolDeadline is the earliest time at which a pool wants to be looked at.
func (s *Supervisor) poolDeadline() time.Time {
	var next time.Time
	for _, g := range s.pools {
		if at := g.pool.Deadline(); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// listenerInfo is how a listener is doing.
func (g *group) listenerInfo(rank int) *ListenerInfo {
	status := g.pool.Listener(rank)
	return &ListenerInfo{
		State: status.State, Since: status.Since,
		Waiting: g.pool.Waiting(), Dropped: g.pool.Dropped(),
	}
}
