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

// kin is everything that belongs to one run of a process: the process group
// that it leads or, with killmode=cgroup, the cgroup that it was born in, which
// no descendant can leave by itself. Its methods may touch the kernel's file
// systems and wait, so they are called outside the loop.
type kin struct {
	group  int    // the process's own number
	cgroup string // directory of its cgroup, "" for none: then the group is all that is known
	// seen are the members that outlived the leader, by their start times. As
	// long as one of them is there, the group's number is not somebody else's.
	seen map[int]uint64
}

// cgroups is what the supervisor asks of the place where cgroups are made.
type cgroups interface {
	Create(name string) (string, error)
	Members(path string) ([]int, error)
	Signal(path string, sig syscall.Signal, exceptGroup int) error
	Kill(path string) error
	Remove(path string) error
}

// look counts who is left when the leader has gone. A cgroup that is empty is
// taken away.
func (k *kin) look(o kernel) int {
	if k.cgroup == "" {
		members := o.GroupMembers(k.group)
		if k.seen == nil {
			k.seen = make(map[int]uint64, len(members))
			if slices.Contains(members, k.group) {
				return 0 // our leader was reaped: this is another's, of a group of its own
			}
			for _, pid := range members {
				if start, err := o.StartTime(pid); err == nil {
					k.seen[pid] = start
				}
			}
		}
		return len(members)
	}
	c, err := o.Cgroups()
	if err != nil {
		return 0
	}
	members, err := c.Members(k.cgroup)
	if err == nil && len(members) == 0 {
		_ = c.Remove(k.cgroup) // one that cannot be removed does no harm
	}
	return len(members)
}

// signal sends to who is left when the leader has gone.
func (k *kin) signal(o kernel, sig syscall.Signal) error {
	if k.cgroup == "" {
		if !k.known(o) {
			return syscall.ESRCH
		}
		return o.SignalGroup(k.group, sig)
	}
	c, err := o.Cgroups()
	if err != nil {
		return err
	}
	if sig == syscall.SIGKILL {
		return c.Kill(k.cgroup)
	}
	return c.Signal(k.cgroup, sig, 0)
}

// known reports whether the group is still the one that was looked at.
func (k *kin) known(o kernel) bool {
	for _, pid := range o.GroupMembers(k.group) {
		start, err := o.StartTime(pid)
		if was, seen := k.seen[pid]; seen && err == nil && was == start || errors.Is(err, errors.ErrUnsupported) {
			return true
		}
	}
	return false
}

// beyond sends to those of the cgroup that are not in the process's group, which
// is signalled by itself while its leader lives.
func (k *kin) beyond(o kernel, sig syscall.Signal) error {
	c, err := o.Cgroups()
	if err != nil {
		return err
	}
	if sig == syscall.SIGKILL {
		return c.Kill(k.cgroup)
	}
	return c.Signal(k.cgroup, sig, k.group)
}

// end ends who is left, and reports whether nobody is: the signal, if it is not 0,
// then SIGKILL at the limit. It returns early when quit is closed; nil never is.
func (k *kin) end(o kernel, sig syscall.Signal, limit time.Time, quit <-chan struct{}) bool {
	if k.look(o) == 0 {
		return true
	}
	if sig != 0 {
		_ = k.signal(o, sig) // what could not be sent shows in who is left
	}
	killed := false
	for pause := firstSweep; k.look(o) > 0; pause = min(2*pause, lastSweep) {
		if k.cgroup == "" && !k.known(o) {
			return true
		}
		if !killed && !time.Now().Before(limit) {
			killed, pause = true, firstSweep
			_ = k.signal(o, syscall.SIGKILL)
		}
		select {
		case <-time.After(pause):
		case <-quit:
			return false
		}
	}
	return true
}

// endOf ends who is left of a process of that definition.
func (k *kin) endOf(o kernel, def *spec.Process) {
	k.end(o, syscall.Signal(def.StopSignal), time.Now().Add(proc.Seconds(def.StopWaitSecs)), nil)
}

// warnFallback says once for each program of a group that killmode=cgroup is
// not to be had for it. Programs that had it before are not named again.
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
		if old, stays := now.slots[d.Name]; named[program] || stays && old.def.KillMode == spec.KillCgroup {
			named[program] = true
			continue
		}
		named[program] = true
		if _, err := s.opt.kernel.Cgroups(); err != nil {
			s.log.Warn(program + ": killmode=cgroup falls back to group: " + err.Error())
		}
	}
}

// cgroupFor makes the cgroup in which a run of a process begins its life. It is
// "" for those that want none, and where there is none to be had.
func (j *job) cgroupFor() string {
	if j.def.KillMode != spec.KillCgroup {
		return ""
	}
	c, err := j.kernel.Cgroups()
	if err != nil {
		return "" // said when the program came
	}
	// No two runs have the same: what ends one must not reach the next.
	path, err := c.Create(j.runName + "." + j.group + ":" + j.def.Name)
	if err != nil {
		var cause *os.PathError
		if errors.As(err, &cause) {
			err = cause.Err
		}
		j.warn(j.def.Name + ": killmode=cgroup falls back to group for this run: cannot make its cgroup: " + err.Error())
		return ""
	}
	return path
}

// removeCgroup takes away a cgroup in which nothing was started.
func (j *job) removeCgroup(path string) {
	if path == "" {
		return
	}
	if c, err := j.kernel.Cgroups(); err == nil {
		_ = c.Remove(path)
	}
}

// machineCgroups finds the machine's place for cgroups.
func machineCgroups() (cgroups, error) {
	c, err := launch.FindCgroups()
	if err != nil {
		return nil, err
	}
	return c, nil
}
