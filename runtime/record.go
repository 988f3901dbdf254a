package runtime

import (
	"os"
	"syscall"
	"time"

	"supervisord/runtime/launch"
	"supervisord/runtime/proc"
	"supervisord/spec"
)

// RunChange is one process that started, ended, or got another definition, for a
// table of running processes.
type RunChange struct {
	Group, Name string
	PID         int
	// Runs is false for one that has ended, and all that belonged to it; the
	// fields below are then empty.
	Runs bool

	StartTime     uint64    // in clock ticks after boot; 0 if unknown
	Started       time.Time // the same for people
	Cgroup        string    // directory of its own cgroup, "" for none
	Variable      string    // KEY=value in the environment of this run alone, "" for none
	Pipes         launch.Pipes
	GroupPriority int
	Def           *spec.Process // never changed
}

// reportRunning tells Options.OnChange of a process that runs.
func (s *Supervisor) reportRunning(p *process) { s.reportRun(p, &p.descendants) }

// reportRun is about a run of p, of which these are left.
func (s *Supervisor) reportRun(p *process, of *descendants) {
	if s.opt.OnChange != nil {
		s.opt.OnChange(RunChange{
			Group: p.group.def.Name, Name: p.def.Name, PID: of.pgid, Runs: true,
			StartTime: p.began, Started: p.machine.Started, Cgroup: of.cgroup, Variable: of.variable, Pipes: p.pipes,
			GroupPriority: p.group.def.Priority, Def: p.def,
		})
	}
}

// reportResumed tells it of what was handed over and has not ended.
func (s *Supervisor) reportResumed(p *process) {
	switch {
	case p.descendants.pgid != 0:
		s.reportRunning(p)
	case p.orphans.pgid != 0:
		s.reportRun(p, &p.orphans)
	}
}

// reportEnded tells it of one that has ended, with all of its descendants.
func (s *Supervisor) reportEnded(p *process, pid int) {
	if s.opt.OnChange != nil {
		s.opt.OnChange(RunChange{Group: p.group.def.Name, Name: p.def.Name, PID: pid})
	}
}

// Survivor is the record of a running process: enough for a later daemon to
// recognise it and to stop it as its definition asks.
//
// Source: reconciler.md, After the daemon itself was killed.
type Survivor struct {
	Group   string    `json:"group"`
	Name    string    `json:"name"`
	PID     int       `json:"pid"`
	Start   uint64    `json:"start"` // clock ticks after boot
	Boot    string    `json:"boot"`
	Started time.Time `json:"started"`
	// Hash is of what the process was given when it was started.
	Hash string `json:"hash"`
	// User is the uid that the definition gave it; nil if it was not recorded.
	User   *int   `json:"user,omitempty"`
	Cgroup string `json:"cgroup,omitempty"`
	// Variable (KEY=value) is in the environment of that run and of no other; "" where
	// those who leave its process group are let go, or it was not written down.
	Variable string `json:"variable,omitempty"`
	// Pipes are those it was given. Without a PID they are all that is known.
	Pipes launch.Pipes `json:"pipes"`

	GroupPriority int  `json:"groupPriority"`
	Priority      int  `json:"priority"`
	StopSignal    int  `json:"stopSignal"`
	StopWaitSecs  int  `json:"stopWaitSecs"` // seconds
	StopAsGroup   bool `json:"stopAsGroup,omitempty"`
	KillAsGroup   bool `json:"killAsGroup,omitempty"`
}

// Remember returns the record of a process that runs during the given boot.
func (c RunChange) Remember(boot string) Survivor {
	rules, user := proc.RulesOf(c.Def), UserOf(c.Def)
	return Survivor{
		Group: c.Group, Name: c.Name, PID: c.PID, Start: c.StartTime, Boot: boot, Started: c.Started,
		Hash: execHash(c.Def), User: &user, Cgroup: c.Cgroup, Variable: c.Variable, Pipes: c.Pipes,
		GroupPriority: c.GroupPriority, Priority: c.Def.Priority,
		StopSignal: rules.StopSignal, StopWaitSecs: rules.StopWaitSecs,
		StopAsGroup: rules.StopAsGroup, KillAsGroup: rules.KillAsGroup,
	}
}

// UserOf is the uid with which a process of that definition starts.
func UserOf(def *spec.Process) int {
	if def.User != nil {
		return def.User.UID
	}
	return os.Geteuid()
}

// FindAnnounced finds processes that were about to start when their daemon was
// killed, by their pipes. Those it cannot find are left out.
func FindAnnounced(list []Survivor) []Survivor {
	pipes := make([]launch.Pipes, len(list))
	for i := range list {
		pipes[i] = list[i].Pipes
	}
	var found []Survivor
	for i, id := range launch.Find(pipes) {
		if v := list[i]; id.PID != 0 {
			v.PID, v.Start, v.Boot = id.PID, id.StartTime, id.BootID
			found = append(found, v)
		}
	}
	return found
}

// identity is which process is meant.
func (v *Survivor) identity() launch.Identity {
	return launch.Identity{PID: v.PID, StartTime: v.Start, BootID: v.Boot}
}

// descendants are those who belong to it.
func (v *Survivor) descendants() descendants {
	d := descendants{pgid: v.PID, cgroup: v.Cgroup, lost: true}
	if v.User != nil {
		d.variable, d.user = v.Variable, *v.User
	}
	return d
}

// name is the namespec.
func (v *Survivor) name() string {
	return spec.Namespec{Group: v.Group, Process: v.Name}.String()
}

// pidFD refers to one process, which need not be our child, and to no later one
// with its pid: *launch.PidFD.
type pidFD interface {
	Signal(syscall.Signal) error
	Wait() error
	Close() error
	Save() *os.File
}

// signalPidFD sends sig to the process that fd refers to, or to the process group
// that it leads. There is no descriptor for a group, but while its leader lives its
// number cannot be given out again.
func signalPidFD(o kernel, fd pidFD, pgid int, sig syscall.Signal, group bool) error {
	if !group {
		return fd.Signal(sig)
	}
	if err := fd.Signal(0); err != nil {
		return err
	}
	return o.SignalGroup(pgid, sig)
}
