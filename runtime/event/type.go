package event

import (
	"fmt"
	"strings"

	"supervisord/runtime/state"
)

// Type is the type of an event.
type Type uint8

// The types of event, in the order of state.EventTypes. A comment marks the abstract
// ones, which can be subscribed to but are never sent.
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

	Reconcile // abstract
	ReconcileApplied
	ReconcileFailed
	ReconcileHeld
	ReconcileRejected
	ReconcileReverted

	afterLast
)

// typeCount is the number of types. The table has as many.
const typeCount = Type(len(state.EventTypes))

var _ = [1]struct{}{}[typeCount-afterLast]

// String is the name of the type in events= and in the header of an event.
func (t Type) String() string {
	if t >= typeCount {
		return ""
	}
	return state.EventTypes[t].Name
}

// byName finds a type by its name in upper case.
var byName = func() map[string]Type {
	m := make(map[string]Type, typeCount)
	for t := range typeCount {
		m[t.String()] = t
	}
	return m
}()

// Lookup finds a type by its name, in any case of letters.
func Lookup(name string) (t Type, ok bool) {
	t, ok = byName[strings.ToUpper(name)]
	return t, ok
}

// parent is the type above, or t itself.
func parent(t Type) Type { return byName[state.EventTypes[t].Parent] }

// Set is a set of types: what a pool is subscribed to, with everything below
// each named type.
type Set uint64

// below has, for each type, itself and all its descendants.
var below = func() (sets [typeCount]Set) {
	for t := range typeCount {
		for up := t; ; up = parent(up) {
			sets[up] |= 1 << t
			if up == parent(up) {
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
