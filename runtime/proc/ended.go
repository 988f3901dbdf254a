package proc

import (
	"fmt"
	"slices"
	"time"

	"supervisord/runtime/state"
	"supervisord/spec"
)

// What follows when a process has ended, and what is left of it.

func (m *Machine) exited(now time.Time, in Input) {
	if m.PID == 0 || m.EndingGroup {
		m.refuse()
		return
	}
	m.Stopped = now
	if !in.Ended.IsZero() {
		m.Stopped = in.Ended
	}
	whole := m.Rules.Whole()
	if in.Orphans > 0 {
		m.reportOrphans(in)
		if whole && m.State == state.Stopping {
			m.EndingGroup, m.exit = true, in.Exit
			return
		}
		if whole {
			m.OrphanGroup = m.PID
		}
	}
	m.ended(now, in.Exit)
}

func (m *Machine) reportOrphans(in Input) {
	if m.State == state.Stopping { // a shell's sleep, as a rule, which is gone in a moment
		m.log(debug, "%s survived the stop", orphansOf(m.Name, in.Orphans, in.Cgroup))
		return
	}
	m.log(warn, "%s survived the exit of its leader", orphansOf(m.Name, in.Orphans, in.Cgroup))
}

// StillThere is what the log says of descendants of a program that its stop has not ended.
func StillThere(name string, orphans int, cgroup bool) string {
	return orphansOf(name, orphans, cgroup) + " survived the stop"
}

func orphansOf(name string, orphans int, cgroup bool) string {
	processes, group := "processes", "group"
	if orphans == 1 {
		processes = "process"
	}
	if cgroup {
		group = "cgroup"
	}
	return fmt.Sprintf("%s: %d %s of its %s", name, orphans, processes, group)
}

func (m *Machine) groupEnded(now time.Time) {
	if !m.EndingGroup {
		m.refuse()
		return
	}
	m.EndingGroup = false
	m.ended(now, m.exit)
}

func (m *Machine) orphansEnded(group int) {
	if m.OrphanGroup == 0 || m.OrphanGroup != group {
		m.refuse()
		return
	}
	m.OrphanGroup = 0
}

// ended classifies an exit and does what follows from it.
func (m *Machine) ended(now time.Time, e Exit) {
	pid := m.PID
	listed := m.listed(e.Code)
	m.ExitStatus, m.status = e.Code, e.status()
	switch m.State {
	case state.Stopping:
		level := warn
		if listed {
			level = info
		}
		m.log(level, "stopped: %s (%s)", m.Name, e.How)
		m.to(state.Stopped)
		m.PID = 0
		m.renew(now)
	case state.Starting:
		if failed := m.failedStart(); failed != "" {
			m.SpawnErr, m.ExitStatus = failed, 0
			m.log(warn, "exited: %s (%s; not expected)", m.Name, e.How)
			m.PID = 0
			m.backoff(now)
			return
		}
		m.to(state.Running) // it was up long enough, and the Tick had not come yet
		m.exitedRunning(now, e, listed)
	case state.Running:
		m.exitedRunning(now, e, listed)
	default: // UNKNOWN: it could not be signalled, but it has ended
		m.log(warn, "exited: %s (%s; not expected)", m.Name, e.How)
		m.do(Effect{Kind: Emit, From: m.State, To: state.Exited, PID: pid, Exit: e})
		m.enter(state.Exited)
		m.PID = 0
		m.left()
	}
}

// exitedRunning is the exit of a process in RUNNING that nobody asked to stop.
func (m *Machine) exitedRunning(now time.Time, e Exit, expected bool) {
	if expected {
		m.log(info, "exited: %s (%s; expected)", m.Name, e.How)
	} else {
		m.SpawnErr = fmt.Sprintf("Bad exit code %d", e.Code)
		if e == ExitUnknown {
			m.SpawnErr = e.How
		}
		m.Crashed++
		m.log(warn, "exited: %s (%s; not expected)", m.Name, e.How)
	}
	m.Tries = 0
	m.hasLived()
	m.do(Effect{Kind: Emit, From: m.State, To: state.Exited, PID: m.PID, Expected: expected, Exit: e})
	m.enter(state.Exited)
	m.PID = 0

	again := m.Rules.Autorestart == spec.RestartAlways ||
		m.Rules.Autorestart == spec.RestartUnexpected && !expected
	if again && !m.Frozen {
		m.again(now, false)
		return
	}
	m.left()
}

func (m *Machine) fail() {
	m.forget()
	m.to(state.Fatal)
	m.left()
}

// left tells that the process has ended for good, unless that was asked for.
func (m *Machine) left() {
	if !m.stopAsked && !m.Frozen {
		m.do(Effect{Kind: Left})
	}
}

// Failed reports whether the process could not be started, so far or for good, or has
// ended in a way that its exit codes do not expect.
func (m *Machine) Failed() bool {
	switch m.State {
	case state.Backoff, state.Fatal:
		return true
	case state.Exited:
		return !m.listed(m.ExitStatus)
	}
	return false
}

// listed reports whether a status is one of the exit codes.
func (m *Machine) listed(status int) bool {
	return status >= 0 && slices.Contains(m.Rules.ExitCodes, status)
}

// Status is how the process ended last, as a shell tells it: its exit status, or 128 and
// the number of the signal that it died of; 127 where it could not be started. In FATAL
// it is never 0, since starting has failed even if the program thinks otherwise. It is 1
// where it is not known, and means nothing before there was an end.
func (m *Machine) Status() int {
	if m.State == state.Fatal {
		return max(1, m.status)
	}
	return m.status
}
