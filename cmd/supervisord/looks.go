package main

import (
	"context"
	"log/slog"
	"time"

	"supervisord/reconcile"
)

// lookEvery is how often the daemon looks whether its files are still there.
const lookEvery = 10 * time.Second

// look is something that is looked at in every round.
type look struct {
	name  string // for people
	level slog.Level
	says  string // before what is in the way
	// at returns what is in the way. A life has one call of it at a time.
	at func(ctx context.Context) []error
}

// lookAfter looks at what others may have taken away or replaced: sockets and the
// pidfile, as tidy-up jobs in temporary directories do; logs, as logrotate does;
// certificates, as whoever renews them does. Each look is made on a goroutine of its own
// and may hang on its disk without delaying any other; it is not made again before it
// has returned. What is in the way is said once for as long as it is the same.
func (l *life) lookAfter(ctx context.Context, pid *pidfile) {
	ticks, stop := l.rounds.every(lookEvery)
	defer stop()
	var askers []func()
	for _, k := range l.looks(pid) {
		var said map[string]bool
		askers = append(askers, aside(ctx, func() {
			defer l.lastWords("the check of " + k.name)
			said = l.sayOnce(k, said, k.at(ctx))
		}))
	}
	for {
		select {
		case <-ticks:
			for _, ask := range askers {
				ask()
			}
		case <-ctx.Done():
			return
		}
	}
}

// tidyEvery is how often, and from when on, state that nobody uses any more is looked for:
// not soon after the machine's start, when those who use it may not have begun yet.
const tidyEvery = time.Hour

// tidy removes the state of daemons that have not run for long. It has time, and may hang
// on its disk.
func (l *life) tidy(ctx context.Context) {
	own := l.running.dir
	if own.Path == "" {
		return
	}
	ticks, stop := l.rounds.every(tidyEvery)
	defer stop()
	ask := aside(ctx, func() {
		defer l.lastWords("the tidying of old state")
		if text := reconcile.Tidied(reconcile.Tidy(own, time.Now(), mayRun)); text != "" {
			l.logger.Info(text)
		}
	})
	for {
		select {
		case <-ticks:
			ask()
		case <-ctx.Done():
			return
		}
	}
}

// looks are all there are.
func (l *life) looks(pid *pidfile) []look {
	return []look{
		{"sockets", levelError, "cannot create the socket again: ", func(context.Context) []error { return some(l.server.Check()) }},
		{"the pidfile", levelWarn, "", func(context.Context) []error { pid.keep(); return nil }},
		{"the activity log", levelWarn, "cannot create the log again: ", func(context.Context) []error { return some(l.log.Restore()) }},
		{"logs", levelWarn, "cannot create the log again: ", l.supervisor.RestoreLogs},
		{"out-of-memory kills", levelWarn, "", func(context.Context) []error { l.supervisor.LookAtOOMKills(); return nil }},
		{"certificates", levelWarn, "", func(context.Context) []error { return l.server.CheckCertificates(time.Now()) }},
	}
}

// some is a list of an error, if it is one.
func some(err error) []error {
	if err == nil {
		return nil
	}
	return []error{err}
}

// sayOnce says what is in the way, but for what was said at the last look, and returns
// what is not to be said at the next.
func (l *life) sayOnce(k look, said map[string]bool, troubles []error) map[string]bool {
	now := make(map[string]bool)
	for _, err := range troubles {
		text := err.Error()
		if !said[text] && !now[text] {
			l.logger.Log(context.Background(), k.level, k.says+text)
		}
		now[text] = true
	}
	return now
}
