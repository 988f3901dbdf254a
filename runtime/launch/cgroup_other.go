//go:build unix && !linux

package launch

import (
	"errors"
	"syscall"
)

// Cgroups is a place for cgroups. This system has none, so there is no value
// of this type and its methods do nothing.
type Cgroups struct{}

// FindCgroups finds no cgroup.
func FindCgroups() (*Cgroups, error) { return nil, errors.ErrUnsupported }

// Create makes nothing.
func (*Cgroups) Create(string) (string, error) { return "", errors.ErrUnsupported }

// Kill kills nothing.
func (*Cgroups) Kill(string) error { return errors.ErrUnsupported }

// Signal signals nothing.
func (*Cgroups) Signal(string, syscall.Signal, int) error { return errors.ErrUnsupported }

// Members lists nothing.
func (*Cgroups) Members(string) ([]int, error) { return nil, errors.ErrUnsupported }

// Remove removes nothing.
func (*Cgroups) Remove(string) error { return errors.ErrUnsupported }
