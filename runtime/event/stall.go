package event

import (
	"log/slog"
	"time"

	"supervisord/runtime/state"
)

// stallReport is how long a listener may be silent before it is reported for the
// first time; the next report comes after as long again, and so on, doubling.
const (
	stallReport = 60 * time.Second
	maxReports  = 26 // by then 127 years have passed
)

// overdue reports whether the listener owes something that others wait for, and
// in what words.
func (l *listener) overdue(waiting int) (lineKind, bool) {
	switch {
	case !l.alive || l.stdinClosed:
		return 0, false
	case l.protocol.state == state.Busy || l.unread:
		return lineStalled, true
	case l.protocol.state == state.Acknowledged && waiting > 0:
		return lineNotReady, true
	}
	return 0, false
}

// stuck says why the listener takes no event until it is started again, if that
// is so.
func (l *listener) stuck() (why string, stuck bool) {
	switch {
	case !l.alive || l.restarting:
		return "", false
	case l.stdinClosed:
		return "standard input closed", true
	case l.protocol.state == state.ListenerUnknown:
		return "in UNKNOWN state", true
	case l.protocol.state == state.Busy || l.unread:
		return "no answer", true
	}
	return "", false
}

// reportAt is when the next report of a listener's silence is due: after 60 s,
// 120 s, 240 s and so on.
func (l *listener) reportAt() time.Time {
	return l.since.Add(stallReport << min(l.reports, maxReports))
}

// watch reports a listener's silence when it is time, and asks for its restart
// when stall_timeout has passed.
func (p *Pool) watch(i int, l *listener, now time.Time) {
	if text, ok := l.overdue(p.queue.len()); ok && !now.Before(l.reportAt()) {
		waited := now.Sub(l.since)
		p.log(Line{Level: slog.LevelWarn, kind: text, name: l.name, waited: waited, size: p.queue.len()})
		for l.reports < maxReports && !now.Before(l.reportAt()) {
			l.reports++
		}
	}
	why, ok := l.stuck()
	if !ok || p.options.StallTimeout <= 0 || now.Before(l.since.Add(p.options.StallTimeout)) {
		return
	}
	l.restarting = true
	p.log(Line{Level: slog.LevelWarn, kind: lineRestart, name: l.name, detail: why, waited: now.Sub(l.since)})
	p.effects = append(p.effects, Effect{Kind: Restart, Listener: i})
}

// Deadline is when the pool must be dispatched again if nothing happens before;
// zero for never.
func (p *Pool) Deadline() time.Time {
	var earliest time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && (earliest.IsZero() || t.Before(earliest)) {
			earliest = t
		}
	}
	if p.queue.len() > 0 {
		sooner(p.queue.front().notBefore)
	}
	for _, l := range p.listeners {
		if _, ok := l.overdue(p.queue.len()); ok {
			sooner(l.reportAt())
		}
		if _, ok := l.stuck(); ok && p.options.StallTimeout > 0 {
			sooner(l.since.Add(p.options.StallTimeout))
		}
	}
	return earliest
}
