package launch

import (
	"fmt"
	"os"
	"syscall"
)

// Reopen opens our ends of the output pipes that a process was given by a daemon
// that is no more, where it still has them: what it writes from now on can be
// read, and no longer ends it with SIGPIPE. A file is nil where that is not to be
// had. What the pipe is for is sure: its number is compared.
func Reopen(pid int, pipes Pipes) (stdout, stderr *os.File) {
	open := func(fd int) *os.File {
		path := fmt.Sprintf("/proc/%d/fd/%d", pid, fd)
		// Looked at first: what else it may be by now, a device, say, is not opened.
		if link, _ := os.Readlink(path); pipes[fd] == 0 || link != fmt.Sprintf("pipe:[%d]", pipes[fd]) {
			return nil
		}
		ours, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
		if err != nil {
			return nil
		}
		var st syscall.Stat_t
		if syscall.Fstat(ours, &st) != nil || uint64(st.Ino) != pipes[fd] {
			_ = syscall.Close(ours)
			return nil
		}
		return os.NewFile(uintptr(ours), fmt.Sprintf("descriptor %d of process %d", fd, pid))
	}
	return open(1), open(2)
}
