package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"supervisord/reconcile"
)

// TestReconcileFault: what a client is told depends on what went wrong, and nothing
// is said to one that has gone.
func TestReconcileFault(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, row := range []struct {
		ctx  context.Context
		err  error
		want string
	}{
		{t.Context(), fmt.Errorf("%w: x", reconcile.ErrBadName), "[10] BAD_NAME: no such group: x"},
		{t.Context(), reconcile.ErrNotRunning, "[6] SHUTDOWN_STATE"},
		{t.Context(), errors.New("File contains no section headers."), "[92] CANT_REREAD: File contains no section headers."},
		{gone, context.Canceled, "context canceled"},
	} {
		if got := reconcileFault(row.ctx, row.err).Error(); got != row.want {
			t.Errorf("%v: got %s, want %s", row.err, got, row.want)
		}
	}
}
