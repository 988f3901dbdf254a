package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"supervisord/reconcile"
	"supervisord/rpc"
	"supervisord/runtime"
	"supervisord/runtime/event"
	"supervisord/runtime/logfile"
	"supervisord/runtime/mainlog"
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
	dropped    bool // something that a listener would have printed; the loop's
	table      *table
}

// live runs one life. It returns nil after a shutdown, runtime.ErrRestart for
// another life, and any other error when it could not begin.
//
// Source: contract/config.md section 10. Differs: the servers are opened before
// AUTO logs are cleaned, so that a second daemon does not remove the first
// one's (differences.md section 3, row 33).
func (d *daemon) live(start *reconcile.Start) error {
	cfg := start.Config
	if err := d.become(start); err != nil {
		return err
	}
	d.announce(cfg)
	l := &life{cfg: cfg}
	options := l.logOptions()
	if err := l.openLog(options); err != nil {
		return err
	}
	d.lastLog = options
	defer l.log.Close()
	d.noteParse(start)
	d.logNotes(l.logger)
	if err := d.wire(l, start); err != nil {
		return err
	}
	defer l.server.Close()
	defer d.printer.flush(time.Second)
	if !cfg.Daemon.NoCleanup {
		l.cleanAuto()
	}
	survivors := l.openTable()

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- l.supervisor.Run(ctx) }()
	if err := l.addGroups(ctx); err != nil {
		cancel()
		<-ended
		return err
	}
	var rest sync.WaitGroup
	rest.Go(func() { d.signals(ctx, l) })
	rest.Go(func() { l.table.run(ctx.Done()) })
	defer rest.Wait()
	defer cancel()

	if d.ready != nil {
		if err := detach(&cfg.Daemon, l.logger); err != nil {
			return err
		}
	}
	pid := writePidfile(cfg.Daemon.PidFile, l.logger)
	defer pid.remove()
	if d.ready != nil { // not before scripts can read the pidfile
		tellReady(d.ready)
		d.ready = nil
	}
	l.settleSurvivors(ctx, survivors)
	rest.Go(func() { l.server.Run(ctx) })
	rest.Go(func() { l.keepFiles(ctx, pid) })
	if l.supervisor.Begin(ctx) != nil {
		return <-ended // a signal came first
	}
	rest.Go(func() { l.reconcile(ctx) })
	return <-ended
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

// keepFiles makes a socket or the pidfile anew that somebody removed, as tidy-up
// jobs in temporary directories do. A look costs one lstat each.
func (l *life) keepFiles(ctx context.Context, pid *pidfile) {
	look := time.NewTicker(10 * time.Second)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			if err := l.server.Check(); err != nil {
				l.logger.Error("cannot make the socket anew: " + err.Error())
			}
			pid.keep()
		case <-ctx.Done():
			return
		}
	}
}

func (l *life) logOptions() mainlog.Options {
	c := &l.cfg.Daemon
	level, _ := mainlog.ParseLevel(c.LogLevel)
	return mainlog.Options{
		Path: c.LogFile, MaxBytes: c.LogFileMaxBytes, Backups: c.LogFileBackups,
		Level: level, Private: echoes(c), Stdout: c.NoDaemon && !c.Silent,
	}
}

// echoes reports whether what children write goes to the activity log, too.
func echoes(c *spec.Daemon) bool {
	level, _ := mainlog.ParseLevel(c.LogLevel)
	return level <= mainlog.LevelDebug
}

// openLog opens the activity log.
func (l *life) openLog(o mainlog.Options) error {
	log, err := mainlog.Open(o)
	if err != nil {
		return fmt.Errorf("cannot open logfile %q: %w", o.Path, err)
	}
	l.log, l.logger = log, log.Logger()
	return nil
}

// wire makes the parts and plugs them into each other.
func (d *daemon) wire(l *life, start *reconcile.Start) error {
	c := &l.cfg.Daemon
	l.table = newTable(start.StateDir(), l.logger)
	l.supervisor = runtime.New(runtime.Options{
		Identifier:  c.Identifier,
		ChildLogDir: c.ChildLogDir,
		Environ:     os.Environ(),
		StripANSI:   c.StripANSI,
		Subreaper:   c.Subreaper,
		EchoOutput:  echoes(c),
		Logger:      l.logger,
		Serials:     &d.serials,
		Print:       func(data []byte) { l.print(d.printer, data) },
		OnChange:    l.table.changed,
		BeforeSpawn: l.table.announce,
	})
	trigger, caller := reconcile.TriggerStart, ""
	if d.restarts > 0 {
		trigger = reconcile.TriggerReload
		caller, _ = d.restartedBy.Load().(string)
	}
	l.reconciler = reconcile.New(reconcile.Options{
		Start: start, Target: target{l.supervisor}, Trigger: trigger, Caller: caller, Logger: l.logger,
		Emit: l.announceUpdate,
	})
	l.server = rpc.New(rpc.Options{
		Servers:        l.cfg.Servers,
		Processes:      processes{l.supervisor, d},
		Config:         desired{l.reconciler, l.supervisor},
		MainLog:        l.log,
		Identification: c.Identifier,
		Version:        version,
		Memory:         c.ReplyMemory,
		HasSupervisorNamespace: slices.ContainsFunc(l.cfg.RPC, func(r spec.RPCInterface) bool {
			return r.Name == "supervisor" // its factory is the standard one, or spec refuses it
		}),
		Extra:  []rpc.Namespace{reconcileNamespace(l.reconciler), eventsNamespace(l.supervisor)},
		Logger: l.logger,
	})
	return l.server.Listen()
}

// announceUpdate sends the reconciler's events to the listeners that name them.
func (l *life) announceUpdate(e reconcile.Event) {
	t, known := event.Lookup(e.Type)
	if !known {
		return
	}
	l.supervisor.Publish(event.Reconciled(t, int64(e.Generation), e.Trigger, len(e.Actions), e.Details()))
}

// cleanAuto removes the AUTO logs of an earlier life. A second daemon has failed
// before, for want of a socket; one without a server is told by its pidfile.
//
// Source: contract/differences.md section 3, row 33.
func (l *life) cleanAuto() {
	if pid := otherDaemon(l.cfg.Daemon.PidFile); pid != 0 {
		l.logger.Warn(fmt.Sprintf("AUTO logs are not cleaned up: another supervisord is running as pid %d", pid))
		return
	}
	failed, err := logfile.CleanAuto(l.cfg.Daemon.ChildLogDir, l.cfg.Daemon.Identifier)
	if err != nil {
		l.logger.Warn("Could not clear childlog dir")
	}
	for _, path := range failed {
		l.logger.Warn("Failed to clean up '" + path + "'")
	}
}

// addGroups makes every configured group active; nothing is started yet.
func (l *life) addGroups(ctx context.Context) error {
	for i := range l.cfg.Groups {
		if err := l.supervisor.SetGroup(ctx, nil, &l.cfg.Groups[i], nil); err != nil {
			return err
		}
	}
	return nil
}
