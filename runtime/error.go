package runtime

import (
	"fmt"

	"supervisord/runtime/state"
)

// Kind is the class of a refusal, what a client branches on. rpc has the one
// table from kinds to fault codes.
type Kind int

// The kinds of refusal. The comment is Supervisor's name for the fault.
const (
	BadName        Kind = iota + 1 // BAD_NAME: no such group or process
	BadSignal                      // BAD_SIGNAL
	NoFile                         // NO_FILE: Detail says which
	NotExecutable                  // NOT_EXECUTABLE: Detail says why
	Failed                         // FAILED
	Abnormal                       // ABNORMAL_TERMINATION
	SpawnFailed                    // SPAWN_ERROR
	AlreadyStarted                 // ALREADY_STARTED
	NotRunning                     // NOT_RUNNING
	AlreadyAdded                   // ALREADY_ADDED
	StillRunning                   // STILL_RUNNING
	ShuttingDown                   // SHUTDOWN_STATE
	InUnknownState                 // FAILED: the process is in state UNKNOWN
	NoStdin                        // NO_FILE: the process's standard input is closed
	Conflict                       // the group is not what the caller planned against
	StdinFull                      // the bound on queued standard input is reached
	Upgrading                      // FAILED: the supervisor has handed over; the next one answers
)

// Error is a refusal by the supervisor.
type Error struct {
	Kind   Kind
	Name   string // the namespec or group it is about
	Detail string // Supervisor's text after the fault's name, where it is not Name
}

// Error says what was refused. Clients see the fault text that rpc makes of it
// instead.
func (e *Error) Error() string {
	if e.Detail != "" {
		return fmt.Sprintf("%s: %s", e.Name, e.Detail)
	}
	return fmt.Sprintf("%s: %s", e.Name, e.Kind)
}

var kindNames = map[Kind]string{
	BadName: "no such process or group", BadSignal: "bad signal", NoFile: "no such file",
	NotExecutable: "file is not executable", Failed: "failed", Abnormal: "abnormal termination",
	SpawnFailed: "spawn error", AlreadyStarted: "already started", NotRunning: "not running",
	AlreadyAdded: "already added", StillRunning: "still running", ShuttingDown: "shutting down",
	InUnknownState: "unknown process state", NoStdin: "standard input is closed",
	Conflict: "changed meanwhile", StdinFull: "standard input is full",
	Upgrading: state.Upgrading,
}

// String is a few words for logs.
func (k Kind) String() string { return kindNames[k] }
