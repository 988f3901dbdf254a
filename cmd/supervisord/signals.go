package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"supervisord/cmd/internal/early"
	"supervisord/runtime/state"
)

// caught are the signals that the daemon acts on. They are caught once, over all its
// restarts: one that comes between two lives is acted on in the next, and a second
// HUP during a restart kills nobody.
type caught struct {
	exit, hangup, reopen, unheard chan os.Signal
	restore                       func() // undoes defaultSignals
}

// catch begins to catch signals. A channel for each kind of request keeps a flood
// of one from drowning another; equal requests that come together are one.
//
// Source: contract/config.md section 10, Signals. Differs: USR1 is ignored
// (differences.md section 3, row 21).
func catch() *caught {
	c := &caught{
		exit:   early.Exits, // one of each
		hangup: make(chan os.Signal, 1),
		reopen: make(chan os.Signal, 1),

		unheard: make(chan os.Signal, 1),
		restore: func() {},
	}
	c.again()
	return c
}

// again catches signals that were ignored meanwhile.
func (c *caught) again() {
	signal.Notify(c.exit, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT)
	signal.Notify(c.hangup, syscall.SIGHUP)
	signal.Notify(c.reopen, syscall.SIGUSR2)
	// These are caught and not ignored, so that children do not inherit it; nobody
	// receives them.
	signal.Notify(c.unheard, syscall.SIGUSR1, syscall.SIGPIPE)
}

// pending are the signals that came and that nobody has taken.
func (c *caught) pending() (names []string) {
	for _, from := range []chan os.Signal{c.exit, c.hangup, c.reopen} {
		for more := true; more; {
			select {
			case sig := <-from:
				names = append(names, state.SignalName(int(sig.(syscall.Signal))))
			default:
				more = false
			}
		}
	}
	return names
}

// resend has a signal be acted on as if it came now.
func (c *caught) resend(name string) {
	to, sig := c.exit, syscall.SIGTERM
	switch name {
	case "SIGHUP":
		to, sig = c.hangup, syscall.SIGHUP
	case "SIGUSR2":
		to, sig = c.reopen, syscall.SIGUSR2
	}
	select {
	case to <- sig:
	default: // one that waits does for both
	}
}

// startPatience is how long the daemon may continue with what it is doing, once it was told
// to end, while nothing runs that would have to be stopped.
const startPatience = 5 * time.Second

// takeSignals acts on signals, over all lives. What is not about the daemon's end waits for
// a life.
func (d *daemon) takeSignals() {
	var l *life
	var hangup, reopen <-chan os.Signal // nil while there is no life
	var restart, reopenLogs func()
	var exit string // the signal that came when there was none
	var giveUp <-chan time.Time
	cancel := func() {} // ends what the life has under way here
	defer func() { cancel() }()
	for {
		select {
		case l = <-d.lives:
			cancel()
			hangup, reopen = nil, nil
			if l == nil {
				continue
			}
			var until context.Context
			until, cancel = context.WithCancel(context.Background())
			mine := l
			restart = aside(until, func() { d.restartOn(until, mine) })
			reopenLogs = aside(until, func() { mine.reopenLogs(until) })
			hangup, reopen = d.caught.hangup, d.caught.reopen
			if exit != "" {
				giveUp = nil
				l.exitOn(exit)
			}
		case sig := <-d.caught.exit:
			name := state.SignalName(int(sig.(syscall.Signal)))
			switch {
			case l != nil:
				l.exitOn(name)
			case exit != "":
				d.giveUp(name)
			default:
				exit, giveUp = name, time.After(startPatience)
			}
		case names := <-d.surrender:
			all := d.caught.pending()
			if exit != "" {
				all = append(all, exit)
			}
			exit, giveUp = "", nil
			names <- all
		case <-giveUp:
			d.giveUp(exit)
		case <-hangup:
			restart()
		case <-reopen:
			reopenLogs()
		}
	}
}

// giveUp ends a daemon that is told to end while it waits for a disk between two lives,
// or before the first.
func (d *daemon) giveUp(signal string) {
	fmt.Fprintf(os.Stderr, "Error: received %s while a disk did not answer; nothing was running\n", signal)
	os.Exit(1)
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

// exitOn begins the shutdown. A second signal has nothing waited for but the children.
func (l *life) exitOn(name string) {
	l.logger.Warn("received " + name + " indicating exit request")
	l.leave()
	if l.signals++; l.signals == 2 {
		close(l.hurried)
		l.supervisor.GiveUpOnDisks()
		l.log.GiveUp()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) // the loop is quick, or has ended
	defer cancel()
	l.supervisor.Shutdown(ctx)
}

// restartOn begins a restart, unless it could not succeed.
func (d *daemon) restartOn(ctx context.Context, l *life) {
	if l.supervisor.Mood() != state.MoodRunning {
		l.logger.Warn("ignored SIGHUP indicating restart request (shutdown in progress)")
		return
	}
	if d.deferSignal("SIGHUP") {
		return
	}
	l.logger.Warn("received SIGHUP indicating restart request")
	if err := d.prepareRestart(ctx, l, "SIGHUP"); errors.As(err, new(*notReadyError)) {
		l.logger.Error("restart refused, nothing was stopped: " + err.Error())
	}
}

func (l *life) reopenLogs(ctx context.Context) {
	l.logger.Info("received SIGUSR2 indicating log reopen request")
	if err := l.log.Reopen(); err != nil {
		l.logger.Error("cannot reopen the log: " + err.Error())
	}
	l.logger.Info("supervisord logreopen")
	l.supervisor.ReopenLogs(ctx)
}
