package reconcile

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"supervisord/reconcile/watch"
	"supervisord/spec"
)

// loop is the reconciler while it runs. Its fields belong to the goroutine of
// Run; one update at a time runs on a goroutine of its own.
type loop struct {
	*Reconciler
	queue   []*job          // updates that were asked for
	trigger string          // what made the loop look last
	timer   *time.Timer     // for what becomes possible by itself
	look    time.Time       // when to look again without a hint; zero for never
	again   time.Time       // when to decide again; zero for never
	scope   watch.Scope     // what was last asked of the watcher
	errors  map[string]bool // mistakes and doubts that were logged and still stand
	busy    []string        // files that were still being written to at the last hint
	ahead   *view           // read in a lull, and how many changes there had been
	changes int
}

// Run makes the groups what the files say, first those of Startup, then whatever
// they become, until ctx ends. It returns when the step in hand and all it
// started has ended.
func (r *Reconciler) Run(ctx context.Context) {
	defer close(r.ended)
	var helpers sync.WaitGroup
	// The helpers outlast ctx: the update in hand is still to be stored.
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer helpers.Wait()
	defer stop()
	helpers.Go(func() { r.watcher.Run(inner) })
	helpers.Go(func() { r.keep(inner) })

	l := &loop{Reconciler: r, trigger: r.trigger, timer: time.NewTimer(time.Hour)}
	defer l.timer.Stop()
	l.first(ctx)
	for {
		if l.idle() {
			l.next(ctx)
		}
		l.arm()
		select {
		case <-ctx.Done():
			l.drain(ctx)
			return
		case h := <-r.watcher.Hints():
			l.hinted(h)
		case j := <-r.requests:
			l.queue = append(l.queue, j)
			if running := r.current(); running != nil && !running.explicit {
				r.overtaken.Store(true)
			}
		case outcomes := <-r.outcomes:
			l.ran(ctx, outcomes)
		case <-r.kick:
		case <-l.timer.C:
		}
	}
}

// first puts what Startup read in force. That is no automatic update: it is
// done whatever the settings say.
func (l *loop) first(ctx context.Context) {
	l.mu.Lock()
	v := l.view
	l.adopt(v)
	l.mu.Unlock()
	l.complain(v)
	l.heed(v)
	l.round(ctx, &job{trigger: l.trigger, caller: l.caller, config: v.config, done: make(chan struct{})})
}

// drain waits for the step in hand.
func (l *loop) drain(ctx context.Context) {
	for l.current() != nil {
		l.overtaken.Store(true)
		l.ran(ctx, <-l.outcomes)
	}
}

func (r *Reconciler) current() *job {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running
}

func (l *loop) idle() bool { return l.current() == nil }

// arm sets the timer to whatever comes first. While an update runs nothing is
// due: its end wakes the loop.
func (l *loop) arm() {
	if !l.idle() {
		l.timer.Stop()
		return
	}
	at := l.look
	if !l.again.IsZero() && (at.IsZero() || l.again.Before(at)) {
		at = l.again
	}
	if at.IsZero() {
		l.timer.Stop()
		return
	}
	l.timer.Reset(max(0, time.Until(at)))
}

// hinted looks at the files because of a hint. What was read in a lull is what
// they say if nothing changed since.
func (l *loop) hinted(h watch.Hint) {
	if h.Lull {
		l.ahead, l.changes = l.source.load(ahead), h.Changes
		return
	}
	l.busy = h.Busy
	v := l.ahead
	l.ahead = nil
	if v == nil || l.changes != h.Changes || len(h.Busy) > 0 || !l.source.accept(v) {
		v = l.source.load(carefully, l.busy...)
	}
	l.take(h.Trigger, v)
}

// read looks at the files without a hint.
func (l *loop) read(trigger string) { l.take(trigger, l.source.load(carefully, l.busy...)) }

// take goes by a new view. An update that runs on older content is told to leave
// off.
func (l *loop) take(trigger string, v *view) {
	l.mu.Lock()
	before := l.inForce
	l.adopt(v)
	running, after := l.running, l.inForce
	l.mu.Unlock()
	l.trigger = trigger
	l.complain(v)
	l.heed(v)
	l.soil()
	if running != nil && !spec.Diff(before.Groups, after.Groups).Empty() {
		l.overtaken.Store(true)
	}
}

// adopt takes a view as the newest. mu is held.
func (s *status) adopt(v *view) {
	s.view = v
	if v.config == nil {
		return
	}
	s.inForce = v.config
	s.guard.observe(time.Now(), v.config.Groups)
}

// heed has the watcher watch what a view depends on, and sees to it that what is
// wrong is looked at again even if no file changes: a missing directory for logs
// may be made, a lost mount come back.
func (l *loop) heed(v *view) {
	scope := watch.Scope{Paths: v.patterns, Settle: v.settings.Settle, Rescan: v.settings.Rescan}
	if v.config == nil {
		scope.Paths = l.scope.Paths
	}
	l.scope = scope
	l.watcher.Set(scope)
	l.look = time.Time{}
	if (len(v.bad) > 0 || len(v.holds) > 0 || v.config == nil) && v.settings.Rescan > 0 {
		l.look = time.Now().Add(v.settings.Rescan)
	}
	if !v.again.IsZero() && (l.look.IsZero() || v.again.Before(l.look)) {
		l.look = v.again
	}
}

// next begins what is to be done now, and says what is not.
func (l *loop) next(ctx context.Context) {
	for l.idle() && len(l.queue) > 0 {
		j := l.queue[0]
		l.queue = l.queue[1:]
		l.begin(ctx, j)
	}
	if !l.idle() {
		return
	}
	if !l.look.IsZero() && !time.Now().Before(l.look) {
		l.read(TriggerRescan)
	}
	if steps := l.decide(); len(steps) > 0 {
		l.mu.Lock()
		j := &job{trigger: l.trigger, config: l.inForce, began: time.Now(), rounds: 1, done: make(chan struct{})}
		l.guard.began(j.began, steps)
		l.mu.Unlock()
		l.run(ctx, j, steps)
	}
}

// decide says what an automatic update may do now, and notes why it may not do
// the rest.
func (l *loop) decide() []Step {
	active := l.target.Groups()
	owed := l.debts.settle(active)
	now := time.Now()
	l.mu.Lock()
	l.again = time.Time{}
	l.drift = Plan(active, l.inForce.Groups, Policy{Owed: owed})
	var v verdict
	steps := slices.DeleteFunc(slices.Clone(l.drift), func(s Step) bool { return l.unknown(&s) })
	holds := slices.Clone(l.view.holds)
	if l.view.restless {
		if removals(steps) > 0 {
			holds = append(holds, Hold{Reason: "files are still changing: what is gone from them stays until they are quiet"})
		}
		steps = slices.DeleteFunc(steps, func(s Step) bool { return s.New == nil })
	}
	switch {
	case !l.automatic() || l.view.config == nil:
	case l.view.seq < l.minimum:
		if at := now.Add(l.view.settings.Settle); l.look.IsZero() || at.Before(l.look) {
			l.look = at
		}
	default:
		if l.view.seq > l.candidateSeq {
			l.candidate, l.candidateSeq = l.inForce, l.view.seq
		}
		v = l.guard.judge(now, steps, len(active), l.view.settings.MaxRemovals)
		l.again = v.again
	}
	old := l.holds
	holds = append(holds, v.holds...)
	for i := range holds {
		holds[i].Since = since(old, holds[i], now)
	}
	l.holds = holds
	l.setPhase()
	drift := l.drift
	gen := l.gen
	l.mu.Unlock()
	l.hold(gen, old, holds, drift)
	return v.steps
}

// unknown reports whether a step would take away what a file defines that cannot
// be used: nobody knows whether it is gone. mu is held.
func (l *loop) unknown(s *Step) bool {
	return s.New == nil && slices.Contains(l.inForce.LeftOut, origin(s.Old))
}

// since is when a hold began.
func since(old []Hold, h Hold, now time.Time) time.Time {
	for _, o := range old {
		if o.Group == h.Group && o.Path == h.Path && o.Reason == h.Reason {
			return o.Since
		}
	}
	return now
}

// hold tells of holds that are new, and of those that are over.
func (l *loop) hold(gen int, old, new []Hold, drift []Step) {
	same := func(list []Hold, h Hold) bool {
		return slices.ContainsFunc(list, func(o Hold) bool { return o.Group == h.Group && o.Path == h.Path && o.Reason == h.Reason })
	}
	for _, h := range new {
		if same(old, h) {
			continue
		}
		l.log.Warn("reconcile: held: "+describeHold(h), "group", h.Group, "file", h.Path)
		e := Event{Type: EventHeld, Generation: gen, Trigger: l.trigger, Reason: h.Reason}
		for i := range drift {
			if h.Path == "" && (h.Group == "" || h.Group == drift[i].Group) {
				e.Actions = append(e.Actions, drift[i].Actions...)
			}
		}
		l.emit(e)
	}
	for _, h := range old {
		if !same(new, h) {
			l.log.Info("reconcile: no longer held: "+describeHold(h), "group", h.Group, "file", h.Path)
		}
	}
}

func describeHold(h Hold) string {
	if h.Group != "" {
		return "group " + h.Group + ": " + h.Reason
	}
	return h.Reason
}

// setPhase works out what State says. mu is held.
func (s *status) setPhase() {
	phase, reason := Synced, ""
	switch {
	case s.running != nil:
		phase, reason = Applying, plural(len(s.steps), "group")+" by "+s.running.trigger
	case len(s.holds) > 0:
		phase, reason = Held, describeHold(s.holds[0])
	case len(s.view.bad) > 0:
		phase, reason = Invalid, s.view.bad[0].Report()
	case s.view.config == nil:
		phase, reason = Invalid, fmt.Sprint(s.view.err)
	case len(s.drift) > 0 && !s.automatic():
		phase, reason = Pending, plural(len(s.drift), "group")+" would change: autoupdate is off"
	case len(s.drift) > 0:
		phase, reason = Pending, plural(len(s.drift), "group")+" will change"
	}
	if phase != s.phase {
		s.since = time.Now()
	}
	s.phase, s.reason = phase, reason
}

// complain logs each mistake and doubt once, for as long as it stands.
func (l *loop) complain(v *view) {
	standing := make(map[string]bool)
	say := func(text string, isNew func(string)) {
		standing[text] = true
		if !l.errors[text] {
			isNew(text)
		}
	}
	for _, e := range v.bad {
		say("reconcile: invalid: "+e.Report(), func(t string) { l.log.Error(t, "file", e.File, "section", e.Section) })
	}
	for file, problem := range v.doubts {
		text := "reconcile: untrusted: " + problem
		if v.settings.Permissions == "enforce" {
			text = "reconcile: ignored: " + file + ": " + problem
		}
		say(text, func(t string) { l.log.Warn(t, "file", file) })
	}
	for text := range l.errors {
		if !standing[text] && v.err == nil {
			l.log.Info("reconcile: no longer so: " + text)
		}
	}
	l.errors = standing
}

// soil notes that there is something to store.
func (r *Reconciler) soil() {
	select {
	case r.dirty <- struct{}{}:
	default:
	}
}

// keepAfter is how long after a change what outlives the daemon is written: when
// the processes that it is about have been started, which else would wait for the
// disk with it.
const keepAfter = 250 * time.Millisecond

// keep writes what outlives the daemon, off the loop: a slow disk delays
// nothing. It writes a last time when ctx ends.
func (r *Reconciler) keep(ctx context.Context) {
	if r.store == nil {
		return
	}
	for {
		select {
		case <-ctx.Done():
			r.save()
			return
		case <-r.dirty:
			select {
			case <-time.After(keepAfter):
			case <-ctx.Done():
			}
			r.save()
		}
	}
}

func (r *Reconciler) save() {
	r.mu.Lock()
	history := slices.Clone(r.history)
	r.mu.Unlock()
	// An error is reported by the store, once, and shown by State.
	_ = r.store.Save(historyItem, history, true)
	if all, changed := r.source.unsaved(); changed {
		_ = r.store.Save(goodItem, all, true)
	}
}
