package event

import (
	"fmt"
	"strings"
)

// Type is the type of an event. The order is that of the table.
type Type uint8

// The types of event. A comment marks the abstract ones, which can be
// subscribed to but are never sent.
//
// Source: contract/events.md section 1.
const (
	Any          Type = iota // EVENT; abstract
	ProcessState             // abstract
	ProcessStateStarting
	ProcessStateRunning
	ProcessStateBackoff
	ProcessStateStopping
	ProcessStateExited
	ProcessStateStopped
	ProcessStateFatal
	ProcessStateUnknown
	RemoteCommunication
	ProcessLog // abstract
	ProcessLogStdout
	ProcessLogStderr
	ProcessCommunication // abstract
	ProcessCommunicationStdout
	ProcessCommunicationStderr
	SupervisorStateChange // abstract
	SupervisorStateChangeRunning
	SupervisorStateChangeStopping
	Tick // abstract
	Tick5
	Tick60
	Tick3600
	ProcessGroup // abstract
	ProcessGroupAdded
	ProcessGroupRemoved

	// The reconciler's own events are no children of EVENT, so that a listener
	// written for Supervisor never meets one. Source: reconciler.md.
	Reconcile // abstract
	ReconcileApplied
	ReconcileFailed
	ReconcileHeld

	typeCount
)

// types has the name and the parent of each type; a root is its own parent.
var types = [typeCount]struct {
	name   string
	parent Type
}{
	Any:                           {"EVENT", Any},
	ProcessState:                  {"PROCESS_STATE", Any},
	ProcessStateStarting:          {"PROCESS_STATE_STARTING", ProcessState},
	ProcessStateRunning:           {"PROCESS_STATE_RUNNING", ProcessState},
	ProcessStateBackoff:           {"PROCESS_STATE_BACKOFF", ProcessState},
	ProcessStateStopping:          {"PROCESS_STATE_STOPPING", ProcessState},
	ProcessStateExited:            {"PROCESS_STATE_EXITED", ProcessState},
	ProcessStateStopped:           {"PROCESS_STATE_STOPPED", ProcessState},
	ProcessStateFatal:             {"PROCESS_STATE_FATAL", ProcessState},
	ProcessStateUnknown:           {"PROCESS_STATE_UNKNOWN", ProcessState},
	RemoteCommunication:           {"REMOTE_COMMUNICATION", Any},
	ProcessLog:                    {"PROCESS_LOG", Any},
	ProcessLogStdout:              {"PROCESS_LOG_STDOUT", ProcessLog},
	ProcessLogStderr:              {"PROCESS_LOG_STDERR", ProcessLog},
	ProcessCommunication:          {"PROCESS_COMMUNICATION", Any},
	ProcessCommunicationStdout:    {"PROCESS_COMMUNICATION_STDOUT", ProcessCommunication},
	ProcessCommunicationStderr:    {"PROCESS_COMMUNICATION_STDERR", ProcessCommunication},
	SupervisorStateChange:         {"SUPERVISOR_STATE_CHANGE", Any},
	SupervisorStateChangeRunning:  {"SUPERVISOR_STATE_CHANGE_RUNNING", SupervisorStateChange},
	SupervisorStateChangeStopping: {"SUPERVISOR_STATE_CHANGE_STOPPING", SupervisorStateChange},
	Tick:                          {"TICK", Any},
	Tick5:                         {"TICK_5", Tick},
	Tick60:                        {"TICK_60", Tick},
	Tick3600:                      {"TICK_3600", Tick},
	ProcessGroup:                  {"PROCESS_GROUP", Any},
	ProcessGroupAdded:             {"PROCESS_GROUP_ADDED", ProcessGroup},
	ProcessGroupRemoved:           {"PROCESS_GROUP_REMOVED", ProcessGroup},
	Reconcile:                     {"RECONCILE", Reconcile},
	ReconcileApplied:              {"RECONCILE_APPLIED", Reconcile},
	ReconcileFailed:               {"RECONCILE_FAILED", Reconcile},
	ReconcileHeld:                 {"RECONCILE_HELD", Reconcile},
}

// String is the name of the type in events= and in the header of an event.
func (t Type) String() string {
	if t >= typeCount {
		return ""
	}
	return types[t].name
}

// Names lists every type that events= may name, abstract ones among them.
func Names() []string {
	names := make([]string, typeCount)
	for t := range typeCount {
		names[t] = types[t].name
	}
	return names
}

// byName finds a type by its name in upper case.
var byName = func() map[string]Type {
	m := make(map[string]Type, typeCount)
	for t := range typeCount {
		m[types[t].name] = t
	}
	return m
}()

// Lookup finds a type by its name, in any case of letters.
func Lookup(name string) (t Type, ok bool) {
	t, ok = byName[strings.ToUpper(name)]
	return t, ok
}

// Set is a set of types: what a pool is subscribed to, with everything below
// each named type.
type Set uint64

// below has, for each type, itself and all its descendants.
var below = func() (sets [typeCount]Set) {
	for t := range typeCount {
		for up := t; ; up = types[up].parent {
			sets[up] |= 1 << t
			if up == types[up].parent {
				break
			}
		}
	}
	return sets
}()

// Subscribe is the set of the named types and all below them. A type that is
// named along with its parent is in it once. The error names the first name that
// is no type; spec refuses such a configuration before it comes so far.
func Subscribe(names []string) (Set, error) {
	var s Set
	for _, name := range names {
		t, ok := Lookup(name)
		if !ok {
			return 0, fmt.Errorf("unknown event type %s", name)
		}
		s |= below[t]
	}
	return s, nil
}

// Has reports whether events of type t are in the set.
func (s Set) Has(t Type) bool { return s>>t&1 == 1 }
