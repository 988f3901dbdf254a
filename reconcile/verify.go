package reconcile

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"supervisord/spec"
)

// judgePause is the least time between two looks at the processes on trial: each asks for
// all of them.
const judgePause = 10 * time.Millisecond

// verify puts on trial what a round of the current update has started.
func (l *loop) verify(outcomes []Outcome) {
	u := l.current
	if u.back { // what goes back is not tried once more
		l.proof.suspend(nil)
	} else {
		l.proof.open(applied{time.Now(), u.first, u.config, u.good, outcomes, u.before})
	}
	if len(l.proof.trials) > 0 {
		l.judgeAt = time.Now() // when the update is in the history
	}
}

// stir has the processes on trial looked at since one has changed.
func (l *loop) stir() {
	l.stirred = nil
	if at := l.judged.Add(judgePause); time.Now().Before(at) {
		l.judgeAt = at
		return
	}
	l.judge()
}

// judge looks at the processes on trial, and has it done again when it is time.
func (l *loop) judge() {
	l.stirred, l.judgeAt = nil, time.Time{}
	if len(l.proof.trials) == 0 {
		return
	}
	changed := l.target.Changed() // beforehand: what changes from now on is not missed
	active := l.target.Groups()
	if active == nil {
		return
	}
	l.judged, l.stirred = time.Now(), changed
	verdicts, next := l.proof.judge(l.judged, active)
	l.judgeAt = next
	for _, v := range verdicts {
		l.undecided = true
		if v.run != nil {
			v.reason += quoted(l.target.LastOutput(v.run.key.Group, v.run.key.Process))
			l.fail(v)
			continue
		}
		if v.trial.kept {
			continue // that was told
		}
		l.log.Info("reconcile: verified: " + strings.Join(slices.Sorted(maps.Keys(v.trial.files)), ", "))
		l.proof.passed(v.trial)
	}
	if len(verdicts) > 0 {
		l.keep()
	}
}

// quoted are the last lines of an output as they follow the reason for a failure, in one
// line. They are a program's: what a terminal would obey is shown in its place.
func quoted(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	texts := make([]string, len(lines))
	for i, line := range lines {
		texts[i] = strconv.Quote(line)
	}
	return outputFollows + strings.Join(texts, " ")
}

// outputFollows stands in reasons before what a program has written.
const outputFollows = ", after this output: "

// withoutOutput is a reason up to where a program is quoted, which may have written secrets:
// for all that leaves this machine or goes to other programs.
func withoutOutput(reason string) string {
	before, _, quotes := strings.Cut(reason, outputFollows)
	if quotes {
		before += ", after output that the history has"
	}
	return before
}

// fail does what is to be done about an update whose processes have failed.
func (l *loop) fail(v verdict) {
	p := l.pausedOn(v.trial)
	if p != nil && v.run.onFailure == spec.OnFailureRevert {
		v.reason += "; it is not taken back, since " + p.Name() + " is " + p.String()
	}
	files, action := l.proof.fail(l.judged, v, l.inForce, p == nil && l.remembers(), l.seq+1)
	names := strings.Join(files, ", ")
	e := Event{Type: EventFailed, Generation: l.gen, Trigger: TriggerVerify, Reason: names + ": " + v.reason}
	if action == spec.OnFailureRevert {
		l.log.Warn("reconcile: rejected: " + names + ": " + v.reason + "; what ran before is put back in force")
		e.Type = EventRejected
		l.reverts++
		l.emit(e)
		l.want(lookWanted{trigger: TriggerRevert})
		return
	}
	l.log.Warn("reconcile: failed: " + names + ": " + v.reason)
	if action == spec.OnFailureHold && l.current != nil && !l.current.explicit {
		l.overtake() // it stops where it is
	}
	l.record(Entry{Generation: l.gen, Time: l.judged, Trigger: TriggerVerify, Actions: []Action{}, Result: Failed + ": " + names + ": " + v.reason, Revision: l.view.revision})
	l.emit(e)
}

// remembers reports whether it would be known after a restart what was rejected. If not,
// that is said once.
func (l *loop) remembers() bool {
	if l.store != nil && l.store.Keeps(proofItem) {
		return true
	}
	if !l.toldForgetful {
		l.toldForgetful = true
		l.log.Warn("reconcile: without a writable state directory, on_failure=revert acts as on_failure=hold: rejected content would be tried again after each restart")
	}
	return false
}

// goingBack are the groups that are being put back as they were, which of their processes
// ran then, and the files, as Policy has them; and the groups of which that is not known yet.
func (l *loop) goingBack(active []Active) (back map[string]map[string]bool, files, awaited map[string]bool) {
	if len(l.proof.back) == 0 {
		return nil, nil, nil
	}
	return l.proof.goingBack(l.view.seq, slices.Concat(definitions(active), pointers(l.inForce.Groups))...)
}

// turnBack takes the steps that put former content back in force out of those of a plan:
// no guard holds them. What has just failed among them waits, and so does what is not
// known yet. What a person has removed, and what a file that is not there now had, is
// none of them.
func (l *loop) turnBack(now time.Time, steps []Step, awaited map[string]bool) (first, rest []Step) {
	open := false
	there := func(file string) bool {
		return slices.ContainsFunc(l.inForce.Files, func(f spec.File) bool { return f.Path == file })
	}
	for i := range steps {
		s := &steps[i]
		switch {
		case awaited[s.Group]:
			open = true
			continue
		case !s.goesBack, isRemoval(*s) && !there(s.File) && !l.proof.takesAway(s.File), s.Old == nil && l.guard.removed[s.Group] != nil:
			rest = append(rest, *s)
			continue
		}
		open = true
		if f, failed := l.guard.failed[s.Group]; failed && now.Before(f.next) {
			l.retryAt = earliest(l.retryAt, f.next)
			continue
		}
		first = append(first, *s)
	}
	if !open && l.view.config != nil {
		for _, u := range l.proof.isBack(l.view.seq, there) { // it had nothing to do, or is done
			l.answerRevert(u)
		}
	}
	return first, rest
}

// answerRevert answers a person who has gone back, once that is in force.
func (l *loop) answerRevert(u *update) {
	report := u.report
	if report == nil {
		report = &Report{Generation: l.gen, Result: Applied, OK: len(u.failed) == 0, Lines: u.lines}
		if !report.OK {
			report.Result = Failed + ": " + strings.Join(u.failed, "; ")
		}
	}
	u.answer(*report, nil)
}

// earliest is the earlier of two times, of which the zero time is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
