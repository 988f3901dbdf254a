package oracle

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// leftGrace is how long a process that the daemon has already let go may take to
// vanish from the process table.
const leftGrace = 20 * time.Second

// Descendants are the pids of the processes that live and were started under
// this daemon, however far down, the daemon itself among them. Where there is no
// /proc it is always empty.
func (d *Daemon) Descendants() []int {
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	var pids []int
	for _, path := range environs {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if d.owns(pid) {
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
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		return syscall.Kill(pid, 0) == nil
	}
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
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
