package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"supervisord/reconcile"
	"supervisord/rpc"
	"supervisord/runtime/launch"
	"supervisord/runtime/mainlog"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// prepared is a life that can begin: all that may fail about it has been done.
type prepared struct {
	start   *reconcile.Start
	options mainlog.Options
	lock    *reconcile.Lock // nil where there can be none; may be that of the life before
	// log and sockets may be those of the life before. There are no sockets yet where they
	// must be another user's.
	log     *mainlog.Log
	sockets *rpc.Sockets
	madeLog fs.FileInfo // the file of log where there was none before; nil if there was
}

// prepare makes a life ready beside another one, whose log and sockets it shares where
// they are to be the same. The error names section, key and reason; then nothing has
// changed.
func (d *daemon) prepare(start *reconcile.Start, held *prepared) (next *prepared, err error) {
	cfg := start.Config
	defer func() { err = placed(err, cfg) }()
	if err := cannotBecome(cfg.Daemon.User); err != nil {
		return nil, err
	}
	lock, err := d.takeLock(start, held, 0)
	if err != nil {
		return nil, err
	}
	next = &prepared{start: start, options: logOptions(cfg), lock: lock}
	defer func() {
		if err != nil && lock != held.lock {
			lock.Close()
		}
	}()
	if user := cfg.Daemon.User; user != nil && user.UID != os.Getuid() {
		// What is there is another's: log and sockets are made as that user would make them.
		return next, launch.AsUser(user.UID, user.GID, user.Groups, func() error {
			tried, err := rpc.OpenSockets(cfg.Servers, rpc.SocketOptions{Held: held.sockets, Given: d.inherits, Try: true})
			tried.Close() // nothing that could fail is left of it
			if err == nil {
				err = d.openLog(next, &prepared{})
			}
			return err
		})
	}
	if err := d.openLog(next, held); err != nil {
		return nil, err
	}
	if err := d.openSockets(next, held); err != nil {
		next.discard(held)
		return nil, err
	}
	return next, nil
}

// takeLock takes the lock of a life, which is that of the one before where state is kept
// in the same place. Another daemon that has it is given patience to end.
//
// Differs: Supervisor begins, and fails only where a socket is taken.
func (d *daemon) takeLock(start *reconcile.Start, held *prepared, patience time.Duration) (*reconcile.Lock, error) {
	if held.lock != nil && held.start.StateDir() == start.StateDir() {
		return held.lock, nil
	}
	gid := -1
	if user := start.Config.Daemon.User; user != nil {
		gid = user.GID
	}
	lock, err := start.TakeLock(gid, patience, nil)
	var other *reconcile.LockedError
	switch {
	case errors.As(err, &other):
		return nil, lockedOut(start.Config, other)
	case err != nil:
		d.note(levelWarn, "cannot tell whether another supervisord runs with this configuration: "+err.Error())
	}
	return lock, nil
}

// lockedOut is the error where another daemon has the lock. One that has servers is told so
// in Supervisor's words, as where it had found their sockets taken.
func lockedOut(cfg *spec.Config, other *reconcile.LockedError) error {
	if len(cfg.Servers) > 0 {
		server := rpc.InUse(cfg.Servers[0])
		server.Mistake.Plain, server.Mistake.Hint = other.Error(), runsAlready(other.PID)
		return server
	}
	return &spec.Error{Section: "supervisord", Key: "identifier", Text: other.Error(),
		Hint: "shut that one down first, or give this one an identifier and a pidfile of its own"}
}

// runsAlready is what to do where another daemon has been started before.
func runsAlready(pid int) string {
	return fmt.Sprintf("supervisord is already running as pid %d: use supervisorctl to reload or shut it down", pid)
}

// openLog opens the activity log of a life.
func (d *daemon) openLog(next, held *prepared) error {
	if held.log != nil && held.options == next.options {
		next.log = held.log
		return nil
	}
	_, before := os.Lstat(next.options.Path)
	var err error
	if next.log, err = mainlog.Open(next.options); err != nil {
		return &spec.Error{Section: "supervisord", Key: "logfile", Text: fmt.Sprintf("cannot open logfile %q: %v", next.options.Path, err),
			Hint: "name a file that the daemon's user can write to"}
	}
	if errors.Is(before, fs.ErrNotExist) {
		next.madeLog, _ = os.Lstat(next.options.Path)
	}
	return nil
}

// openSockets opens the sockets of a life.
func (d *daemon) openSockets(next, held *prepared) error {
	if err := d.makeSocketDir(os.Geteuid(), -1); err != nil {
		return err
	}
	var err error
	next.sockets, err = rpc.OpenSockets(next.start.Config.Servers, rpc.SocketOptions{Held: held.sockets, Given: d.inherits})
	return err
}

// discard gives up a life that never began, but for what the one that goes on has.
func (p *prepared) discard(goesOn *prepared) {
	if p.log != nil && p.log != goesOn.log {
		closeLog(p.log)
		p.removeLog()
	}
	p.sockets.Close() // what cannot be removed is stale at the next start
	if p.lock != goesOn.lock {
		p.lock.Close()
	}
}

// removeLog removes the activity log that was made for a life, if nothing was written to
// it.
func (p *prepared) removeLog() {
	if p.madeLog == nil {
		return
	}
	if info, err := os.Lstat(p.options.Path); err == nil && os.SameFile(info, p.madeLog) && info.Size() == 0 {
		_ = os.Remove(p.options.Path) // an empty file does no harm
	}
}

// first is the life with which the daemon begins.
func (d *daemon) first(start *reconcile.Start) (err error) {
	defer func() { err = alreadyRuns(placed(err, start.Config), start.Config.Daemon.PidFile) }()
	next, none := &prepared{start: start, options: logOptions(start.Config)}, &prepared{}
	if next.lock, err = d.takeLock(start, none, dyingTime); err != nil {
		return err
	}
	if err := d.become(start); err != nil {
		return err
	}
	d.announce(start.Config)
	if err := d.openLog(next, none); err != nil {
		return err
	}
	d.current = next
	d.noteParse(start)
	d.takeSockets(start.Config)
	d.logNotes(next.log.Logger())
	return d.openSockets(next, none)
}

// takeSockets takes the sockets that the service manager has opened for the daemon's
// servers.
func (d *daemon) takeSockets(cfg *spec.Config) {
	var given []rpc.Given
	for _, s := range d.manager.Sockets {
		given = append(given, rpc.Given{FD: s.FD, Name: s.String()})
	}
	var troubles []error
	d.inherits, troubles = rpc.TakeGiven(given, cfg.Servers)
	for _, err := range troubles {
		d.note(levelWarn, err.Error())
	}
}

// alreadyRuns is the error with what probably has happened, where an address is taken and
// the pidfile names a supervisord that lives.
func alreadyRuns(err error, pidfile string) error {
	var server *rpc.ServerError
	if errors.As(err, &server) && server.InUse {
		if pid := otherDaemon(pidfile); pid != 0 {
			server.Mistake.Hint = runsAlready(pid)
		}
	}
	return err
}

// notReadyError is why there can be no life after this one: neither after a restart nor in
// another program. Nothing has been done.
type notReadyError struct{ reason string }

func (e *notReadyError) Error() string { return e.reason }

// prepareRestart makes the life after a restart ready, while this one goes on
// undisturbed, and then asks for the restart. A *notReadyError refuses it.
//
// Differs: Supervisor stops everything before it looks (contract/reconcile.md section
// 8, row 9).
func (d *daemon) prepareRestart(ctx context.Context, l *life, caller string) error {
	d.preparing.Lock()
	defer d.preparing.Unlock()
	if l.supervisor.Mood() != state.MoodRunning {
		return l.supervisor.Restart(ctx) // which another has asked for
	}
	if d.upgrading {
		return &notReadyError{"an upgrade is under way"}
	}
	d.manager.reloading()
	err := d.askRestart(ctx, l, caller)
	if err != nil { // this life goes on
		d.manager.ready()
	}
	if refused := (*notReadyError)(nil); errors.As(err, &refused) {
		d.manager.say("reload refused, nothing was stopped: " + refused.reason)
	}
	return err
}

// askRestart is prepareRestart with d.preparing held.
func (d *daemon) askRestart(ctx context.Context, l *life, caller string) error {
	if d.given != nil {
		return &notReadyError{(&spec.Error{File: d.path, Text: "it is not a regular file: it was read once, at startup, and cannot be read again",
			Hint: "use a regular file, or restart supervisord"}).Report()}
	}
	if err := l.reconciler.Check(ctx); err != nil {
		return &notReadyError{err.Error()}
	}
	start, err := d.start()
	var next *prepared
	if err == nil {
		next, err = d.prepare(start, d.current)
	}
	if err != nil {
		return &notReadyError{report(err)}
	}
	d.restartedBy.Store(caller)
	d.next = next
	if err := l.supervisor.Restart(ctx); err != nil {
		d.next = nil
		next.discard(d.current)
		return err
	}
	return nil
}

// again is the life after a restart: as the files say by now or, should that not be
// possible any more, as they said when the restart was asked for.
func (d *daemon) again() error {
	d.preparing.Lock()
	defer d.preparing.Unlock()
	before, asked := d.current, d.next
	d.next = nil
	next := asked
	start, err := d.start()
	if err == nil {
		next, err = d.prepare(start, asked)
	}
	if err != nil {
		d.note(levelError, "the files have changed since the restart was requested; their content at that time is in force: "+report(err))
		next = asked
	} else {
		asked.discard(next)
	}
	if err := d.become(next.start); err != nil {
		return err
	}
	if err := next.log.Reopen(); err != nil { // whoever rotated it expects that
		d.note(levelError, "cannot reopen the log: "+err.Error())
	}
	d.current = next
	if before.log != next.log {
		closeLog(before.log)
	}
	if before.lock != next.lock {
		before.lock.Close()
	}
	d.noteParse(next.start)
	d.logNotes(next.log.Logger())
	if next.sockets == nil {
		return d.openSockets(next, &prepared{})
	}
	return nil
}

// report is what is wrong with section and key, where they are known.
func report(err error) string {
	if m := mistakeIn(err); m != nil {
		return m.Report()
	}
	return err.Error()
}

func logOptions(cfg *spec.Config) mainlog.Options {
	c := &cfg.Daemon
	level, _ := mainlog.ParseLevel(c.LogLevel)
	return mainlog.Options{
		Path: c.LogFile, MaxBytes: c.LogFileMaxBytes, Backups: c.LogFileBackups,
		Level: level, Private: echoes(c), Stdout: c.NoDaemon && !c.Silent,
	}
}
