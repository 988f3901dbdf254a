package hang

import (
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The default patience of Disks.
const (
	Patience      = 2 * time.Second
	LaterPatience = time.Second // less, and what a busy machine delays falls silent, too
)

// Disks knows which directories do not answer. Its methods may be called from any
// goroutine.
type Disks struct {
	patience, later time.Duration
	back            chan struct{}
	mount           func(dir string) string

	count    atomic.Int32 // of silent: most of the time there are none to look for
	mu       sync.Mutex   // guards the following; held for a few instructions
	silent   map[string]*silence
	queues   map[string]*queue
	unclosed map[string][]io.Closer // by directory
}

// silence is what is known of a directory that does not answer.
type silence struct {
	accesses int    // those that have not returned
	mount    string // what was mounted there at the time
}

// Silent is the error of an access to a directory that does not answer.
type Silent struct{ Dir string }

func (e *Silent) Error() string { return e.Dir + " does not answer" }

// leftBehind counts the accesses of this process that LeftBehind is about.
var leftBehind atomic.Int32

// LeftBehind is how many accesses of this process were abandoned and have not returned.
// Each keeps a thread in the kernel, which cannot take part in anything that all threads
// must do, such as changing the user.
func LeftBehind() int { return int(leftBehind.Load()) }

// AllReturn waits for as long as patience until there is none, and reports whether there is
// none. An access of which nobody wants to know the outcome any more is left behind, too,
// though its disk is about to answer.
func AllReturn(patience time.Duration) bool {
	for until := time.Now().Add(patience); LeftBehind() > 0; time.Sleep(time.Millisecond) {
		if !time.Now().Before(until) {
			return false
		}
	}
	return true
}

// errAbandoned ends what is left of a try that was given up. Nobody sees it.
var errAbandoned = errors.New("given up")

// New makes a Disks that waits for an access as long as patience; once one has
// not returned, further ones of the same Do get no more than later. Zero is
// the default for either.
func New(patience, later time.Duration) *Disks {
	if patience <= 0 {
		patience = Patience
	}
	if later <= 0 {
		later = LaterPatience
	}
	return &Disks{
		patience: patience, later: later, back: make(chan struct{}, 1), mount: mountOf,
		silent: make(map[string]*silence), queues: make(map[string]*queue), unclosed: make(map[string][]io.Closer),
	}
}

// Back receives a value whenever a directory that did not answer does so
// again.
func (d *Disks) Back() <-chan struct{} { return d.back }

// Do calls f on a goroutine of its own and returns what it returns. f makes each
// of its accesses with Call. If one of them does not return in time, that call of
// f is abandoned, its directory is silent until the access returns, and f is
// called again; accesses to that directory now fail at once with a *Silent. So f
// must not share anything that it changes with an earlier call. ok is false when
// stop was closed first.
func Do[T any](d *Disks, stop <-chan struct{}, f func(*Try) T) (result T, ok bool) {
	patience := d.patience
	for again := false; ; again = true {
		d.forgetRemounted()
		t := &Try{disks: d, again: again}
		done := make(chan T, 1)
		go func() { done <- f(t) }() // ends when its last access has returned
		timer := time.NewTimer(patience)
		for given := false; !given; {
			select {
			case result = <-done:
				timer.Stop()
				return result, true
			case <-stop:
				timer.Stop()
				t.giveUp(0)
				return result, false
			case <-timer.C:
				var next time.Duration
				if next, given = t.giveUp(patience); !given {
					timer.Reset(next)
				}
			}
		}
		patience = d.later
	}
}

// Try is one call of Do's function. Its accesses may be made from several
// goroutines.
type Try struct {
	disks *Disks
	again bool

	mu       sync.Mutex // guards all below; held for a few instructions
	given    bool       // nobody waits for it any more
	accesses []access   // under way; those with an empty dir are free
}

// access is one call into the system that may not return.
type access struct {
	dir     string
	since   time.Time
	silence *silence // of its directory, which was declared silent for it
	left    bool     // behind: leftBehind counts it
}

// Again reports whether an earlier try of the same Do was abandoned.
func (t *Try) Again() bool { return t.again }

// GivenUp reports whether nobody waits for the try any longer, so that it must close by
// itself what it has opened.
func (t *Try) GivenUp() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.given
}

// Call makes one access to something in dir. If it does not return, dir and
// everything below it count as silent. With a nil Try the access is not watched.
func Call[T any](t *Try, dir string, f func() (T, error)) (result T, err error) {
	if t == nil {
		return f()
	}
	at, err := t.enter(dir)
	if err != nil {
		return result, err
	}
	defer t.leave(at)
	return f()
}

func (t *Try) enter(dir string) (at int, err error) {
	if s := t.disks.silentAbove(dir); s != "" {
		return 0, &Silent{s}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.given {
		return 0, errAbandoned
	}
	a := access{dir: dir, since: time.Now()}
	for i := range t.accesses {
		if t.accesses[i].dir == "" {
			t.accesses[i] = a
			return i, nil
		}
	}
	t.accesses = append(t.accesses, a)
	return len(t.accesses) - 1, nil
}

func (t *Try) leave(at int) {
	t.mu.Lock()
	a := t.accesses[at]
	t.accesses[at] = access{}
	t.mu.Unlock()
	if a.left {
		leftBehind.Add(-1)
	}
	if a.silence != nil {
		t.disks.answered(a.dir, a.silence)
	}
}

// giveUp leaves the try behind if one of its accesses is older than patience, and
// declares the directories of such accesses silent. Otherwise it says how long the
// oldest may go on. Without patience the try is left behind whatever it does.
func (t *Try) giveUp(patience time.Duration) (next time.Duration, given bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	next = patience
	for i := range t.accesses {
		a := &t.accesses[i]
		if a.dir == "" || patience == 0 {
			continue
		}
		if left := patience - now.Sub(a.since); left > 0 {
			next = min(next, left)
			continue
		}
		a.silence, t.given = t.disks.fallSilent(a.dir), true
	}
	t.given = t.given || patience == 0
	for i := range t.accesses {
		if a := &t.accesses[i]; t.given && a.dir != "" && !a.left {
			a.left = true
			leftBehind.Add(1)
		}
	}
	return next, t.given
}

// silentAbove is the silent directory in which a path is, "" for none.
func (d *Disks) silentAbove(path string) string {
	if d.count.Load() == 0 {
		return ""
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for s := range d.silent {
		if rest, in := strings.CutPrefix(path, s); in && (rest == "" || rest[0] == '/' || s == "/") {
			return s
		}
	}
	return ""
}

func (d *Disks) fallSilent(dir string) *silence {
	mount := d.mount(dir)
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.silent[dir]
	if s == nil {
		s = &silence{mount: mount}
		d.silent[dir] = s
		d.count.Add(1)
	}
	s.accesses++
	return s
}

// answered notes that an access to a silent directory has returned.
func (d *Disks) answered(dir string, s *silence) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.silent[dir] != s {
		return // something else was mounted there meanwhile
	}
	if s.accesses--; s.accesses > 0 {
		return
	}
	d.forget(dir)
}

// forget has a directory tried again. mu is held.
func (d *Disks) forget(dir string) {
	delete(d.silent, dir)
	d.count.Add(-1)
	select {
	case d.back <- struct{}{}:
	default:
	}
}

// forgetRemounted has directories tried again where something else is mounted
// now: accesses to what was there may never return.
func (d *Disks) forgetRemounted() {
	if d.count.Load() == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for dir, s := range d.silent {
		if d.mount(dir) != s.mount {
			d.forget(dir)
		}
	}
}
