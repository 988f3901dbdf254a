package proc

import (
	"time"

	"supervisord/runtime/state"
	"supervisord/spec"
	"supervisord/spec/value"
)

// The attempt to start a process, from what asks for it until it is RUNNING or has failed.

// tooQuick is the spawn error of a process that did not outlive startsecs.
const tooQuick = "Exited too quickly (process log may have details)"

// notReady is that of one that was not found ready.
const notReady = "Exited before it was ready (process log may have details)"

func (m *Machine) start(now time.Time) {
	switch m.State {
	case state.Stopped, state.Exited, state.Fatal:
		if m.Frozen {
			m.refuse()
			return
		}
		m.forget()
		m.Crashed = 0
		m.launch(now)
	default:
		m.refuse()
	}
}

// launch begins one attempt. The event comes before the attempt is made.
func (m *Machine) launch(now time.Time) {
	m.SpawnErr, m.ExitStatus = "", 0
	m.Started, m.up, m.since = now, now, now
	m.Launching, m.stopAsked, m.Waiting = true, false, false
	m.beginRun(false, m.Rules.Watchdog)
	m.to(state.Starting)
	m.do(Effect{Kind: Launch, OrphanGroup: m.OrphanGroup})
}

// beginRun forgets what was found out about the run before.
func (m *Machine) beginRun(ready bool, watchdog time.Duration) {
	m.Ready, m.watchdog = ready, watchdog
	m.Health, m.Failing, m.Complaint, m.StatusText, m.Missed = HealthUnknown, 0, "", "", ""
}

func (m *Machine) launched(now time.Time, pid int) {
	if !m.Launching {
		m.refuse()
		return
	}
	m.Launching, m.OrphanGroup = false, 0
	m.PID = pid
	m.Started, m.up, m.since = now, now, now
	m.log(info, "spawned: '%s' with pid %d", m.Name, pid)
	switch {
	case m.stopAsked:
		m.stop(now)
	case m.Rules.StartSecs <= 0 && !m.awaitsReady():
		m.succeed(now)
	}
}

// adopted makes an earlier daemon's process this one's: it runs, and has done so
// since it began. Nobody hears it any more.
func (m *Machine) adopted(pid int, began time.Time) {
	if m.State != state.Stopped || m.Frozen {
		m.refuse()
		return
	}
	m.SpawnErr, m.ExitStatus = "", 0
	m.stopAsked, m.Waiting = false, false
	m.forget()
	m.PID, m.Started, m.up = pid, began, began
	m.Crashed = 0
	m.beginRun(true, 0)
	m.log(info, "adopted: '%s' with pid %d, which an earlier supervisord started", m.Name, pid)
	m.to(state.Running)
}

func (m *Machine) launchFailed(now time.Time, text string) {
	if !m.Launching {
		m.refuse()
		return
	}
	m.Launching, m.OrphanGroup = false, 0
	m.SpawnErr, m.status = text, notStarted
	m.log(info, "spawnerr: %s", text)
	m.backoff(now)
}

// cancelled is the end of an attempt that a stop came before. What clients see of it
// is the stop of a process that was starting.
func (m *Machine) cancelled(now time.Time) {
	if !m.Launching || !m.stopAsked {
		m.refuse()
		return
	}
	m.Launching = false
	m.Stopped = now
	m.to(state.Stopping)
	m.log(info, "stopped: %s (before it was spawned)", m.Name)
	m.to(state.Stopped)
}

// failedStart is why the exit of a process that is STARTING is a failed start, "" if it is
// none.
func (m *Machine) failedStart() string {
	switch {
	case m.Late:
		return "Not ready within " + value.ShowDuration(m.Rules.ReadyWithin) + " (ready_timeout)"
	case m.awaitsReady():
		return notReady
	case m.Stopped.Sub(m.up) < Seconds(m.Rules.StartSecs):
		return tooQuick
	}
	return ""
}

// backoff is entered after a failed attempt; it gives up at once when the
// attempts are used up.
func (m *Machine) backoff(now time.Time) {
	m.Tries++
	m.waitToRetry(now)
	switch {
	case m.stopAsked:
		m.stop(now)
	case m.Frozen:
		m.fail()
	case m.Tries > m.Rules.StartRetries && m.Rules.Retry.GiveUp != spec.GiveUpNever:
		m.log(info, "gave up: %s entered FATAL state, too many start retries too quickly", m.Name)
		m.fail()
	}
}

// dueStarting is the end of startsecs or, if the process should have been ready by now, of
// the time that it had for that.
func (m *Machine) dueStarting(now time.Time) {
	switch {
	case m.Late:
		m.killHard(now)
	case m.awaitsReady():
		m.log(warn, "not ready: %s (pid %d) had %s (ready_timeout)", m.Name, m.PID, value.ShowDuration(m.Rules.ReadyWithin))
		m.Late, m.since = true, now
		m.kill(m.Rules.StopSignal, m.Rules.StopAsGroup, nil)
	default:
		m.succeed(now)
	}
}

func (m *Machine) succeed(now time.Time) {
	m.Tries, m.Ready, m.said = 0, true, now
	m.to(state.Running)
	m.log(info, "success: %s entered RUNNING state, process has stayed up for > than %d seconds (startsecs)",
		m.Name, m.Rules.StartSecs)
}
