package launch

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"supervisord/runtime/procstat"
)

// SetSubreaper makes the daemon the parent of all orphans that descend from it, or no
// longer does, as process 1 is: Reap then reports them, too. Those that it has
// already stay.
func SetSubreaper(on bool) error {
	var value uintptr
	if on {
		value = 1
	}
	return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, value, 0, 0, 0)
}

// Strays lists the processes that belong to a run of a program and have left its
// process group pgid: what descends from the leader as long as that lives, and the
// orphans that came to us and have variable (KEY=value) in the environment that they
// were started with, with their descendants. It reads the lists of children in /proc,
// each more than once, since a list may lack somebody while others end. Whoever leaves
// without the variable is not known any more.
func Strays(pgid int, variable string) []Identity {
	boot, err := BootID()
	if err != nil {
		return nil
	}
	// Orphans are given to the first thread of a process; our own children are those
	// of the threads that forked them.
	var roots []int
	until := time.Now().Add(procstat.ExecPatience)
	for _, pid := range childrenOf(strconv.Itoa(os.Getpid()), strconv.Itoa(os.Getpid())) {
		if pid != pgid && startedWith(pid, variable, until) {
			roots = append(roots, pid)
		}
	}
	return outside(pgid, roots, boot)
}

// LostStrays is Strays for a run whose daemon was killed: its orphans are anybody's
// children, so everybody is looked at. What began as the user uid still is his, unless
// that is root, who may have become anybody. pgid is 0 where the group is not known any
// more. If we belong to the run ourselves, nobody is found.
func LostStrays(pgid int, variable string, uid int) []Identity {
	boot, err := BootID()
	until := time.Now().Add(procstat.ExecPatience)
	if err != nil || startedWith(os.Getpid(), variable, until) {
		return nil
	}
	var roots []int
	for _, pid := range everybody() {
		if pid == pgid || !startedWith(pid, variable, until) {
			continue
		}
		if is, err := RealUID(pid); err == nil && (is == uid || uid == 0) {
			roots = append(roots, pid)
		}
	}
	return outside(pgid, roots, boot)
}

// outside lists the roots, and all who descend from them or from the leader, that are
// not in the process group.
func outside(pgid int, roots []int, boot string) (found []Identity) {
	seen := map[int]bool{pgid: true}
	for next := append(roots, allChildren(pgid)...); len(next) > 0; {
		pid := next[0]
		next = next[1:]
		if seen[pid] {
			continue
		}
		seen[pid] = true
		next = append(next, allChildren(pid)...)
		if s, err := readStat(pid); err == nil && s.Group != pgid && s.Living() {
			found = append(found, Identity{PID: pid, StartTime: s.StartTime, BootID: boot})
		}
	}
	return found
}

// startedWith reports whether a process was started with a variable in its
// environment; until is as that of procstat.Environ.
func startedWith(pid int, variable string, until time.Time) bool {
	env, err := procstat.Environ("/proc", pid, until)
	return err == nil && bytes.Contains(append([]byte{0}, env...), []byte("\x00"+variable+"\x00"))
}

// allChildren lists the children of all threads of a process.
func allChildren(pid int) []int {
	var pids []int
	threads, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/[0-9]*")
	for _, thread := range threads {
		pids = append(pids, childrenOf(strconv.Itoa(pid), filepath.Base(thread))...)
	}
	return pids
}

// childrenOf lists the children of one thread.
func childrenOf(pid, thread string) []int {
	var pids []int
	for range 2 {
		text, _ := os.ReadFile("/proc/" + pid + "/task/" + thread + "/children")
		for _, word := range bytes.Fields(text) {
			if child, err := strconv.Atoi(string(word)); err == nil && !slices.Contains(pids, child) {
				pids = append(pids, child)
			}
		}
	}
	return pids
}
