package reconcile

import (
	"slices"
	"strings"

	"supervisord/spec"
)

// The outcome of the files as they were last read, in the words of a commit status.
const (
	Success        = "success" // all that they say is in force
	Failure        = "failure" // they cannot be used, were rejected, or could not be carried out
	OutcomePending = "pending" // they wait for a person
)

// outcome is the outcome of the files as they were last read.
type outcome struct {
	State   string // "" while they are under way
	Reason  string // "" of a success
	Settled bool   // nothing is being done about them any more
}

// judgeRevision notes the outcome of the files, and which revision is in force.
func (l *loop) judgeRevision() {
	l.outcome = l.judgeFiles()
	before := l.revisions.InForce
	if l.phase == Synced && !l.view.moving {
		l.revisions.settles(l.view.revision, l.gen)
	}
	if l.revisions.InForce != before {
		l.keep()
	}
}

// judgeFiles determines the outcome of the files.
func (l *loop) judgeFiles() outcome {
	if l.view.moving { // it is not known yet which revision these files are
		return outcome{}
	}
	o := outcome{Settled: l.current == nil && len(l.queue) == 0 && !l.undecided && len(l.proof.trials) == 0 && len(l.proof.back) == 0}
	o.State, o.Reason = Failure, l.whyFailed()
	switch {
	case o.Reason != "":
	case l.proof.pinned():
		o.State, o.Reason = OutcomePending, l.reason
	case l.phase == Synced:
		o.State = Success
	case l.phase == Held, l.phase == Pending && o.Settled && !l.automatic():
		o.State, o.Reason = OutcomePending, l.reason
	default:
		return outcome{}
	}
	return o
}

// whyFailed is why the files as they are will not be in force, or do not run; "" where that
// is not known.
func (l *loop) whyFailed() string {
	if reason := l.proof.whyFailed(); reason != "" {
		return reason
	}
	if len(l.view.bad) > 0 {
		return l.view.bad[0].Report()
	}
	if l.view.config == nil && l.view.err != nil {
		return l.view.err.Error()
	}
	for i := range l.drift {
		if f, failed := l.guard.failed[l.drift[i].Group]; failed {
			return f.reason
		}
	}
	return ""
}

// whyFailed is the first file whose content has failed, and why.
func (p *proof) whyFailed() string {
	first := ""
	for name, f := range p.failed {
		if !f.Pinned && (first == "" || name < first) {
			first = name
		}
	}
	if first == "" {
		return ""
	}
	f := p.failed[first]
	if f.reverted() {
		return first + " is rejected: " + f.Reason
	}
	return first + ": " + f.Reason
}

// pinned reports whether a person has taken a file back.
func (p *proof) pinned() bool {
	for _, f := range p.failed {
		if f.Pinned {
			return true
		}
	}
	return false
}

// Status is the outcome of the files, for those who wait for it elsewhere.
type Status struct {
	State      string       `json:"state"`      // success, failure or pending
	Revision   string       `json:"revision"`   // of the files; "" where revision= says nothing
	InForce    string       `json:"in_force"`   // the revision that is
	Generation int          `json:"generation"` // of the last update that did something
	Reason     string       `json:"reason"`     // "" of a success
	Files      []StatusFile `json:"files"`      // that are rejected or invalid, some of them where they are many
	Actions    int          `json:"actions"`    // how many the last update had, if it was of this revision
}

// StatusFile is one file of a Status.
type StatusFile struct {
	Path   string `json:"path"`
	State  string `json:"state"`
	Reason string `json:"reason"`
}

// What a Status has at most.
const (
	maxStatusFiles  = 50
	maxStatusReason = 2000 // bytes
)

// Same reports whether two say the same. The number of actions says nothing of what is.
func (s *Status) Same(o *Status) bool {
	return s.State == o.State && s.Revision == o.Revision && s.InForce == o.InForce && s.Generation == o.Generation &&
		s.Reason == o.Reason && slices.Equal(s.Files, o.Files)
}

// Status is the outcome of the files, and where it is to be reported. ok is false while
// work on them is still under way.
func (r *Reconciler) Status() (s Status, to spec.Report, ok bool) {
	now := r.published.Load()
	to = now.view.settings.Report
	if now.outcome.State == "" || !now.outcome.Settled {
		return s, to, false
	}
	s = Status{
		State: now.outcome.State, Reason: shortened(now.outcome.Reason), Revision: now.view.revision,
		InForce: now.revisions.InForce, Generation: now.gen, Files: []StatusFile{},
	}
	if n := len(now.history); n > 0 && now.history[n-1].Revision == s.Revision {
		s.Actions = len(now.history[n-1].Actions)
	}
	if s.State != Success {
		for _, f := range r.Files() {
			if (f.State == FileRejected || f.State == FileInvalid) && len(s.Files) < maxStatusFiles {
				s.Files = append(s.Files, StatusFile{f.Path, f.State, shortened(f.Reason)})
			}
		}
	}
	return s, to, true
}

// shortened is the beginning of a long reason, without output of programs: what is reported
// may be public.
func shortened(text string) string {
	text = withoutOutput(text)
	if len(text) <= maxStatusReason {
		return text
	}
	return strings.ToValidUTF8(text[:maxStatusReason], "") + "…"
}
