package proc

import "time"

// Input is one thing that happened to a process or is asked of it.
type Input struct {
	Kind InputKind
	// Name and Rules are of the definition (Defined).
	Name  string
	Rules Rules
	// PID is the process's number (Launched, Adopted), never 0, or that of the
	// group (OrphansEnded).
	PID int
	// Began is when the process began (Adopted).
	Began time.Time
	// Exit is how the process ended, and Ended when (Exited); the zero time stands
	// for now.
	Exit  Exit
	Ended time.Time
	// Orphans is how many of its descendants outlived it (Exited); Cgroup
	// says that they were looked for in its cgroup instead.
	Orphans int
	Cgroup  bool
	// Signal is the signal's number (SendSignal).
	Signal int
	// Shut says that something which the process depends on is not there: what is
	// started now, by anybody but a person, waits until a Look says that it is. It
	// counts with every input.
	Shut bool
	// Notice is what the process has said (Notified).
	Notice Notice
	// Text says what went wrong (LaunchFailed, KillFailed, Unhealthy).
	Text string
}

// InputKind says which input it is.
type InputKind int

// The inputs.
const (
	Defined      InputKind = iota + 1 // there is a definition, or another one
	Start                             // a start is asked for, at once
	StartInOrder                      // the same, of one that waits for what it depends on
	Look                              // Shut may be another than before
	Stop                              // a stop is asked for
	SendSignal                        // a signal is to be sent
	Launched                          // the launch succeeded: there is a process
	LaunchFailed                      // the launch failed before there was a process
	Cancelled                         // the launch was called off before there was a process
	Exited                            // the process has ended and its output is read
	GroupEnded                        // no process of the ended leader's group is left
	OrphansEnded                      // those that outlived an earlier leader are gone
	KillFailed                        // kill(2) failed, and not for want of the process
	Tick                              // the deadline has come
	Adopted                           // a process of an earlier daemon is ours from now on
	Freeze                            // the daemon is going to end: start nothing any more
	TimeUp                            // the shutdown has no more time for its stop
	Shutdown                          // it is this process's turn: try nothing again
	Reset                             // a person asks to forget what went wrong
	BecameReady                       // a probe has found that it is ready
	Healthy                           // a probe has found that it is healthy, for the first time or again
	Unhealthy                         // a probe has failed
	Notified                          // the process has said something of itself
	Blind                             // nobody looks at it and hears it from now on
	Sighted                           // somebody does again
)

var inputNames = map[InputKind]string{
	Defined: "defined", Start: "start", StartInOrder: "start-in-order", Look: "look", Stop: "stop", SendSignal: "signal", Launched: "launched",
	LaunchFailed: "launch-failed", Cancelled: "cancelled", Exited: "exited", GroupEnded: "group-ended",
	OrphansEnded: "orphans-ended", KillFailed: "kill-failed", Tick: "tick", Adopted: "adopted",
	Freeze: "freeze", TimeUp: "time-up", Shutdown: "shutdown", Reset: "reset",
	BecameReady: "ready", Healthy: "healthy", Unhealthy: "unhealthy",
	Notified: "says", Blind: "blind", Sighted: "sighted",
}

// String is the word that transcripts use.
func (k InputKind) String() string { return inputNames[k] }

// Exit is how a process ended.
type Exit struct {
	Code int // exit status 0 to 255, or -1 for death by signal and where it is not known
	// How is the log's wording: "exit status 3", "terminated by SIGKILL".
	How string
	// Signal is the number of the signal that ended it, 0 for none; Core says that its
	// memory was written to a file.
	Signal int
	Core   bool
	// OOM says that the kernel's out-of-memory killer has ended it.
	OOM bool
}

// status is how a shell tells it: the exit status, 128 and the signal's number, or 1
// where it is not known.
func (e Exit) status() int {
	switch {
	case e.Code >= 0:
		return e.Code
	case e.Signal > 0:
		return 128 + e.Signal
	}
	return 1
}

// notStarted is the status of a process that never came to be, as a shell gives it to a
// command that is not there.
const notStarted = 127

// ExitUnknown is the exit of a process whose parent we are not: only that one learns
// how it ended.
var ExitUnknown = Exit{Code: -1, How: "exit status not known"}
