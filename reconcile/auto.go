package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"supervisord/reconcile/watch"
	"supervisord/spec"
)

// loop is the reconciler while it runs. Its fields belong to the goroutine of
// Run; one update at a time runs on a goroutine of its own.
type loop struct {
	*Reconciler
	queue     []*job          // updates that were asked for
	trigger   string          // what made the loop read the files last
	timer     *time.Timer     // for what becomes possible by itself
	rereadAt  time.Time       // when to read again without a hint; zero for never
	retryAt   time.Time       // when to decide again; zero for never
	scope     watch.Scope     // what was last asked of the watcher
	errors    map[string]bool // mistakes and untrusted files that were logged and still stand
	busy      []string        // files that were still being written to at the last hint
	readAhead *view           // what was read ahead, and how many changes there had been
	changes   int
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
	helpers.Go(func() { r.persist(inner) })

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
			l.onHint(h)
		case j := <-r.requests:
			l.queue = append(l.queue, j)
			if running := r.current(); running != nil && !running.explicit {
				r.overtaken.Store(true)
			}
		case outcomes := <-r.outcomes:
			l.roundDone(ctx, outcomes)
		case <-r.wakeup:
		case <-l.timer.C:
		}
	}
}

// first puts what Startup read in force. That is no automatic update: it is
// done whatever the settings say.
func (l *loop) first(ctx context.Context) {
	l.mu.Lock()
	v := l.view
	l.setView(v)
	l.mu.Unlock()
	l.logProblems(v)
	l.watchFor(v)
	l.round(ctx, &job{trigger: l.trigger, caller: l.caller, config: v.config, done: make(chan struct{})})
}

// drain waits for the step in hand.
func (l *loop) drain(ctx context.Context) {
	for l.current() != nil {
		l.overtaken.Store(true)
		l.roundDone(ctx, <-l.outcomes)
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
	at := l.rereadAt
	if !l.retryAt.IsZero() && (at.IsZero() || l.retryAt.Before(at)) {
		at = l.retryAt
	}
	if at.IsZero() {
		l.timer.Stop()
		return
	}
	l.timer.Reset(max(0, time.Until(at)))
}

// onHint reads the files because of a hint. What was read ahead is what they say
// if nothing changed since.
func (l *loop) onHint(h watch.Hint) {
	if h.ReadAhead {
		l.readAhead, l.changes = l.source.load(forReadAhead), h.Changes
		return
	}
	l.busy = h.Busy
	v := l.readAhead
	l.readAhead = nil
	if v == nil || l.changes != h.Changes || len(h.Busy) > 0 || !l.source.accept(v) {
		v = l.source.load(forAutoupdate, l.busy...)
	}
	l.useView(h.Trigger, v)
}

// read reads the files without a hint.
func (l *loop) read(trigger string) { l.useView(trigger, l.source.load(forAutoupdate, l.busy...)) }

// useView goes by a new view. An update that runs on older content is told to
// stop after the steps in hand.
func (l *loop) useView(trigger string, v *view) {
	l.mu.Lock()
	before := l.inForce
	l.setView(v)
	running, after := l.running, l.inForce
	l.mu.Unlock()
	l.trigger = trigger
	l.logProblems(v)
	l.watchFor(v)
	l.markDirty()
	if running != nil && !spec.Diff(before.Groups, after.Groups).Empty() {
		l.overtaken.Store(true)
	}
}

// setView makes a view the newest. mu is held.
func (s *status) setView(v *view) {
	s.view = v
	if v.config == nil {
		return
	}
	s.inForce = v.config
	s.guard.observe(time.Now(), v.config.Groups)
}

// watchFor has the watcher watch what a view depends on, and sets the time at
// which what is wrong is read again even if no file changes: a missing directory
// for logs may be made, a lost mount come back.
func (l *loop) watchFor(v *view) {
	scope := watch.Scope{Paths: v.patterns, Settle: v.settings.Settle, Rescan: v.settings.Rescan}
	if v.config == nil {
		scope.Paths = l.scope.Paths
	}
	l.scope = scope
	l.watcher.Set(scope)
	l.rereadAt = time.Time{}
	if (len(v.bad) > 0 || len(v.holds) > 0 || v.config == nil) && v.settings.Rescan > 0 {
		l.rereadAt = time.Now().Add(v.settings.Rescan)
	}
	if !v.retryAt.IsZero() && (l.rereadAt.IsZero() || v.retryAt.Before(l.rereadAt)) {
		l.rereadAt = v.retryAt
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
	if !l.rereadAt.IsZero() && !time.Now().Before(l.rereadAt) {
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
	pending := l.pendingStarts.prune(active)
	now := time.Now()
	l.mu.Lock()
	l.retryAt = time.Time{}
	l.drift = Plan(active, l.inForce.Groups, Policy{PendingStarts: pending})
	var v admission
	steps := slices.DeleteFunc(slices.Clone(l.drift), func(s Step) bool { return l.unknown(&s) })
	holds := slices.Clone(l.view.holds)
	if l.view.unsettled {
		if removals(steps) > 0 {
			holds = append(holds, hold{Reason: "files are still changing: what is gone from them stays until they are quiet"})
		}
		steps = slices.DeleteFunc(steps, func(s Step) bool { return s.New == nil })
	}
	switch {
	case !l.automatic() || l.view.config == nil:
	case l.view.seq < l.minSeq:
		if at := now.Add(l.view.settings.Settle); l.rereadAt.IsZero() || at.Before(l.rereadAt) {
			l.rereadAt = at
		}
	default:
		if l.view.seq > l.candidateSeq {
			l.candidate, l.candidateSeq = l.inForce, l.view.seq
		}
		v = l.guard.admit(now, steps, len(active), l.view.settings.MaxRemovals)
		l.retryAt = v.retryAt
	}
	old := l.holds
	holds = append(holds, v.holds...)
	l.holds = holds
	l.setPhase()
	drift := l.drift
	gen := l.gen
	l.mu.Unlock()
	l.reportHolds(gen, old, holds, drift)
	return v.steps
}

// unknown reports whether a step would take away what a file defines that cannot
// be used: nobody knows whether it is gone. mu is held.
func (l *loop) unknown(s *Step) bool {
	return s.New == nil && slices.Contains(l.inForce.LeftOut, origin(s.Old))
}

// reportHolds tells of holds that are new, and of those that are over.
func (l *loop) reportHolds(gen int, old, new []hold, drift []Step) {
	for _, h := range new {
		if slices.Contains(old, h) {
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
		if !slices.Contains(new, h) {
			l.log.Info("reconcile: no longer held: "+describeHold(h), "group", h.Group, "file", h.Path)
		}
	}
}

func describeHold(h hold) string {
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

// logProblems logs each mistake and untrusted file once, for as long as it stands.
func (l *loop) logProblems(v *view) {
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
	for file, problem := range v.untrusted {
		text := "reconcile: untrusted: " + problem
		if v.settings.Permissions == "enforce" {
			text = "reconcile: ignored: " + file + ": " + problem
		}
		say(text, func(t string) { l.log.Warn(t, "file", file) })
	}
	for text := range l.errors {
		if !standing[text] && v.err == nil {
			l.log.Info("reconcile: no longer " + strings.TrimPrefix(text, "reconcile: "))
		}
	}
	l.errors = standing
}

// markDirty notes that there is something to store.
func (r *Reconciler) markDirty() {
	select {
	case r.dirty <- struct{}{}:
	default:
	}
}

// persistDelay is how long after a change what outlives the daemon is written: when
// the processes that it is about have been started, which else would wait for the
// disk with it.
const persistDelay = 250 * time.Millisecond

// persist writes what outlives the daemon, off the loop: a slow disk delays
// nothing. It writes a last time when ctx ends.
func (r *Reconciler) persist(ctx context.Context) {
	if r.store == nil {
		return
	}
	for {
		select {
		case <-ctx.Done():
			r.save()
			return
		case <-r.dirty:
		}
		select {
		case <-time.After(persistDelay):
			r.save()
		case <-ctx.Done():
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
