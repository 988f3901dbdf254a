package launch

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Cgroups is a place in the version 2 hierarchy below which the daemon may make
// cgroups. Its methods touch the kernel's file system; the loop does not call
// them.
type Cgroups struct{ root string }

// FindCgroups finds the daemon's own cgroup of version 2 and makes sure that
// cgroups can be made in it and children be started there. The error says why
// killmode=cgroup is unavailable.
func FindCgroups() (*Cgroups, error) {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	root, err := ownCgroup(string(own), string(mounts))
	if err != nil {
		return nil, err
	}
	c := &Cgroups{root}
	probe, err := c.Create("probe-" + strconv.Itoa(os.Getpid()))
	if err != nil {
		return nil, fmt.Errorf("cannot use cgroup %q: %w", root, err)
	}
	defer c.Remove(probe)
	if err := canCloneInto(probe); err != nil {
		return nil, fmt.Errorf("cannot start processes in cgroup %q: %w", root, err)
	}
	return c, nil
}

// canCloneInto tells whether clone3 may put a child into the cgroup at path: old
// kernels and container filters do not let it. The child sent there executes
// nothing.
func canCloneInto(path string) error {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	attr := &syscall.ProcAttr{Sys: &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: fd}}
	if a := tryCgroup("", []string{""}, attr); a.err != syscall.ENOENT {
		return a.err
	}
	return nil
}

// errNoCgroup2 means that the hierarchy is not there or does not show us.
var errNoCgroup2 = errors.New("no cgroup of version 2")

// ownCgroup is the directory of our cgroup, from /proc/self/cgroup and
// /proc/self/mountinfo.
func ownCgroup(own, mountinfo string) (string, error) {
	dir, _, err := cgroupOf(own, mountinfo, "")
	return dir, err
}

// cgroupOf is the directory of a process's cgroup, from its /proc/PID/cgroup and
// /proc/self/mountinfo, and the directory where its hierarchy is mounted: that of version
// 2 or, of version 1, the one of a controller. What is mounted may be a part of the
// hierarchy only.
func cgroupOf(own, mountinfo, controller string) (dir, top string, err error) {
	var path string
	for line := range strings.Lines(own) {
		_, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		controllers, p, ok := strings.Cut(rest, ":")
		if ok && (controllers == controller || controller != "" && slices.Contains(strings.Split(controllers, ","), controller)) {
			path = p
		}
	}
	if path == "" || strings.HasPrefix(path, "/..") { // outside of what we may see
		return "", "", errNoCgroup2
	}
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		kind := strings.Fields(after)
		if !ok || len(kind) < 3 {
			continue
		}
		if controller == "" && kind[0] != "cgroup2" ||
			controller != "" && (kind[0] != "cgroup" || !slices.Contains(strings.Split(kind[2], ","), controller)) {
			continue
		}
		fields := strings.Fields(before)
		if len(fields) < 5 {
			continue
		}
		root, point := unescape(fields[3]), unescape(fields[4])
		rel, err := filepath.Rel(root, path)
		if err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			return filepath.Join(point, rel), point, nil
		}
	}
	return "", "", errNoCgroup2
}

// unescape undoes the octal escapes of mountinfo.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// Create makes the cgroup called name, or takes the one that is there, and
// returns its directory. Any name will do: what cannot be in a file name is
// escaped.
func (c *Cgroups) Create(name string) (string, error) {
	path := filepath.Join(c.root, "supervisor."+escape(name))
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return path, nil
}

// escape keeps letters, digits and a few signs and writes the rest as %XX.
func escape(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.:", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// Kill sends SIGKILL to every process in the cgroup at path and in those below
// it. They may take a moment to end. A cgroup that is gone has none.
func (c *Cgroups) Kill(path string) error {
	// Not os.WriteFile: a kernel that does not know the file refuses to make it.
	f, err := os.OpenFile(filepath.Join(path, "cgroup.kill"), os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString("1")
		if err = cmp.Or(err, f.Close()); errors.Is(err, syscall.ENODEV) {
			return nil // it was removed in between
		}
		return err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// A kernel before 5.14: again until a look finds nobody new.
	seen := map[int]bool{}
	for {
		members, err := c.Members(path)
		if err != nil {
			return err
		}
		fresh := false
		for _, pid := range members {
			fresh = fresh || !seen[pid]
			seen[pid] = true
		}
		if !fresh {
			return nil
		}
		if err := c.Signal(path, syscall.SIGKILL, 0); err != nil {
			return err
		}
	}
}

// Signal sends sig to every process in the cgroup at path and in those below
// it, but not to members of the process group except; 0 excepts none. Those
// that come while it is at work may be missed.
func (c *Cgroups) Signal(path string, sig syscall.Signal, except int) error {
	members, err := c.Members(path)
	if err != nil {
		return err
	}
	members = slices.DeleteFunc(members, func(pid int) bool {
		s, err := readStat(pid)
		return err != nil || s.Group == except
	})
	for some := range slices.Chunk(members, 100) { // that many descriptors at once
		if err := c.signal(path, sig, some); err != nil {
			return err
		}
	}
	return nil
}

// signal opens a pidfd of each process, checks that it is still in the cgroup, and
// only then sends: a pid may be given out again at any time.
func (c *Cgroups) signal(path string, sig syscall.Signal, pids []int) error {
	pidfds := make(map[int]*PidFD, len(pids))
	for _, pid := range pids {
		p, err := openPidFD(pid)
		if errors.Is(err, syscall.ESRCH) {
			continue
		}
		if err != nil {
			return err
		}
		defer p.Close()
		pidfds[pid] = p
	}
	members, err := c.Members(path)
	if err != nil {
		return err
	}
	for _, pid := range members {
		if p := pidfds[pid]; p != nil {
			if err := p.Signal(sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
	}
	return nil
}

// Members lists the processes in the cgroup at path and in those below it.
// Zombies are not among them. A cgroup that is gone has none.
func (c *Cgroups) Members(path string) ([]int, error) {
	var members []int
	err := walk(path, func(dir string) error {
		f, err := os.Open(filepath.Join(dir, "cgroup.procs"))
		if err != nil {
			return err
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			pid, err := strconv.Atoi(lines.Text())
			if err != nil {
				return err
			}
			members = append(members, pid)
		}
		return lines.Err()
	})
	return members, err
}

// Remove removes the cgroup at path and those below it. The error is EBUSY
// while a process is left there. One that is gone need not be removed.
func (c *Cgroups) Remove(path string) error {
	return walk(path, os.Remove)
}

// walk calls f for the cgroup at path and all below it, the innermost first.
// One that goes away meanwhile is passed over.
func walk(path string, f func(dir string) error) error {
	entries, err := os.ReadDir(path)
	if err == nil {
		for _, e := range entries {
			if e.IsDir() {
				if err := walk(filepath.Join(path, e.Name()), f); err != nil {
					return err
				}
			}
		}
		err = f(path)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
		return nil
	}
	return err
}
