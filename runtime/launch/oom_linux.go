package launch

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// mountinfo is where the hierarchies of cgroups are, as they were when the daemon began.
var mountinfo = sync.OnceValue(func() string {
	text, _ := os.ReadFile("/proc/self/mountinfo")
	return string(text)
})

// oomCounterOf is the file that counts what is killed in the cgroup of the process pid: of
// the nearest cgroup above it whose memory the kernel counts. "" is none.
func oomCounterOf(pid int) string {
	own, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return ""
	}
	return oomCounterIn(string(own), mountinfo(), os.Stat)
}

// oomCounterIn is the same by what /proc says; stat tells which files there are.
func oomCounterIn(own, mountinfo string, stat func(string) (fs.FileInfo, error)) string {
	for _, version := range []struct {
		controller string
		files      []string // the first counts what is in the cgroup itself, of what the kernel has
	}{
		{"", []string{"memory.events.local", "memory.events"}},
		{"memory", []string{"memory.oom_control"}},
	} {
		dir, top, err := cgroupOf(own, mountinfo, version.controller)
		if err != nil {
			continue
		}
		for ; len(dir) >= len(top); dir = filepath.Dir(dir) {
			for _, name := range version.files {
				file := filepath.Join(dir, name)
				if _, err := stat(file); err == nil {
					return file
				}
			}
			if dir == top {
				break
			}
		}
	}
	return ""
}

// readOOMKills is the count in such a file.
func readOOMKills(file string) (int64, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			count, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			return count, err == nil
		}
	}
	return 0, false
}
