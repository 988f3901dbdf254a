package proc

import (
	"time"

	"supervisord/runtime/state"
)

// What probes of a process find out. A probe knows of one run of the process, and the
// caller gives its findings to no other.

// Health is what the probes of a run have found.
type Health int

// The kinds of health.
const (
	HealthUnknown Health = iota // nothing yet, or nobody asks
	HealthPassing
	HealthFailing // as often in a row as makes it unhealthy
)

// String is the word that clients see, "" for HealthUnknown.
func (h Health) String() string { return [...]string{"", "passing", "failing"}[h] }

// awaitsReady reports whether the present start is not done before the process is ready.
func (m *Machine) awaitsReady() bool { return m.Rules.Ready && !m.Ready }

// probed reports whether there is a process that is not about to end, to which a finding
// can belong.
func (m *Machine) probed() bool {
	return m.State == state.Running && !m.Leaving || m.State == state.Starting && !m.Launching && !m.Late
}

func (m *Machine) becameReady(now time.Time) {
	if !m.probed() || m.State != state.Starting || m.Ready {
		m.refuse()
		return
	}
	m.Ready = true
	m.log(info, "ready: %s (pid %d)", m.Name, m.PID)
	if at := m.since.Add(Seconds(m.Rules.StartSecs)); !now.Before(at) {
		m.succeed(now)
	}
}

func (m *Machine) healthy() {
	if !m.probed() {
		m.refuse()
		return
	}
	if m.Health == HealthFailing {
		m.log(info, "healthy: %s (pid %d) again", m.Name, m.PID)
	}
	m.Health, m.Failing, m.Complaint = HealthPassing, 0, ""
}

// unhealthy counts a look that failed. Before the process was ready it counts for nothing.
func (m *Machine) unhealthy(now time.Time, text string) {
	if m.State != state.Running || m.Leaving {
		m.refuse()
		return
	}
	m.Failing++
	m.Complaint = text
	m.log(debug, "%s failed a look at its health (%d of %d): %s", m.Name, m.Failing, m.Rules.Failures, text)
	if m.Failing < m.Rules.Failures || m.Health == HealthFailing {
		return
	}
	m.Health = HealthFailing
	m.log(warn, "unhealthy: %s (pid %d) failed %d looks in a row: %s", m.Name, m.PID, m.Failing, text)
	m.actUnhealthy(now)
}

// renew starts a process again that was stopped since it was unhealthy. That is an end
// like any other by itself, for crash_limit, too. One that has not lived for as long as the
// first wait waits that long, or a probe that fails at once has it restart without pause.
func (m *Machine) renew(now time.Time) {
	if !m.Renewing {
		return
	}
	m.Renewing = false
	if m.Frozen {
		return
	}
	m.SpawnErr = "Unhealthy: " + m.why
	m.Tries = 0
	m.hasLived()
	m.again(now, m.Stopped.Sub(m.up) < firstWait)
}
