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
	l := &life{logger: slog.New(slog.DiscardHandler), supervisor: runtime.New(runtime.Options{Logger: slog.New(slog.DiscardHandler)})}
	d := &daemon{}
	ended := make(chan error)
	go func() { ended <- l.supervisor.Run(ctx) }()
	if err := l.supervisor.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, runtime.ErrRestart) {
		t.Fatalf("Run: %v, want %v", err, runtime.ErrRestart)
	}
	d.exitOn(ctx, l, "SIGTERM")
	if !d.exiting {
		t.Error("the signal is lost: the daemon would start again")
	}
}
