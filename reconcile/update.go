package reconcile

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"supervisord/spec"
)

// maxRounds bounds how often an update is planned again because the groups or the
// files changed under it. Then it has failed.
const maxRounds = 10

// update is one entry in the history, however many rounds of planning it takes.
// All but overtaken is the loop's.
type update struct {
	trigger, caller string
	explicit        bool // a person asked
	first           bool // makes so what Startup read
	names           []string
	plan            string          // the ID of the plan that it must be; "" for any
	config          *spec.Config    // what it makes so
	good            *contents       // of the files that config is from
	revision        string          // which those are; "" where nothing tells
	before          []Active        // the groups when it was planned
	back            bool            // it puts back in force what ran before
	reason          string          // why, of such a one
	report          *Report         // what is answered, of such a one that a person asked for
	owed            map[string]owed // what it tells beside that what it does
	afresh          map[string]bool // groups in which it starts what has failed
	gen             int             // 0 until something was done
	overtaken       atomic.Bool     // it is to stop after the steps under way
	newer           chan struct{}   // closed when that is so; nil before there are any

	began   time.Time
	rounds  int
	actions []Action // carried out
	lines   []string
	failed  []string
	news    []string // those of failed that were not told before
	left    bool     // newer content overtook it, not all steps were begun

	answer func(Report, error) // nil where nobody waits
	after  []func()            // called in the loop when it is over
}

// overtake has it stop after the steps under way, and wait for nothing.
func (u *update) overtake() {
	if !u.overtaken.Swap(true) && u.newer != nil {
		close(u.newer)
	}
}

// fail notes what went wrong; told is set when that is nothing new.
func (u *update) fail(text string, told bool) {
	u.failed = append(u.failed, text)
	if !told {
		u.news = append(u.news, text)
	}
}

// refuse notes what went wrong and reports it to those who asked.
func (u *update) refuse(text string) {
	u.lines = append(u.lines, "ERROR: "+text)
	u.fail(text, false)
}

// unread says what an update that a person asked for could not see, and so leaves as it
// is, each once.
func (u *update) unread(v *view) {
	for _, h := range gather(slices.DeleteFunc(slices.Clone(v.holds), func(h hold) bool {
		return (h.rejected || h.pinned) && len(u.names) > 0 && !slices.ContainsFunc(h.groups(), func(g string) bool { return slices.Contains(u.names, g) })
	})) {
		if text := h.describe(); !slices.Contains(u.failed, text) {
			u.refuse(text)
		}
	}
}

// overtake has the update in hand stop after the steps in hand. The first one goes on:
// nothing else may finish it where automatic updates are off.
func (l *loop) overtake() {
	if !l.current.first {
		l.current.overtake()
	}
}

// begin starts an update: the first uses what Startup read, one that somebody asked for
// reads the files.
func (l *loop) begin(u *update) {
	l.current = u
	if u.first {
		u.config, u.good, u.revision = l.view.config, l.view.good, l.view.revision
		l.round()
		return
	}
	l.read(u.names, l.beginFrom)
}

// beginFrom goes on when the files have been read.
func (l *loop) beginFrom(v *view) {
	u := l.current
	if v.config == nil {
		l.logProblems(v)
		l.current, l.undecided = nil, true
		u.answer(Report{}, v.err)
		return
	}
	u.config, u.good, u.revision = v.config, v.good, v.revision
	active := l.target.Groups()
	u.owed = l.debts.owed(time.Now(), active, u.names)
	u.afresh = afresh(u.owed)
	if l.moved(u, active) {
		l.current, l.undecided = nil, true
		u.answer(Report{}, ErrMoved)
		return
	}
	l.proof.release(u.names)
	for _, n := range unknownNames(active, v.config.Groups, u.names) {
		if u.owed[n].action != "" {
			continue
		}
		u.refuse("no such group: " + n)
	}
	for _, e := range v.bad {
		u.refuse(e.Report())
	}
	u.unread(v)
	l.debts.pay(u.names)
	l.guard.release(u.names)
	l.goBy(v)
	l.round()
}

// goBy has what a person's update goes by stand against older automatic views.
func (l *loop) goBy(v *view) {
	l.setCandidate(v)
	if len(l.current.names) > 0 {
		l.requireCandidate()
	} else if v.seq > l.view.seq {
		l.take(v)
	}
}

// round plans for the current update and begins to carry the plan out, or ends it.
func (l *loop) round() {
	u := l.current
	if u.began.IsZero() {
		u.began = time.Now()
	}
	u.rounds++
	active := l.target.Groups()
	l.pending.prune(active)
	p := explicitPolicy(u.config, u.names, l.files, l.pending, u.afresh)
	p.Explicit = u.explicit
	p.Back, p.BackFiles, _ = l.goingBack(active)
	if u.first {
		p.Kept = nil // they were in force when the last daemon ended
	}
	l.carryOut(active, Plan(active, u.config.Groups, p))
}

// carryOut carries steps out on a goroutine of its own; the loop waits for it before
// it begins another, and before it ends. active are the groups that they were planned for.
func (l *loop) carryOut(active []Active, steps []Step) {
	if len(steps) == 0 {
		l.tell(nil)
		l.verify(nil)
		l.finish()
		return
	}
	l.steps = steps
	u := l.current
	u.before = active
	l.revisions.begins(u, l.gen)
	l.proof.suspend(steps)
	u.overtaken.Store(false)
	u.newer = make(chan struct{})
	l.turnEnd = append(l.turnEnd, func() { // nobody sees what it does before that it is done
		go func() { l.outcomes <- execute(l.ctx, l.target, steps, u.overtaken.Load, u.newer) }()
	})
}

// roundDone continues from the outcomes of a round.
func (l *loop) roundDone(outcomes []Outcome) {
	now := time.Now()
	u := l.current
	l.steps = nil
	// Other updates leave to the next what was changed under them.
	// One that must be a certain plan does nothing that was not in it.
	persists := (u.explicit || u.first) && u.plan == "" && l.ctx.Err() == nil
	last := !persists || u.rounds >= maxRounds
	again := false
	removed := slices.ContainsFunc(outcomes, func(o Outcome) bool { return o.Begun && o.Err == nil && isRemoval(*o.Step) })
	for i := range outcomes {
		o := &outcomes[i]
		changed := errors.Is(o.Err, ErrConflict) || errors.Is(o.Err, ErrStillRunning) && o.Step.New != nil
		l.pending.take(o)
		switch {
		case !o.Begun:
			u.left = true
			l.guard.notBegun(o.Step.Group)
		case o.Err == nil:
			if u.gen == 0 {
				u.gen = l.nextGeneration()
			}
			u.actions = append(u.actions, o.Step.Actions...)
			l.stepDone(now, o.Step)
		case changed && !last:
			o.Again, again = true, true
		case changed && persists:
			o.Err = fmt.Errorf("gave up after %d tries: %w", u.rounds, o.Err)
			u.fail(o.Err.Error(), false)
		case !changed && l.ctx.Err() == nil:
			u.fail(o.Err.Error(), !l.guard.fails(now, o.Step.Group, o.Err.Error(), removed && o.Step.Old == nil))
		}
	}
	if again && u.overtaken.Load() { // by newer files, which are to be read
		u.left = true
	}
	if u.left && l.handsOver() {
		last = true
	}
	l.tell(outcomes)
	l.logOutcomes(outcomes)
	l.verify(outcomes)
	switch {
	case last && persists && u.left && l.handsOver():
		u.refuse("the daemon was replaced by another program before all was done: run update again")
		l.finish()
	case last && persists && u.left:
		u.refuse(fmt.Sprintf("gave up after %d tries: the files changed during each of them", u.rounds))
		l.finish()
	case u.plan != "" && u.left:
		u.refuse("files or processes have changed meanwhile: not all of the plan was done: see diff")
		l.finish()
	case last || !u.left && !again:
		l.finish()
	case u.left:
		u.left = false
		l.read(u.names, func(v *view) {
			if v.config != nil {
				u.config, u.good, u.revision = v.config, v.good, v.revision
				u.unread(v)
				l.goBy(v)
			}
			l.round()
		})
	default:
		l.round()
	}
}

// stepDone notes that a step of the current update was carried out.
func (l *loop) stepDone(now time.Time, s *Step) {
	l.guard.succeeded(s.Group)
	delete(l.current.afresh, s.Group)
	switch {
	case !l.current.explicit:
		l.debts.done(now, s.Group)
	case s.New != s.Old:
		delete(l.debts, s.Group)
	}
}

// tell adds the lines of a round to those of the current update, and once what is owed.
func (l *loop) tell(outcomes []Outcome) {
	u := l.current
	if u.explicit || u.back {
		u.lines = append(u.lines, lines(outcomes, u.config.Groups, u.owed)...)
	}
	again := make(map[string]bool)
	for i := range outcomes {
		again[outcomes[i].Step.Group] = outcomes[i].Again
	}
	maps.DeleteFunc(u.owed, func(group string, _ owed) bool { return !again[group] })
}

// logOutcomes logs what was done, one line for each action.
func (l *loop) logOutcomes(outcomes []Outcome) {
	for i := range outcomes {
		o := &outcomes[i]
		if !o.Begun || o.Err != nil {
			continue
		}
		for k := range o.Step.Actions {
			l.logAction(l.current.gen, &o.Step.Actions[k])
		}
	}
}

func (l *loop) logAction(generation int, a *Action) {
	where := fmt.Sprintf("generation %d", generation)
	if a.File != "" {
		where += ", " + a.File
	}
	l.log.Info(fmt.Sprintf("reconcile: %s (%s): %s", a, where, a.Reason), "group", a.Group, "process", a.Process)
}

// nextGeneration numbers an update that did something.
func (l *loop) nextGeneration() int {
	l.gen++
	return l.gen
}

// record adds an entry to the history.
func (l *loop) record(e Entry) { l.history = withEntry(l.history, e) }

// withEntry is a new history with one entry more, within its limits.
func withEntry(history []Entry, e Entry) []Entry {
	all := append(slices.Clip(history), e)
	first, actions := len(all)-1, len(e.Actions)
	for first > 0 && len(all)-first < historyLimit && actions+len(all[first-1].Actions) <= historyActions {
		first--
		actions += len(all[first].Actions)
	}
	return all[first:]
}

// finish ends the current update: history, log, events, answer.
func (l *loop) finish() {
	u := l.current
	l.current, l.undecided = nil, true
	result := Applied
	switch {
	case len(u.failed) > 0:
		result = Failed + ": " + strings.Join(u.failed, "; ")
	case u.left:
		result = Overtaken
	}
	gen := cmp.Or(u.gen, l.gen)
	if (u.gen != 0 || u.first) && u.good != nil {
		l.generations.record(gen, u.good, u.touched())
	}
	news := len(u.actions)+len(u.news) > 0
	if news || u.first {
		l.record(Entry{
			Generation: gen, Time: u.began, Trigger: u.trigger, Caller: u.caller, Actions: u.actions,
			Result: result, DurationMS: time.Since(u.began).Milliseconds(), Reason: u.reason, Revision: u.revision,
		})
	}
	l.keep()
	if news {
		e := Event{Type: EventApplied, Generation: gen, Trigger: u.trigger, Reason: u.reason, Actions: u.actions}
		if u.back {
			e.Type = EventReverted
		}
		if len(u.failed) > 0 {
			e.Type, e.Reason = EventFailed, strings.Join(u.failed, "; ")
		}
		for _, f := range u.news {
			l.log.Warn("reconcile: " + f)
		}
		l.emit(e)
	}
	if u.answer != nil {
		report := Report{Generation: gen, Result: result, OK: len(u.failed) == 0, Actions: u.actions, Lines: u.lines}
		if u.back { // when nothing is left to be done
			u.report = &report
		} else {
			u.answer(report, nil)
		}
	}
	for _, f := range u.after {
		f()
	}
}

// touched are the files that an update of some groups was about, nil for one of all.
func (u *update) touched() map[string]bool {
	if len(u.names) == 0 {
		return nil
	}
	files := make(map[string]bool)
	for _, name := range u.names {
		if g := groupOf(u.config, name); g != nil {
			for _, file := range groupFiles(g) {
				files[file] = true
			}
		}
	}
	return files
}
