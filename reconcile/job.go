package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"supervisord/spec"
)

// maxRounds bounds how often an update is planned again because the groups
// changed under it.
const maxRounds = 10

// job is one update: one entry in the history, however many rounds of planning
// it takes.
type job struct {
	trigger, caller string
	explicit        bool // a person asked
	names           []string
	config          *spec.Config // what it makes so
	gen             int          // 0 until something was done

	began   time.Time
	rounds  int
	actions []Action // carried out
	lines   []string
	failed  []string
	news    []string // those of failed that were not told before
	left    bool     // newer content overtook it, not all steps were begun

	reply chan Report   // capacity one; nil for an automatic update
	fault chan error    // capacity one: nothing could be made of the files
	done  chan struct{} // closed when it is over
}

// Apply makes groups what the files say, all or those named, and returns when it
// is done. It is one transaction of the daemon's: ctx ends the wait, never the
// update. caller is who asks, for the history. The error is that of spec.Load
// when nothing could be done, or ErrNotRunning.
//
// A bad file does not keep the others from being applied unless on_invalid or
// autoupdate say so; the report then is not OK and says what is wrong.
//
// Source: contract/reconcile.md section 5; reconciler.md, Seeing it.
func (r *Reconciler) Apply(ctx context.Context, names []string, caller string) (Report, error) {
	j := &job{
		trigger: TriggerUpdate, caller: caller, explicit: true, names: everything(names),
		reply: make(chan Report, 1), fault: make(chan error, 1), done: make(chan struct{}),
	}
	select {
	case r.requests <- j:
	case <-r.ended:
		return Report{}, ErrNotRunning
	case <-ctx.Done():
		return Report{}, ctx.Err()
	}
	select {
	case report := <-j.reply:
		return report, nil
	case err := <-j.fault:
		return Report{}, err
	case <-r.ended:
		return Report{}, ErrNotRunning
	case <-ctx.Done():
		return Report{}, ctx.Err()
	}
}

// fail notes what went wrong; told is set when that is nothing new.
func (j *job) fail(text string, told bool) {
	j.failed = append(j.failed, text)
	if !told {
		j.news = append(j.news, text)
	}
}

// begin starts an update that somebody asked for.
func (l *loop) begin(ctx context.Context, j *job) {
	how := forUpdate
	if len(j.names) > 0 {
		how = forReading
	}
	v := l.source.load(how)
	if v.config == nil {
		l.logProblems(v)
		j.fault <- v.err
		close(j.done)
		return
	}
	j.config = v.config
	active := l.target.Groups()
	for _, n := range unknownNames(active, v.config.Groups, j.names) {
		text := "ERROR: no such group: " + n
		j.lines = append(j.lines, text)
		j.fail(text, false)
	}
	for _, e := range v.bad {
		j.lines = append(j.lines, "ERROR: "+e.Report())
		j.fail(e.Report(), false)
	}
	l.mu.Lock()
	l.guard.release(j.names)
	l.candidate, l.candidateSeq = v.config, v.seq
	if how == forUpdate {
		l.setView(v)
	} else {
		l.requireCandidate()
	}
	l.mu.Unlock()
	if how == forUpdate {
		l.logProblems(v)
	}
	l.round(ctx, j)
}

// round plans for a job and begins to carry the plan out, or ends the job.
func (l *loop) round(ctx context.Context, j *job) {
	if j.began.IsZero() {
		j.began = time.Now()
	}
	j.rounds++
	active := l.target.Groups()
	steps := Plan(active, j.config.Groups, Policy{Only: j.names, Explicit: j.explicit, PendingStarts: l.pendingStarts.prune(active)})
	l.run(ctx, j, steps)
}

// run carries steps out on a goroutine of its own; the loop waits for it before
// it begins another, and before it ends.
func (l *loop) run(ctx context.Context, j *job, steps []Step) {
	if len(steps) == 0 {
		l.finish(j)
		return
	}
	l.mu.Lock()
	l.running, l.steps = j, steps
	l.setPhase()
	l.mu.Unlock()
	l.overtaken.Store(false)
	go func() {
		l.outcomes <- execute(ctx, l.target, steps, l.overtaken.Load, l.pendingStarts)
	}()
}

// roundDone goes on from the outcomes of a round.
func (l *loop) roundDone(ctx context.Context, outcomes []Outcome) {
	now := time.Now()
	l.mu.Lock()
	j := l.running
	l.running, l.steps = nil, nil
	again := false
	for i := range outcomes {
		o := &outcomes[i]
		switch {
		case !o.Begun:
			j.left = true
		case o.Err == nil:
			if j.gen == 0 {
				j.gen = l.nextGeneration()
			}
			j.actions = append(j.actions, o.Step.Actions...)
			l.stepDone(now, j, o.Step)
		case errors.Is(o.Err, ErrConflict) || errors.Is(o.Err, ErrStillRunning) && o.Step.New != nil:
			again = true
		case ctx.Err() == nil:
			j.fail(o.Err.Error(), !l.guard.fails(now, o.Step.Group, o.Err.Error()))
		}
	}
	old := func(_ string, at time.Time) bool { return now.Sub(at) >= gracePeriod }
	maps.DeleteFunc(l.added, old)
	maps.DeleteFunc(l.removed, old)
	l.mu.Unlock()
	j.lines = append(j.lines, lines(outcomes)...)
	l.logOutcomes(j, outcomes)
	switch {
	case ctx.Err() != nil:
		l.finish(j)
	case j.explicit && (j.left || again) && j.rounds < maxRounds:
		if j.left {
			j.left = false
			if v := l.source.load(forReading); v.config != nil {
				j.config = v.config
			}
		}
		l.round(ctx, j)
	default:
		l.finish(j)
	}
}

// stepDone notes that a step was carried out. mu is held.
func (l *loop) stepDone(now time.Time, j *job, s *Step) {
	l.guard.succeeded(s.Group)
	delete(l.added, s.Group)
	delete(l.removed, s.Group)
	switch {
	case j.explicit:
	case s.Old == nil:
		l.added[s.Group] = now
	case s.New == nil:
		l.removed[s.Group] = now
	}
}

// logOutcomes logs what was done, one line for each action.
func (l *loop) logOutcomes(j *job, outcomes []Outcome) {
	for i := range outcomes {
		o := &outcomes[i]
		if !o.Begun || o.Err != nil {
			continue
		}
		for k := range o.Step.Actions {
			l.logAction(j.gen, &o.Step.Actions[k])
		}
	}
}

func (r *Reconciler) logAction(generation int, a *Action) {
	where := fmt.Sprintf("generation %d", generation)
	if a.File != "" {
		where += ", " + a.File
	}
	r.log.Info(fmt.Sprintf("reconcile: %s (%s): %s", a, where, a.Reason), "group", a.Group, "process", a.Process)
}

// nextGeneration numbers an update that did something. mu is held.
func (s *status) nextGeneration() int {
	s.gen++
	return s.gen
}

// record adds an entry to the history. mu is held.
func (s *status) record(e Entry) {
	s.history = append(s.history, e)
	first, actions := len(s.history)-1, len(e.Actions)
	for first > 0 && len(s.history)-first < historyLimit && actions+len(s.history[first-1].Actions) <= historyActions {
		first--
		actions += len(s.history[first].Actions)
	}
	s.history = slices.Delete(s.history, 0, first)
}

// finish ends a job: history, log, events, answer.
func (l *loop) finish(j *job) {
	defer close(j.done)
	result := Applied
	switch {
	case len(j.failed) > 0:
		result = Failed + ": " + strings.Join(j.failed, "; ")
	case j.left:
		result = Overtaken
	}
	l.mu.Lock()
	gen := cmp.Or(j.gen, l.gen)
	news := len(j.actions)+len(j.news) > 0
	if news || j.trigger == TriggerStart || j.trigger == TriggerReload {
		l.record(Entry{
			Generation: gen, Time: j.began, Trigger: j.trigger, Caller: j.caller, Actions: j.actions,
			Result: result, DurationMS: time.Since(j.began).Milliseconds(),
		})
	}
	l.mu.Unlock()
	l.markDirty()
	if news {
		e := Event{Type: EventApplied, Generation: gen, Trigger: j.trigger, Actions: j.actions}
		if len(j.failed) > 0 {
			e.Type, e.Reason = EventFailed, strings.Join(j.failed, "; ")
		}
		for _, f := range j.news {
			l.log.Warn("reconcile: " + f)
		}
		l.emit(e)
	}
	if j.reply != nil {
		j.reply <- Report{Generation: gen, Result: result, OK: len(j.failed) == 0, Actions: j.actions, Lines: j.lines}
	}
}
