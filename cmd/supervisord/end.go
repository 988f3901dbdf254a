package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"supervisord/runtime"
	"supervisord/runtime/mainlog"
	"supervisord/spec"
)

// How long a shutdown takes at most, whatever hangs: until every child has had the
// time that its stopwaitsecs gives it, and then these.
const (
	// stopGrace is for the supervisor's loop beyond that, and groupGrace for each of its
	// stages. It bounds itself more tightly: this is for one that has died.
	stopGrace  = 4 * time.Second
	groupGrace = 500 * time.Millisecond
	// listenerGrace is what the supervisor gives the listeners of one pool for the events
	// of what was stopped before them.
	listenerGrace = time.Second
	// endPatience is for everything else that works for a life to end.
	endPatience = time.Second
	// hurriedPatience is the same after a second signal: no time for a disk that hangs,
	// and enough for one that does not, since some tools signal twice.
	hurriedPatience = 500 * time.Millisecond
	// endReserve is what is left of shutdown_timeout, at most, for the last words.
	endReserve = 250 * time.Millisecond
	// logPatience is for what the activity log has not written yet.
	logPatience = 1500 * time.Millisecond
)

// untilEnd waits for the supervisor's loop to end, which ends when all children have.
// During a shutdown it does not wait for children that outlive SIGKILL, since they
// hang in the kernel: they stay in the table of what runs.
func (l *life) untilEnd(ended <-chan error) error {
	select {
	case err := <-ended:
		return err
	case <-l.leaving:
	}
	if t := l.cfg.Daemon.ShutdownTimeout; t > 0 {
		time.AfterFunc(t-min(t/20, endReserve), l.endNow)
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(l.stopTime() + stopGrace):
	}
	l.logger.Error("supervisord exits although not every process has ended")
	return nil
}

// endNow ends the process, whatever is not done yet: shutdown_timeout has passed. What
// ran was killed before.
func (l *life) endNow() {
	l.logger.Error("supervisord exits before everything is done: shutdown_timeout has passed")
	closeLogWithin(l.log, min(l.cfg.Daemon.ShutdownTimeout/20, endReserve))
	os.Exit(l.status())
}

// status is what the daemon exits with.
func (l *life) status() int {
	if c := l.supervisor.Cause(); c != nil {
		return c.Status
	}
	return 0
}

// outcome is how a life has ended. A shutdown that was asked for at the very end of a
// restart, when the loop took no more requests, is one.
func (l *life) outcome(err error) error {
	select {
	case <-l.leaving:
		if errors.Is(err, runtime.ErrRestart) {
			return nil
		}
	default:
	}
	return err
}

// stopTime is how long the ordered end may take: group by group the longest stopwaitsecs.
func (l *life) stopTime() time.Duration {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var groups []*spec.Group
	active, err := l.supervisor.Groups(ctx)
	for _, g := range active {
		groups = append(groups, g.Group)
	}
	if err != nil {
		for i := range l.cfg.Groups {
			groups = append(groups, &l.cfg.Groups[i])
		}
	}
	var sum time.Duration
	for _, g := range groups {
		longest := 0
		for i := range g.Processes {
			longest = max(longest, g.Processes[i].StopWaitSecs)
		}
		sum += inSeconds(longest) + groupGrace
		if g.Kind == spec.KindListener {
			sum += listenerGrace
		}
	}
	return sum
}

// inSeconds is a stopwaitsecs, a year at most so that sums of them stay durations.
func inSeconds(n int) time.Duration {
	const year = 365 * 24 * 60 * 60
	return time.Duration(min(n, year)) * time.Second
}

// handOff ends a life that another program continues with. Nothing is supervised meanwhile,
// so it waits for nothing but the table of what runs: all else ends with this program or,
// should that stay, soon.
func (l *life) handOff() { l.helpers.wait(tableHelper, endPatience, hurriedPatience, l.hurried) }

// tableHelper is the helper that writes the table of what runs.
const tableHelper = "the table of what runs"

// finish ends what works for a life, and leaves behind what does not end.
func (d *daemon) finish(l *life, pid *pidfile) {
	if pid != nil {
		l.help("the removal of the pidfile", pid.remove)
	}
	if !l.serving { // else the servers close them, once every reply under way has been written
		l.help("the sockets", func() { l.server.Close() })
	}
	l.help("what event listeners print", func() { d.printer.flush(time.Second) })
	if left := l.helpers.wait("", endPatience, hurriedPatience, l.hurried); len(left) > 0 {
		l.logger.Warn("no longer waited for: " + strings.Join(left, ", "))
	}
}

// closeLog writes what the activity log still has, if its disk lets it.
func closeLog(log *mainlog.Log) { closeLogWithin(log, logPatience) }

func closeLogWithin(log *mainlog.Log, limit time.Duration) {
	closed := make(chan struct{})
	go func() { // ends with the disk's answer, or with the daemon
		log.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(limit):
	}
}

// helpers are the goroutines that work for one life, each with a name for people.
type helpers struct {
	mu   sync.Mutex
	list []helper
}

type helper struct {
	name string
	done chan struct{}
}

// Go runs f.
func (h *helpers) Go(name string, f func()) {
	done := make(chan struct{})
	h.mu.Lock()
	h.list = append(h.list, helper{name, done})
	h.mu.Unlock()
	go func() { // waited for by wait
		defer close(done)
		f()
	}()
}

// wait waits until all have ended that are of a name, "" for any, for limit or, from when
// hurry is closed on, for the shorter time at most, and returns the names of those that
// have not.
func (h *helpers) wait(name string, limit, shorter time.Duration, hurry <-chan struct{}) (left []string) {
	over := time.After(limit)
	h.mu.Lock()
	defer h.mu.Unlock()
	given := false // no more time
	for _, w := range h.list {
		if name != "" && w.name != name {
			continue
		}
		for ended := false; !ended && !given; {
			select {
			case <-w.done:
				ended = true
			case <-over:
				given = true
			case <-hurry:
				hurry, over = nil, time.After(min(shorter, limit))
			}
		}
		select {
		case <-w.done:
		default:
			left = append(left, w.name)
		}
	}
	return left
}

// lastWords is deferred by what the daemon cannot do without. A panic there is
// reported in the activity log and then ends the daemon: one that carries on confused
// would end the wrong process. The table of what runs is written as things happen, so
// the next daemon finds them.
func (l *life) lastWords(who string) {
	p := recover()
	if p == nil {
		return
	}
	l.logger.Log(context.Background(), levelCritical, fmt.Sprintf("%s panicked, and supervisord exits: %v\n%s", who, p, debug.Stack()))
	closeLog(l.log)
	panic(p)
}
