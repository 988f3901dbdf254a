package launch

import (
	"errors"
	"syscall"
)

// ErrDropPrivilege and its siblings are Supervisor's sentences for a daemon
// that cannot become another user.
//
// Source: contract/process.md section 4, contract/config.md section 10.
var (
	ErrDropPrivilege = errors.New("Can't drop privilege as nonroot user")
	ErrSetGroups     = errors.New("Could not set groups of effective user")
	ErrSetGID        = errors.New("Could not set group id of effective user")
)

// DropPrivileges makes the daemon, all its threads, run as uid and gid with the
// supplementary groups; gid need not be among them. If it runs as uid already
// it does nothing.
//
// Source: contract/config.md section 10.
func DropPrivileges(uid, gid int, groups []int) error {
	if uid == syscall.Getuid() {
		return nil
	}
	if syscall.Getuid() != 0 {
		return ErrDropPrivilege
	}
	if syscall.Setgroups(withPrimary(gid, groups)) != nil {
		return ErrSetGroups
	}
	if syscall.Setgid(gid) != nil {
		return ErrSetGID
	}
	return syscall.Setuid(uid)
}

// withPrimary is gid, then those of groups that are not it.
func withPrimary(gid int, groups []int) []int {
	list := append(make([]int, 0, len(groups)+1), gid)
	for _, g := range groups {
		if g != gid {
			list = append(list, g)
		}
	}
	return list
}
