package runtime

import (
	"slices"
	"time"

	"supervisord/runtime/proc"
	"supervisord/runtime/state"
)

// Run is one life of a process, from the moment it was made until it ended.
type Run struct {
	PID     int
	Start   time.Time
	Running time.Time // when it became RUNNING; zero for never, and where an earlier daemon saw it
	End     time.Time // zero while it lives
	// The rest is of one that has ended.
	How    string // as the log has it: "exit status 3", "terminated by SIGKILL"
	Status int    // exit status, or -1 for death by signal and where it is not known
	OOM    bool   // the kernel's out-of-memory killer has ended it
	Asked  bool   // it was being stopped
}

// MaxRuns is how many runs of each process are remembered.
const MaxRuns = 20

// runs are the last of one process, the oldest first. What was given out is never changed.
type runs []Run

// follow notes what a step of the machine has done to the present run.
func (r *runs) follow(now time.Time, was state.Process, in proc.Input, m *proc.Machine) {
	switch in.Kind {
	case proc.Launched, proc.Adopted:
		r.begin(Run{PID: m.PID, Start: m.Up()})
	case proc.Exited:
		ended := now
		if !in.Ended.IsZero() {
			ended = in.Ended
		}
		r.change(func(one *Run) {
			one.End, one.How, one.Status, one.OOM = ended, in.Exit.How, in.Exit.Code, in.Exit.OOM
			one.Asked = was == state.Stopping
		})
	}
	if m.State == state.Running && was != state.Running && in.Kind != proc.Adopted {
		r.change(func(one *Run) { one.Running = now })
	}
}

func (r *runs) begin(one Run) {
	kept := (*r)[max(0, len(*r)-MaxRuns+1):]
	*r = append(slices.Clip(slices.Clone(kept)), one)
}

// change changes the last run, if it has not ended.
func (r *runs) change(how func(*Run)) {
	last := len(*r) - 1
	if last < 0 || !(*r)[last].End.IsZero() {
		return
	}
	*r = slices.Clone(*r)
	how(&(*r)[last])
}

// ReadyAfter is how long the last run that became RUNNING took for that; ok is false where
// none did.
func (i *Info) ReadyAfter() (took time.Duration, ok bool) {
	for _, run := range slices.Backward(i.Runs) {
		if !run.Running.IsZero() {
			return max(0, run.Running.Sub(run.Start)), true
		}
	}
	return 0, false
}

// StartsWithin is how often the process has begun again within a time before now: runs that
// did not follow another one do not count. It is MaxRuns-1 at most.
func (i *Info) StartsWithin(d time.Duration) int {
	n := 0
	for _, run := range i.Runs[min(1, len(i.Runs)):] {
		if i.Now.Sub(run.Start) < d {
			n++
		}
	}
	return n
}

// FailuresWithin is how often the process has ended within a time before now by itself, and
// not with status 0. It is MaxRuns at most.
func (i *Info) FailuresWithin(d time.Duration) int {
	n := 0
	for _, run := range i.Runs {
		if !run.End.IsZero() && !run.Asked && run.Status != 0 && i.Now.Sub(run.End) < d {
			n++
		}
	}
	return n
}

// handedRun is a Run as it is written down. Its times are those of the wall clock, in
// nanoseconds since 1970: they are for people. Nothing goes by them, so nothing is checked.
type handedRun struct {
	PID     int    `json:"pid"`
	Start   int64  `json:"start"`
	Running int64  `json:"running,omitempty"`
	End     int64  `json:"end,omitempty"`
	How     string `json:"how,omitempty"`
	Status  int    `json:"status,omitempty"`
	OOM     bool   `json:"oom,omitempty"`
	Asked   bool   `json:"asked,omitempty"`
}

func (r runs) save() (list []handedRun) {
	for _, one := range r {
		list = append(list, handedRun{one.PID, wall(one.Start), wall(one.Running), wall(one.End), one.How, one.Status, one.OOM, one.Asked})
	}
	return list
}

func resumeRuns(list []handedRun) (r runs) {
	for _, h := range list[max(0, len(list)-MaxRuns):] {
		r = append(r, Run{h.PID, onWall(h.Start), onWall(h.Running), onWall(h.End), h.How, h.Status, h.OOM, h.Asked})
	}
	return r
}

func wall(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func onWall(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}
