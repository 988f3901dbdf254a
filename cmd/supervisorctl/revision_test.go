package main

import (
	"strings"
	"testing"

	"supervisord/rpc/client"
)

// TestAwaits: when wait --revision is over, and how.
func TestAwaits(t *testing.T) {
	a, b := "0123456"+strings.Repeat("a", 33), "0123457"+strings.Repeat("b", 33)
	for _, row := range []struct {
		name, meant string
		state       client.ReconcileState
		missing     string
		fatal       bool
	}{
		{"it runs", a, client.ReconcileState{Revision: a, Attempted: a, Outcome: "success"}, "", false},
		{"by its beginning", a[:7], client.ReconcileState{Revision: a, Attempted: a}, "", false},
		{"in capitals", strings.ToUpper(a[:9]), client.ReconcileState{Revision: a, Attempted: a}, "", false},
		{"too short a beginning", a[:6], client.ReconcileState{Revision: a, Attempted: a}, "revision " + a[:6] + " is wanted, the files are at " + a, false},
		{"a word", "v1", client.ReconcileState{Revision: "v1", Attempted: "v1"}, "", false},
		{"the beginning of a word", "v1", client.ReconcileState{Revision: "v12", Attempted: "v12"}, "revision v1 is wanted, the files are at v12", false},
		{"another has failed", b, client.ReconcileState{Revision: "", Attempted: a, Outcome: "failure"}, "revision " + b + " is wanted, the files are at " + a, false},
		{"it has failed", b[:7], client.ReconcileState{Revision: a, Attempted: b, Outcome: "failure"}, "revision " + b + ": failed", true},
		{"it is under way", b, client.ReconcileState{Revision: a, Attempted: b}, "revision " + b + ": not in force yet", false},
		{"it waits for a person", b, client.ReconcileState{Revision: a, Attempted: b, Outcome: "pending"}, "revision " + b + ": not in force yet", false},
		{"it ran before", a, client.ReconcileState{Revision: a, Attempted: b}, "revision " + a + " is wanted, the files are at " + b, false},
		{"none", a, client.ReconcileState{}, "revision: the files have none; see revision= in [reconcile]", false},
	} {
		if missing, fatal := awaits(row.meant, row.state); missing != row.missing || fatal != row.fatal {
			t.Errorf("%s: %q, %v, want %q, %v", row.name, missing, fatal, row.missing, row.fatal)
		}
	}
}
