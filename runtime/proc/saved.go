package proc

import (
	"fmt"
	"slices"
	"time"

	"supervisord/runtime/moment"
	"supervisord/runtime/state"
)

// Saved is a Machine as it is written down for another one to go on from. Its name and
// rules are not in it.
type Saved struct {
	State       state.Process `json:"state"`
	PID         int           `json:"pid,omitempty"`
	Launching   bool          `json:"launching,omitempty"`
	StopAsked   bool          `json:"stop_asked,omitempty"`
	EndingGroup bool          `json:"ending_group,omitempty"`
	OrphanGroup int           `json:"orphan_group,omitempty"`
	Killed      bool          `json:"killed,omitempty"`
	Frozen      bool          `json:"frozen,omitempty"`
	Waiting     bool          `json:"waiting,omitempty"`

	Tries      int            `json:"tries,omitempty"`
	Started    *moment.Moment `json:"started,omitempty"`
	Stopped    *moment.Moment `json:"stopped,omitempty"`
	Since      *moment.Moment `json:"since,omitempty"`
	SpawnErr   string         `json:"spawn_err,omitempty"`
	ExitStatus int            `json:"exit_status,omitempty"`
	Status     int            `json:"status,omitempty"` // as a shell has it
	Exit       *Exit          `json:"exit,omitempty"`   // while EndingGroup
}

// Save writes the machine down at now, between two Steps.
func (m *Machine) Save(now time.Time) Saved {
	s := Saved{
		State: m.State, PID: m.PID, Launching: m.Launching, StopAsked: m.stopAsked, EndingGroup: m.EndingGroup,
		OrphanGroup: m.OrphanGroup, Killed: m.Killed, Frozen: m.Frozen, Waiting: m.Waiting,
		Tries: m.Tries, Started: moment.Of(m.up, now), Stopped: moment.Of(m.Stopped, now), Since: moment.Of(m.since, now),
		SpawnErr: m.SpawnErr, ExitStatus: m.ExitStatus, Status: m.status,
	}
	if s.Started != nil {
		s.Started.Wall = m.Started.UnixNano()
	}
	if m.EndingGroup {
		exit := m.exit
		s.Exit = &exit
	}
	return s
}

// Resume makes a machine of what was written down, where now is the time by which it was.
// A Defined must be its first Step.
func Resume(s Saved, now time.Time) Machine {
	m := Machine{
		State: s.State, PID: s.PID, Launching: s.Launching, stopAsked: s.StopAsked, EndingGroup: s.EndingGroup,
		OrphanGroup: s.OrphanGroup, Killed: s.Killed, Frozen: s.Frozen, Waiting: s.Waiting,
		Tries: s.Tries, Started: s.Started.AsShown(), up: s.Started.At(now), Stopped: s.Stopped.AsShown(), since: s.Since.At(now),
		SpawnErr: s.SpawnErr, ExitStatus: s.ExitStatus, status: s.Status,
	}
	if s.Exit != nil {
		m.exit = *s.Exit
	}
	return m
}

// Check reports what no machine comes to.
func (s *Saved) Check() error {
	lives := s.PID > 0
	wanted := false // a process
	switch s.State {
	case state.Starting:
		wanted = !s.Launching
	case state.Running, state.Stopping:
		wanted = true
	case state.Unknown:
		wanted = lives
	}
	switch {
	case !slices.Contains(state.Processes, s.State):
		return fmt.Errorf("there is no state %d", s.State)
	case s.PID < 0 || s.OrphanGroup < 0 || lives != wanted:
		return fmt.Errorf("it is %v with pid %d", s.State, s.PID)
	case s.Launching && s.State != state.Starting,
		s.EndingGroup && s.State != state.Stopping, s.EndingGroup != (s.Exit != nil):
		return fmt.Errorf("it is %v in a way that there is not", s.State)
	case s.Waiting && (s.Frozen || !s.State.InStopped() && s.State != state.Backoff || s.State == state.Unknown):
		return fmt.Errorf("it is %v and waits to be started", s.State)
	case s.Tries < 0:
		return fmt.Errorf("it has failed to start %d times", s.Tries)
	case s.Since == nil && (s.State == state.Starting || s.State == state.Backoff || s.State == state.Stopping):
		return fmt.Errorf("it is %v since no time", s.State)
	}
	return nil
}
