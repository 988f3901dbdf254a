package runtime

import (
	"context"
	"path/filepath"
	"sync"

	"supervisord/runtime/logfile"
)

// RestoreLogs makes the logs of children anew that another program has renamed or
// removed, see logfile.Restore, and says so in the log. It returns what is in the way of
// those that cannot be made, in start order. A directory whose disk hangs delays no
// other, and is not asked again before it has answered.
//
// It is meant to be called every few seconds, and costs one stat for each file that is
// open.
func (s *Supervisor) RestoreLogs(ctx context.Context) []error {
	var paths []string // in start order
	writers := make(map[string][]*logfile.Writer)
	err := s.choose(ctx, Select{}, ascending, everyone, func(procs []*process) {
		for _, p := range procs {
			for _, out := range p.out {
				if out.path == "" {
					continue
				}
				if writers[out.path] == nil {
					paths = append(paths, out.path)
				}
				writers[out.path] = append(writers[out.path], out.log)
			}
		}
	})
	if err != nil {
		return nil // it ends
	}
	dirs := s.logLooks.begin(paths)
	failed := make([][]error, len(dirs))
	hung := onDisks(ctx, len(dirs), logPatience, func(i int) error {
		defer s.logLooks.end(dirs[i])
		var troubles []error
		for _, path := range dirs[i].paths {
			restored, err := logfile.Restore(writers[path])
			if restored && ctx.Err() == nil {
				s.log.Info(logfile.RestoredText(path))
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

// logLooks are the directories of logs that are being looked at, so that each that
// hangs costs one goroutine.
type logLooks struct {
	mu    sync.Mutex
	under map[string]bool
}

// logDir are the logs in one directory.
type logDir struct {
	dir   string
	paths []string
}

// begin sorts paths by their directories, in the order of the first of each, leaves out
// those that have not answered an earlier look, and notes the others as being looked at.
func (l *logLooks) begin(paths []string) []logDir {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.under == nil {
		l.under = make(map[string]bool)
	}
	var dirs []logDir
	index := make(map[string]int)
	for _, path := range paths {
		dir := filepath.Dir(path)
		if i, known := index[dir]; known {
			dirs[i].paths = append(dirs[i].paths, path)
		} else if !l.under[dir] {
			index[dir] = len(dirs)
			dirs = append(dirs, logDir{dir, []string{path}})
		}
	}
	for _, d := range dirs {
		l.under[d.dir] = true
	}
	return dirs
}

func (l *logLooks) end(d logDir) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.under, d.dir)
}
