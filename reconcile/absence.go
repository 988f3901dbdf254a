package reconcile

import (
	"fmt"
	"time"

	"supervisord/spec"
)

// absenceLimit is how many times settle_removals anything waits because of files
// that are gone.
const absenceLimit = 10

// absence is that of a file that had groups. What is gone may come back: a redeploy
// removes and copies, a move is a removal and an addition.
type absence struct {
	since  time.Time
	forget time.Time // when nothing depends on it any more
}

// miss notes which of the files that the groups seen last were in are gone, and which
// are back. It must be asked before seen changes.
func (g *guard) miss(now time.Time, cfg *spec.Config) {
	gone := make(map[string]bool)
	for file := range g.absent {
		gone[file] = true
	}
	for _, d := range g.seen {
		if file := origin(d); file != "" {
			gone[file] = true
		}
	}
	for i := range cfg.Files {
		delete(gone, cfg.Files[i].Path)
	}
	for i := range cfg.LeftOut {
		delete(gone, cfg.LeftOut[i].Path)
	}
	for _, file := range cfg.Unreadable {
		delete(gone, file)
	}
	for file := range g.absent {
		if !gone[file] {
			delete(g.absent, file)
		}
	}
	for file := range gone {
		if _, known := g.absent[file]; !known {
			g.absent[file] = absence{now, now.Add(max(flapWindow, absenceLimit*cfg.Reconcile.SettleRemovals))}
		}
	}
}

// pause is what steps wait for because of the files.
type pause struct {
	settle time.Duration // settle_removals
	// open is a file that somebody has open for writing, "" for none: what is gone
	// from other files may be on its way there.
	open string
	// byDirectory: all files of a directory are put in force as one.
	byDirectory bool
}

// wait says why a removal is not due yet, and when it is; "" for one that is due. A
// section that is gone from a file that stands waits for open files only.
func (g *guard) wait(now time.Time, s *Step, p pause) (reason string, until time.Time) {
	file := s.File
	a, gone := g.absent[file]
	since := a.since
	if !gone {
		since = g.changed[s.Group]
	}
	limit := since.Add(absenceLimit * p.settle)
	switch {
	case gone && now.Before(since.Add(p.settle)):
		return fmt.Sprintf("%s is gone: its programs stay until it has been absent for %v", file, p.settle), since.Add(p.settle)
	case p.open != "" && now.Before(limit):
		return p.open + " is open for writing: what is gone from other files may be moving there", limit
	}
	return "", time.Time{}
}

// waitBehind says why a new group waits while removals do, and until when at the
// most; "" if it does not. It may be one of those that go, under a new name, and
// need what the old one has.
func (g *guard) waitBehind(now time.Time, s *Step, p pause) (reason string, until time.Time) {
	until = g.changed[s.Group].Add(absenceLimit * p.settle)
	if s.Old != nil || !now.Before(until) {
		return "", time.Time{}
	}
	return "it starts once what is gone has been removed, or is back", until
}
