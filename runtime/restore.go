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
// and is not accessed again before it has answered.
//
// Call it every few seconds; it costs one stat for each open file.
func (s *Supervisor) RestoreLogs(ctx context.Context) []error {
	var logs []*openLog // in start order
	byFile := make(map[logfile.FileID]*openLog)
	err := s.choose(ctx, Select{}, ascending, everyone, func(procs []*process) {
		for _, p := range procs {
			for _, out := range p.out {
				id, open := out.log.FileID()
				if !open {
					continue
				}
				if byFile[id] == nil {
					byFile[id] = &openLog{}
					logs = append(logs, byFile[id])
				}
				byFile[id].add(filepath.Dir(out.path), out.log)
			}
		}
	})
	if err != nil {
		return nil // it ends
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
