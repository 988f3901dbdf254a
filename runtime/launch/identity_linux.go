package launch

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"supervisord/runtime/procstat"
)

// Identify returns the identity of the process pid, which must be known to be
// the one that is meant: an unreaped child of ours, say.
func Identify(pid int) (Identity, error) {
	start, err := StartTime(pid)
	if err != nil {
		return Identity{}, err
	}
	boot, err := BootID()
	return Identity{pid, start, boot}, err
}

// StartTime is when the process pid started, in clock ticks after boot.
func StartTime(pid int) (uint64, error) {
	s, err := readStat(pid)
	return s.StartTime, err
}

// BootID is a word that is never the same in another boot.
func BootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id)), err
}

// Alive tells whether the very process id still lives; a zombie does not.
func Alive(id Identity) bool {
	boot, err := BootID()
	if err != nil || boot != id.BootID {
		return false
	}
	s, err := readStat(id.PID)
	return err == nil && s.StartTime == id.StartTime && s.Living()
}

// RealUID is the real user of the process pid.
func RealUID(pid int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(status), "\nUid:")
	uid := 0
	if _, err := fmt.Sscan(after, &uid); err != nil {
		return 0, fmt.Errorf("cannot determine the user of process %d: %w", pid, err)
	}
	return uid, nil
}

// GivenNames reports whether the process pid, or what it became, was started under
// these names of a group and a process in it, by what is left of its environment.
func GivenNames(pid int, group, name string) bool {
	until := time.Now().Add(procstat.ExecPatience)
	return startedWith(pid, "SUPERVISOR_GROUP_NAME="+group, until) && startedWith(pid, "SUPERVISOR_PROCESS_NAME="+name, until)
}

// PidFD refers to one process, which need not be our child. It never comes to
// refer to a later process with the same pid.
type PidFD struct{ file *os.File }

// OpenPidFD opens a descriptor of the very process id. The error is ESRCH if it no
// longer lives.
func OpenPidFD(id Identity) (*PidFD, error) {
	p, err := openPidFD(id.PID)
	if err != nil {
		return nil, err
	}
	// Read after it was opened: what we now read of the pid is of
	// that process, or it has ended.
	if !Alive(id) {
		_ = p.Close()
		return nil, syscall.ESRCH
	}
	return p, nil
}

// openPidFD opens a descriptor of whatever process pid is.
func openPidFD(pid int) (*PidFD, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.EINVAL) { // before 5.10, or not a pid at all
		fd, err = unix.PidfdOpen(pid, 0)
		if err == nil {
			err = unix.SetNonblock(fd, true)
		}
	}
	if err != nil {
		return nil, err
	}
	return &PidFD{os.NewFile(uintptr(fd), "pidfd")}, nil
}

// Signal sends sig to the process. ESRCH means that it has ended.
func (p *PidFD) Signal(sig syscall.Signal) error {
	return p.with(func(fd int) error { return unix.PidfdSendSignal(fd, sig, nil, 0) })
}

// Wait returns nil once the process has ended. It is ended early, with
// os.ErrClosed, by Close. It occupies a goroutine but no thread. Only the
// process's parent ever learns how it ended.
func (p *PidFD) Wait() error {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Read(func(fd uintptr) bool {
		ended, err := readable(int(fd))
		failed = err
		return ended || err != nil
	})
	if err != nil {
		return os.ErrClosed // nothing else ends it without a deadline
	}
	return failed
}

// Close closes the descriptor.
func (p *PidFD) Close() error { return p.file.Close() }

func (p *PidFD) with(f func(fd int) error) error {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if conn.Control(func(fd uintptr) { failed = f(int(fd)) }) != nil {
		return os.ErrClosed
	}
	return failed
}

func readable(fd int) (bool, error) {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		if !errors.Is(err, unix.EINTR) {
			return n > 0, err
		}
	}
}
