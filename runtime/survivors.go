package runtime

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"supervisord/runtime/proc"
	"supervisord/runtime/state"
)

// killPatience is how long a process may take to go after SIGKILL. One that
// takes longer hangs in the kernel, and must not keep all others from starting.
const killPatience = 10 * time.Second

// EndSurvivors stops what an earlier daemon left running, in the order of a
// shutdown: by descending priority of the groups, all of one priority together,
// each with its own stop signal, stopwaitsecs and then SIGKILL. It returns when
// that is done. ended is called for each that has ended, from several goroutines;
// it is also called for those that cannot be recognised, which are never
// signalled.
//
// A shutdown cuts it short: ended is not called for those that are left, so that
// the next daemon finds them.
//
// It may be called from any goroutine but the loop, and is meant for the time in which
// Options.Hold keeps back every launch, so that nothing runs twice.
//
// Source: reconciler.md, After the daemon itself was killed.
func (s *Supervisor) EndSurvivors(list []Survivor, ended func(Survivor)) {
	// There is a pidfd for each before the first is signalled.
	var all []*termination
	for _, v := range list {
		e := &termination{Survivor: v, s: s}
		e.all = v.descendants()
		if fd, err := s.opt.kernel.OpenPidFD(v.identity()); err == nil {
			e.pidfd = fd
			defer fd.Close()
		} else if e.all.pgid = 0; !e.all.reachOutside() {
			ended(v) // its group cannot be recognised without its leader
			continue
		}
		all = append(all, e)
	}
	slices.SortStableFunc(all, func(a, b *termination) int {
		return cmp.Or(cmp.Compare(b.GroupPriority, a.GroupPriority), cmp.Compare(b.Priority, a.Priority))
	})
	var left atomic.Int32
	left.Store(int32(len(all)))
	for len(all) > 0 && s.Mood() == state.MoodRunning {
		n := 1
		for n < len(all) && all[n].GroupPriority == all[0].GroupPriority {
			n++
		}
		var batch sync.WaitGroup
		for _, e := range all[:n] {
			e.begin()
			batch.Go(func() {
				if e.finish() {
					left.Add(-1)
					ended(e.Survivor)
				}
			})
		}
		batch.Wait()
		all = all[n:]
	}
	if n := left.Load(); n > 0 && s.Mood() != state.MoodRunning {
		s.log.Warn(fmt.Sprintf("processes of an earlier supervisord that are left to the next one: %d", n))
	}
}

// termination is the end of one survivor.
type termination struct {
	Survivor
	s     *Supervisor
	pidfd pidFD // nil when the leader has ended
	all   descendants
	limit time.Time
}

// begin sends the stop signal.
func (e *termination) begin() {
	e.limit = time.Now().Add(proc.Seconds(e.StopWaitSecs))
	if e.pidfd == nil {
		return
	}
	e.s.log.Info(fmt.Sprintf("stopping %s (pid %d), which an earlier supervisord left running", e.name(), e.PID))
	e.send(syscall.Signal(e.StopSignal), e.StopAsGroup)
}

func (e *termination) send(sig syscall.Signal, whole bool) {
	o := e.s.opt.kernel
	err := signalPidFD(o, e.pidfd, e.PID, sig, whole)
	if whole && e.all.reachOutside() {
		err = firstError(err, e.all.signalOutsideGroup(o, sig))
	}
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		e.s.log.Warn(fmt.Sprintf("cannot signal %s (pid %d): %v", e.name(), e.PID, err))
	}
}

// finish waits for the end and reports whether it came. It is as patient as the
// definition says, but not during a shutdown.
func (e *termination) finish() bool {
	if e.pidfd != nil && !e.leaderEnds() {
		return false
	}
	if !e.StopAsGroup && !e.KillAsGroup {
		return true
	}
	if n := e.all.count(e.s.opt.kernel); n > 0 {
		sig := syscall.Signal(0)
		if e.pidfd == nil {
			sig = syscall.Signal(e.StopSignal) // no signal was sent to them yet
		}
		e.s.log.Warn(fmt.Sprintf("%s: ending %d more that an earlier supervisord left running", e.name(), n))
		return e.all.terminate(e.s.opt.kernel, sig, e.limit, e.s.stopping)
	}
	return true
}

func (e *termination) leaderEnds() bool {
	ended := make(chan struct{})
	go func() { // ends with the process, or when the pidfd is closed
		_ = e.pidfd.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return true
	case <-e.s.stopping:
		return false
	case <-time.After(time.Until(e.limit)):
	}
	e.s.log.Warn(fmt.Sprintf("killing '%s' (%d) with SIGKILL", e.name(), e.PID))
	e.send(syscall.SIGKILL, e.KillAsGroup)
	select {
	case <-ended:
		return true
	case <-e.s.stopping:
		return false
	case <-time.After(killPatience):
		e.s.log.Error(fmt.Sprintf("%s (pid %d) of an earlier supervisord does not exit, and is left alone", e.name(), e.PID))
		return false
	}
}
