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
	Virtual   uint64 // bytes of addresses; 0 of a zombie and of a thread of the kernel's
	Resident  int64  // pages of memory
}

// Living reports whether the process still runs; a zombie does not.
func (s Stat) Living() bool { return s.State != 'Z' && s.State != 'X' }

// Read reads the line of a process; proc is where the file system is mounted. The error is
// ESRCH or ENOENT when there is no such process.
func Read(proc string, pid int) (Stat, error) {
	var name [64]byte
	path := strconv.AppendInt(append(append(name[:0], proc...), '/'), int64(pid), 10)
	path = append(path, "/stat"...)
	fd, err := syscall.Open(string(path), syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
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
	f := fields{rest: line[bytes.LastIndexByte(line, ')')+1:]}
	s := Stat{State: f.letter()}
	s.Parent = int(f.number())
	s.Group = int(f.number())
	f.skip(8) // session to cmajflt
	s.CPU = f.count() + f.count()
	s.Reaped = f.count() + f.count()
	f.skip(2) // priority, nice
	s.Threads = int(f.number())
	f.skip(1) // itrealvalue
	s.StartTime = f.count()
	s.Virtual = f.count()
	s.Resident = f.number()
	if f.failed {
		return Stat{}, syscall.EINVAL
	}
	return s, nil
}

// fields takes the fields of proc(5) from the third on, one after the other, and remembers
// whether one was not what it should be. It allocates nothing: a thousand lines are read
// each time.
type fields struct {
	rest   []byte
	failed bool
}

// next is the next field, empty where there is none.
func (f *fields) next() []byte {
	f.rest = bytes.TrimLeft(f.rest, " ")
	end := bytes.IndexAny(f.rest, " \n")
	if end < 0 {
		end = len(f.rest)
	}
	field := f.rest[:end]
	f.rest = f.rest[end:]
	f.failed = f.failed || len(field) == 0
	return field
}

func (f *fields) skip(n int) {
	for range n {
		f.next()
	}
}

func (f *fields) letter() byte {
	field := f.next()
	if len(field) != 1 || !isLetter(field[0]) {
		f.failed = true
		return 0
	}
	return field[0]
}

// number is a number that may be negative, and count one that may not.
func (f *fields) number() int64 {
	n, err := strconv.ParseInt(string(f.next()), 10, 64) // the copy is none: it goes nowhere
	f.failed = f.failed || err != nil
	return n
}

func (f *fields) count() uint64 {
	n, err := strconv.ParseUint(string(f.next()), 10, 64)
	f.failed = f.failed || err != nil
	return n
}

func isLetter(c byte) bool { return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' }
