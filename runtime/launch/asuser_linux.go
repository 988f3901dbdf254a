package launch

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// AsUser calls f on a thread that is, for as long as f takes, uid and gid with the
// supplementary groups, in all that the kernel asks of whoever opens, binds or looks: what
// f can do there a daemon that drops its privileges can do later. f must not hand over to
// other goroutines, which run as ever. It needs root for another user than ours; the
// error is that of f, or why the thread cannot become that user or itself again.
//
// Elsewhere than on Linux a thread has no identity of its own, and f is called as it is.
func AsUser(uid, gid int, groups []int, f func() error) error {
	if uid == syscall.Getuid() {
		return f()
	}
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err, restored := onThread(uid, gid, groups, f)
		if restored == nil {
			runtime.UnlockOSThread()
		} // else the thread ends with this goroutine
		failed <- errors.Join(err, restored)
	}()
	return <-failed
}

// onThread calls f in the name of another user on the calling thread. restored is nil if
// the thread is then what it was.
func onThread(uid, gid int, groups []int, f func() error) (err, restored error) {
	// A process that ever had such a thread hides its memory, which would cost it its
	// core dumps.
	dumpable, _ := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	ourUID, ourGID := syscall.Geteuid(), syscall.Getegid()
	ourGroups, err := syscall.Getgroups()
	if err != nil {
		return err, nil
	}
	defer func() {
		restored = errors.Join(setOnThread(sysSetresuid, ourUID), setOnThread(sysSetresgid, ourGID), setGroupsOnThread(ourGroups),
			unix.Prctl(unix.PR_SET_DUMPABLE, uintptr(dumpable), 0, 0, 0))
	}()
	switch {
	case setGroupsOnThread(withPrimary(gid, groups)) != nil:
		return ErrSetGroups, nil
	case setOnThread(sysSetresgid, gid) != nil:
		return ErrSetGID, nil
	}
	if err := setOnThread(sysSetresuid, uid); err != nil {
		return err, nil
	}
	return f(), nil
}

// setOnThread sets the effective user or group of the calling thread and, unlike the
// functions of package syscall, of no other. The real one stays: nobody else may signal
// or trace the thread.
func setOnThread(call uintptr, id int) error {
	const same = ^uintptr(0)
	if _, _, errno := unix.RawSyscall(call, same, uintptr(id), same); errno != 0 {
		return fmt.Errorf("cannot become %d on a thread: %w", id, errno)
	}
	return nil
}

func setGroupsOnThread(groups []int) error {
	ids := make([]uint32, len(groups)+1) // one more, so that there is a first
	for i, g := range groups {
		ids[i] = uint32(g)
	}
	if _, _, errno := unix.RawSyscall(sysSetgroups, uintptr(len(groups)), uintptr(unsafe.Pointer(&ids[0])), 0); errno != 0 {
		return fmt.Errorf("cannot set the groups of a thread: %w", errno)
	}
	return nil
}
