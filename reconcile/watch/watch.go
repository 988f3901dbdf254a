package watch

import (
	"context"
	"log/slog"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"

	"supervisord/runtime/hang"
)

// What made the watcher look.
const (
	Notice = "watch"  // the kernel said so
	Rescan = "rescan" // a periodic look found a difference
)

// FallbackRescan is how often everything is looked at where no notifications can be
// had and the Scope asks for none.
const FallbackRescan = 10 * time.Second

// SettleLimit is how many times Settle a tree that never gets quiet is waited for.
const SettleLimit = 10

// Hint says that the files should be read.
type Hint struct {
	Trigger string // Notice or Rescan
	// ReadAhead: only half of Settle has passed. What is read now is as good as what
	// could be read at the hint to come, if that has the same number of Changes.
	ReadAhead bool
	Changes   int // seen since the watcher began
	// Busy are files that were written to within the last Settle, by their real
	// paths: of a tree that did not get quiet. Another hint comes when it has.
	Busy []string
}

// Scope is what to watch, and how patiently.
type Scope struct {
	// Paths are absolute; any component may be a pattern of the Matcher.
	Paths []string
	// Settle is how long all must have been quiet before a hint; 0 does not wait.
	// What never gets quiet is hinted at every SettleLimit times Settle.
	Settle time.Duration
	// Rescan is how often to look without a notification; 0 relies only on
	// notifications, except where there are none.
	Rescan time.Duration
}

func (s *Scope) equal(o *Scope) bool {
	return s.Settle == o.Settle && s.Rescan == o.Rescan && slices.Equal(s.Paths, o.Paths)
}

// Options are what New needs. The zero value watches nothing until Set.
type Options struct {
	Scope
	// Matcher knows the patterns; nil takes every component for a name.
	Matcher Matcher
	// Ignore reports file names that never matter even if a pattern matches
	// them, such as editors' temporary files; nil ignores none.
	Ignore func(name string) bool
	// Every gives the ticks at which to look again, as a time.Ticker does, until they
	// are stopped, so that others may look at the same times; nil is a time.Ticker.
	Every func(time.Duration) (ticks <-chan time.Time, stop func())
	// Logger gets the one message about every reason to fall back; nil is silence.
	Logger *slog.Logger
}

// Watcher watches one Scope. Its methods may be called from any goroutine.
type Watcher struct {
	matcher Matcher
	ignore  func(string) bool
	log     *slog.Logger
	every   func(time.Duration) (<-chan time.Time, func())
	hints   chan Hint // capacity one: the last hint, if it has not been taken
	scope   atomic.Pointer[Scope]
	reset   chan struct{} // capacity one: scope was replaced
	disks   *hang.Disks
	rests   atomic.Int64 // how often notices were left alone

	// How notifications are requested; tests replace them to meet the system's limits.
	open   func() (*fsnotify.Watcher, error)
	add    func(*fsnotify.Watcher, string) error
	fsType func(path string) string // RemoteType

	// -- owned by Run: everything below --

	stop     <-chan struct{} // the end of Run's context
	now      *Scope
	fsn      *fsnotify.Watcher   // nil while the system has none left for us
	closes   *closes             // beside fsn
	looked   time.Time           // when the last survey began
	armed    map[string]identity // the directories and files that have a watch
	remote   map[string]bool     // those of them that may change without notice
	alias    map[string][]string // armed path → the other paths of the same directory
	layout   layout
	degraded bool            // some directory gives no notices
	reported map[string]bool // reasons to fall back that were logged
	phase    phase
	began    time.Time            // when the tree began to change, or was last hinted at since
	quiet    time.Time            // when the tree was last seen to change
	written  map[string]time.Time // files by when they were last noticed to change, since began
	changes  int
	trigger  string
	settle   *time.Timer
	due      time.Time // when settle is to fire
	late     bool      // settle fired late, and was set once more
	noise    noise
	rest     *time.Timer
	resting  bool // notices are left alone until rest fires, as long as nothing settles

	rescanEvery time.Duration    // 0 for never
	rescan      <-chan time.Time // ticks of that; nil for never
	stopRescan  func()
}

// phase is how far a change has settled.
type phase int

const (
	idle     phase = iota
	changed        // changed; half of Settle must pass before the survey
	surveyed       // surveyed after half of Settle; the other half must pass
)

// New makes a watcher. Nothing is watched before Run.
func New(o Options) *Watcher {
	w := &Watcher{
		matcher: o.Matcher, ignore: o.Ignore, log: o.Logger, every: o.Every,
		hints:    make(chan Hint, 1),
		reset:    make(chan struct{}, 1),
		disks:    hang.New(0, 0),
		armed:    make(map[string]identity),
		remote:   make(map[string]bool),
		reported: make(map[string]bool),
		written:  make(map[string]time.Time),
		open:     fsnotify.NewWatcher,
		add:      (*fsnotify.Watcher).Add,
		fsType:   RemoteType,

		stopRescan: func() {},
	}
	if w.matcher == nil {
		w.matcher = func(string) func(string) bool { return nil }
	}
	if w.ignore == nil {
		w.ignore = func(string) bool { return false }
	}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	if w.every == nil {
		w.every = func(d time.Duration) (<-chan time.Time, func()) {
			t := time.NewTicker(d)
			return t.C, t.Stop
		}
	}
	w.Set(o.Scope)
	return w
}

// Hints gives one each time the files should be read. After every Set that
// changes the paths, and at the beginning, there is one hint when all is in
// place, since what happened before could not be noticed.
func (w *Watcher) Hints() <-chan Hint { return w.hints }

// Set replaces what is watched. It takes effect at once if Run is running.
func (w *Watcher) Set(s Scope) {
	s.Paths = slices.Clone(s.Paths)
	w.scope.Store(&s)
	select {
	case w.reset <- struct{}{}:
	default:
	}
}

// Run watches until ctx ends, and returns when all it started has ended but for
// accesses that hang. It never fails: what cannot be watched is looked at every
// Rescan instead, and a directory that does not answer when it does again.
func (w *Watcher) Run(ctx context.Context) {
	w.now, w.stop = new(Scope), ctx.Done()
	w.settle, w.rest = idleTimer(), idleTimer()
	defer w.settle.Stop()
	defer w.rest.Stop()
	defer func() { w.stopRescan() }()
	defer func() {
		if w.fsn != nil {
			w.fsn.Close()
			w.closes.Close()
		}
	}()
	mounts := make(chan struct{}, 1)
	if stop, err := watchMounts(mounts); err == nil {
		defer stop()
	}
	for {
		var events <-chan fsnotify.Event
		var errs <-chan error
		var closes <-chan string
		if w.fsn != nil {
			events, errs, closes = w.fsn.Events, w.fsn.Errors, w.closes.C()
		}
		if w.resting && w.phase == idle {
			events, closes = nil, nil
		}
		select {
		case <-ctx.Done():
			return
		case <-w.reset:
			w.adopt(w.scope.Load())
		case e := <-events:
			w.heed(w.event(e, events))
		case err := <-errs:
			// A full queue has lost notifications of anything; whatever else it is,
			// looking again cannot hurt.
			w.log.Debug("file system notices were lost", "err", err)
			w.survey()
			w.noteChange(Notice)
		case path := <-closes:
			if path == "" { // some were lost
				w.survey()
				w.noteChange(Notice)
				continue
			}
			w.heed(w.closed(path))
		case <-w.rest.C:
			w.resting = false
		case <-mounts:
			w.mounted()
		case <-w.disks.Back():
			w.survey()
			w.noteChange(Notice)
		case <-w.settle.C:
			w.elapsed(events)
		case <-w.rescan:
			w.look()
		}
	}
}

// heed is told whether a notice mattered. If many have not, the next are left alone for a
// moment, in which the kernel gathers them.
func (w *Watcher) heed(mattered bool) {
	if mattered || w.phase != idle {
		w.noise.heeded()
		return
	}
	if rest := w.noise.unheeded(time.Now()); rest > 0 {
		w.resting = true
		w.rests.Add(1)
		w.rest.Reset(rest)
	}
}

// adopt puts a new scope in force.
func (w *Watcher) adopt(s *Scope) {
	old := w.now
	if s.equal(old) {
		return
	}
	w.now = s
	if !slices.Equal(s.Paths, old.Paths) {
		w.survey()
		w.noteChange(Notice)
	}
	w.rearmRescan()
}

// mounted looks whether what was mounted or unmounted has put another directory or
// file in place of a watched one. No notification reports that: the directory below is
// as it was, and so is the one above.
func (w *Watcher) mounted() {
	if w.mountedFiles() {
		w.survey()
		w.noteChange(Notice)
		return
	}
	dirs := w.layout.dirs
	moved, _ := hang.Do(w.disks, w.stop, func(try *hang.Try) bool {
		for path, in := range dirs {
			if info, err := (disk{try: try}).Lstat(path); err != nil || identify(info) != in.id {
				return true
			}
		}
		return false
	})
	if !moved {
		return
	}
	before := w.layout.sum
	if armed := w.survey(); armed || w.layout.sum != before {
		w.noteChange(Notice)
	}
}

// mountedFiles reports whether something else than before is mounted over files.
func (w *Watcher) mountedFiles() bool {
	now := make(map[string]string)
	for path, mount := range hang.Mounts() {
		if w.role(path)&last != 0 {
			now[path] = mount
		}
	}
	return !maps.Equal(now, w.layout.mounts)
}

// closed is told that somebody who had a file open for writing has closed it. What he
// wrote with a system call there was a notice of; what he wrote to a mapping shows in
// the file alone. It reports whether the file matters.
func (w *Watcher) closed(path string) (matters bool) {
	if w.role(path)&last == 0 {
		return false
	}
	if w.phase != idle {
		return true
	}
	fresh, _ := hang.Do(w.disks, w.stop, func(try *hang.Try) bool {
		info, err := disk{try: try}.Lstat(path)
		return err == nil && info.ModTime().After(w.looked.Add(-closeGrace))
	})
	if !fresh {
		return true
	}
	before := w.layout.sum
	if armed := w.survey(); armed || w.layout.sum != before {
		w.noteChange(Notice)
	}
	return true
}

// closeGrace is by how much the clock of a file may be behind.
const closeGrace = time.Second

// elapsed is called when the settle timer has fired. A notice that is waiting
// goes first, since it tells of a change from before. Where the timer is handled
// late, because a survey took long or the machine stood still, notifications may be
// late too: the timer is set once more, briefly.
func (w *Watcher) elapsed(events <-chan fsnotify.Event) {
	changes := w.changes
	select {
	case e, ok := <-events:
		if ok {
			w.event(e, events)
		}
	default:
	}
	switch grace := w.now.Settle / 10; {
	case w.changes != changes:
	case grace > 0 && !w.late && time.Since(w.due) > grace:
		w.wait(grace)
		w.late = true
	default:
		w.settled()
	}
}

// wait sets the settle timer.
func (w *Watcher) wait(d time.Duration) {
	w.due, w.late = time.Now().Add(d), false
	w.settle.Reset(d)
}

// event takes one notice and those behind it that the library hands over, so that a burst
// of structural changes is seldom surveyed for each. It reports whether one of them mattered.
func (w *Watcher) event(e fsnotify.Event, more <-chan fsnotify.Event) (mattered bool) {
	r := w.note(e)
	for taken, tries := 1, 0; taken < 4096 && tries < drainTries; tries++ {
		select {
		case e, ok := <-more:
			if ok {
				r |= w.note(e)
				taken, tries = taken+1, 0
			}
		default:
			runtime.Gosched()
		}
	}
	if r == 0 {
		return false
	}
	if r&through != 0 {
		// At once: what happens inside a new directory must be noticed.
		before := w.layout.sum
		if armed := w.survey(); !armed && r&last == 0 && w.layout.sum == before {
			return true // a name on the way that leads nowhere
		}
	}
	w.noteChange(Notice)
	return true
}

// drainTries is how often the library's goroutine is given the processor to hand over the
// next notice: its channel holds none.
const drainTries = 8

// note takes one notice, and says what it is to us.
func (w *Watcher) note(e fsnotify.Event) role {
	if e.Name == "" {
		return 0
	}
	path := filepath.Clean(e.Name)
	if e.Op&(fsnotify.Create|fsnotify.Remove|fsnotify.Rename) != 0 {
		// Even if a directory stands there again with the same inode number,
		// the watch went with the old one, and so did those below it.
		for dir := range w.armed {
			if dir == path || strings.HasPrefix(dir, path+"/") {
				w.disarm(dir)
			}
		}
	}
	r := w.role(path)
	if r&last != 0 {
		w.written[path] = time.Now()
	}
	return r
}

// role is what a path is to us: through when it may change which directories
// there are to watch, 0 when it does not matter.
func (w *Watcher) role(path string) role {
	if _, ok := w.layout.dirs[path]; ok {
		return through // a watched directory itself: moved, removed, its permissions
	}
	dir, name := filepath.Split(path)
	dir = filepath.Clean(dir)
	var r role
	if _, ok := w.layout.files[path]; ok {
		r = last // a notice of the file itself
	}
	if in, ok := w.layout.dirs[dir]; ok {
		r |= in.role(name, w.ignore)
	}
	for _, other := range w.alias[dir] {
		r |= w.layout.dirs[other].role(name, w.ignore)
	}
	return r
}

// noteChange notes that the tree changed now and starts to wait for quiet, for
// SettleLimit times Settle at most.
func (w *Watcher) noteChange(trigger string) {
	w.changes++
	w.quiet = time.Now()
	if w.phase == idle {
		w.began = w.quiet
	}
	if w.phase == idle || trigger == Notice {
		w.trigger = trigger
	}
	w.phase = changed
	w.wait(w.now.Settle / 2)
	if w.now.Settle > 0 && w.quiet.Sub(w.began) >= SettleLimit*w.now.Settle {
		w.survey()
		w.hint(Hint{Trigger: w.trigger, Busy: w.busy()})
		w.began = w.quiet
	}
}

// busy are the files that are being written to.
func (w *Watcher) busy() []string {
	var list []string
	for path, at := range w.written {
		if w.quiet.Sub(at) < w.now.Settle {
			list = append(list, path)
			continue
		}
		delete(w.written, path)
	}
	slices.Sort(list)
	return list
}

// hint gives a hint, in place of one that nobody has taken.
func (w *Watcher) hint(h Hint) {
	h.Changes = w.changes
	select {
	case <-w.hints:
	default:
	}
	w.hints <- h
}

// hintReadAhead gives the hint half way through Settle. It is dropped where an
// earlier hint has not been taken yet.
func (w *Watcher) hintReadAhead() {
	select {
	case w.hints <- Hint{Trigger: w.trigger, ReadAhead: true, Changes: w.changes}:
	default:
	}
}

// settled goes on once part of Settle has passed without a change. The survey
// falls into the quiet time, so that it delays nothing, and before the hint, so
// that whatever it misses is different at the next one.
func (w *Watcher) settled() {
	switch w.phase {
	case changed:
		before := w.layout.sum
		if armed := w.survey(); armed || w.trigger == Rescan && w.layout.sum != before {
			w.noteChange(w.trigger)
			return
		}
		w.phase = surveyed
		if w.now.Settle > 0 {
			w.hintReadAhead()
		}
		w.wait(max(w.now.Settle/10, w.now.Settle-time.Since(w.quiet)))
	case surveyed:
		if w.trigger == Rescan {
			// No notice told of this change, so none would tell of the next:
			// only a second look shows that it is over.
			before := w.layout.sum
			if w.survey(); w.layout.sum != before {
				w.noteChange(w.trigger)
				return
			}
		}
		w.phase = idle
		clear(w.written)
		w.hint(Hint{Trigger: w.trigger})
	}
}

// look is the periodic survey. While a change settles there is nothing to add.
func (w *Watcher) look() {
	if w.phase != idle {
		return
	}
	before := w.layout.sum
	if armed := w.survey(); armed || w.layout.sum != before {
		w.noteChange(Rescan)
	}
}

// rearmRescan sets how often to survey without a notice.
func (w *Watcher) rearmRescan() {
	every := max(w.now.Rescan, 0)
	if every == 0 && w.degraded {
		every = FallbackRescan
	}
	if len(w.now.Paths) == 0 {
		every = 0
	}
	if every == w.rescanEvery {
		return
	}
	w.stopRescan()
	w.rescanEvery, w.rescan, w.stopRescan = every, nil, func() {}
	if every > 0 {
		w.rescan, w.stopRescan = w.every(every)
	}
}

// idleTimer is a timer that does not run yet.
func idleTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}
