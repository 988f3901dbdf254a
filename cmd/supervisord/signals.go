package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"supervisord/runtime/state"
)

// caught are the signals that the daemon acts on. They are caught once, over all its
// restarts: one that comes between two lives is acted on in the next, and a second
// HUP during a restart kills nobody.
type caught struct {
	exit, hangup, reopen chan os.Signal
}

// catch begins to catch signals. A channel for each kind of request keeps a flood
// of one from drowning another; equal requests that come together are one.
//
// Source: contract/config.md section 10, Signals. Differs: USR1 is ignored
// (differences.md section 3, row 21).
func catch() *caught {
	c := &caught{
		exit:   make(chan os.Signal, 3), // one of each
		hangup: make(chan os.Signal, 1),
		reopen: make(chan os.Signal, 1),
	}
	signal.Notify(c.exit, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT)
	signal.Notify(c.hangup, syscall.SIGHUP)
	signal.Notify(c.reopen, syscall.SIGUSR2)
	// These are caught and not ignored, so that children do not inherit it; nobody
	// receives them.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR1, syscall.SIGPIPE)
	return c
}

// signals acts on signals until ctx ends.
func (d *daemon) signals(ctx context.Context, l *life) {
	restart := aside(ctx, func() { d.restartOn(ctx, l) })
	reopen := aside(ctx, func() { l.reopenLogs(ctx) })
	for {
		select {
		case <-ctx.Done():
			return
		case sig := <-d.caught.exit:
			d.exitOn(ctx, l, state.SignalName(int(sig.(syscall.Signal))))
		case <-d.caught.hangup:
			restart()
		case <-d.caught.reopen:
			reopen()
		}
	}
}

// aside returns what asks for work that may take as long as a disk does. A
// goroutine of its own does it, one request at a time, and requests that come
// meanwhile are one. Nobody waits for it, since a disk that is stuck must not keep
// the daemon from ending.
func aside(ctx context.Context, work func()) (ask func()) {
	asked := make(chan struct{}, 1)
	go func() {
		for {
			select {
			case <-asked:
				work()
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		select {
		case asked <- struct{}{}:
		default:
		}
	}
}

// exitOn begins the shutdown. When a restart has just stopped everything, the
// supervisor takes no more requests: then there is no further life.
func (d *daemon) exitOn(ctx context.Context, l *life, name string) {
	l.logger.Warn("received " + name + " indicating exit request")
	if l.supervisor.Shutdown(ctx) != nil {
		d.exiting = true
	}
}

// restartOn begins a restart. Differs: a configuration that has a mistake stops
// nothing (reconciler.md).
func (d *daemon) restartOn(ctx context.Context, l *life) {
	if l.supervisor.Mood() != state.MoodRunning {
		l.logger.Warn("ignored SIGHUP indicating restart request (shutdown in progress)")
		return
	}
	l.logger.Warn("received SIGHUP indicating restart request")
	if err := l.reconciler.Check(ctx); err != nil {
		l.logger.Error("restart refused, nothing was stopped: " + err.Error())
		return
	}
	d.restartedBy.Store("SIGHUP")
	l.supervisor.Restart(ctx)
}

func (l *life) reopenLogs(ctx context.Context) {
	l.logger.Info("received SIGUSR2 indicating log reopen request")
	if err := l.log.Reopen(); err != nil {
		l.logger.Error("cannot reopen the log: " + err.Error())
	}
	l.logger.Info("supervisord logreopen")
	l.supervisor.ReopenLogs(ctx)
}
