package runtime

import (
	"context"
	"path/filepath"
	"slices"
	"sync"

	"supervisord/runtime/logfile"
)

// RestoreLogs creates logs of children again that another program has renamed or
// removed, see logfile.Restore, and logs that. It returns the errors of those that
// cannot be created, in start order. A directory on a disk that hangs delays no other,
// and is not accessed again before it has answered. A log that nothing was written to since
// it was last seen in its place is looked at in every thirtieth call only, since what is in it
// is safe.
//
// Call it every few seconds; it costs one stat for each file that it looks at.
func (s *Supervisor) RestoreLogs(ctx context.Context) []error {
	atRest := s.logLooks.atRest()
	var logs []*openLog                         // in start order
	byFile := make(map[logfile.FileID]*openLog) // those to look at; nil before they are in logs
	err := s.ask(ctx, func() {
		for _, g := range s.groups {
			for _, p := range g.procs {
				for _, out := range p.out {
					if id, open := out.log.FileID(); open && (atRest || !out.log.AtRest()) {
						byFile[id] = nil
					}
				}
			}
		}
		if len(byFile) == 0 {
			return
		}
		for _, g := range s.ordered() {
			for _, p := range g.byPriority() {
				for _, out := range p.out {
					id, open := out.log.FileID()
					log, touched := byFile[id]
					if !open || !touched {
						continue
					}
					if log == nil {
						byFile[id] = &openLog{}
						logs = append(logs, byFile[id])
					}
					byFile[id].add(filepath.Dir(out.path), out.log)
				}
			}
		}
	})
	if err != nil || len(logs) == 0 {
		return nil // it ends, or there are none
	}
	dirs := s.logLooks.begin(logs)
	failed := make([][]error, len(dirs))
	hung := onDisks(ctx, len(dirs), logPatience, func(i int) error {
		defer s.logLooks.end(dirs[i])
		var troubles []error
		for _, log := range dirs[i].logs {
			restored, err := logfile.Restore(log.writers)
			for _, path := range restored {
				if ctx.Err() == nil {
					s.log.Info(logfile.RestoredText(path))
				}
			}
			if err != nil {
				troubles = append(troubles, err)
			}
		}
		failed[i] = troubles
		return nil
	})
	var all []error
	for i := range dirs {
		if hung[i] == nil {
			all = append(all, failed[i]...)
		}
	}
	return all
}

// openLog is a file that one or more processes write to.
type openLog struct {
	dirs    []string // in which its names stand, as the paths spell them
	writers []*logfile.Writer
}

func (l *openLog) add(dir string, w *logfile.Writer) {
	if !slices.Contains(l.dirs, dir) {
		l.dirs = append(l.dirs, dir)
	}
	l.writers = append(l.writers, w)
}

// logLooks are the directories of logs that are being looked at, so that each that
// hangs costs one goroutine.
type logLooks struct {
	mu    sync.Mutex
	under map[string]int // how many looks
	calls int
}

// restingLooks is how many calls of RestoreLogs there are for each that looks at logs at
// rest, too.
const restingLooks = 30

// atRest reports whether this call does.
func (l *logLooks) atRest() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	return l.calls%restingLooks == 0
}

// logDir are the logs that have their first name in one directory.
type logDir struct {
	dir  string
	logs []*openLog
}

// begin sorts logs by their directories, in the order of the first of each, leaves out
// those that have a name in one that has not answered an earlier look, and notes the
// directories of the others as being looked at.
func (l *logLooks) begin(logs []*openLog) []logDir {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.under == nil {
		l.under = make(map[string]int)
	}
	var looks []logDir
	index := make(map[string]int)
	for _, log := range logs {
		if slices.ContainsFunc(log.dirs, func(dir string) bool { return l.under[dir] > 0 }) {
			continue
		}
		dir := log.dirs[0]
		i, known := index[dir]
		if !known {
			i = len(looks)
			index[dir] = i
			looks = append(looks, logDir{dir: dir})
		}
		looks[i].logs = append(looks[i].logs, log)
	}
	for _, look := range looks {
		l.count(look, 1)
	}
	return looks
}

func (l *logLooks) end(look logDir) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count(look, -1)
}

// count adds to the looks at each directory in which a log of this one has a name.
func (l *logLooks) count(look logDir, n int) {
	for _, log := range look.logs {
		for _, dir := range log.dirs {
			if l.under[dir] += n; l.under[dir] == 0 {
				delete(l.under, dir)
			}
		}
	}
}
