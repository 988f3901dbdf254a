package reconcile

import (
	"context"
	"fmt"
	"path"
	"slices"
	"sync"
	"time"

	"supervisord/spec"
)

// loop is the reconciler while it runs.
type loop struct {
	*Reconciler
	reader *reader // the loader's, once it runs

	questions chan question  // to the loader; capacity one, and there is only one at a time
	views     chan *view     // from the loader; likewise
	outcomes  chan []Outcome // of the round in hand; capacity one
	results   chan func()    // what came of set
	keepsakes chan keepsake  // to the keeper; capacity one, the newest counts

	// -- owned by run: everything below --

	ctx       context.Context // of run
	turnEnd   []func()        // called at the end of the turn, when what it changed can be seen
	resters   []func()        // called at the end of the first turn that leaves nothing to be done
	undecided bool            // something changed: decide what to do

	// Reading the files.
	view       *view       // as last read for automatic updates
	seq        int         // of the newest question
	looking    *looking    // under way; nil when the loader is idle
	readers    []reading   // who waits for the next look at a person's request
	wanted     *lookWanted // the next automatic look; nil for none
	ahead      *view       // what was read ahead, and how many changes there had been
	aheadAt    int
	busy       []string    // files that were still being written to at the last hint
	rereadAt   time.Time   // when to read again without a hint; zero for never
	forReaders bool        // the last look was for readers
	complaints []complaint // what was logged of the files and still stands, see about

	// Deciding.
	inForce       *spec.Config      // the last view's that could be used
	files         map[string]string // that groups were last seen in; never changed once made
	candidate     *spec.Config      // what AddGroup and getAllConfigInfo go by
	candidateSeq  int               // seq of the view that candidate is from
	minSeq        int               // seq that a view must have for automatic updates to go by it
	auto          *bool             // what SetAutoupdate said, nil for what the files say
	guard         *guard
	proof         *proof
	generations   generations
	pending       pendingStarts
	intents       intents
	keptIntents   *intentRecord // as they outlive the daemon
	intentRecords int           // how many there were of these
	holds         []hold
	waits         []hold    // what is not due yet
	drift         []Step    // what would be done, as of the last decision
	retryAt       time.Time // when to decide again; zero for never
	timer         *time.Timer

	// Verifying.
	stirred       <-chan struct{} // closed when processes may have changed; nil while none is on trial
	judged        time.Time       // when those on trial were looked at last
	judgeAt       time.Time       // when they are to be looked at again; zero for never
	reverts       int64           // how often content was rejected
	toldForgetful bool            // it was said that nothing can be remembered
	kept          *proofRecord    // what outlives the daemon of proof, as of keptAt
	keptAt        int             // proof.changes then
	keptGood      *contents       // the last good contents then

	// Acting.
	trigger  string    // what made the loop read the files last
	queue    []*update // that were asked for
	current  *update   // in hand; nil for none
	steps    []Step    // of current, being carried out
	setting  int       // calls of set under way
	handover *handover // somebody wishes that nothing is begun; nil for nobody

	// What is told.
	gen     int
	history []Entry // oldest first
	phase   string  // with reason and since: what State says
	reason  string
	since   time.Time
	// verifying: the phase is Pending only until what is applied has proved itself.
	verifying bool
	debts     debts

	revisions revisions
	outcome   outcome
}

func newLoop(r *Reconciler, o Options, history []Entry) *loop {
	s := o.Start
	l := &loop{
		Reconciler: r, reader: s.reader,
		questions: make(chan question, 1), views: make(chan *view, 1), outcomes: make(chan []Outcome, 1),
		results: make(chan func()), keepsakes: make(chan keepsake, 1),
		view: s.view, seq: s.view.seq, inForce: s.Config, candidate: s.Config,
		guard: newGuard(), pending: make(pendingStarts),
		trigger: o.Trigger, queue: []*update{{trigger: o.Trigger, caller: o.Caller, first: true}},
		history: history, phase: Pending, since: time.Now(),
		debts: make(debts), proof: newProof(s.proof.proved(s.good), s.proof.Failed),
		generations: generations{s.generations, newContents(s.good).files},
	}
	if len(s.proof.Proved)+len(s.proof.Failed) > 0 {
		l.kept = &s.proof
	}
	for name, f := range s.proof.Failed {
		if f.Action == spec.OnFailureHold && s.view.good.files[name].hash != f.Hash {
			l.proof.forgive(name) // other content has been started with the daemon
		}
	}
	for _, e := range history { // in the order in which they ended
		l.gen = max(l.gen, e.Generation)
	}
	l.revisions.Started, l.revisions.Generation = s.view.revision, l.gen
	if s.memory != nil {
		s.memory.restore(l)
	}
	return l
}

// Run makes the groups what the files say, first those of Startup, then whatever
// they become, until ctx ends. It returns when the step in hand and all it
// started has ended, but does not wait for a disk that does not answer.
func (r *Reconciler) Run(ctx context.Context) {
	defer close(r.ended)
	l := r.loop
	var helpers sync.WaitGroup
	// The helpers outlast ctx: the update in hand is still to be stored.
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	helpers.Go(func() { r.watcher.Run(inner) })
	helpers.Go(func() { l.load(inner.Done()) })
	kept := make(chan struct{})
	go func() { defer close(kept); l.keepAll(inner.Done()) }()
	l.run(ctx)
	stop()
	helpers.Wait()
	select {
	case <-kept:
	case <-time.After(keepPatience):
		r.log.Warn("reconcile: the state directory does not answer: the last updates will not be known after a restart")
	}
}

func (l *loop) run(ctx context.Context) {
	l.ctx = ctx
	l.timer = time.NewTimer(time.Hour)
	defer l.timer.Stop()
	l.take(l.view)
	l.judge() // what the reconciler before has put on trial
	for {
		l.next()
		l.endTurn()
		l.standStill()
		if ctx.Err() != nil { // nothing that was handed over is changed any more
			l.drain()
			return
		}
		l.arm()
		select {
		case <-ctx.Done():
			l.drain()
			return
		case question := <-l.asks:
			question(l)
		case h := <-l.watcher.Hints():
			l.onHint(h)
		case <-l.reader.disks.Back():
			l.want(lookWanted{trigger: TriggerRescan})
		case v := <-l.views:
			l.looked(v)
		case outcomes := <-l.outcomes:
			l.roundDone(outcomes)
		case result := <-l.results:
			result()
		case <-l.stirred:
			l.stir()
		case <-l.timer.C:
			if l.judgeAt.IsZero() || time.Now().Before(l.judgeAt) {
				l.undecided = true
			} else {
				l.judge()
			}
		}
	}
}

// endTurn publishes what the turn changed, then gives the answers and begins what was decided.
func (l *loop) endTurn() {
	l.setPhase()
	l.judgeRevision()
	l.publish()
	if len(l.resters) > 0 && l.rests() {
		for _, f := range l.resters {
			f()
		}
		l.resters = nil
	}
	for _, f := range l.turnEnd {
		f()
	}
	l.turnEnd = nil
}

// drain waits for the step in hand, and for what set has under way.
func (l *loop) drain() {
	for len(l.steps) > 0 || l.setting > 0 {
		if l.current != nil {
			l.current.overtake()
		}
		select {
		case outcomes := <-l.outcomes:
			l.roundDone(outcomes)
		case result := <-l.results:
			result()
		}
	}
	if u := l.current; u != nil && len(u.actions) > 0 { // it was to go on from the newest files
		u.left, u.after = true, nil
		l.finish()
	}
	l.endTurn()
}

// arm sets the timer to whatever comes first. While an update runs nothing is
// due but a look at what is on trial: its end is a turn.
func (l *loop) arm() {
	at := l.judgeAt
	if l.current == nil {
		at = earliest(earliest(at, l.rereadAt), l.retryAt)
	}
	if at.IsZero() {
		l.timer.Stop()
		return
	}
	l.timer.Reset(max(0, time.Until(at)))
}

// next begins what is to be done now: a look, an update that somebody asked for,
// or an automatic one.
func (l *loop) next() {
	handsOver := l.handsOver()
	if l.current == nil && len(l.queue) > 0 && !handsOver {
		u := l.queue[0]
		l.queue = l.queue[1:]
		l.begin(u)
	}
	if l.current == nil && !l.rereadAt.IsZero() && !time.Now().Before(l.rereadAt) {
		l.rereadAt = time.Time{}
		l.want(lookWanted{trigger: TriggerRescan})
	}
	l.look()
	if l.current != nil || !l.undecided || handsOver {
		return
	}
	l.undecided = false
	active, back, steps := l.decide()
	if len(steps) == 0 {
		return
	}
	u := &update{trigger: l.trigger}
	if back {
		if u = l.proof.asked(l.view.seq); u == nil {
			u = &update{trigger: TriggerRevert, back: true}
		}
		u.reason = l.proof.whyBack()
	}
	u.config, u.good, u.revision, u.began, u.rounds = l.inForce, l.view.good, l.view.revision, time.Now(), 1
	if !back {
		l.guard.began(u.began, steps)
		l.debts.begin(u.began, steps)
	}
	l.current = u
	l.carryOut(active, steps)
}

// automatic reports whether settled changes are applied by themselves.
func (l *loop) automatic() bool {
	if l.auto != nil {
		return *l.auto
	}
	return l.view.settings.Autoupdate
}

// decide says what an automatic update may do now to these active groups, and notes why it
// may not do the rest. back says that it puts back in force what ran before.
func (l *loop) decide() (active []Active, back bool, steps []Step) {
	active = l.target.Groups()
	l.pending.prune(active)
	now := time.Now()
	l.retryAt = time.Time{}
	l.expire(now)
	before, files, awaited := l.goingBack(active)
	l.drift = Plan(active, l.inForce.Groups, Policy{Kept: l.inForce.Kept, LeftOut: l.inForce.LeftOut, Files: l.files, PendingStarts: l.pending, Back: before, BackFiles: files})
	l.proof.settle(l.inForce, l.view.good, active, l.drift)
	if l.keptAt != l.proof.changes {
		l.keep()
	}
	var v admission
	holds := slices.Concat(l.view.holds, l.proof.holds())
	first, rest := l.turnBack(now, l.drift, awaited)
	steps = slices.DeleteFunc(rest, func(s Step) bool {
		if reason := l.proof.held(&s); reason != "" {
			holds = append(holds, hold{Group: s.Group, Reason: reason})
			return true
		}
		if !isRemoval(s) {
			return false
		}
		dir := path.Dir(s.File)
		if !l.view.unsettled[dir] {
			return false
		}
		holds = append(holds, hold{
			Group: s.Group, Reason: "files in " + dir + " are still changing: what is gone from them stays until they are quiet", kind: "groups that are gone from directories that are still changing",
		})
		return true
	})
	switch {
	case !l.automatic() || l.view.config == nil:
	case l.view.seq < l.minSeq:
		v.waits = l.waits // until it is known better
		if at := now.Add(l.view.settings.Settle); l.rereadAt.IsZero() || at.Before(l.rereadAt) {
			l.rereadAt = at
		}
	default:
		l.setCandidate(l.view)
		v = l.guard.admit(now, steps, active, l.view.settings.MaxRemovals, pause{l.view.settings.SettleRemovals, l.view.beingWritten(now), l.view.settings.ByDirectory})
		l.retryAt = earliest(l.retryAt, v.retryAt)
		// Afterwards: what is not permitted now counts towards the limits all the same.
		l.permit(now, steps, &v, active)
	}
	old, waited := l.holds, l.waits
	l.holds, l.waits = append(holds, v.holds...), v.waits
	l.reportHolds(old)
	for _, w := range gather(difference(l.waits, waited)) {
		l.log.Info("reconcile: waiting: "+w.describe(), "group", w.Group)
	}
	if len(first) > 0 { // by itself, for the history
		l.undecided = true
		return active, true, first
	}
	return active, false, v.steps
}

// rests reports whether there is nothing that is being done, or will be without anybody
// asking for it: what is held, or wrong, waits for people.
func (l *loop) rests() bool {
	switch {
	case l.current != nil, len(l.queue) > 0, l.setting > 0, l.undecided:
		return false
	case len(l.proof.trials) > 0, len(l.proof.back) > 0:
		return false
	case l.looking != nil, l.wanted != nil, len(l.readers) > 0, l.view.beingWritten(time.Now()) != "":
		return false
	case !l.automatic(), l.view.config == nil:
		return true
	}
	return len(l.waits) == 0 && l.unheld() == 0
}

// setPhase works out what State says.
func (l *loop) setPhase() {
	phase, reason, verifying := Synced, "", false
	deferred := countDeferred(l.holds)
	switch {
	case len(l.steps) > 0:
		phase, reason = Applying, plural(len(l.steps), "group")+" by "+l.current.trigger
	case l.current != nil:
		phase, reason = Pending, "an update looks at the files"
	case len(l.holds) > deferred:
		i := slices.IndexFunc(l.holds, func(h hold) bool { return !h.deferred })
		phase, reason = Held, l.holds[i].describe()
	case len(l.view.bad) > 0:
		phase, reason = Invalid, l.view.bad[0].Report()
	case l.view.config == nil:
		phase, reason = Invalid, fmt.Sprint(l.view.err)
	case len(l.drift) > 0 && !l.automatic():
		phase, reason = Pending, plural(len(l.drift), "group")+" would change: autoupdate is off"
	case len(l.waits) > 0:
		phase, reason = Pending, l.waits[0].describe()
	case l.unheld() > 0:
		phase, reason = Pending, plural(l.unheld(), "group")+" will change"
	case len(l.proof.trials) > 0:
		phase, reason, verifying = Pending, l.proof.waitsFor(), true
	case deferred > 0: // last: there is nothing else to be done
		phase, reason = Held, l.holds[0].describe()
	}
	if phase != l.phase {
		l.since = time.Now()
	}
	l.phase, l.reason, l.verifying = phase, reason, verifying
}
