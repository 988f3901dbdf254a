package proc

import (
	"time"

	"supervisord/runtime/state"
)

// Starts that wait for what a process depends on. Whether all of it is there the caller says
// with each input, as Input.Shut.

// startInOrder is a start that waits for what the process depends on.
func (m *Machine) startInOrder(now time.Time) {
	if m.shut && m.State.InStopped() && m.State != state.Unknown && !m.Frozen {
		m.forget()
		m.Crashed, m.Waiting = 0, true
		return
	}
	m.start(now)
}

// look ends the waiting once there is nothing more to wait for.
func (m *Machine) look(now time.Time) {
	if !m.Waiting || m.shut {
		return
	}
	m.launch(now)
}

// launchInOrder is an automatic start, of one that has ended or failed to start.
func (m *Machine) launchInOrder(now time.Time) {
	if m.shut {
		m.Waiting = true
		return
	}
	m.launch(now)
}
