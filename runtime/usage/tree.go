package usage

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"time"

	"supervisord/runtime/procstat"
)

// Process names one process of the table.
type Process struct{ Group, Name string }

// Root is a process that is measured, together with all that descends from it.
type Root struct {
	Process
	PID int
}

// Usage is what a process and its descendants take.
type Usage struct {
	PID         int           // of the process itself
	CPU         time.Duration // in user and kernel mode, since it began
	Resident    int64         // bytes of memory; what several of them share counts for each
	Threads     int
	Descriptors int // open files; -1 where they may not be counted
	Processes   int // itself and its descendants
}

// measure reads /proc for roots, and for the single process self.
func measure(proc string, self int, roots []Root) (map[Process]Usage, Usage, error) {
	pids, err := numbers(proc)
	if err != nil {
		return nil, Usage{}, err
	}
	stats := make(map[int]procstat.Stat, len(pids))
	for _, pid := range pids {
		if s, err := procstat.Read(proc, pid); err == nil { // else it has ended
			stats[pid] = s
		}
	}
	t := newTree(stats, self, roots)
	totals := make([]Usage, len(roots))
	count := descriptorCounter(proc)
	for pid, s := range stats {
		if i := t.owner(pid); i != nobody {
			totals[i].add(s, count(pid))
			totals[i].CPU += ticks(s.Reaped)
		}
	}
	of := make(map[Process]Usage, len(roots))
	for i, r := range roots {
		if _, lives := stats[r.PID]; lives {
			totals[i].PID = r.PID
			of[r.Process] = totals[i]
		}
	}
	daemon := Usage{PID: self}
	if s, found := stats[self]; found {
		daemon.add(s, count(self)) // whom it has waited for are the programs
	}
	return of, daemon, nil
}

var pageSize = int64(os.Getpagesize())

func ticks(n uint64) time.Duration { return time.Duration(n) * (time.Second / procstat.TicksPerSecond) }

// add adds one process. Of one that has ended and is not reaped, its time alone is left.
func (u *Usage) add(s procstat.Stat, descriptors int) {
	u.CPU += ticks(s.CPU)
	if !s.Living() {
		return
	}
	u.Processes++
	u.Threads += s.Threads
	u.Resident += s.Resident * pageSize
	if descriptors < 0 || u.Descriptors < 0 {
		u.Descriptors = -1
	} else {
		u.Descriptors += descriptors
	}
}

// tree finds whom each process belongs to.
type tree struct {
	stats  map[int]procstat.Stat
	roots  map[int]int // by pid
	owners map[int]int // those that are known
}

// nobody is the owner of what belongs to no root.
const nobody = -1

func newTree(stats map[int]procstat.Stat, self int, roots []Root) *tree {
	t := &tree{stats: stats, roots: make(map[int]int, len(roots)), owners: make(map[int]int, len(stats))}
	for i, r := range roots {
		t.roots[r.PID], t.owners[r.PID] = i, i
	}
	t.owners[self] = nobody
	return t
}

// owner is the number of the root that a process belongs to.
func (t *tree) owner(pid int) int {
	if i, known := t.owners[pid]; known {
		return i
	}
	s, found := t.stats[pid]
	if !found {
		return nobody
	}
	t.owners[pid] = nobody // pids that were given out again meanwhile may make a circle
	i := t.owner(s.Parent)
	if leader, is := t.roots[s.Group]; i == nobody && is {
		i = leader
	}
	t.owners[pid] = i
	return i
}

// numbers lists the names in a directory that are numbers.
func numbers(dir string) ([]int, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	list := make([]int, 0, len(names))
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil {
			list = append(list, n)
		}
	}
	return list, nil
}

// descriptorCounter returns what counts the open files of a process: 0 of one that has
// ended, -1 where it may not look. Since 6.2 the kernel says their number without listing
// them.
func descriptorCounter(proc string) func(pid int) int {
	own, err := os.Stat(proc + "/self/fd")
	told := err == nil && own.Size() > 0
	return func(pid int) int {
		dir := proc + "/" + strconv.Itoa(pid) + "/fd"
		if told {
			if info, err := os.Stat(dir); err == nil {
				return int(info.Size())
			}
			return 0
		}
		list, err := numbers(dir)
		if errors.Is(err, fs.ErrPermission) {
			return -1
		}
		return len(list)
	}
}
