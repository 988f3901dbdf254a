package launch

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"supervisord/runtime/procstat"
)

// GroupMembers lists the processes of the process group pgid that live, zombies
// left out. It reads all of /proc unless the group is empty, a few milliseconds
// per thousand processes, so the loop does not call it.
func GroupMembers(pgid int) []int {
	if err := SignalGroup(pgid, 0); err == syscall.ESRCH || err == syscall.EINVAL {
		return nil
	}
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	var members []int
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if s, err := readStat(pid); err == nil && s.Group == pgid && s.Living() {
			members = append(members, pid)
		}
	}
	return members
}

// Descends reports whether the process pid is in the process group of leader, or descends
// from it by parents that live.
func Descends(pid, leader int) bool {
	for depth := 0; pid > 1 && depth < maxDepth; depth++ {
		if pid == leader {
			return true
		}
		s, err := readStat(pid)
		if err != nil {
			return false
		}
		if depth == 0 && s.Group == leader {
			return true
		}
		pid = s.Parent
	}
	return false
}

// maxDepth bounds how many generations are looked at, which may change meanwhile.
const maxDepth = 100

// readStat is the line of a process. The error is ESRCH or ENOENT when there is no such
// process. Its start time is by the machine's clock.
func readStat(pid int) (procstat.Stat, error) {
	s, err := procstat.Read("/proc", pid)
	s.StartTime -= bootOffset() // modulo 2^64, so that one of either sign will do
	return s, err
}

// bootOffset is how far our clock since boot is ahead of the machine's, in ticks, where we
// are in a time namespace: the kernel shows start times by the reader's clock, and those
// that are compared may have been read by daemons in different ones.
var bootOffset = sync.OnceValue(func() uint64 {
	text, _ := os.ReadFile("/proc/self/timens_offsets") // which older kernels do not have
	return parseBootOffset(string(text))
})

// parseBootOffset takes the offset from lines such as "boottime 86400 0", in seconds and
// nanoseconds.
func parseBootOffset(text string) uint64 {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != "boottime" {
			continue
		}
		seconds, err := strconv.ParseInt(f[1], 10, 64)
		ns, err2 := strconv.ParseInt(f[2], 10, 64)
		if err == nil && err2 == nil {
			return uint64(seconds*procstat.TicksPerSecond + ns/(1e9/procstat.TicksPerSecond))
		}
	}
	return 0
}
