package launch

import (
	"bytes"
	"os"
	"strconv"
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
	return parseStat(buf[:n])
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
