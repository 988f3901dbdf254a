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
// daemon has failed before it could take the first one's processes for orphans. In a life
// that goes on from another, what runs is its own, and the table is not waited for.
func (l *life) openTable(goesOn bool) []runtime.Survivor {
	if l.running.dir.Path != "" {
		store := l.reconciler.Store()
		if store == nil {
			l.running.dir.Path = "" // it does not answer, as the reconciler has said
			return nil
		}
		l.running.dir.Path = store.Dir()      // which is another than was asked for, if that is not ours
		l.running.warned = store.Err() != nil // the reconciler has said that nothing can be kept there
	}
	var survivors []runtime.Survivor
	if l.running.goesOn = goesOn; !goesOn {
		var err error
		if survivors, err = l.running.open(); err != nil {
			l.logger.Warn(err.Error() + ": running processes are not recorded, and those of the earlier daemon are left alone")
		}
	}
	if l.running.dir.Path != "" && !l.running.warned {
		l.catchCrashes()
	}
	return survivors
}

// catchCrashes prepares for a crash, in the state directory that is ours now, and tells
// of an earlier one.
func (l *life) catchCrashes() {
	earlier, why, err := catchCrashes(l.running.dir)
	if earlier != "" {
		l.logger.Warn("an earlier supervisord has crashed: its last output is in " + earlier)
		l.logger.Log(context.Background(), levelCritical, "the earlier supervisord ended like this:\n"+why)
	}
	if err != nil {
		l.logger.Warn("a crash of this supervisord would leave no trace: " + err.Error())
	}
}

// settleSurvivors does with what an earlier daemon left running as the
// configuration says. Launches are held until that is done, so that nothing runs
// twice; clients are answered meanwhile.
//
// A shutdown that comes before they have ended does not wait for them, although children
// of a life do not outlive it: they are no children, so that their end is only seen by
// looking, and no group whose stages the bound of the end is the sum of. What is left
// stays in the table of what runs, and the next daemon ends it before it starts anything.
//
// Source: reconciler.md, After the daemon itself was killed.
func (l *life) settleSurvivors(ctx context.Context, survivors []runtime.Survivor) {
	var end []runtime.Survivor
	for _, v := range survivors {
		if uid, is := l.runsAsAnother(v); is {
			l.logger.Warn(fmt.Sprintf("%s:%s (pid %d) of an earlier supervisord is left alone: it runs as uid %d, not as the user that the configuration names", v.Group, v.Name, v.PID, uid))
			l.running.forget(v)
			continue
		}
		switch l.cfg.Daemon.Survivors {
		case "ignore":
			l.logger.Info(fmt.Sprintf("%s:%s (pid %d) of an earlier supervisord is ignored", v.Group, v.Name, v.PID))
			l.running.forget(v)
		case "adopt":
			// What cannot be adopted, or is not what the files say, is started again.
			if l.supervisor.Adopt(ctx, v) != nil {
				end = append(end, v)
			}
		default:
			end = append(end, v)
		}
	}
	if len(end) == 0 {
		close(l.hold)
		return
	}
	l.help("the end of an earlier supervisord's processes", func() {
		l.supervisor.EndSurvivors(end, l.running.forget)
		select {
		case <-l.supervisor.Stopping(): // nothing is launched any more
		default:
			close(l.hold)
		}
	})
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
	if named == nil { // it is no longer configured
		named = append(named, os.Geteuid())
	}
	uid, err := launch.RealUID(v.PID)
	if err != nil || slices.Contains(named, uid) {
		return 0, false // the first: it has ended
	}
	return uid, !slices.Contains(named, 0) || !launch.GivenNames(v.PID, v.Group, v.Name)
}
