package launch

import (
	"sync"
	"time"
)

// OOMKills tells which children the kernel's out-of-memory killer has ended. The kernel
// says that of no process, but counts what it kills in each cgroup that it counts the
// memory of. A death by a SIGKILL that nobody sent, with which the count of its cgroup has
// risen, is put down to the killer, and each rise to one death. Others share the cgroup
// as a rule, so the count is looked at now and then, and a rise that was seen earlier than
// oomMemory ago is nobody's any more.
//
// Where the kernel has no such count, nothing is said: for what is in the root cgroup, for
// kernels before 4.13, outside Linux. A process that has gone to another cgroup since it
// began is looked for in the one that it began in.
//
// The zero value is ready. The methods may be called from any goroutine; they read a few
// small files of the kernel's.
type OOMKills struct {
	mu       sync.Mutex // held while such files are read
	counters map[string]*oomCounter
	nearest  nearestCounter // of the process that was followed last
}

// nearestCounter is the file that counts for whoever is in the same cgroups. It is looked
// for once for all that begin at about the same time.
type nearestCounter struct {
	cgroups, file string
	found         time.Time
}

const nearestFor = time.Second

// oomCounter is the count of one cgroup.
type oomCounter struct {
	processes int // that are followed there
	count     int64
	risen     []time.Time // when each rise was seen that is put down to nobody yet
}

// oomMemory is for how long a rise may still be put down to a death: a process that has
// much memory takes a while to end.
const oomMemory = 10 * time.Second

// FollowOOM has the count watched of the cgroup that the process pid is in, and returns
// what ClaimOOM and UnfollowOOM know it by; "" where there is none.
func (o *OOMKills) FollowOOM(pid int) (counter string) {
	cgroups := cgroupsOf(pid)
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := &o.nearest; n.cgroups != cgroups || time.Since(n.found) > nearestFor {
		*n = nearestCounter{cgroups, oomCounterOf(cgroups), time.Now()}
	}
	if counter = o.nearest.file; counter == "" {
		return ""
	}
	c := o.counters[counter]
	if c == nil {
		count, ok := readOOMKills(counter)
		if !ok {
			return ""
		}
		if o.counters == nil {
			o.counters = make(map[string]*oomCounter)
		}
		c = &oomCounter{count: count}
		o.counters[counter] = c
	}
	c.processes++
	return counter
}

// UnfollowOOM ends what FollowOOM began.
func (o *OOMKills) UnfollowOOM(counter string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c := o.counters[counter]; c != nil {
		if c.processes--; c.processes == 0 {
			delete(o.counters, counter)
		}
	}
}

// SaveOOM is how far each count has been put down to deaths, for whoever follows the same
// processes next: what has risen since, and lately, is a rise to that one.
func (o *OOMKills) SaveOOM() map[string]int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	saved := make(map[string]int64, len(o.counters))
	now := time.Now()
	for counter, c := range o.counters {
		c.forget(now)
		saved[counter] = c.count - int64(len(c.risen))
	}
	return saved
}

// ResumeOOM is FollowOOM for a process that another OOMKills has followed, with what that
// one has saved of its counter.
func (o *OOMKills) ResumeOOM(counter string, count int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.counters[counter]
	if c == nil {
		if o.counters == nil {
			o.counters = make(map[string]*oomCounter)
		}
		c = &oomCounter{count: count}
		o.counters[counter] = c
	}
	c.processes++
}

// LookAtOOM looks at every count, so that what rises with nobody's death is not taken for
// the reason of a later one.
func (o *OOMKills) LookAtOOM() {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	for counter, c := range o.counters {
		c.look(counter, now)
	}
}

// ClaimOOM puts a death down to the out-of-memory killer, if the count has risen for it.
func (o *OOMKills) ClaimOOM(counter string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.counters[counter]
	if c == nil {
		return false
	}
	c.look(counter, time.Now())
	if len(c.risen) == 0 {
		return false
	}
	c.risen = c.risen[1:]
	return true
}

// maxRises bounds what is remembered of one count.
const maxRises = 1000

// forget drops the rises that are nobody's any more.
func (c *oomCounter) forget(now time.Time) {
	for len(c.risen) > 0 && now.Sub(c.risen[0]) > oomMemory {
		c.risen = c.risen[1:]
	}
}

func (c *oomCounter) look(counter string, now time.Time) {
	c.forget(now)
	count, ok := readOOMKills(counter)
	if !ok {
		return // the cgroup is gone
	}
	for ; c.count < count && len(c.risen) < maxRises; c.count++ {
		c.risen = append(c.risen, now)
	}
	c.count = count
}
