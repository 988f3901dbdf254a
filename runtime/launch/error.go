package launch

import (
	"cmp"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Stage is a step of a start, in the order in which they happen.
type Stage int

// The stages. The last three happen in the child.
const (
	StagePipes Stage = iota + 1 // making the pipes
	StageFork                   // making the child
	StageUser                   // changing its groups and user
	StageDir                    // changing its working directory
	StageExec                   // executing the program
)

// String is the stage in a word.
func (s Stage) String() string {
	return [...]string{"", "pipes", "fork", "user", "directory", "exec"}[s]
}

// ErrCalledOff is the cause of a start that Command.Announce called off.
var ErrCalledOff = errors.New("the start was cancelled")

// Error says why a start failed.
type Error struct {
	Stage Stage
	Err   error // nearly always a syscall.Errno
	// Name, Path, Dir and UID are what the Command said.
	Name, Path, Dir string
	UID             int
	// PID was the child's, in the stages that happen there. It has ended and
	// been reaped. It is 0 where it cannot be known.
	PID int
	// Reason is Supervisor's sentence for a failure of StageUser.
	Reason string
}

// Error says what could not be done.
func (e *Error) Error() string {
	return fmt.Sprintf("cannot start %q: %s: %v", e.Name, e.Stage, e.Err)
}

// Unwrap gives the system's error.
func (e *Error) Unwrap() error { return e.Err }

// InChild reports whether a child existed when the start failed.
func (e *Error) InChild() bool { return e.Stage >= StageUser }

// SpawnErr is what Supervisor shows for a failure in the daemon, "" for one in
// the child. A child whose pid is not known cannot be shown as spawned and
// exited: for that one it says what the child could not do.
//
// Source: contract/process.md section 4.
func (e *Error) SpawnErr() string {
	switch {
	case e.InChild() && e.PID != 0:
		return ""
	case e.InChild():
		return e.childFailure()
	case e.Stage == StagePipes && errors.Is(e.Err, syscall.EMFILE):
		return fmt.Sprintf("too many open files to spawn '%s'", e.Name)
	case e.Stage == StagePipes:
		return fmt.Sprintf("unknown error making dispatchers for '%s': %s", e.Name, ErrnoName(e.Err))
	case errors.Is(e.Err, syscall.EAGAIN):
		return fmt.Sprintf("Too many processes in process table to spawn '%s'", e.Name)
	}
	return fmt.Sprintf("unknown error during fork for '%s': %s", e.Name, ErrnoName(e.Err))
}

// ChildMessage is what Supervisor's child writes to its standard error before
// it exits with status 127; nil for a failure in the daemon.
//
// Source: contract/process.md section 4.
func (e *Error) ChildMessage() []byte {
	if !e.InChild() {
		return nil
	}
	return []byte("supervisor: " + e.childFailure() + "\nsupervisor: child process was not spawned\n")
}

func (e *Error) childFailure() string {
	switch e.Stage {
	case StageUser:
		return fmt.Sprintf("couldn't setuid to %d: %s", e.UID, e.Reason)
	case StageDir:
		return fmt.Sprintf("couldn't chdir to %s: %s", e.Dir, ErrnoName(e.Err))
	}
	return fmt.Sprintf("couldn't exec %s: %s", e.Path, ErrnoName(e.Err))
}

// ErrnoName is the symbolic name of the system error in err, such as ENOENT, or
// err's own text if there is none.
func ErrnoName(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		if name := cmp.Or(errnoNames[errno], unix.ErrnoName(errno)); name != "" {
			return name
		}
	}
	return err.Error()
}
