package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"supervisord/runtime"
)

// TestExitAtTheEndOfARestart: a signal that comes when a restart has stopped
// everything, and the supervisor takes no more requests, still ends the daemon.
func TestExitAtTheEndOfARestart(t *testing.T) {
	ctx := context.Background()
	l := newLife(func() {})
	l.logger, l.supervisor = slog.New(slog.DiscardHandler), runtime.New(runtime.Options{})
	ended := make(chan error)
	go func() { ended <- l.supervisor.Run(ctx) }()
	if err := l.supervisor.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	err := <-ended
	if err = l.outcome(err); !errors.Is(err, runtime.ErrRestart) {
		t.Fatalf("the outcome is %v, want %v", err, runtime.ErrRestart)
	}
	l.exitOn("SIGTERM")
	if err := l.outcome(err); err != nil {
		t.Errorf("the signal is lost: the daemon would start again (%v)", err)
	}
}
