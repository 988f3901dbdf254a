package reconcile

import (
	"strings"
	"time"
)

// The phases of getState.
const (
	Synced   = "synced"   // files and groups agree
	Pending  = "pending"  // they differ, and nothing is being done yet
	Applying = "applying" // an update runs
	Held     = "held"     // something is kept from being done; Reason says what
	Invalid  = "invalid"  // a file is wrong; its last good content, if any, is in force
)

// State is how files and groups stand to each other.
type State struct {
	Phase      string `json:"phase"`
	Generation int    `json:"generation"` // of the last update that did something
	// Desired and Applied are spec.Fingerprint of what the files say and of what is
	// active; equal exactly if there is nothing to do.
	Desired     string      `json:"desired"`
	Applied     string      `json:"applied"`
	Reason      string      `json:"reason"` // empty when synced
	Since       time.Time   `json:"since"`  // when the phase began
	Autoupdate  bool        `json:"autoupdate"`
	Directories []Directory `json:"directories"`
	// Deferred: pauses and a closed window hold all that is held, as it was asked for.
	Deferred bool `json:"deferred"`
	// Verifying: all is applied, and is pending only until it has proved itself.
	Verifying bool `json:"verifying"`
	// Rejected are the files whose content has not run as it must: what ran before is in
	// force.
	Rejected []string `json:"rejected,omitempty"`
	Revisions
	// StateDirError is why the state directory cannot be written, "" if it can.
	StateDirError string `json:"statedir_error,omitempty"`
}

// Directory is a directory that configuration files are taken from.
type Directory struct {
	Path string `json:"path"` // as the include pattern has it
	Real string `json:"real"` // without symbolic links; "" when it is not there
	// Awaited says that it is not there and ought to be: --watch names it, or programs
	// came from it.
	Awaited bool `json:"awaited"`
}

// The states of a file or directory in getFiles.
const (
	FileApplied = "applied"
	FileInvalid = "invalid"
	FilePending = "pending"
	FileHeld    = "held"
	FileIgnored = "ignored"
	// FileRejected: its content has not run as it must; what ran before is in force.
	FileRejected = "rejected"
	// FilePinned: a person has taken it back to what it was before.
	FilePinned = "pinned"
)

// FileState is one watched file or directory.
type FileState struct {
	Path     string    `json:"path"`
	State    string    `json:"state"`
	Programs []string  `json:"programs"` // names of the groups from it
	Changed  time.Time `json:"changed"`  // its modification time; zero when it is not there
	Reason   string    `json:"reason"`
	// Warnings are about what is accepted although it is probably a mistake, such as
	// an unknown key: FILE:LINE: [section] key: what.
	Warnings  []string `json:"warnings"`
	Directory bool     `json:"-"` // it is a directory, not a file
}

// What began an update.
const (
	TriggerStart  = "start"
	TriggerWatch  = "watch"
	TriggerRescan = "rescan"
	TriggerUpdate = "update"
	TriggerReload = "reload"
	TriggerVerify = "verify" // the processes of an update have failed
	TriggerRevert = "revert" // and what ran before is put back in force
)

// The results of an update.
const (
	Applied   = "applied"
	Failed    = "failed"
	Overtaken = "overtaken" // newer content came; the next entry continues from there
)

// Entry is one update in the history.
type Entry struct {
	Generation int       `json:"generation"`
	Time       time.Time `json:"time"` // when it began
	Trigger    string    `json:"trigger"`
	Caller     string    `json:"caller"` // uid or address of who asked; "" for an automatic one
	Actions    []Action  `json:"actions"`
	Result     string    `json:"result"` // applied, overtaken, held: why, or failed: what
	DurationMS int64     `json:"duration_ms"`
	Reason     string    `json:"reason,omitempty"`   // of a revert: what has failed
	Revision   string    `json:"revision,omitempty"` // of the files that it went by
}

// Report is the answer to an update that somebody asked for.
type Report struct {
	Generation int      `json:"generation"`
	Result     string   `json:"result"`
	OK         bool     `json:"ok"`
	Actions    []Action `json:"actions"`
	Lines      []string `json:"lines"` // what Supervisor's update prints
}

// The types of event.
const (
	EventApplied  = "RECONCILE_APPLIED"
	EventFailed   = "RECONCILE_FAILED"
	EventHeld     = "RECONCILE_HELD"
	EventRejected = "RECONCILE_REJECTED" // content has failed, and goes back to what ran before
	EventReverted = "RECONCILE_REVERTED" // what ran before is in force again
)

// Event tells that an update was applied, failed, is held, or was taken back.
type Event struct {
	Type       string
	Generation int
	Trigger    string
	Reason     string // why it failed or is held
	Actions    []Action
}

// Details are the lines of the event's body below its first: why, and each action.
func (e *Event) Details() string {
	var lines []string
	if e.Reason != "" {
		lines = append(lines, "reason:"+e.Reason)
	}
	for i := range e.Actions {
		lines = append(lines, e.Actions[i].String())
	}
	return strings.Join(lines, "\n")
}
