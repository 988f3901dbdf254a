//go:build unix && !linux

package launch

import "syscall"

// forker does the forks, on whatever thread the caller has.
type forker struct{ umask umaskLock }

func (f *forker) init()  {}
func (f *forker) close() {}

// start starts c with these descriptors, which stay the caller's.
func (f *forker) start(c *Command, files []int) (pid int, err error) {
	if c.Cgroup != "" {
		return 0, &Error{Stage: StageFork, Err: syscall.ENOTSUP, Name: c.Name}
	}
	f.umask.with(c.Umask, func() { pid, err = spawn(c, files, try, nil) })
	if c.Forked != nil {
		c.Forked()
	}
	return pid, err
}

func try(path string, argv []string, attr *syscall.ProcAttr) attempt {
	pid, err := syscall.ForkExec(path, argv, attr)
	if err != nil {
		return attempt{err: err}
	}
	return attempt{pid: pid, forked: yes}
}

func leaveCgroup(*syscall.SysProcAttr) {}

func reapLock()   {}
func reapUnlock() {}
