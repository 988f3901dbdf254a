package runtime

import (
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"supervisord/runtime/launch"
	"supervisord/runtime/proc"
	"supervisord/spec"
)

// descendants are the processes that belong to one run of a program: the members
// of the process group that it leads and, with a killmode, those that have left it,
// or, with killmode=cgroup, the members of the cgroup that it was started in, which
// no descendant can leave by itself. Its methods read the kernel's file systems and
// may wait, so they are called outside the loop.
type descendants struct {
	pgid   int    // the leader's pid; 0 where nobody knows whose group that is by now
	cgroup string // directory of the cgroup, "" for none
	// variable is in the environment of the run and of no other (KEY=value), for
	// those who left the group; "" where they are let go.
	variable string
	// lost is for a run that an earlier daemon began: its orphans are not ours. They are
	// then looked for everywhere, as user's.
	lost bool
	user int
	// startTimes are those of the members that outlived the leader, by pid. As long
	// as one of them lives, the group's number has not been given out again.
	startTimes map[int]uint64
}

// cgroups makes and uses cgroups below the daemon's own: *launch.Cgroups.
type cgroups interface {
	Create(name string) (string, error)
	Members(path string) ([]int, error)
	Signal(path string, sig syscall.Signal, exceptGroup int) error
	Kill(path string) error
	Remove(path string) error
}

// count counts the members that outlived the leader. An empty cgroup is removed,
// and a group whose number has been given out again has none.
func (d *descendants) count(o kernel) int {
	if d.cgroup == "" {
		return d.countGroup(o) + len(d.strays(o))
	}
	c, err := o.Cgroups()
	if err != nil {
		return 0
	}
	members, err := c.Members(d.cgroup)
	if err == nil && len(members) == 0 {
		_ = c.Remove(d.cgroup) // one that cannot be removed does no harm
	}
	return len(members)
}

func (d *descendants) countGroup(o kernel) int {
	if d.pgid == 0 {
		return 0
	}
	members := o.GroupMembers(d.pgid)
	if !d.sameGroup(o, members) {
		return 0
	}
	// What they have forked since belongs to them. The map may be shared with a
	// copy in the loop.
	d.startTimes = make(map[int]uint64, len(members))
	for _, pid := range members {
		if start, err := o.StartTime(pid); err == nil {
			d.startTimes[pid] = start
		}
	}
	return len(members)
}

// strays are those who left the group.
func (d *descendants) strays(o kernel) []launch.Identity {
	if d.variable == "" {
		return nil
	}
	if d.lost {
		return o.LostStrays(d.pgid, d.variable, d.user)
	}
	return o.Strays(d.pgid, d.variable)
}

// signal sends sig to the members that outlived the leader.
func (d *descendants) signal(o kernel, sig syscall.Signal) error {
	if d.cgroup == "" {
		var err error
		if d.countGroup(o) > 0 {
			err = o.SignalGroup(d.pgid, sig)
		}
		return firstError(d.signalStrays(o, sig), err)
	}
	c, err := o.Cgroups()
	if err != nil {
		return err
	}
	if sig == syscall.SIGKILL {
		return c.Kill(d.cgroup)
	}
	return c.Signal(d.cgroup, sig, 0)
}

// sameGroup reports whether these members are of our group: one of them is known,
// or none was counted before and none has the leader's pid. The leader was reaped,
// so that would be another process, and the group its own.
func (d *descendants) sameGroup(o kernel, members []int) bool {
	if d.startTimes == nil {
		return !slices.Contains(members, d.pgid)
	}
	return slices.ContainsFunc(members, func(pid int) bool {
		start, err := o.StartTime(pid)
		was, known := d.startTimes[pid]
		return known && err == nil && was == start || errors.Is(err, errors.ErrUnsupported)
	})
}

// signalStrays sends sig to those who left the group; who has ended meanwhile is no
// failure.
func (d *descendants) signalStrays(o kernel, sig syscall.Signal) (err error) {
	for _, id := range d.strays(o) {
		fd, failed := o.OpenPidFD(id)
		if failed == nil {
			failed = fd.Signal(sig)
			fd.Close()
		}
		if !errors.Is(failed, syscall.ESRCH) {
			err = firstError(err, failed)
		}
	}
	return err
}

// reachOutside reports whether there may be descendants outside the process group.
func (d *descendants) reachOutside() bool { return d.cgroup != "" || d.variable != "" }

// signalOutsideGroup sends sig to the descendants that are not in the process group,
// which is signalled as a group while its leader lives.
func (d *descendants) signalOutsideGroup(o kernel, sig syscall.Signal) error {
	if d.cgroup == "" {
		return d.signalStrays(o, sig)
	}
	c, err := o.Cgroups()
	if err != nil {
		return err
	}
	if sig == syscall.SIGKILL {
		return c.Kill(d.cgroup)
	}
	return c.Signal(d.cgroup, sig, d.pgid)
}

// terminate ends the members that outlived the leader: it sends sig, if it is not
// 0, and SIGKILL at the limit. It returns true when none is left, and false when
// quit is closed before; a nil quit never is.
func (d *descendants) terminate(o kernel, sig syscall.Signal, limit time.Time, quit <-chan struct{}) bool {
	if d.count(o) == 0 {
		return true
	}
	if sig != 0 {
		_ = d.signal(o, sig) // whom it did not reach is still counted
	}
	killed := false
	for pause := firstPoll; d.count(o) > 0; pause = min(2*pause, lastPoll) {
		if !time.Now().Before(limit) {
			if !killed {
				killed, pause = true, firstPoll
			}
			_ = d.signal(o, syscall.SIGKILL) // again for what was forked meanwhile
		}
		select {
		case <-time.After(pause):
		case <-quit:
			return false
		}
	}
	return true
}

// terminateAs ends them with the stop signal and the stopwaitsecs of a definition, unless
// quit is closed before.
func (d *descendants) terminateAs(o kernel, def *spec.Process, quit <-chan struct{}) {
	d.terminate(o, syscall.Signal(def.StopSignal), time.Now().Add(proc.Seconds(def.StopWaitSecs)), quit)
}

// warnFallback warns once for each program of a group for which killmode=cgroup is
// unavailable. Programs that had it before are not named again.
func (s *Supervisor) warnFallback(def *spec.Group, now inForce) {
	named := make(map[string]bool)
	for i := range def.Processes {
		d := &def.Processes[i]
		if d.KillMode != spec.KillCgroup {
			continue
		}
		program := strings.TrimPrefix(d.Origin.Section, "program:")
		if program == "" {
			program = d.Name
		}
		if old, stays := now.processes[d.Name]; named[program] || stays && old.def.KillMode == spec.KillCgroup {
			named[program] = true
			continue
		}
		named[program] = true
		if _, err := s.opt.kernel.Cgroups(); err != nil {
			s.log.Warn(program + ": killmode=cgroup falls back to group: " + err.Error())
		}
	}
}

// makeCgroup makes the cgroup in which a run of a process starts. It is "" for processes
// that want none, and where cgroups are unavailable.
func (t *launchTask) makeCgroup() string {
	if t.def.KillMode != spec.KillCgroup {
		return ""
	}
	c, err := t.kernel.Cgroups()
	if err != nil {
		return "" // said when the program came
	}
	// Each run has its own, so that killing one cannot reach the next.
	path, err := c.Create(t.runName + "." + t.group + ":" + t.def.Name)
	if err != nil {
		var cause *os.PathError
		if errors.As(err, &cause) {
			err = cause.Err
		}
		t.warn(t.def.Name + ": killmode=cgroup falls back to group for this run: cannot make its cgroup: " + err.Error())
		return ""
	}
	return path
}

// runVariable is the variable by which the descendants of a run are known.
const runVariable = "SUPERVISOR_RUN"

// reaching counts the processes of a group whose descendants are to be ended with
// them wherever they are.
func reaching(g *spec.Group) (n int) {
	for i := range g.Processes {
		if g.Processes[i].KillMode != spec.KillProcess {
			n++
		}
	}
	return n
}

// updateSubreaper has orphans come to us as long as there is a program for which, or
// an option by which, that is wanted, and not otherwise. As process 1 we have them
// anyway.
func (s *Supervisor) updateSubreaper() {
	wanted := s.opt.Subreaper || s.reaching > 0
	if wanted == s.subreaper || os.Getpid() == 1 {
		return
	}
	err := s.opt.kernel.SetSubreaper(wanted)
	switch {
	case err == nil:
		s.subreaper = wanted
	case s.opt.Subreaper && !s.subreaperFailed:
		s.subreaperFailed = true
		s.log.Warn("subreaper: orphans cannot be reaped: " + err.Error())
	}
}

// stopReaping leaves orphans to come to whoever else there is.
func (s *Supervisor) stopReaping() {
	if s.subreaper {
		_ = s.opt.kernel.SetSubreaper(false)
	}
}

// removeCgroup removes a cgroup in which nothing was started.
func (t *launchTask) removeCgroup(path string) {
	if path == "" {
		return
	}
	if c, err := t.kernel.Cgroups(); err == nil {
		_ = c.Remove(path)
	}
}

// machineCgroups finds where cgroups can be made on this machine.
func machineCgroups() (cgroups, error) {
	c, err := launch.FindCgroups()
	if err != nil {
		return nil, err
	}
	return c, nil
}
