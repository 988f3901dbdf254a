package oracle

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"supervisord/runtime/procstat"
)

// leftGrace is how long a process that the daemon has already let go may take to
// vanish from the process table.
const leftGrace = 20 * time.Second

// Descendants are the pids of the processes that live and were started under
// this daemon, however far down, the daemon itself among them. Where there is no
// /proc it is always empty.
func (d *Daemon) Descendants() []int {
	if !hasEnvirons() {
		return nil
	}
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && d.marked(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// owns reports whether pid is alive and carries this daemon's mark.
func (d *Daemon) owns(pid int) bool {
	if pid <= 0 {
		return false
	}
	if !hasEnvirons() {
		return syscall.Kill(pid, 0) == nil
	}
	return d.marked(pid)
}

// hasEnvirons reports whether the environments of processes can be read here.
var hasEnvirons = sync.OnceValue(func() bool {
	_, err := os.Stat("/proc/self/environ")
	return err == nil
})

func (d *Daemon) marked(pid int) bool {
	env, err := procstat.Environ("/proc", pid, time.Now().Add(procstat.ExecPatience))
	return err == nil && bytes.Contains(env, []byte(marker+"="+d.mark)) // a zombie's is empty
}

func (d *Daemon) checkNothingLeft() {
	d.t.Helper()
	if Eventually(leftGrace, func() bool { return len(d.Descendants()) == 0 }) {
		return
	}
	for _, pid := range d.Descendants() {
		line := strings.ReplaceAll(read(fmt.Sprintf("/proc/%d/cmdline", pid)), "\x00", " ")
		d.t.Errorf("the %s daemon left process %d running: %s", d.Kind, pid, line)
		syscall.Kill(pid, syscall.SIGKILL)
	}
}
