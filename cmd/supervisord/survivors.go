package main

import (
	"context"
	"fmt"
	"path/filepath"

	"supervisord/runtime"
)

// openTable begins the table of what runs and returns what a daemon that was
// killed left running. It comes after the servers were opened, so that a second
// daemon has failed before it could take the first one's processes for orphans.
func (l *life) openTable() []runtime.Survivor {
	if store := l.reconciler.Store(); store != nil && store.Err() != nil {
		l.running.warned = true // the reconciler has said that nothing can be kept there
	}
	survivors, err := l.running.open()
	if err != nil {
		l.logger.Warn(err.Error() + ": what runs is not noted, and its processes are left alone")
	}
	if l.running.path != "" && !l.running.warned {
		l.catchCrashes()
	}
	return survivors
}

// catchCrashes prepares for a crash, in the state directory that is ours now, and tells
// of an earlier one.
func (l *life) catchCrashes() {
	earlier, err := catchCrashes(filepath.Dir(l.running.path))
	if earlier != "" {
		l.logger.Warn("an earlier supervisord has crashed: its last words are in " + earlier)
	}
	if err != nil {
		l.logger.Warn("a crash of this supervisord would leave no trace: " + err.Error())
	}
}

// settleSurvivors does with what an earlier daemon left running as the
// configuration says. Launches are held until that is done, so that nothing runs
// twice; clients are answered meanwhile.
//
// Source: reconciler.md, After the daemon itself was killed.
func (l *life) settleSurvivors(ctx context.Context, survivors []runtime.Survivor) {
	var end []runtime.Survivor
	for _, v := range survivors {
		switch l.cfg.Daemon.Survivors {
		case "ignore":
			l.logger.Info(fmt.Sprintf("%s:%s (pid %d) of an earlier supervisord is ignored", v.Group, v.Name, v.PID))
			l.running.forget(v)
		case "adopt":
			// What cannot be adopted, or is not what the files say, is started anew.
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
