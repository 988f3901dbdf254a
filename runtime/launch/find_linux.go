package launch

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Find finds, for each start that was announced, the child that came of it: the
// leader of a process group that has one of the pipes as descriptor 0, 1 or 2.
// The zero Identity stands for one that is not to be found: it has ended, never
// was, or has let go of its pipes. It reads all of /proc.
func Find(announced []Pipes) []Identity {
	found := make([]Identity, len(announced))
	wanted := make(map[string]int)
	for i, pipes := range announced {
		for _, n := range pipes {
			if n != 0 {
				wanted[fmt.Sprintf("pipe:[%d]", n)] = i
			}
		}
	}
	if len(wanted) == 0 {
		return found
	}
	for _, pid := range everybody() {
		id, err := Identify(pid)
		s, again := readStat(pid)
		if err != nil || again != nil || s.Group != pid || !s.Living() {
			continue
		}
		for fd := range 3 {
			link, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd))
			// Alive: what was read is of this very process.
			if i, is := wanted[link]; is && Alive(id) {
				found[i] = id
			}
		}
	}
	return found
}

// everybody lists the pids of all processes.
func everybody() (pids []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
