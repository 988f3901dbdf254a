package event

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"supervisord/runtime/state"
)

// Event is one event as all pools share it. It is made by the functions below
// and never changed, but for its serial, which the first pool to accept it takes.
type Event struct {
	Type Type
	// Payload is what follows the header, valid UTF-8.
	Payload string

	chars    int   // Payload in Unicode characters
	serial   int64 // meaningful once accepted
	accepted bool
}

func newEvent(t Type, payload string) *Event {
	return &Event{Type: t, Payload: payload, chars: utf8.RuneCountInString(payload)}
}

// Transition is one change of a process's state, as it is at that moment.
type Transition struct {
	Group, Name string
	From, To    state.Process
	Tries       int  // to STARTING: failures so far; to BACKOFF: this one included
	PID         int  // to RUNNING, STOPPING, STOPPED and EXITED; 0 for none
	Expected    bool // to EXITED: the status is one of exitcodes
	// To EXITED: the signal that ended it, 0 for none, with which its memory was written
	// to a file, or which the kernel's out-of-memory killer sent.
	Signal    int
	Core, OOM bool
}

var stateTypes = map[state.Process]Type{
	state.Starting: ProcessStateStarting, state.Running: ProcessStateRunning,
	state.Backoff: ProcessStateBackoff, state.Stopping: ProcessStateStopping,
	state.Exited: ProcessStateExited, state.Stopped: ProcessStateStopped,
	state.Fatal: ProcessStateFatal, state.Unknown: ProcessStateUnknown,
}

// StateChanged is the PROCESS_STATE_* event of a change.
//
// Source: contract/events.md section 3.
func StateChanged(c Transition) *Event {
	b := make([]byte, 0, 64+len(c.Name)+len(c.Group))
	b = appendProcess(b, c.Group, c.Name)
	b = append(b, " from_state:"...)
	b = append(b, c.From.String()...)
	switch c.To {
	case state.Starting, state.Backoff:
		b = append(b, " tries:"...)
		b = strconv.AppendInt(b, int64(c.Tries), 10)
	case state.Exited:
		expected := " expected:0"
		if c.Expected {
			expected = " expected:1"
		}
		b = append(b, expected...)
		b = appendPID(b, c.PID)
		b = appendDeath(b, c)
	case state.Running, state.Stopping, state.Stopped:
		b = appendPID(b, c.PID)
	case state.Fatal, state.Unknown: // nothing more
	}
	return newEvent(stateTypes[c.To], string(b))
}

// appendDeath adds what Supervisor does not tell of a death with a core dump, or by the
// out-of-memory killer, behind what it does: listeners look for the keys that they know.
// Of every other death they get what they always got, to the byte.
func appendDeath(b []byte, c Transition) []byte {
	if !c.Core && !c.OOM {
		return b
	}
	b = append(b, " signal:"...)
	b = append(b, state.SignalName(c.Signal)...)
	if c.Core {
		b = append(b, " core:1"...)
	}
	if c.OOM {
		b = append(b, " oom:1"...)
	}
	return b
}

func appendProcess(b []byte, group, name string) []byte {
	b = append(b, "processname:"...)
	b = append(b, name...)
	b = append(b, " groupname:"...)
	return append(b, group...)
}

func appendPID(b []byte, pid int) []byte {
	b = append(b, " pid:"...)
	return strconv.AppendInt(b, int64(pid), 10)
}

// Logged is the PROCESS_LOG_* event for output that a process wrote. data is
// copied.
func Logged(group, name string, pid int, channel state.Channel, data []byte) *Event {
	t := ProcessLogStdout + Type(channel)
	return withData(t, group, name, pid, " channel:"+channel.String()+"\n", data)
}

// Communicated is the PROCESS_COMMUNICATION_* event for what a process wrote
// between the two capture tags. data is copied.
func Communicated(group, name string, pid int, channel state.Channel, data []byte) *Event {
	t := ProcessCommunicationStdout + Type(channel)
	return withData(t, group, name, pid, "\n", data)
}

func withData(t Type, group, name string, pid int, tail string, data []byte) *Event {
	var b strings.Builder
	b.Grow(64 + len(name) + len(group) + len(data))
	var head [128]byte
	b.Write(appendPID(appendProcess(head[:0], group, name), pid))
	b.WriteString(tail)
	b.WriteString(Text(data))
	return newEvent(t, b.String())
}

// RemoteCommunicated is the event that sendRemoteCommEvent asks for. Bytes that
// are not UTF-8, which no XML document can carry, become replacement characters.
func RemoteCommunicated(typ, data string) *Event {
	return newEvent(RemoteCommunication, strings.ToValidUTF8("type:"+typ+"\n"+data, "\uFFFD"))
}

// SupervisorRunning is the event of the daemon's start, before any program
// starts.
func SupervisorRunning() *Event { return newEvent(SupervisorStateChangeRunning, "") }

// SupervisorStopping is the event of the beginning of a shutdown or restart.
func SupervisorStopping() *Event { return newEvent(SupervisorStateChangeStopping, "") }

// GroupAdded is the event of a group that became active. The payload ends in a
// newline, unlike all others.
func GroupAdded(group string) *Event { return newEvent(ProcessGroupAdded, "groupname:"+group+"\n") }

// GroupRemoved is the event of a group that was taken away.
func GroupRemoved(group string) *Event {
	return newEvent(ProcessGroupRemoved, "groupname:"+group+"\n")
}

// Reconciled is one of the reconciler's events: t is ReconcileApplied,
// ReconcileFailed or ReconcileHeld, generation the number of the desired state,
// trigger what set the update off (start, watch, rescan, update, reload), actions
// how many were done or would be, and text a line per action or the reason.
func Reconciled(t Type, generation int64, trigger string, actions int, text string) *Event {
	head := "generation:" + strconv.FormatInt(generation, 10) + " trigger:" + trigger +
		" actions:" + strconv.Itoa(actions) + "\n"
	return newEvent(t, strings.ToValidUTF8(head+text, "\uFFFD"))
}

// Text is what a process wrote as events and the activity log show it: as it is or, where
// it is no UTF-8, a note and its Literal. A character cut in two by the end of a read
// is such data on both sides.
//
// Source: contract/events.md section 3.
func Text(data []byte) string {
	if utf8.Valid(data) {
		return string(data)
	}
	return "Undecodable: " + Literal(data)
}

// Literal is Python's literal for bytes.
func Literal(data []byte) string {
	const hex = "0123456789abcdef"
	quote := byte('\'')
	if bytes.IndexByte(data, '\'') >= 0 && bytes.IndexByte(data, '"') < 0 {
		quote = '"'
	}
	b := append(make([]byte, 0, len(data)*2+3), 'b', quote)
	for _, c := range data {
		switch {
		case c == quote || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c < ' ' || c > '~':
			b = append(b, '\\', 'x', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return string(append(b, quote))
}
