package proc

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"supervisord/runtime/state"
	"supervisord/spec"
	"supervisord/spec/value"
)

// What a process says of itself, in the words of systemd's sd_notify.

// maxExtend is the most time that one EXTEND_TIMEOUT_USEC= gives: it may be said again, and
// a slip of the unit is not to keep the daemon from its end for years.
const maxExtend = time.Hour

// Notice is one message.
type Notice struct {
	// Ready is READY=1: it is up or, after Reloading, has its new configuration. Of the two
	// that which stands last is taken.
	Ready, Reloading bool
	Stopping         bool          // STOPPING=1: it is about to end by itself
	Status           string        // STATUS=, for people, as it may be shown
	HasStatus        bool          // there was a STATUS=, which may be empty
	Extend           time.Duration // EXTEND_TIMEOUT_USEC=, 0 for none: it needs so much time from now on
	Well             bool          // WATCHDOG=1
	Unwell           bool          // WATCHDOG=trigger
}

// maxStatus bounds STATUS=, in bytes.
const maxStatus = 256

// ParseNotice reads a message: lines of KEY=value. What it does not know, or cannot make
// out, it passes over, as systemd does.
func ParseNotice(message string) (n Notice) {
	for line := range strings.SplitSeq(message, "\n") {
		key, text, _ := strings.Cut(line, "=")
		switch {
		case line == "READY=1":
			n.Ready, n.Reloading = true, false
		case line == "RELOADING=1":
			n.Ready, n.Reloading = false, true
		case line == "STOPPING=1":
			n.Stopping = true
		case line == "WATCHDOG=1":
			n.Well = true
		case line == "WATCHDOG=trigger":
			n.Unwell = true
		case key == "STATUS":
			n.Status, n.HasStatus = showable(text), true
		case key == "EXTEND_TIMEOUT_USEC":
			if usec, err := strconv.ParseUint(text, 10, 64); err == nil {
				n.Extend = time.Duration(min(usec, uint64(maxExtend/time.Microsecond))) * time.Microsecond
			}
		}
	}
	return n
}

// showable is a text without what might do something to a terminal, or to a line.
func showable(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
	if len(text) <= maxStatus {
		return text
	}
	end := maxStatus
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// notified takes what the process has said.
func (m *Machine) notified(now time.Time, n Notice) {
	if m.PID == 0 || m.EndingGroup {
		m.refuse()
		return
	}
	if n.HasStatus {
		m.StatusText = n.Status
	}
	if n.Extend > 0 {
		m.extended = now.Add(n.Extend)
	}
	if n.Well {
		m.saidWell(now)
	}
	if n.Ready && m.Rules.Notify && m.probed() && m.awaitsReady() {
		m.becameReady(now)
	}
	if m.State != state.Running || m.Leaving {
		return
	}
	m.Reloading = n.Reloading || m.Reloading && !n.Ready
	switch {
	case n.Stopping:
		m.log(info, "stopping by itself: %s (pid %d)", m.Name, m.PID)
		m.Leaving, m.since = true, now
	case n.Unwell && m.watchdog > 0:
		m.missed(now, "it said WATCHDOG=trigger")
	}
}

// saidWell is a WATCHDOG=1.
func (m *Machine) saidWell(now time.Time) {
	m.said = now
	if m.Missed != "" {
		m.Missed = ""
		m.log(info, "healthy: %s (pid %d) again", m.Name, m.PID)
	}
}

// watched reports whether the process must say that it is well, and by when.
func (m *Machine) watched() (until time.Time, ok bool) {
	return m.said.Add(m.watchdog), m.State == state.Running && !m.Leaving && m.watchdog > 0 && m.Missed == "" && m.blind.IsZero()
}

// dueRunning is the end of a time that a process in RUNNING had.
func (m *Machine) dueRunning(now time.Time) {
	if m.Leaving {
		m.killHard(now)
		return
	}
	m.missed(now, fmt.Sprintf("no WATCHDOG=1 within %s", value.ShowDuration(m.watchdog)))
}

// missed is that it has not said in time that it is well, or has said that it is not.
func (m *Machine) missed(now time.Time, why string) {
	if m.Missed != "" {
		return
	}
	m.Missed = why
	m.log(warn, "unhealthy: %s (pid %d): %s", m.Name, m.PID, why)
	m.actUnhealthy(now)
}

// Found is how healthy this run is, by what the process says and by what probes have found,
// and what is wrong or was at the last look.
func (m *Machine) Found() (Health, string) {
	switch {
	case m.Missed != "":
		return HealthFailing, m.Missed
	case m.Health == HealthUnknown && m.watchdog > 0 && m.State == state.Running:
		return HealthPassing, m.Complaint
	}
	return m.Health, m.Complaint
}

// becomeBlind stops the clocks of what is found out about the process: nobody looks, and
// nobody hears it.
func (m *Machine) becomeBlind(now time.Time) {
	if !m.blind.IsZero() {
		m.refuse()
		return
	}
	m.blind = now
}

// sightGrace is how long what was about to be too late has once somebody looks and hears
// again: for what has happened meanwhile.
const sightGrace = 3 * time.Second

// becomeSighted has those clocks go on.
func (m *Machine) becomeSighted(now time.Time) {
	if m.blind.IsZero() {
		m.refuse()
		return
	}
	before := m.blind
	m.blind = time.Time{}
	m.goOn(now, before)
}

// goOn has those clocks go on that stood still since a time before.
func (m *Machine) goOn(now, before time.Time) {
	goesOn := func(until time.Time) time.Time { return now.Add(max(sightGrace, until.Sub(before))) }
	if m.State == state.Starting && !m.Launching && !m.Late && m.awaitsReady() && m.Rules.ReadyWithin > 0 {
		m.extended = goesOn(m.readyUntil())
	}
	if until, ok := m.watched(); ok {
		m.said = goesOn(until).Add(-m.watchdog)
	}
}

// tardy is how late a Tick may be before its lateness says that nobody looked and heard.
const tardy = time.Second

// stoodStill has the time begin anew within which the process must be found ready or say
// that it is well, if the Tick for its end is late: then the daemon itself stood still
// (SIGSTOP, a frozen cgroup, a paused virtual machine), nobody knows since when, and what
// the process has said meanwhile is still to be read. at is that end.
func (m *Machine) stoodStill(now, at time.Time) bool {
	var since time.Time
	switch {
	case m.State == state.Starting && !m.Late && m.awaitsReady():
		since = m.since
	case m.State == state.Running && !m.Leaving:
		since = m.said
	default:
		return false
	}
	if now.Sub(at) <= min(tardy, at.Sub(since)/10) {
		return false
	}
	m.log(warn, "%s (pid %d) has its time from the beginning, since supervisord itself stood still", m.Name, m.PID)
	m.goOn(now, since)
	return true
}

// readyUntil is when a process that has a time for it must be ready.
func (m *Machine) readyUntil() time.Time { return later(m.since.Add(m.Rules.ReadyWithin), m.extended) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// actUnhealthy does what is to be done with a process that is not healthy.
func (m *Machine) actUnhealthy(now time.Time) {
	if m.Frozen { // it is stopped when it is its turn
		return
	}
	switch m.Rules.OnUnhealthy {
	case spec.UnhealthyStop:
		m.Crashed++
		m.stop(now)
	case spec.UnhealthyRestart:
		m.Crashed++
		_, m.why = m.Found()
		m.stop(now)
		m.stopAsked, m.Renewing = false, true
	}
}
