package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"supervisord/reconcile/watch"
	"supervisord/runtime/hang"
	"supervisord/runtime/notice"
	"supervisord/spec"
)

// Watcher gives hints that files may have changed. *watch.Watcher is the real
// one.
type Watcher interface {
	// Hints gives one each time the files should be read.
	Hints() <-chan watch.Hint
	// Set says what to watch, and how patiently.
	Set(watch.Scope)
	// Run works until the context ends.
	Run(context.Context)
}

// Options are what New needs.
type Options struct {
	// Start is the configuration the daemon starts with. Required.
	Start *Start
	// Target is the process table. Required.
	Target Target
	// Watcher gives hints; nil takes a real one. Run runs it.
	Watcher Watcher
	// Every provides the Watcher's rescan ticks, see watch.Options; nil uses a
	// timer of its own.
	Every func(time.Duration) (ticks <-chan time.Time, stop func())
	// Trigger is what the first update is called in the history: TriggerStart if
	// empty.
	Trigger string
	// Caller is who asked for it: of TriggerReload, whoever asked for that.
	Caller string
	// Boot is a word that is never the same in another boot of the machine, "" where there is
	// none.
	Boot string
	// Logger gets one line for each action, mistake and hold; nil discards
	// them.
	Logger *slog.Logger
	// Emit is called for every update that did something, and for holds; it
	// may be nil. The loop calls it, so it must not block.
	Emit func(Event)
}

// Reconciler makes the active groups what the files say. New it, then Run it. All
// other methods may be called from any goroutine at any time. Those without a
// context answer at once, from what the loop has published; those with one ask the
// loop, which answers from its first turn on.
type Reconciler struct {
	target  Target
	watcher Watcher
	log     *slog.Logger
	emit    func(Event)
	trees   *treeReader
	boot    string
	store   *Store // nil without a state directory that can be used

	asks      chan func(*loop) // to the loop
	ended     chan struct{}    // closed when Run has returned
	published atomic.Pointer[snapshot]
	notice    notice.Notice // of what is published

	// written is told when the keeper has tried to write what people want; through is the
	// number of the last record of it.
	written notice.Notice
	through atomic.Int64

	loop *loop // Run's
}

// New makes a reconciler that knows what Startup read. It reads its state
// directory; nothing else happens before Run.
func New(o Options) *Reconciler {
	r := &Reconciler{
		target: o.Target, watcher: o.Watcher, log: o.Logger, boot: o.Boot,
		asks: make(chan func(*loop)), ended: make(chan struct{}),
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.emit = func(e Event) {
		if o.Emit != nil {
			e.Reason = withoutOutput(e.Reason)
			o.Emit(e)
		}
	}
	if o.Trigger == "" {
		o.Trigger = TriggerStart
	}
	if r.watcher == nil {
		r.watcher = watch.New(watch.Options{Matcher: spec.Matcher, Ignore: neverRead, Every: o.Every, Logger: r.log})
	}
	r.trees = newTreeReader(o.Start.reader)
	kept := r.openStore(o.Start)
	r.loop = newLoop(r, o, kept.history)
	if o.Start.memory == nil {
		r.loop.revisions.InForce = kept.inForce
		r.loop.setIntents(kept.intents.restore(r.boot))
	}
	r.loop.publish()
	return r
}

// opened is the state directory, and what in it is read when the life before has ended.
type opened struct {
	store   *Store
	history []Entry
	inForce string
	intents *intentRecord
}

// openStore opens the state directory and reads the history, which revision was in force, and
// what people want. A directory that does not answer is not used in this life.
func (r *Reconciler) openStore(start *Start) opened {
	dir := start.StateDir()
	if dir == "" {
		return opened{}
	}
	o, err := answering(start.reader.disks, dir, func() (o opened) {
		o.store = OpenStore(dir, r.log)
		o.store.Load(historyItem, &o.history)
		o.store.Load(revisionItem, &o.inForce)
		o.store.Load(intentsItem, &o.intents)
		return o
	})
	if err != nil {
		r.log.Warn(fmt.Sprintf("the state directory is not used: last good files, history and survivors of a crash will not be known after a restart: %v", err))
	}
	r.store = o.store
	return o
}

// answering does something in a directory unless that does not answer.
func answering[T any](disks *hang.Disks, dir string, do func() T) (T, error) {
	type answer struct {
		result T
		err    error
	}
	a, _ := hang.Do(disks, nil, func(t *hang.Try) (a answer) {
		a.result, a.err = hang.Call(t, dir, func() (T, error) { return do(), nil })
		return a
	})
	return a.result, a.err
}

// neverRead reports names that no wildcard makes a configuration file.
func neverRead(name string) bool { return spec.Ignored("*", name) }

// Store is where this daemon keeps its state; nil without a place for it. The
// items that others keep there must have names of their own.
func (r *Reconciler) Store() *Store { return r.store }

// ask has the loop run f and waits for the answer that f or what it begins gives,
// exactly once. ctx ends the wait, never what was begun. ErrNotRunning when the
// loop has ended.
func ask[T any](ctx context.Context, r *Reconciler, f func(l *loop, answer func(T))) (result T, err error) {
	reply := make(chan T, 1) // the loop never waits
	question := func(l *loop) {
		f(l, func(v T) { l.turnEnd = append(l.turnEnd, func() { reply <- v }) })
	}
	select {
	case r.asks <- question:
	case <-r.ended:
		return result, ErrNotRunning
	case <-ctx.Done():
		return result, ctx.Err()
	}
	select {
	case result = <-reply:
		return result, nil
	case <-r.ended:
		select {
		case result = <-reply: // in its last turn
			return result, nil
		default:
			return result, ErrNotRunning
		}
	case <-ctx.Done():
		return result, ctx.Err()
	}
}

// everything turns names with "all" among them into none.
func everything(names []string) []string {
	if slices.Contains(names, "all") {
		return nil
	}
	return names
}

// unknownNames lists the names that are neither active nor desired.
func unknownNames(active []Active, desired []spec.Group, names []string) []string {
	var unknown []string
	for _, n := range names {
		if !slices.ContainsFunc(active, func(a Active) bool { return a.Group.Name == n }) &&
			!slices.ContainsFunc(desired, func(g spec.Group) bool { return g.Name == n }) {
			unknown = append(unknown, n)
		}
	}
	return unknown
}
