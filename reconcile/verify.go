package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"supervisord/spec"
)

// judgePause is the least time between two looks at the processes on trial: each asks for
// all of them.
const judgePause = 10 * time.Millisecond

// verify puts on trial what a round of the update in hand has started.
func (l *loop) verify(outcomes []Outcome) {
	u := l.current
	if u.back { // what goes back is not tried once more
		l.proof.suspend(nil)
	} else {
		l.proof.open(applied{time.Now(), u.first, u.config, u.good, outcomes, u.before})
	}
	l.judgeAt = time.Now() // when the update is in the history
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
	l.judged = time.Now()
	l.stirred = l.target.Changed() // beforehand: what changes from now on is not missed
	over, next := l.proof.judge(l.judged, l.target.Groups())
	l.judgeAt = next
	for _, v := range over {
		l.undecided = true
		if v.run == nil {
			l.log.Info("reconcile: verified: what was started runs")
			continue
		}
		l.fail(v)
	}
	if len(over) > 0 {
		l.keep()
	}
}

// fail does what is to be done about an update whose processes have failed.
func (l *loop) fail(v verdict) {
	files, action := l.proof.fail(l.judged, v, l.inForce, l.remembers(), l.seq+1)
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
	l.record(Entry{Generation: l.gen, Time: l.judged, Trigger: TriggerVerify, Actions: []Action{}, Result: Failed + ": " + names + ": " + v.reason, Revision: l.view.revision})
	l.emit(e)
}

// remembers reports whether it would be known after a restart what was rejected. If not,
// that is said once.
func (l *loop) remembers() bool {
	if l.store != nil && l.store.Err() == nil {
		return true
	}
	if !l.toldForgetful {
		l.toldForgetful = true
		l.log.Warn("reconcile: without a state directory that can be written, on_failure=revert is on_failure=hold: what was rejected would be tried again after each restart")
	}
	return false
}

// goingBack are the groups that are being put back as they were, and which of their
// processes ran then; nil where none is.
func (l *loop) goingBack(active []Active) map[string]map[string]bool {
	if len(l.proof.back) == 0 {
		return nil
	}
	return l.proof.goingBack(slices.Concat(definitions(active), pointers(l.inForce.Groups))...)
}

// turnBack takes the steps that put former content back in force out of those of a plan:
// no guard holds them. What has just failed among them waits.
func (l *loop) turnBack(now time.Time, steps []Step, back map[string]map[string]bool) (first, rest []Step) {
	open := false
	for i := range steps {
		s := &steps[i]
		if back[s.Group] == nil {
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
		l.proof.isBack(l.view.seq)
	}
	return first, rest
}

// rejected are the files in whose place former content is in force, or is about to be.
func (p *proof) rejected() (files []string) {
	for _, name := range slices.Sorted(maps.Keys(p.failed)) {
		if p.failed[name].reverted() {
			files = append(files, name)
		}
	}
	return files
}

// holds are those of files that have failed.
func (p *proof) holds() (list []hold) {
	for _, name := range slices.Sorted(maps.Keys(p.failed)) {
		if f := p.failed[name]; f.Action == spec.OnFailureHold {
			list = append(list, hold{Path: name, Reason: name + ": " + f.Reason + ": run update to go on"})
		}
	}
	return list
}

// earliest is the earlier of two times, of which the zero time is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// verdicts are the states of files whose content has failed and is in force nevertheless.
func (p *proof) verdicts() map[string]FileState {
	list := make(map[string]FileState)
	for name, f := range p.failed {
		switch f.Action {
		case spec.OnFailureHold:
			list[name] = FileState{State: FileHeld, Reason: f.Reason + ": run update to go on"}
		case spec.OnFailureKeep:
			list[name] = FileState{State: FileApplied, Reason: f.Reason}
		}
	}
	for _, t := range p.trials {
		for name := range t.files {
			if _, ok := list[name]; !ok {
				list[name] = FileState{State: FileApplied, Reason: fmt.Sprintf("it is being verified: %s to go", plural(len(t.runs), "process"))}
			}
		}
	}
	return list
}
