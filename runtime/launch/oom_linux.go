package launch

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// mountinfo is where the hierarchies of cgroups are, as they were when the daemon began.
var mountinfo = sync.OnceValue(func() string {
	text, _ := os.ReadFile("/proc/self/mountinfo")
	return string(text)
})

// cgroupsOf is what /proc says of the cgroups that the process pid is in.
func cgroupsOf(pid int) string {
	text, _ := readKernelFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	return string(text)
}

// readKernelFile reads a small file that the kernel makes up as it is read, as os.ReadFile
// does, with three system calls instead of nine.
func readKernelFile(path string) ([]byte, error) {
	var fd, n int
	text := make([]byte, 2048)
	err := ignoringEINTR(func() (err error) {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := ignoringEINTR(func() (err error) {
		n, err = unix.Read(fd, text)
		return err
	}); err != nil {
		return nil, err
	}
	if n == len(text) { // there may be more
		return os.ReadFile(path)
	}
	return text[:n], nil
}

// oomCounterOf is the file that counts what is killed in those cgroups: of the nearest one
// above whose memory the kernel counts. "" is none.
func oomCounterOf(cgroups string) string { return oomCounterIn(cgroups, mountinfo(), os.Stat) }

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
	text, err := readKernelFile(file)
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
