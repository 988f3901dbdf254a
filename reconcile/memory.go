package reconcile

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"time"

	"supervisord/runtime/moment"
	"supervisord/spec"
)

// Memory is what a reconciler knows and a later one cannot read from the files: what a
// person decided, what is held and since when, what the files said when they were last
// valid. From it, a later reconciler continues exactly as the first would have. It is
// plain data, which exact can write down.
type Memory struct {
	Present     moment.Present       `json:"present"` // of every moment in it
	Generation  int                  `json:"generation"`
	History     []Entry              `json:"history"` // oldest first
	Autoupdate  *bool                `json:"autoupdate,omitempty"`
	Trigger     string               `json:"trigger"`
	Good        map[string][]byte    `json:"good"` // last good contents, by path
	Dirs        []directoryMemory    `json:"directories"`
	Settings    spec.Reconcile       `json:"settings"`
	Patterns    []string             `json:"patterns"`
	InForce     configMemory         `json:"in_force"`
	Guard       guardMemory          `json:"guard"`
	Located     map[string]string    `json:"located"` // the file in which each group was seen last
	Debts       map[string]debtEntry `json:"debts"`
	Pending     []ProcessKey         `json:"pending_starts"`
	Proof       proofMemory          `json:"proof"`
	Generations []generation         `json:"generations,omitempty"`
	Revisions   revisions            `json:"revisions"`
	Intents     *intentRecord        `json:"intents,omitempty"`
	Revision    string               `json:"revision"` // of the files as they were read last
}

// configMemory is what of a configuration a look goes by.
type configMemory struct {
	Files   []spec.File  `json:"files"`
	LeftOut []spec.File  `json:"left_out,omitempty"`
	Groups  []spec.Group `json:"groups"`
}

type directoryMemory struct {
	Path    string            `json:"path"`
	Device  uint64            `json:"device"`
	Mount   uint64            `json:"mount"`
	Files   map[string][]byte `json:"files"`
	Mounted map[string]string `json:"mounted,omitempty"`
	Partial bool              `json:"partial,omitempty"`
	Lost    bool              `json:"lost,omitempty"`
	Awaited []string          `json:"awaited"` // null for all
	Back    bool              `json:"back,omitempty"`
	Since   *moment.Moment    `json:"since,omitempty"`
}

// clock turns times to moments of one present and back.
type clock struct{ present time.Time }

func (c clock) of(t time.Time) *moment.Moment { return moment.Of(t, c.present) }
func (c clock) at(m *moment.Moment) time.Time { return m.At(c.present) }

// remember is all of it. The loop calls it when no update is in hand; the Memory shares
// what the loop has, and is good for as long as that stands still.
func (l *loop) remember() *Memory {
	present, now := moment.Now()
	c := clock{now}
	m := &Memory{
		Present:    present,
		Generation: l.gen, History: l.history, Autoupdate: l.auto, Trigger: l.trigger,
		Good: l.view.good.raw(), Settings: l.view.settings, Patterns: l.view.patterns,
		InForce: configMemory{l.inForce.Files, l.inForce.LeftOut, l.inForce.Groups},
		Located: l.files, Guard: l.guard.remember(c), Debts: l.debts.remember(c),
		Proof: l.proof.remember(c, l.inForce, l.view.good), Generations: l.generations.list, Intents: l.intents.record(l.boot), Revisions: l.revisions, Revision: l.view.revision,
	}
	for _, d := range l.view.dirs {
		saved := directoryMemory{
			Path: d.path, Device: d.mount.dev, Mount: d.mount.id, Files: d.files, Mounted: d.mounted,
			Partial: d.partial, Lost: d.lost, Back: d.back, Since: c.of(d.since),
		}
		if d.awaited != nil {
			saved.Awaited = slices.AppendSeq([]string{}, maps.Keys(d.awaited))
		}
		m.Dirs = append(m.Dirs, saved)
	}
	for key := range l.pending {
		m.Pending = append(m.Pending, key)
	}
	return m
}

// question is what the first look goes by.
func (m *Memory) question() question {
	c := clock{m.Present.Time()}
	q := question{
		failed: m.Proof.Failed, revision: m.Revision, good: newContents(m.Good), settings: m.Settings, patterns: m.Patterns, dirs: make(map[string]*directory),
		inForce: &spec.Config{Files: m.InForce.Files, LeftOut: m.InForce.LeftOut, Groups: m.InForce.Groups},
	}
	for _, d := range m.Dirs {
		q.dirs[d.Path] = &directory{
			path: d.Path, mount: mountID{d.Device, d.Mount}, files: d.Files, mounted: d.Mounted,
			partial: d.Partial, lost: d.Lost, back: d.Back, since: c.at(d.Since),
		}
		if d.Awaited != nil {
			q.dirs[d.Path].awaited = make(map[string]bool, len(d.Awaited))
			for _, name := range d.Awaited {
				q.dirs[d.Path].awaited[name] = true
			}
		}
		if q.dirs[d.Path].mounted == nil {
			q.dirs[d.Path].mounted = make(map[string]string)
		}
	}
	return q
}

// restore has a loop that has not begun know what another one did.
func (m *Memory) restore(l *loop) {
	c := clock{m.Present.Time()}
	l.gen, l.history, l.auto, l.trigger = m.Generation, m.History, m.Autoupdate, m.Trigger
	l.files = m.Located
	l.guard.restore(c, m.Guard, m.InForce.Groups)
	l.debts = restoreDebts(c, m.Debts)
	l.proof = m.Proof.restore(c, m.Good)
	l.generations = generations{m.Generations, newContents(m.Good).files}
	l.revisions = m.Revisions
	l.setIntents(m.Intents.restore(l.boot))
	for _, key := range m.Pending {
		l.pending[key] = true
	}
	l.queue = nil // the groups are as they were, and what differs is an automatic update's
}

type guardMemory struct {
	Updated      map[string]*moment.Moment   `json:"updated"`
	Earlier      map[string][]versionMemory  `json:"earlier"`
	Returns      map[string][]*moment.Moment `json:"returns"`
	Flapping     map[string]bool             `json:"flapping"`
	Changed      map[string]*moment.Moment   `json:"changed"`
	Failed       map[string]failureMemory    `json:"failed"`
	Removed      map[string]*spec.Group      `json:"removed"`
	Absent       map[string]absenceMemory    `json:"absent"`
	Gone         map[string]departureMemory  `json:"gone"`
	RemovalsHeld bool                        `json:"removals_held"`
}

type (
	versionMemory struct {
		Print string         `json:"print"`
		Until *moment.Moment `json:"until"`
	}
	failureMemory struct {
		Reason string         `json:"reason"`
		Times  int            `json:"times"`
		Next   *moment.Moment `json:"next"`
		Begun  bool           `json:"begun,omitempty"`
	}
	absenceMemory struct {
		Since  *moment.Moment `json:"since"`
		Forget *moment.Moment `json:"forget"`
	}
	departureMemory struct {
		At        *moment.Moment `json:"at"`
		Processes int            `json:"processes"`
	}
	debtEntry struct {
		Before  *spec.Group    `json:"before,omitempty"`
		At      *moment.Moment `json:"at"`
		Last    string         `json:"last"`
		Stopped bool           `json:"stopped,omitempty"`
		Paid    bool           `json:"paid,omitempty"`
	}
)

// converted is a map with each value made another.
func converted[A, B any](in map[string]A, f func(A) B) map[string]B {
	out := make(map[string]B, len(in))
	for key, v := range in {
		out[key] = f(v)
	}
	return out
}

func convertedList[A, B any](f func(A) B) func([]A) []B {
	return func(in []A) []B {
		out := make([]B, len(in))
		for i, v := range in {
			out[i] = f(v)
		}
		return out
	}
}

func (g *guard) remember(c clock) guardMemory {
	return guardMemory{
		Updated:  converted(g.updated, c.of),
		Earlier:  converted(g.earlier, convertedList(func(v version) versionMemory { return versionMemory{v.print, c.of(v.until)} })),
		Returns:  converted(g.returns, convertedList(c.of)),
		Flapping: g.flapping,
		Changed:  converted(g.changed, c.of),
		Failed:   converted(g.failed, func(f failure) failureMemory { return failureMemory{f.reason, f.times, c.of(f.next), f.begun} }),
		Removed:  g.removed,
		Absent:   converted(g.absent, func(a absence) absenceMemory { return absenceMemory{c.of(a.since), c.of(a.forget)} }),
		Gone:     converted(g.gone, func(d departure) departureMemory { return departureMemory{c.of(d.at), d.processes} }),

		RemovalsHeld: g.removalsHeld,
	}
}

// restore has a new guard know what another did; seen are the groups that were desired.
func (g *guard) restore(c clock, m guardMemory, seen []spec.Group) {
	*g = guard{
		updated:  converted(m.Updated, c.at),
		earlier:  converted(m.Earlier, convertedList(func(v versionMemory) version { return version{v.Print, c.at(v.Until)} })),
		returns:  converted(m.Returns, convertedList(c.at)),
		flapping: converted(m.Flapping, func(b bool) bool { return b }),
		changed:  converted(m.Changed, c.at),
		failed:   converted(m.Failed, func(f failureMemory) failure { return failure{f.Reason, f.Times, c.at(f.Next), f.Begun} }),
		removed:  converted(m.Removed, func(d *spec.Group) *spec.Group { return d }),
		absent:   converted(m.Absent, func(a absenceMemory) absence { return absence{c.at(a.Since), c.at(a.Forget)} }),
		gone:     converted(m.Gone, func(d departureMemory) departure { return departure{c.at(d.At), d.Processes} }),
		seen:     make(map[string]*spec.Group, len(seen)),

		removalsHeld: m.RemovalsHeld,
	}
	for i := range seen {
		g.seen[seen[i].Name] = &seen[i]
	}
}

func (d debts) remember(c clock) map[string]debtEntry {
	return converted(d, func(t debt) debtEntry { return debtEntry{t.before, c.of(t.at), t.last, t.stopped, t.paid} })
}

func restoreDebts(c clock, m map[string]debtEntry) debts {
	return converted(m, func(t debtEntry) debt {
		return debt{before: t.Before, at: c.at(t.At), last: t.Last, stopped: t.Stopped, paid: t.Paid}
	})
}

// proofMemory is what a proof knows. Where an earlier version has not said so, all is
// proved.
type proofMemory struct {
	proofRecord
	Trials []trialMemory     `json:"trials,omitempty"`
	Back   []reversionMemory `json:"back,omitempty"`
	// Suspects are the keys of proof.suspects.
	Suspects []ProcessKey `json:"suspects,omitempty"`
}

type (
	trialMemory struct {
		Files map[string]triedMemory `json:"files"`
		Runs  []runMemory            `json:"runs"`
		Ran   ran                    `json:"ran"`
		First bool                   `json:"first,omitempty"`
		Kept  bool                   `json:"kept,omitempty"`
	}
	triedMemory struct {
		Hash   [sha256.Size]byte `json:"hash"`
		Former []byte            `json:"former"` // null where there was none
		Groups []string          `json:"groups"`
	}
	runMemory struct {
		Key       ProcessKey     `json:"key"`
		File      string         `json:"file"`
		Within    time.Duration  `json:"within"`
		Stable    time.Duration  `json:"stable"`
		OnFailure spec.OnFailure `json:"on_failure"`
		Left      time.Duration  `json:"left"`
		At        *moment.Moment `json:"at"`
		Waiting   bool           `json:"waiting,omitempty"`
		Since     *moment.Moment `json:"since,omitempty"`
	}
	reversionMemory struct {
		Files  []string `json:"files"`
		Ran    ran      `json:"ran"` // null where a person goes back
		First  bool     `json:"first,omitempty"`
		Reason string   `json:"reason"`
	}
)

func (p *proof) remember(c clock, cfg *spec.Config, good *contents) proofMemory {
	m := proofMemory{proofRecord: *p.record(cfg, good, new(proofRecord))}
	for _, t := range p.trials {
		saved := trialMemory{
			Files: converted(t.files, func(f tried) triedMemory {
				if !f.had {
					return triedMemory{Hash: f.hash, Groups: f.groups}
				}
				return triedMemory{f.hash, f.former.content, f.groups}
			}),
			Runs: convertedList(func(r *run) runMemory {
				return runMemory{r.key, r.file, r.within, r.stable, r.onFailure, r.left, c.of(r.at), r.waiting, c.of(r.since)}
			})(t.runs),
			Ran: t.ran, First: t.first, Kept: t.kept,
		}
		m.Trials = append(m.Trials, saved)
	}
	for key := range p.suspects {
		m.Suspects = append(m.Suspects, key)
	}
	for _, r := range p.back {
		m.Back = append(m.Back, reversionMemory{r.files, r.ran, r.first, r.reason})
	}
	return m
}

func (m *proofMemory) restore(c clock, good map[string][]byte) *proof {
	p := newProof(m.proved(good), m.Failed)
	for _, t := range m.Trials {
		p.trials = append(p.trials, &trial{
			files: converted(t.Files, func(f triedMemory) tried {
				return tried{f.Hash, goodFile{f.Former, sha256.Sum256(f.Former)}, f.Former != nil, f.Groups}
			}),
			runs: convertedList(func(r runMemory) *run {
				return &run{key: r.Key, file: r.File, within: r.Within, stable: r.Stable, onFailure: r.OnFailure,
					left: r.Left, at: c.at(r.At), waiting: r.Waiting, since: c.at(r.Since)}
			})(t.Runs),
			ran: t.Ran, first: t.First, kept: t.Kept,
		})
	}
	for _, key := range m.Suspects {
		p.suspects[key] = true
	}
	for _, r := range m.Back {
		p.back = append(p.back, &reversion{files: r.Files, ran: r.Ran, first: r.First, reason: r.Reason})
	}
	return p
}

// handover is the wish of somebody that the loop stands still.
type handover struct {
	memory chan *Memory // capacity one
	over   chan struct{}
}

// HandOver has the reconciler stand still as soon as no update is in hand, and returns what
// it knows, which is good until then. It begins nothing from then on, and answers nobody
// who asks the loop, until goOn is called or Run's context ends. When ctx ends first, it
// goes on, and the error says what it was at.
func (r *Reconciler) HandOver(ctx context.Context) (m *Memory, goOn func(), err error) {
	wish := &handover{make(chan *Memory, 1), make(chan struct{})}
	goOn = func() {
		close(wish.over)
		select {
		case r.asks <- func(*loop) {}: // what was held back begins
		case <-r.ended:
		}
	}
	select {
	case r.asks <- func(l *loop) {
		l.handover = wish
		if l.current != nil && !l.current.first { // a rollout may take long: the next life goes on with it
			l.current.overtake()
		}
	}:
	case <-r.ended:
		return nil, nil, ErrNotRunning
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	select {
	case m = <-wish.memory:
		return m, goOn, nil
	case <-r.ended:
		return nil, nil, ErrNotRunning
	case <-ctx.Done():
		goOn()
		s := r.published.Load()
		return nil, nil, fmt.Errorf("the reconciler is still busy: %s %s", s.phase, s.reason)
	}
}

// handsOver reports whether nothing new is to be begun.
func (l *loop) handsOver() bool {
	if l.handover == nil {
		return false
	}
	select {
	case <-l.handover.over:
		l.handover = nil
		l.undecided = true
		return false
	default:
		return true
	}
}

// standStill waits for whoever wishes that, if nothing is in hand.
func (l *loop) standStill() {
	if !l.handsOver() || l.current != nil || l.setting > 0 {
		return
	}
	l.handover.memory <- l.remember()
	select {
	case <-l.handover.over:
	case <-l.ctx.Done():
	}
}
