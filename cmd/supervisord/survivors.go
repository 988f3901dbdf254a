package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"supervisord/runtime"
	"supervisord/runtime/launch"
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
		if uid, is := l.runsAsAnother(v); is {
			l.logger.Warn(fmt.Sprintf("%s:%s (pid %d) of an earlier supervisord is left alone: it runs as uid %d, which is not its user by the configuration", v.Group, v.Name, v.PID, uid))
			l.table.forget(v)
			continue
		}
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

// runsAsAnother reports whether a survivor runs as another user than the
// configuration names for it, or named when it began, and then as whom. It is a
// second look at what the table says. Who began as root may have become anybody,
// as with gosu(1) or setpriv(1), but then has the names that it was given.
func (l *life) runsAsAnother(v runtime.Survivor) (uid int, is bool) {
	var named []int
	if v.User != nil {
		named = append(named, *v.User)
	}
	for _, g := range l.cfg.Groups {
		for i := range g.Processes {
			if g.Name == v.Group && g.Processes[i].Name == v.Name {
				named = append(named, runtime.UserOf(&g.Processes[i]))
			}
		}
	}
	if named == nil { // it is not configured any more
		named = append(named, os.Geteuid())
	}
	uid, err := launch.RealUID(v.PID)
	if err != nil || slices.Contains(named, uid) {
		return 0, false // the first: it has ended
	}
	return uid, !slices.Contains(named, 0) || !launch.GivenNames(v.PID, v.Group, v.Name)
}
