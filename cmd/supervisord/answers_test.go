package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"supervisord/cmd/internal/host"
	"supervisord/reconcile"
	"supervisord/rpc/xmlrpc"
	"supervisord/spec"
)

// TestReconcileFault: what a client is told depends on what went wrong, and nothing
// is said to one that has gone.
func TestReconcileFault(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	file := filepath.Join(t.TempDir(), "s.conf")
	if err := os.WriteFile(file, []byte("[supervisord]\nminfds=few\n[program:a]\nstartsecs=x\ncommand=cat\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, mistakes := spec.Load(host.New(), file, spec.Options{})
	for _, row := range []struct {
		ctx  context.Context
		err  error
		want string
	}{
		{t.Context(), fmt.Errorf("%w: x", reconcile.ErrBadName), "[10] BAD_NAME: no such group: x"},
		{t.Context(), reconcile.ErrNotRunning, "[6] SHUTDOWN_STATE"},
		{t.Context(), errors.New("File contains no section headers."), "[92] CANT_REREAD: File contains no section headers."},
		{t.Context(), fmt.Errorf("cannot: %w", mistakes), "[92] CANT_REREAD: " +
			file + ":2: [supervisord] minfds: invalid literal for int() with base 10: 'few' (a whole number, such as 10)\n" +
			file + ":4: [program:a] startsecs: invalid literal for int() with base 10: 'x' (a whole number, such as 10)"},
		{gone, context.Canceled, "context canceled"},
	} {
		if got := reconcileFault(row.ctx, row.err).Error(); got != row.want {
			t.Errorf("%v: got %s, want %s", row.err, got, row.want)
		}
	}
}

// TestHistoryStructs: a client learns what was done, and why, in the same order.
func TestHistoryStructs(t *testing.T) {
	list := historyStructs([]reconcile.Entry{{Generation: 7, Actions: []reconcile.Action{
		{Action: reconcile.Add, Group: "a", Reason: "it is new"}, {Action: reconcile.Restart, Group: "g", Process: "b", Reason: "command differs"},
	}}, {Generation: 3}}, func(number int) bool { return number == 7 })
	for i, want := range []bool{true, false} {
		if !slices.Contains(list[i].(xmlrpc.Struct), xmlrpc.Member{Name: "revertible", Value: want}) {
			t.Errorf("entry %d: %v", i, list[i])
		}
	}
	got := map[string]any{}
	for _, m := range list[0].(xmlrpc.Struct) {
		got[m.Name] = m.Value
	}
	want := map[string][]any{"actions": {"add a", "restart g:b"}, "reasons": {"it is new", "command differs"}}
	for name, values := range want {
		if diff := cmp.Diff(any(values), got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
