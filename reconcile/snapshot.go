package reconcile

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"supervisord/spec"
)

// snapshot is what the loop has published, at the end of its last turn. Nothing
// in it is ever changed.
type snapshot struct {
	view      *view
	inForce   *spec.Config
	files     map[string]string
	candidate *spec.Config
	automatic bool
	holds     []hold
	waits     []hold
	drift     []Step
	gen       int
	history   []Entry // oldest first
	// generations are the contents that one can go back to.
	generations generations
	verdicts    map[string]FileState
	rejected    []string            // files whose content is rejected
	programs    map[string][]string // and the groups that it defines, by path
	reverts     int64
	phase       string
	reason      string
	since       time.Time
	verifying   bool
	revisions   revisions
	outcome     outcome
	intents     intents
}

// publish has others see what the loop knows.
func (l *loop) publish() {
	l.published.Store(&snapshot{
		view: l.view, inForce: l.inForce, files: l.files, candidate: l.candidate, automatic: l.automatic(),
		holds: l.holds, waits: l.waits, drift: l.drift, gen: l.gen, history: l.history, generations: l.generations,
		verdicts: l.proof.verdicts(), rejected: l.proof.rejected(), programs: l.proof.programs(), reverts: l.reverts, phase: l.phase, reason: l.reason, since: l.since, verifying: l.verifying,
		revisions: l.revisions, outcome: l.outcome, intents: l.intents,
	})
	l.notice.Tell()
}

// Changed is closed when what State, Files and History say may have changed since the call.
func (r *Reconciler) Changed() <-chan struct{} { return r.notice.Next() }

// Desired is the configuration as last read: by a reread, an update, or, while
// automatic updates are on, by itself.
func (r *Reconciler) Desired() *spec.Config { return r.published.Load().candidate }

// Autoupdate reports whether settled changes are applied by themselves.
func (r *Reconciler) Autoupdate() bool { return r.published.Load().automatic }

// stateTries bounds how often State looks again because a turn of the loop has ended
// meanwhile.
const stateTries = 10

// State says how files and groups stand to each other. It asks the Target, but no
// disk.
func (r *Reconciler) State() State {
	s := r.published.Load()
	applied := spec.Fingerprint(definitions(r.target.Groups()))
	for range stateTries { // both are to be of one moment
		before := s
		if s = r.published.Load(); s == before {
			break
		}
		applied = spec.Fingerprint(definitions(r.target.Groups()))
	}
	state := State{
		Phase: s.phase, Reason: s.reason, Since: s.since,
		Generation: s.gen, Applied: applied, Autoupdate: s.automatic,
		Desired:     spec.Fingerprint(pointers(s.inForce.Groups)),
		Directories: slices.Clone(s.view.places), Rejected: s.rejected,
		Revisions: s.told(), Deferred: s.phase == Held && countDeferred(s.holds) == len(s.holds), Verifying: s.verifying,
	}
	if r.store != nil && r.store.Err() != nil {
		state.StateDirError = r.store.Err().Error()
	}
	return state
}

// Progress is how far the files are in force, as far as it can be said without asking the
// Target.
type Progress struct {
	Phase       string
	Reason      string // empty when synced
	Since       time.Time
	Generation  int // of the last update that did something
	Held        int // changes that wait for a person
	Deferred    int // groups of which a pause or a closed window holds the change
	Autoupdate  bool
	LastSuccess time.Time // when the last update that was applied began; zero for never
	Reverts     int64     // how often content that failed was taken back, in this life
	Paused      int       // groups and processes that no automatic update touches
	Disabled    int       // and that nothing but a person starts
	Verifying   bool      // the phase is Pending only until what is applied has proved itself
}

// Progress is the part of State that costs nothing.
func (r *Reconciler) Progress() Progress {
	s := r.published.Load()
	p := Progress{Phase: s.phase, Reason: s.reason, Since: s.since, Generation: s.gen, Held: len(s.holds) - countDeferred(s.holds), Deferred: countDeferred(s.holds), Autoupdate: s.automatic, Reverts: s.reverts, Paused: s.intents.at(time.Now()).count(Paused), Disabled: s.intents.count(Disabled), Verifying: s.verifying}
	for _, e := range slices.Backward(s.history) {
		if e.Result == Applied {
			p.LastSuccess = e.Time
			break
		}
	}
	return p
}

func pointers(groups []spec.Group) []*spec.Group {
	list := make([]*spec.Group, len(groups))
	for i := range groups {
		list[i] = &groups[i]
	}
	return list
}

// Told is another as soon as anything that State, Files or History say is another, but for
// what only the Target knows. It waits for nobody.
func (r *Reconciler) Told() uint64 {
	s := r.published.Load()
	h := fnv.New64a()
	fmt.Fprintln(h, s.phase, s.reason, s.since.UnixNano(), s.gen, s.automatic, s.verifying, s.told(), spec.Fingerprint(pointers(s.inForce.Groups)))
	for i := range s.drift {
		s.drift[i].name(h)
	}
	for _, f := range r.Files() {
		fmt.Fprintf(h, "%q %q %q %q %q %d\n", f.Path, f.State, f.Reason, f.Programs, f.Warnings, f.Changed.UnixNano())
	}
	if n := len(s.history); n > 0 {
		last := &s.history[n-1]
		fmt.Fprintf(h, "%d %d %q\n", last.Generation, last.Time.UnixNano(), last.Result)
	}
	return h.Sum64()
}

// Files lists every watched file and directory, as last looked at.
func (r *Reconciler) Files() []FileState {
	s := r.published.Load()
	differs := make(map[string]*Step, len(s.drift))
	gone := make(map[string][]string) // groups that are active and in no file, by the file they were in
	for i := range s.drift {
		step := &s.drift[i]
		differs[step.Group] = step
		if step.New == nil {
			gone[step.File] = append(gone[step.File], step.Group)
		}
	}
	files := s.view.list(s.inForce, gone)
	for i := range files {
		f := &files[i]
		for _, g := range s.programs[f.Path] {
			if !slices.Contains(f.Programs, g) {
				f.Programs = append(slices.Clip(f.Programs), g)
			}
		}
		if f.State != "" {
			continue
		}
		f.State = FileApplied
		for _, g := range f.Programs {
			step := differs[g]
			if step == nil {
				continue
			}
			f.State = FilePending
			if h, ok := holdFor(s.holds, step); ok {
				f.State, f.Reason = FileHeld, h.Reason
				break
			}
			if w, ok := holdFor(s.waits, step); ok {
				f.Reason = w.Reason
			}
		}
		if v, ok := s.verdicts[f.Path]; ok && f.State == FileApplied {
			f.State, f.Reason = v.State, v.Reason
		}
	}
	return files
}

// History is the last updates, newest first; limit 0 or less is all that are
// known.
func (r *Reconciler) History(limit int) []Entry {
	list := slices.Clone(r.published.Load().history)
	slices.Reverse(list)
	if limit > 0 && len(list) > limit {
		list = list[:limit]
	}
	return list
}
