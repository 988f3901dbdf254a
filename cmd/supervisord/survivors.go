package main

import (
	"context"
	"fmt"

	"supervisord/runtime"
)

// openTable begins the table of what runs and returns what a daemon that was
// killed left running. It comes after the servers were opened, so that a second
// daemon has failed before it could take the first one's processes for orphans.
func (l *life) openTable() []runtime.Survivor {
	if store := l.reconciler.Store(); store != nil && l.table.dir.Path != "" {
		l.table.dir.Path = store.Dir()      // which is another than was asked for, if that is not ours
		l.table.warned = store.Err() != nil // the reconciler has said that nothing can be kept there
	}
	survivors, err := l.table.open()
	if err != nil {
		l.logger.Warn(err.Error() + ": what runs is not noted, and its processes are left alone")
	}
	return survivors
}

// settleSurvivors does with what an earlier daemon left running as the
// configuration says, before anything is started, so that nothing runs twice.
//
// Source: reconciler.md, After the daemon itself was killed.
func (l *life) settleSurvivors(ctx context.Context, survivors []runtime.Survivor) {
	var end []runtime.Survivor
	for _, v := range survivors {
		switch l.cfg.Daemon.Survivors {
		case "ignore":
			l.logger.Info(fmt.Sprintf("%s:%s (pid %d) of an earlier supervisord is ignored", v.Group, v.Name, v.PID))
			l.table.forget(v)
		case "adopt":
			// What cannot be adopted, or is not what the files say, is started anew.
			if l.supervisor.Adopt(ctx, v) != nil {
				end = append(end, v)
			}
		default:
			end = append(end, v)
		}
	}
	l.supervisor.EndSurvivors(end, l.table.forget)
}
