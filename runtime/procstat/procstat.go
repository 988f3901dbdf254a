// Package procstat reads /proc/PID/stat, in which Linux says in one line what a process is
// and what it takes of the machine.
//
// It imports nothing of ours.
package procstat

import (
	"bytes"
	"strconv"
	"syscall"
)

// TicksPerSecond is what the kernel counts times in, on every machine that Go runs on.
const TicksPerSecond = 100

// Stat is what the line says, as far as it concerns us.
type Stat struct {
	State     byte
	Parent    int    // its pid
	Group     int    // the process group
	CPU       uint64 // ticks, of all its threads, in user and kernel mode
	Reaped    uint64 // the same of the children that it has waited for, and of theirs
	Threads   int
	StartTime uint64 // ticks after boot, by the clock of whoever reads
	Resident  int64  // pages of memory
}

// Living reports whether the process still runs; a zombie does not.
func (s Stat) Living() bool { return s.State != 'Z' && s.State != 'X' }

// Read reads the line of a process; proc is where the file system is mounted. The error is
// ESRCH or ENOENT when there is no such process.
func Read(proc string, pid int) (Stat, error) {
	fd, err := syscall.Open(proc+"/"+strconv.Itoa(pid)+"/stat", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return Stat{}, err
	}
	defer syscall.Close(fd)
	var buf [1024]byte // the line is shorter than 400 bytes
	n, err := syscall.Read(fd, buf[:])
	if err != nil {
		return Stat{}, err
	}
	return parse(buf[:n])
}

// parse takes the line apart. The name in parentheses may hold anything,
// spaces and parentheses too, so fields are counted after the last one.
func parse(line []byte) (Stat, error) {
	const state, parent, group, user, system, childrenUser, childrenSystem, threads, start, resident = 0, 1, 2, 11, 12, 13, 14, 17, 19, 21 // fields 3 to 24 of proc(5)
	fields := bytes.Fields(line[bytes.LastIndexByte(line, ')')+1:])
	if len(fields) <= resident || len(fields[state]) != 1 || !isLetter(fields[state][0]) {
		return Stat{}, syscall.EINVAL
	}
	p := parser{fields: fields}
	s := Stat{
		State:     fields[state][0],
		Parent:    int(p.signed(parent)),
		Group:     int(p.signed(group)),
		CPU:       p.unsigned(user) + p.unsigned(system),
		Reaped:    p.unsigned(childrenUser) + p.unsigned(childrenSystem),
		Threads:   int(p.signed(threads)),
		StartTime: p.unsigned(start),
		Resident:  p.signed(resident),
	}
	if p.failed {
		return Stat{}, syscall.EINVAL
	}
	return s, nil
}

// parser reads numbers, and remembers whether one was none.
type parser struct {
	fields [][]byte
	failed bool
}

func (p *parser) signed(i int) int64 {
	n, err := strconv.ParseInt(string(p.fields[i]), 10, 64)
	p.failed = p.failed || err != nil
	return n
}

func (p *parser) unsigned(i int) uint64 {
	n, err := strconv.ParseUint(string(p.fields[i]), 10, 64)
	p.failed = p.failed || err != nil
	return n
}

func isLetter(c byte) bool { return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' }
