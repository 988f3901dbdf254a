package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"supervisord/reconcile/watch"
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
	// Trigger is what the first update is called in the history: TriggerStart if
	// empty.
	Trigger string
	// Caller is who asked for it: of TriggerReload, whoever asked for that.
	Caller string
	// Logger gets one line for each action, mistake and hold; nil is silence.
	Logger *slog.Logger
	// Emit is told of every update that did something, and of holds; nil is
	// nobody. It is called from several goroutines and must not block.
	Emit func(Event)
}

// Reconciler holds the desired state and makes it so. New it, then Run it. All
// other methods may be called from any goroutine at any time.
type Reconciler struct {
	source  *source
	target  Target
	watcher Watcher
	log     *slog.Logger
	emit    func(Event)
	trigger string
	caller  string
	store   *Store // nil without a state directory

	requests chan *job     // handed to the loop
	wakeup   chan struct{} // capacity one: something changed, decide again
	ended    chan struct{} // closed when Run has returned
	outcomes chan []Outcome
	dirty    chan struct{} // capacity one: there is something to store

	overtaken     atomic.Bool // the running update is to stop after the steps in hand
	pendingStarts *pendingStarts

	mu sync.Mutex // guards everything below; never held while loading, asking or waiting
	status
}

// status is what the loop decides by and others may look at.
type status struct {
	view      *view        // the files as last read for automatic updates
	inForce   *spec.Config // the last view's that could be used
	candidate *spec.Config // what AddGroup and getAllConfigInfo go by
	minSeq    int          // seq that a view must have for automatic updates to go by it
	// candidateSeq is the seq of the view that candidate is from.
	candidateSeq int
	auto         *bool // what SetAutoupdate said, nil for what the files say
	guard        *guard
	holds        []hold
	drift        []Step // what would be done, as of the last decision
	running      *job
	steps        []Step // of running, being carried out
	gen          int
	history      []Entry // oldest first
	phase        string  // with reason and since: what State says
	reason       string
	since        time.Time
	added        map[string]time.Time // groups that automatic updates added, and when
	removed      map[string]time.Time
}

// New makes a reconciler that knows what Startup read. It reads its state
// directory; nothing else happens before Run.
func New(o Options) *Reconciler {
	r := &Reconciler{
		source: o.Start.source, target: o.Target, watcher: o.Watcher, log: o.Logger, emit: o.Emit,
		trigger: o.Trigger, caller: o.Caller,
		requests:      make(chan *job),
		wakeup:        make(chan struct{}, 1),
		ended:         make(chan struct{}),
		outcomes:      make(chan []Outcome, 1),
		dirty:         make(chan struct{}, 1),
		pendingStarts: newPendingStarts(),
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.emit == nil {
		r.emit = func(Event) {}
	}
	if r.trigger == "" {
		r.trigger = TriggerStart
	}
	if r.watcher == nil {
		r.watcher = watch.New(watch.Options{Ignore: neverRead, Logger: r.log})
	}
	r.status = status{
		view: o.Start.view, inForce: o.Start.Config, candidate: o.Start.Config, guard: newGuard(),
		phase: Pending, since: time.Now(),
		added: make(map[string]time.Time), removed: make(map[string]time.Time),
	}
	if dir := o.Start.StateDir(); dir != "" {
		r.store = OpenStore(dir, r.log)
		r.store.Load(historyItem, &r.history)
		for _, e := range r.history { // in the order in which they ended
			r.gen = max(r.gen, e.Generation)
		}
	}
	return r
}

// neverRead reports names that no wildcard makes a configuration file.
func neverRead(name string) bool { return spec.Ignored("*", name) }

// Store is where this daemon keeps its state; nil without a place for it. The
// items that others keep there must have names of their own.
func (r *Reconciler) Store() *Store { return r.store }

// Desired is the configuration as last read: by a reread, an update, or, while
// automatic updates are on, by itself.
func (r *Reconciler) Desired() *spec.Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.candidate
}

// Active reports whether a group of that name is active.
func (r *Reconciler) Active(name string) bool {
	return slices.ContainsFunc(r.target.Groups(), func(a Active) bool { return a.Group.Name == name })
}

// Autoupdate reports whether settled changes are applied by themselves.
func (r *Reconciler) Autoupdate() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.automatic()
}

func (s *status) automatic() bool {
	if s.auto != nil {
		return *s.auto
	}
	return s.view.settings.Autoupdate
}

// SetAutoupdate turns automatic updates on or off until the daemon ends.
func (r *Reconciler) SetAutoupdate(on bool, caller string) {
	r.mu.Lock()
	r.auto = &on
	r.mu.Unlock()
	word := "off"
	if on {
		word = "on"
	}
	r.log.Info(fmt.Sprintf("automatic updates turned %s by %s", word, caller))
	r.wake()
}

// wake makes the loop decide again.
func (r *Reconciler) wake() {
	select {
	case r.wakeup <- struct{}{}:
	default:
	}
}

// State says how files and groups stand to each other.
func (r *Reconciler) State() State {
	applied := ConfigHash(definitions(r.target.Groups()))
	r.mu.Lock()
	cfg := r.inForce
	s := State{
		Phase: r.phase, Reason: r.reason, Since: r.since,
		Generation: r.gen, Applied: applied, Autoupdate: r.automatic(),
	}
	r.mu.Unlock()
	s.Desired = ConfigHash(pointers(cfg.Groups))
	for _, dir := range includeDirs(cfg) {
		real, err := filepath.EvalSymlinks(dir)
		if err != nil {
			real = ""
		}
		s.Directories = append(s.Directories, Directory{dir, real})
	}
	if r.store != nil && r.store.Err() != nil {
		s.StateDirError = r.store.Err().Error()
	}
	return s
}

func pointers(groups []spec.Group) []*spec.Group {
	list := make([]*spec.Group, len(groups))
	for i := range groups {
		list[i] = &groups[i]
	}
	return list
}

// Files lists every watched file and directory.
func (r *Reconciler) Files() []FileState {
	r.mu.Lock()
	v, cfg := r.view, r.inForce
	differs := make(map[string]bool, len(r.drift))
	gone := make(map[string][]string) // groups that are active and in no file, by the file they were in
	for i := range r.drift {
		s := &r.drift[i]
		differs[s.Group] = true
		if s.New == nil {
			gone[origin(s.Old)] = append(gone[origin(s.Old)], s.Group)
		}
	}
	holds := r.holds
	r.mu.Unlock()
	files := v.list(r.source.host, cfg, gone)
	for i := range files {
		f := &files[i]
		if f.State != "" {
			continue
		}
		f.State = FileApplied
		for _, g := range f.Programs {
			if !differs[g] {
				continue
			}
			f.State = FilePending
			if h, ok := holdFor(holds, g); ok {
				f.State, f.Reason = FileHeld, h.Reason
				break
			}
		}
	}
	return files
}

// History is the last updates, newest first; limit 0 or less is all that are
// known.
func (r *Reconciler) History(limit int) []Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := slices.Clone(r.history)
	slices.Reverse(list)
	if limit > 0 && len(list) > limit {
		list = list[:limit]
	}
	return list
}

// Check reads the files and reports the first mistake, as Supervisor words it,
// or nil. It is asked before a reload.
func (r *Reconciler) Check() error { return r.source.load(forReading).err }

// Diff says what an update would do, reading the files anew. ErrBadName for a
// name that is neither active nor in the files; an error of spec.Load when
// nothing can be made of the files.
func (r *Reconciler) Diff(names []string) ([]Action, error) {
	v := r.source.load(forReading)
	if v.config == nil {
		return nil, v.err
	}
	active := r.target.Groups()
	names = everything(names)
	if unknown := unknownNames(active, v.config.Groups, names); len(unknown) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrBadName, unknown[0])
	}
	var actions []Action
	for _, s := range Plan(active, v.config.Groups, Policy{Only: names, Explicit: true, PendingStarts: r.pendingStarts.outstanding(active)}) {
		actions = append(actions, s.Actions...)
	}
	return actions, nil
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
