package procstat

import (
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// ExecPatience is how long a process may be between its old program and the new one. On a busy
// machine, or with a slow disk, it is not the microseconds that it takes.
const ExecPatience = 500 * time.Millisecond

// Environ is the environment that a process was started with, as the file of proc(5) has it:
// a zero byte ends each variable. A zombie has none, nor has a thread of the kernel's. proc is
// where the file system is mounted.
//
// While a process executes a program, the kernel shows an empty one for a moment, also when
// whoever started the process has already been told that it is done: the descriptors that
// are closed on exec are closed before (findings/environ-empty-after-exec.sh). It is asked
// again then, until a time that one look at many processes has in common: there may be some
// that have thrown away both.
func Environ(proc string, pid int, until time.Time) (env []byte, err error) {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	for last := false; ; {
		env, err = os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil || len(env) > 0 || last {
			return env, err
		}
		if last = !betweenPrograms(proc, pid) || time.Now().After(until); !last {
			time.Sleep(time.Millisecond)
		} // else it has come to its program since, or has none
	}
}

// betweenPrograms reports whether a process has an address space and not even the name that it was
// called by.
func betweenPrograms(proc string, pid int) bool {
	s, err := Read(proc, pid)
	if err != nil || !s.Living() || s.Virtual == 0 {
		return false
	}
	args, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "cmdline"))
	return err == nil && len(args) == 0
}
