package event

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree is contract/events.md section 1, a line per type, indented by its depth;
// an asterisk marks the abstract ones. RECONCILE is ours.
const tree = `
EVENT *
 PROCESS_STATE *
  PROCESS_STATE_STARTING
  PROCESS_STATE_RUNNING
  PROCESS_STATE_BACKOFF
  PROCESS_STATE_STOPPING
  PROCESS_STATE_EXITED
  PROCESS_STATE_STOPPED
  PROCESS_STATE_FATAL
  PROCESS_STATE_UNKNOWN
 REMOTE_COMMUNICATION
 PROCESS_LOG *
  PROCESS_LOG_STDOUT
  PROCESS_LOG_STDERR
 PROCESS_COMMUNICATION *
  PROCESS_COMMUNICATION_STDOUT
  PROCESS_COMMUNICATION_STDERR
 SUPERVISOR_STATE_CHANGE *
  SUPERVISOR_STATE_CHANGE_RUNNING
  SUPERVISOR_STATE_CHANGE_STOPPING
 TICK *
  TICK_5
  TICK_60
  TICK_3600
 PROCESS_GROUP *
  PROCESS_GROUP_ADDED
  PROCESS_GROUP_REMOVED
RECONCILE *
 RECONCILE_APPLIED
 RECONCILE_FAILED
 RECONCILE_HELD
 RECONCILE_REJECTED
 RECONCILE_REVERTED
`

func TestSubscriptionReachesAllBelow(t *testing.T) {
	var names []string
	want := make(map[string][]string) // type → itself and what is below
	var path []string
	for line := range strings.Lines(strings.TrimPrefix(tree, "\n")) {
		name := strings.Trim(line, " *\n")
		depth := strings.Count(line, " ") - strings.Count(line, " *")
		path = append(path[:depth], name)
		names = append(names, name)
		for _, above := range path {
			want[above] = append(want[above], name)
		}
	}
	if diff := cmp.Diff(names, allNames()); diff != "" {
		t.Errorf("the types (-want +got):\n%s", diff)
	}
	for _, name := range names {
		set, err := Subscribe([]string{strings.ToLower(name)})
		if err != nil {
			t.Error(err)
		}
		var got []string
		for i := range typeCount {
			if set.Has(i) {
				got = append(got, i.String())
			}
		}
		if diff := cmp.Diff(want[name], got); diff != "" {
			t.Errorf("subscription to %s (-want +got):\n%s", name, diff)
		}
	}
}

// allNames are the names of the types, in the order of the constants.
func allNames() (names []string) {
	for i := range typeCount {
		names = append(names, i.String())
	}
	return names
}

// TestConstants holds the first and the last constant of each kind to its name.
func TestConstants(t *testing.T) {
	for typ, want := range map[Type]string{
		Any: "EVENT", ProcessStateUnknown: "PROCESS_STATE_UNKNOWN", RemoteCommunication: "REMOTE_COMMUNICATION",
		ProcessLogStderr: "PROCESS_LOG_STDERR", ProcessCommunicationStderr: "PROCESS_COMMUNICATION_STDERR",
		SupervisorStateChangeStopping: "SUPERVISOR_STATE_CHANGE_STOPPING", Tick3600: "TICK_3600",
		ProcessGroupRemoved: "PROCESS_GROUP_REMOVED", ReconcileHeld: "RECONCILE_HELD",
	} {
		if typ.String() != want {
			t.Errorf("%s is called %s", want, typ)
		}
	}
}

func TestSubscribe(t *testing.T) {
	both, err := Subscribe([]string{"TICK_5", "PROCESS_GROUP"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, name := range allNames() {
		if typ, _ := Lookup(name); both.Has(typ) {
			got = append(got, name)
		}
	}
	if want := []string{"TICK_5", "PROCESS_GROUP", "PROCESS_GROUP_ADDED", "PROCESS_GROUP_REMOVED"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, bad := range []string{"", "FOO", "TICK_", "PROCESS"} {
		if _, err := Subscribe([]string{"TICK", bad}); err == nil {
			t.Errorf("%q was taken for a type", bad)
		}
	}
	if got := typeCount.String(); got != "" {
		t.Errorf("a type that is none is called %q", got)
	}
}
