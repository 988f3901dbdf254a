package launch

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
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
		if s, err := readStat(pid); err == nil && s.pgid == pgid && s.living() {
			members = append(members, pid)
		}
	}
	return members
}

// stat is what /proc/PID/stat says, as far as it concerns us.
type stat struct {
	state     byte
	pgid      int
	startTime uint64 // clock ticks after boot
}

func (s stat) living() bool { return s.state != 'Z' && s.state != 'X' }

// readStat reads /proc/pid/stat. The error is ESRCH or ENOENT when there is no
// such process.
func readStat(pid int) (stat, error) {
	fd, err := syscall.Open("/proc/"+strconv.Itoa(pid)+"/stat", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return stat{}, err
	}
	defer syscall.Close(fd)
	var buf [1024]byte // the line is shorter than 400 bytes
	n, err := syscall.Read(fd, buf[:])
	if err != nil {
		return stat{}, err
	}
	s, err := parseStat(buf[:n])
	s.startTime -= bootOffset() // modulo 2^64, so that one of either sign will do
	return s, err
}

// bootOffset is how far our clock since boot is ahead of the machine's, in ticks, where we
// are in a time namespace: the kernel shows start times by the reader's clock, and those
// that are compared may have been read by daemons in different ones.
var bootOffset = sync.OnceValue(func() uint64 {
	text, _ := os.ReadFile("/proc/self/timens_offsets") // which older kernels do not have
	return parseBootOffset(string(text))
})

// ticksPerSecond is what the kernel counts start times in, on every machine that Go runs on.
const ticksPerSecond = 100

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
			return uint64(seconds*ticksPerSecond + ns/(1e9/ticksPerSecond))
		}
	}
	return 0
}

// parseStat takes the line apart. The name in parentheses may hold anything,
// spaces and parentheses too, so fields are counted after the last one.
func parseStat(line []byte) (stat, error) {
	const state, pgrp, start = 0, 2, 19 // fields 3, 5 and 22 of proc(5)
	fields := bytes.Fields(line[bytes.LastIndexByte(line, ')')+1:])
	if len(fields) <= start || len(fields[state]) != 1 || !isLetter(fields[state][0]) {
		return stat{}, syscall.EINVAL
	}
	pgid, err := strconv.Atoi(string(fields[pgrp]))
	if err != nil {
		return stat{}, syscall.EINVAL
	}
	ticks, err := strconv.ParseUint(string(fields[start]), 10, 64)
	if err != nil {
		return stat{}, syscall.EINVAL
	}
	return stat{fields[state][0], pgid, ticks}, nil
}

func isLetter(c byte) bool { return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' }
