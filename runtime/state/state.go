// Package state is the vocabulary every side shares: the states of processes
// and of the daemon, with the numbers and names that go over the wire, and the
// names of output channels, signals, log levels and types of event. It imports
// nothing of ours, so that clients and the configuration may use it too.
//
// Source: contract/process.md section 1.
package state

import "slices"

// Process is the state of one process. The numbers are Supervisor's.
type Process int

// The states of a process.
const (
	Stopped  Process = 0
	Starting Process = 10
	Running  Process = 20
	Backoff  Process = 30
	Stopping Process = 40
	Exited   Process = 100
	Fatal    Process = 200
	Unknown  Process = 1000
)

// Processes lists every state in ascending order of its number.
var Processes = []Process{Stopped, Starting, Running, Backoff, Stopping, Exited, Fatal, Unknown}

// String is the state's name as getProcessInfo gives it, or "" for a number
// that is no state.
func (p Process) String() string {
	switch p {
	case Stopped:
		return "STOPPED"
	case Starting:
		return "STARTING"
	case Running:
		return "RUNNING"
	case Backoff:
		return "BACKOFF"
	case Stopping:
		return "STOPPING"
	case Exited:
		return "EXITED"
	case Fatal:
		return "FATAL"
	case Unknown:
		return "UNKNOWN"
	}
	return ""
}

// InRunning reports whether the state counts as started: a start is refused
// with ALREADY_STARTED and a stop has something to stop.
func (p Process) InRunning() bool { return p == Starting || p == Running || p == Backoff }

// InStopped reports whether the state counts as stopped, for the exit status of
// supervisorctl, for removing a group and for the daemon's shutdown.
func (p Process) InStopped() bool {
	return p == Stopped || p == Exited || p == Fatal || p == Unknown
}

// Failed reports whether somebody should look after a process in this state: it cannot be
// started, or has ended with an exit status that is none of those expected. Of one that has
// no definition any more, and so no expected ones, that is 0.
func (p Process) Failed(exitStatus int, expected []int) bool {
	switch p {
	case Backoff, Fatal, Unknown:
		return true
	case Exited:
		if expected == nil {
			return exitStatus != 0
		}
		return !slices.Contains(expected, exitStatus)
	}
	return false
}

// Signallable reports whether a signal may be sent.
func (p Process) Signallable() bool { return p == Starting || p == Running || p == Stopping }

// Mood is the state of the daemon.
type Mood int

// The daemon's moods, with Supervisor's numbers.
const (
	MoodShutdown   Mood = -1
	MoodRestarting Mood = 0
	MoodRunning    Mood = 1
	MoodFatal      Mood = 2 // never used; Supervisor lists it
)

// String is the mood's name as getState gives it.
func (m Mood) String() string {
	switch m {
	case MoodShutdown:
		return "SHUTDOWN"
	case MoodRestarting:
		return "RESTARTING"
	case MoodRunning:
		return "RUNNING"
	case MoodFatal:
		return "FATAL"
	}
	return ""
}

// Listener is the state of an event listener's side of the event protocol.
//
// Source: contract/process.md section 13.
type Listener int

// The states of a listener.
const (
	Ready           Listener = 10
	Busy            Listener = 20
	Acknowledged    Listener = 30
	ListenerUnknown Listener = 40
)

// String is the name that the activity log prints.
func (l Listener) String() string {
	switch l {
	case Ready:
		return "READY"
	case Busy:
		return "BUSY"
	case Acknowledged:
		return "ACKNOWLEDGED"
	case ListenerUnknown:
		return "UNKNOWN"
	}
	return ""
}
