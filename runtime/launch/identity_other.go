//go:build unix && !linux

package launch

import (
	"errors"
	"os"
	"syscall"
)

// Identify cannot tell a process from a later one of the same pid here.
func Identify(int) (Identity, error) { return Identity{}, errors.ErrUnsupported }

// StartTime is not available on this system.
func StartTime(int) (uint64, error) { return 0, errors.ErrUnsupported }

// BootID is not available on this system.
func BootID() (string, error) { return "", errors.ErrUnsupported }

// Find finds no process here.
func Find([]Pipes) []Identity { return nil }

// Reopen opens nothing here.
func Reopen(int, Pipes) (stdout, stderr *os.File) { return nil, nil }

// Alive cannot be sure here, and so says no.
func Alive(Identity) bool { return false }

// RealUID is not available on this system.
func RealUID(int) (int, error) { return 0, errors.ErrUnsupported }

// GivenNames cannot tell here.
func GivenNames(int, string, string) bool { return false }

// PidFD refers to one process. There is none here.
type PidFD struct{}

// OpenPidFD opens nothing here.
func OpenPidFD(Identity) (*PidFD, error) { return nil, errors.ErrUnsupported }

// Signal does nothing.
func (*PidFD) Signal(syscall.Signal) error { return errors.ErrUnsupported }

// Wait does not wait.
func (*PidFD) Wait() error { return errors.ErrUnsupported }

// Close does nothing.
func (*PidFD) Close() error { return nil }

// Save gives out nothing.
func (*PidFD) Save() *os.File { return nil }

// ResumePidFD goes on with nothing.
func ResumePidFD(*os.File) *PidFD { return &PidFD{} }
