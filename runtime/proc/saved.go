package proc

import (
	"errors"
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
	Ready       bool          `json:"ready,omitempty"`
	Late        bool          `json:"late,omitempty"`
	Renewing    bool          `json:"renewing,omitempty"`
	Health      Health        `json:"health,omitempty"`
	Failing     int           `json:"failing,omitempty"`
	Complaint   string        `json:"complaint,omitempty"`
	StatusText  string        `json:"status_text,omitempty"`
	Reloading   bool          `json:"reloading,omitempty"`
	Leaving     bool          `json:"leaving,omitempty"`
	Missed      string        `json:"missed,omitempty"`
	Why         string        `json:"why,omitempty"` // of a restart that is under way
	Waiting     bool          `json:"waiting,omitempty"`

	Tries      int              `json:"tries,omitempty"`
	Retries    int              `json:"retries,omitempty"` // at least Tries, though an earlier version does not say so
	Dice       float64          `json:"dice,omitempty"`
	Crashes    []*moment.Moment `json:"crashes,omitempty"`
	Crashed    int              `json:"crashed,omitempty"`
	Started    *moment.Moment   `json:"started,omitempty"`
	Stopped    *moment.Moment   `json:"stopped,omitempty"`
	Since      *moment.Moment   `json:"since,omitempty"`
	Watchdog   time.Duration    `json:"watchdog,omitempty"` // of this run
	Said       *moment.Moment   `json:"said,omitempty"`     // the last WATCHDOG=1
	Extended   *moment.Moment   `json:"extended,omitempty"`
	Blind      *moment.Moment   `json:"blind,omitempty"`
	SpawnErr   string           `json:"spawn_err,omitempty"`
	ExitStatus int              `json:"exit_status,omitempty"`
	Status     int              `json:"status,omitempty"` // as a shell has it
	Exit       *Exit            `json:"exit,omitempty"`   // while EndingGroup
}

// Save writes the machine down at now, between two Steps.
func (m *Machine) Save(now time.Time) Saved {
	s := Saved{
		State: m.State, PID: m.PID, Launching: m.Launching, StopAsked: m.stopAsked, EndingGroup: m.EndingGroup,
		OrphanGroup: m.OrphanGroup, Killed: m.Killed, Frozen: m.Frozen, Waiting: m.Waiting,
		Ready: m.Ready, Late: m.Late, Renewing: m.Renewing, Health: m.Health, Failing: m.Failing, Complaint: m.Complaint,
		StatusText: m.StatusText, Reloading: m.Reloading, Leaving: m.Leaving, Missed: m.Missed, Why: m.why,
		Watchdog: m.watchdog, Said: moment.Of(m.said, now), Extended: moment.Of(m.extended, now), Blind: moment.Of(m.blind, now),
		Tries: m.Tries, Retries: m.Retries, Crashed: m.Crashed, Dice: m.dice, Started: moment.Of(m.up, now), Stopped: moment.Of(m.Stopped, now), Since: moment.Of(m.since, now),
		SpawnErr: m.SpawnErr, ExitStatus: m.ExitStatus, Status: m.status,
	}
	if s.Started != nil {
		s.Started.Wall = m.Started.UnixNano()
	}
	for _, at := range m.crashes {
		s.Crashes = append(s.Crashes, moment.Of(at, now))
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
		Ready: s.Ready || s.State == state.Running, // an earlier version does not say so
		Late:  s.Late, Renewing: s.Renewing, Health: s.Health, Failing: s.Failing, Complaint: s.Complaint,
		StatusText: s.StatusText, Reloading: s.Reloading, Leaving: s.Leaving, Missed: s.Missed, why: s.Why,
		watchdog: s.Watchdog, said: s.Said.At(now), extended: s.Extended.At(now), blind: s.Blind.At(now),
		Tries: s.Tries, Crashed: s.Crashed, Retries: max(s.Retries, s.Tries), dice: s.Dice, Started: s.Started.AsShown(), up: s.Started.At(now), Stopped: s.Stopped.AsShown(), since: s.Since.At(now),
		SpawnErr: s.SpawnErr, ExitStatus: s.ExitStatus, status: s.Status,
	}
	for _, at := range s.Crashes {
		m.crashes = append(m.crashes, at.At(now))
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
		s.EndingGroup && s.State != state.Stopping, s.EndingGroup != (s.Exit != nil),
		s.Late && (s.State != state.Starting || s.Launching), s.Renewing && s.State != state.Stopping,
		(s.Reloading || s.Leaving) && s.State != state.Running, s.Leaving && s.Since == nil, s.Watchdog < 0,
		s.Health < HealthUnknown || s.Health > HealthFailing || s.Failing < 0:
		return fmt.Errorf("it is %v in a way that there is not", s.State)
	case s.Waiting && (s.Frozen || !s.State.InStopped() && s.State != state.Backoff || s.State == state.Unknown):
		return fmt.Errorf("it is %v and waits to be started", s.State)
	case s.Tries < 0 || s.Retries < 0:
		return fmt.Errorf("it has failed to start %d times, and waited %d times", s.Tries, s.Retries)
	case s.Dice < 0 || s.Dice > 1 || slices.Contains(s.Crashes, nil):
		return errors.New("it waits for no time that there is")
	case s.Since == nil && (s.State == state.Starting || s.State == state.Backoff || s.State == state.Stopping):
		return fmt.Errorf("it is %v since no time", s.State)
	}
	return nil
}
