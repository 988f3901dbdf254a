package launch

import (
	"errors"
	"strings"
	"syscall"
)

// attempt is how one fork and exec ended.
type attempt struct {
	pid    int   // of the child, running or dead; 0 if not known
	err    error // nil when the program was executed
	forked tristate
}

// tristate answers whether a child came to be.
type tristate int

const (
	unknown tristate = iota
	yes
	no
)

// tryFunc forks and executes path as attr says.
type tryFunc func(path string, argv []string, attr *syscall.ProcAttr) attempt

// execute starts c by try and, if that fails, finds out at which stage. The
// kernel's fork and exec report one error number for five things that may
// have gone wrong; which it was is found by sending further children up to
// the same point and no further (see diagnosis.fails).
func execute(c *Command, attr *syscall.ProcAttr, try tryFunc) (int, error) {
	var a attempt
	emptyDir := c.HasDir && c.Dir == ""
	if emptyDir {
		// Go takes an empty directory for none; the kernel would have said this.
		a.err = syscall.ENOENT
	} else if a = try(c.Path, c.Args, attr); a.err == nil {
		return a.pid, nil
	}
	e := &Error{Err: a.err, Name: c.Name, Path: c.Path, Dir: c.Dir, UID: c.UID, PID: a.pid}
	d := diagnosis{attr: attr, try: try, e: e}
	e.Stage = d.stage(a.forked, emptyDir)
	if e.InChild() && e.PID == 0 {
		d.fails(func(a *syscall.ProcAttr) { a.Dir, a.Sys.Credential = "", nil })
	}
	return 0, e
}

// diagnosis finds the stage at which a start failed.
type diagnosis struct {
	attr *syscall.ProcAttr
	try  tryFunc
	e    *Error
}

func (d *diagnosis) stage(forked tristate, emptyDir bool) Stage {
	if forked == unknown && !emptyDir {
		forked = yes
		if d.fails(func(a *syscall.ProcAttr) { a.Dir, a.Sys.Credential = "", nil }) {
			forked = no
		}
		leaveCgroup(d.attr.Sys)
	}
	switch {
	case forked == no && errors.Is(d.e.Err, syscall.EINVAL):
		return StageExec // a string with a NUL byte; clone has no other use for EINVAL
	case forked == no && (errors.Is(d.e.Err, syscall.EMFILE) || errors.Is(d.e.Err, syscall.ENFILE)):
		return StagePipes // the pipe over which the child would have reported
	case forked == no:
		return StageFork
	}
	if d.attr.Sys.Credential != nil && d.fails(func(a *syscall.ProcAttr) { a.Dir = "" }) {
		d.e.Reason = d.reason()
		return StageUser
	}
	if emptyDir || d.attr.Dir != "" && d.fails(func(*syscall.ProcAttr) {}) {
		return StageDir
	}
	return StageExec
}

// reason words a failure to become another user.
//
// Source: contract/process.md section 4.
func (d *diagnosis) reason() string {
	switch {
	case syscall.Geteuid() != 0 && errors.Is(d.e.Err, syscall.EPERM):
		return ErrDropPrivilege.Error()
	case d.fails(func(a *syscall.ProcAttr) {
		a.Dir, a.Sys.Credential.Uid, a.Sys.Credential.Gid = "", uint32(syscall.Getuid()), uint32(syscall.Getgid())
	}):
		return ErrSetGroups.Error()
	case d.fails(func(a *syscall.ProcAttr) { a.Dir, a.Sys.Credential.Uid = "", uint32(syscall.Getuid()) }):
		return ErrSetGID.Error()
	}
	return ErrnoName(d.e.Err)
}

// fails tells whether a start with the attributes as change leaves them meets
// the same error before it comes to executing a program. To that end it
// executes a path that cannot be executed, for a reason other than that error.
// The child's pid is kept if the first one's is not known.
func (d *diagnosis) fails(change func(*syscall.ProcAttr)) bool {
	attr, sys := *d.attr, *d.attr.Sys
	attr.Sys = &sys
	if sys.Credential != nil {
		cred := *sys.Credential
		sys.Credential = &cred
	}
	change(&attr)
	attr.Env = nil
	path := "" // ENOENT
	if errors.Is(d.e.Err, syscall.ENOENT) {
		path = strings.Repeat("/", 1<<16) // ENAMETOOLONG
	}
	a := d.try(path, []string{""}, &attr)
	if d.e.PID == 0 {
		d.e.PID = a.pid
	}
	return a.forked != no && errors.Is(a.err, d.e.Err)
}
