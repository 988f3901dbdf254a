package reconcile

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"supervisord/runtime/trust"
)

// Lock is the exclusive right to be the daemon of a state directory, and so of one main
// file, pidfile, set of sockets, identifier and user. It is a flock on a file there, so
// the kernel releases it with the last process that has the descriptor, however that
// ends. Children do not inherit it. A nil Lock is no lock.
type Lock struct{ file *os.File }

// File is the descriptor that holds the lock, for a process that executes another program
// in its place, which passes it to TakeLock as inherited. It is close-on-exec.
func (l *Lock) File() *os.File { return l.file }

// Close releases the lock. The file stays, since a process that waits for
// the lock has it open.
func (l *Lock) Close() {
	if l != nil {
		l.file.Close()
	}
}

// LockedError is the error of TakeLock when another daemon has the lock.
type LockedError struct {
	PID int // of that daemon, as it sees itself; 0 where it has not said so yet
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return "another supervisord with the same configuration is running"
	}
	return fmt.Sprintf("another supervisord with the same configuration is running as pid %d", e.PID)
}

// lockFile is its name in the state directory. In it is the number of who holds it.
const lockFile = "lock"

// lockPause is how long a TakeLock that may wait does so between two looks.
const lockPause = 20 * time.Millisecond

// TakeLock takes the lock of this daemon. It makes the state directory and, for root,
// hands it to the user that the daemon will run as, with the group gid. A lock that
// another daemon has is waited for until patience is over, since that one may be
// ending; then the error is a *LockedError. Any other says why it is not known whether
// there is another daemon: a disk that does not answer, or one without locks. Where state
// can be kept nowhere, there is neither lock nor error; OpenStore says it.
//
// inherited is the File of a lock that was taken before this program was executed, or
// nil. If it is the one that is asked for, it goes on; else it is given up.
func (s *Start) TakeLock(gid int, patience time.Duration, inherited *os.File) (*Lock, error) {
	dir := s.stateDir(s.Config)
	if dir.Path == "" {
		return nil, nil
	}
	for end := time.Now().Add(patience); ; time.Sleep(lockPause) {
		lock, err := s.tryLock(dir, gid, inherited)
		if errors.As(err, new(*LockedError)) && time.Now().Before(end) {
			inherited = nil
			continue
		}
		return lock, err
	}
}

func (s *Start) tryLock(dir trust.Dir, gid int, inherited *os.File) (*Lock, error) {
	type answer struct {
		lock *Lock
		err  error
	}
	a, silent := answering(s.reader.disks, dir.Path, func() (a answer) {
		for range 3 { // somebody may tidy up just before it is locked
			made, _, err := trust.MakeDir(dir, gid)
			if err != nil {
				return a
			}
			if a.lock, a.err = lockIn(made, inherited); a.lock == nil {
				return a
			} else if a.lock.named(made) {
				a.lock.sign()
				return a
			}
			a.lock.Close()
			inherited = nil
		}
		return answer{nil, fmt.Errorf("%s keeps being removed", dir.Path)}
	})
	if silent != nil {
		return nil, silent
	}
	return a.lock, a.err
}

// lockIn takes the lock in a directory.
func lockIn(dir trust.Dir, inherited *os.File) (*Lock, error) {
	file, err := trust.OpenKept(dir, lockFile)
	if err != nil {
		return nil, err
	}
	if sameFile(file, inherited) {
		file.Close()
		file = inherited
	} else if inherited != nil {
		inherited.Close()
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case err == unix.EWOULDBLOCK:
		defer file.Close()
		text := make([]byte, 20)
		n, _ := file.ReadAt(text, 0)
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text[:n])))
		return nil, &LockedError{pid}
	case err != nil:
		defer file.Close()
		return nil, fmt.Errorf("cannot lock %s: %w", file.Name(), err)
	}
	return &Lock{file}, nil
}

// sign writes our number into the file. Without it the lock says less, and holds.
func (l *Lock) sign() {
	if l.file.Truncate(0) == nil {
		_, _ = l.file.WriteAt(fmt.Appendln(nil, os.Getpid()), 0)
	}
}

// named reports whether the directory still has the file under its name.
func (l *Lock) named(dir trust.Dir) bool {
	file, err := trust.OpenKept(dir, lockFile)
	if err != nil {
		return false
	}
	defer file.Close()
	return sameFile(file, l.file)
}

func sameFile(a, b *os.File) bool {
	if b == nil {
		return false
	}
	one, err := a.Stat()
	if err != nil {
		return false
	}
	two, err := b.Stat()
	return err == nil && os.SameFile(one, two)
}
