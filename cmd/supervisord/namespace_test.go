package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"supervisord/cmd/internal/host"
	"supervisord/reconcile"
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
