package proc

import (
	"time"

	"supervisord/runtime/state"
)

// The stop of a process that runs, and the end of the daemon, after which none is started.

func (m *Machine) stop(now time.Time) {
	m.Waiting = false
	switch m.State {
	case state.Starting, state.Running:
		m.stopAsked = true
		if m.Launching {
			m.do(Effect{Kind: Cancel})
			return
		}
		m.since = now
		m.kill(m.Rules.StopSignal, m.Rules.StopAsGroup, func() { m.to(state.Stopping) })
	case state.Backoff:
		m.log(debug, "Attempted to kill %s, which is in BACKOFF state.", m.Name)
		if m.Stopped.IsZero() {
			m.Stopped = now // so that no client shows the epoch
		}
		m.to(state.Stopped)
	case state.Stopping:
		if !m.Renewing {
			m.refuse()
		}
		m.Renewing = false
	default:
		m.refuse()
	}
}

// stopUntil is when a process that was sent its stop signal is killed.
func (m *Machine) stopUntil() time.Time {
	at := m.since.Add(Seconds(max(m.Rules.StopWaitSecs, 0)))
	if m.Killed {
		return at
	}
	return later(at, m.extended)
}

// kill logs, lets before change the state, and sends.
func (m *Machine) kill(sig int, group bool, before func()) {
	target := ""
	if group {
		target = "process group "
	}
	m.log(debug, "killing %s (pid %d) %swith signal %s", m.Name, m.PID, target, state.SignalName(sig))
	if before != nil {
		before()
	}
	m.do(Effect{Kind: Kill, PID: m.PID, Signal: sig, Group: group})
}

func (m *Machine) signal(sig int) {
	if m.PID == 0 || m.EndingGroup || !m.State.Signallable() {
		m.refuse()
		return
	}
	m.log(debug, "sending %s (pid %d) sig %s", m.Name, m.PID, state.SignalName(sig))
	m.do(Effect{Kind: Kill, PID: m.PID, Signal: sig})
}

func (m *Machine) killFailed(now time.Time, text string) {
	if !m.State.Signallable() || m.PID == 0 {
		m.refuse()
		return
	}
	verb := "sending sig"
	if m.State == state.Stopping {
		verb = "killing"
	}
	m.log(critical, "unknown problem %s %s (%d):%s", verb, m.Name, m.PID, text)
	if m.EndingGroup { // the process itself has ended; its group is out of reach
		m.groupEnded(now)
		return
	}
	m.to(state.Unknown)
}

func (m *Machine) timeUp(now time.Time) {
	if m.State != state.Stopping || m.Killed {
		m.refuse()
		return
	}
	m.killHard(now)
}

// killHard ends what its stop signal has not ended.
func (m *Machine) killHard(now time.Time) {
	m.log(warn, "killing '%s' (%d) with SIGKILL", m.Name, m.PID)
	m.since, m.Killed = now, true
	if m.Rules.StopWaitSecs < 1 {
		m.since = now.Add(time.Second) // a wait of nothing must not spin
	}
	m.kill(sigKill, m.Rules.KillAsGroup || m.EndingGroup, nil)
}

func (m *Machine) freeze() { m.Frozen, m.Waiting = true, false }

func (m *Machine) shutdown() {
	m.freeze()
	if m.State == state.Backoff {
		m.fail()
	}
}

// sigKill is SIGKILL's number on every Unix.
const sigKill = 9
