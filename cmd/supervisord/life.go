package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"sync"

	"supervisord/cmd/internal/build"
	"supervisord/reconcile"
	"supervisord/rpc"
	"supervisord/runtime"
	"supervisord/runtime/event"
	"supervisord/runtime/hang"
	"supervisord/runtime/launch"
	"supervisord/runtime/logfile"
	"supervisord/runtime/mainlog"
	"supervisord/runtime/usage"
	"supervisord/spec"
)

// life is the daemon between two restarts: every part of it, wired.
type life struct {
	cfg        *spec.Config
	log        *mainlog.Log
	logger     *slog.Logger
	supervisor *runtime.Supervisor
	reconciler *reconcile.Reconciler
	server     *rpc.Server
	usage      *usage.Sampler
	serving    bool // the servers run
	running    *runningTable
	rounds     *rounds
	dropped    bool          // something that a listener would have printed; the loop's
	hold       chan struct{} // closed when nothing of an earlier daemon runs any more: launches wait for it
	idle       chan struct{} // capacity one: every program has ended by itself
	helpers    helpers
	changes    chan struct{} // has a value when processes may have changed

	leave   func()        // closes leaving
	leaving chan struct{} // closed when the daemon is to end, and not only this life
	signals int           // that asked for that; of the goroutine that takes signals
	hurried chan struct{} // closed by the second of them
}

// live runs one life. It returns nil after a shutdown, runtime.ErrRestart for
// another life, and any other error when it could not begin.
//
// Source: contract/config.md section 10. Differs: the servers are opened before
// AUTO logs are cleaned, so that a daemon which cannot have them removes nothing
// (differences.md section 3, row 33).
func (d *daemon) live() (err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l, err := d.wire()
	if err != nil {
		return err
	}
	resumed := d.resumed
	d.resumed = nil
	if !l.cfg.Daemon.NoCleanup && resumed == nil {
		l.cleanAuto()
	}
	survivors := l.openTable(resumed != nil)

	ended := make(chan error, 1)
	go func() { // waited for by untilEnd
		defer l.lastWords("the supervisor")
		ended <- l.supervisor.Run(ctx)
	}()
	d.manager.log.Store(l.logger)
	d.manager.asked.Store(l.supervisor)
	l.help(tableHelper, func() { l.running.run(ctx.Done()) })
	var pid *pidfile
	defer func() {
		cancel()
		d.manager.asked.Store(nil)
		if errors.Is(err, runtime.ErrHandedOver) {
			l.handOff()
		} else {
			d.finish(l, pid)
		}
		d.lives <- nil
		d.status = l.status()
		err = l.outcome(err) // of a signal that came to the last
	}()
	if err := l.supervisor.SetDisabled(ctx, l.reconciler.Disabled()); err != nil {
		return err
	}
	if resumed == nil {
		if err := l.addGroups(ctx, d.restarts > 0); err != nil {
			return err
		}
	}
	d.lives <- l
	if d.ready != nil {
		if err := detach(&l.cfg.Daemon, l.logger); err != nil {
			return err
		}
	}
	if resumed != nil {
		pid = &pidfile{path: l.cfg.Daemon.PidFile, log: l.logger}
		l.sayUpgraded(resumed)
		resumed.calm()
	} else {
		pid = writePidfile(l.cfg.Daemon.PidFile, l.logger)
	}
	if d.ready != nil { // not before scripts can read the pidfile
		tellReady(d.ready, d.manager.turn)
		d.ready = nil
	}
	l.settleSurvivors(ctx, survivors)
	l.serving = true
	l.help("the servers", func() { l.server.Run(ctx) })
	l.help("the history of resource usage", func() { l.usage.Run(ctx) })
	l.help("the looks", func() { l.lookAfter(ctx, pid) })
	l.help("the tidying of old state", func() { l.tidy(ctx) })
	l.help("the memory of the start", func() { l.giveBack(ctx) })
	if l.supervisor.Begin(ctx) == nil { // else a signal came first
		l.help("the reconciler", func() {
			resumed.closePollers() // of the watcher before, too: there may be only so many of its kind
			l.reconcile(ctx)
		})
		l.help("the reports", func() { l.report(ctx) })
		l.help("the end of what is idle", func() { l.endIdle(ctx) })
	}
	if d.manager.notifier != nil {
		l.help("the message to the service manager", func() { l.serveManager(ctx, d.manager) })
	}
	return l.untilEnd(ended)
}

// help runs a goroutine of this life, which finish waits for under that name.
func (l *life) help(name string, f func()) {
	l.helpers.Go(name, func() {
		defer l.lastWords(name)
		f()
	})
}

// reconcile runs the reconciler until the supervisor stops everything: what the
// files say is then no longer the question.
func (l *life) reconcile(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // ends with the reconciler at the latest
		select {
		case <-l.supervisor.Stopping():
			cancel()
		case <-ctx.Done():
		}
	}()
	l.reconciler.Run(ctx)
}

// endIdle ends the daemon, where it is to end with its programs, unless the files say
// that there are more.
func (l *life) endIdle(ctx context.Context) {
	for {
		select {
		case <-l.idle:
			if l.reconciler.AtRest(ctx) == nil {
				l.supervisor.EndIfIdle(ctx)
			}
		case <-ctx.Done():
			return
		}
	}
}

// becameIdle has endIdle look. It never blocks.
func (l *life) becameIdle() {
	select {
	case l.idle <- struct{}{}:
	default: // it is about to
	}
}

// newLife is a life without parts. leaves is called once, when the daemon is to end.
func newLife(leaves func()) *life {
	l := &life{rounds: newRounds(), hold: make(chan struct{}), idle: make(chan struct{}, 1), leaving: make(chan struct{}), hurried: make(chan struct{})}
	l.leave = sync.OnceFunc(func() {
		close(l.leaving)
		leaves()
	})
	l.changes = make(chan struct{}, 1)
	return l
}

// echoes reports whether what children write goes to the activity log, too.
func echoes(c *spec.Daemon) bool {
	level, _ := mainlog.ParseLevel(c.LogLevel)
	return level <= mainlog.LevelDebug
}

// wire makes the parts and plugs them into each other.
func (d *daemon) wire() (*life, error) {
	next, l := d.current, newLife(d.manager.stopping)
	l.cfg, l.log, l.logger = next.start.Config, next.log, next.log.Logger()
	c := &l.cfg.Daemon
	l.running = newRunningTable(next.start.StateDir(), l.logger)
	l.supervisor = runtime.New(runtime.Options{
		Identifier:  c.Identifier,
		ChildLogDir: c.ChildLogDir,
		Environ:     d.manager.Environ(os.Environ()),
		Variables:   func() map[string]string { return l.reconciler.Variables() }, // it is there before the first start
		StripANSI:   c.StripANSI,
		Subreaper:   c.Subreaper,
		EchoOutput:  echoes(c),
		Logger:      l.logger,
		Serials:     &d.serials,
		Print:       func(data []byte) { l.print(d.printer, data) },
		OnChange:    l.running.changed,
		Changed:     l.changes,
		BeforeSpawn: l.running.announce,
		Hold:        l.hold,
		From:        d.resumed.from(),

		ExitWhen:        c.ExitWhen,
		ShutdownTimeout: c.ShutdownTimeout,
		OnIdle:          l.becameIdle,
		OnEnd:           l.leave,
	})
	trigger, caller := reconcile.TriggerStart, ""
	if d.restarts > 0 {
		trigger = reconcile.TriggerReload
		caller, _ = d.restartedBy.Load().(string)
	}
	boot, _ := launch.BootID() // where there is none, the wall clock alone tells how long a pause has left
	l.reconciler = reconcile.New(reconcile.Options{
		Boot: boot, Start: next.start, Target: target{l.supervisor}, Trigger: trigger, Caller: caller, Logger: l.logger,
		Emit: l.announceUpdate, Every: l.rounds.every,
	})
	l.usage = usage.New(usage.Options{Roots: roots(l.supervisor)})
	l.server = rpc.New(rpc.Options{
		Servers:        l.cfg.Servers,
		Sockets:        next.sockets,
		Processes:      processes{l.supervisor, d, l},
		Config:         desired{l.reconciler, l.supervisor},
		MainLog:        l.log,
		Usage:          l.usage,
		Identification: c.Identifier,
		Version:        version,
		Release:        build.Version,
		Build:          build.Name(),
		Memory:         c.ReplyMemory,
		Private:        len(d.flags.watch) > 0,
		HasSupervisorNamespace: slices.ContainsFunc(l.cfg.RPC, func(r spec.RPCInterface) bool {
			return r.Name == "supervisor" // its factory is the standard one, or spec refuses it
		}),
		Extra: []rpc.Namespace{rpc.ReconcileNamespace(answers{l.reconciler}), rpc.IntentNamespace(persons{l.reconciler, l.supervisor}),
			rpc.WhyNamespace(whys{l.reconciler, l.supervisor, hang.New(0, 0)}), rpc.EventsNamespace(l.supervisor),
			rpc.ProcessesNamespace(l.supervisor, l.usage), rpc.OrderNamespace(l.supervisor), rpc.ReexecNamespace(d.reexec(l))},
		Handed: d.resumed.servers(),
		Logger: l.logger,
	})
	return l, l.server.Listen()
}

// announceUpdate sends the reconciler's events to the listeners that name them.
func (l *life) announceUpdate(e reconcile.Event) {
	t, known := event.Lookup(e.Type)
	if !known {
		return
	}
	l.supervisor.Publish(event.Reconciled(t, int64(e.Generation), e.Trigger, len(e.Actions), e.Details()))
}

// cleanAuto removes the AUTO logs of earlier lives. What another daemon writes is locked,
// and stays.
//
// Source: contract/differences.md section 3, row 33.
func (l *life) cleanAuto() {
	failed, err := logfile.CleanAuto(l.cfg.Daemon.ChildLogDir, l.cfg.Daemon.Identifier)
	if err != nil {
		l.logger.Warn("Could not clear childlog dir")
	}
	for _, path := range failed {
		l.logger.Warn("Failed to clean up '" + path + "'")
	}
}

// addGroups makes every configured group active; nothing is started yet. After a
// restart one that cannot be made active does not affect the others: the reconciler
// tries it again, and says why it fails.
func (l *life) addGroups(ctx context.Context, restarted bool) error {
	for i := range l.cfg.Groups {
		err := l.supervisor.SetGroup(ctx, nil, &l.cfg.Groups[i], nil)
		if err != nil && (!restarted || ctx.Err() != nil) {
			return err
		}
	}
	return nil
}
