package cmd

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// TestManyLives restarts the daemon again and again: neither descriptors nor
// threads nor memory grow with the number of its lives. LIVES=1000 makes it so
// many; by default there are a few.
func TestManyLives(t *testing.T) {
	t.Parallel()
	lives := 8
	if n, err := strconv.Atoi(os.Getenv("LIVES")); err == nil {
		lives = n
	}
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+`
[program:p]
command=/bin/sleep 1000
startsecs=0
numprocs=3
process_name=%(process_num)d
umask=027
[eventlistener:l]
command={{.Self}} echo
events=TICK_5
`), t}
	live := func(n int) {
		for range n {
			begun := strings.Count(s.Log(), "supervisord started with pid")
			s.Signal(syscall.SIGHUP)
			s.wait("another life", func() bool { return strings.Count(s.Log(), "supervisord started with pid") > begun })
			s.until("p:2", "RUNNING")
		}
	}
	live(3) // until all threads and buffers are there
	threads, kilobytes := held(t, s.PID())
	files := len(descriptors(t, s.PID()))
	live(lives)
	if !oracle.Eventually(oracle.Deadline, func() bool { return len(descriptors(t, s.PID())) <= files+1 }) {
		t.Errorf("%d descriptors have become %d", files, len(descriptors(t, s.PID())))
	}
	// What ends a life is not waited for, so a thread or two may still be going.
	var nowThreads, nowKilobytes int
	if !oracle.Eventually(oracle.Deadline, func() bool {
		nowThreads, nowKilobytes = held(t, s.PID())
		return nowThreads <= threads+6
	}) {
		t.Errorf("%d threads have become %d", threads, nowThreads)
	}
	if nowKilobytes > kilobytes+8<<10 {
		t.Errorf("%d KiB have become %d", kilobytes, nowKilobytes)
	}
	t.Logf("after %d lives: %d descriptors (%d), %d threads (%d), %d KiB (%d)",
		lives, len(descriptors(t, s.PID())), files, nowThreads, threads, nowKilobytes, kilobytes)
}

// held is how many threads and how much memory a process has.
func held(t testing.TB, pid int) (threads, kilobytes int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) > 1 {
			switch n, _ := strconv.Atoi(f[1]); f[0] {
			case "Threads:":
				threads = n
			case "VmRSS:":
				kilobytes = n
			}
		}
	}
	return threads, kilobytes
}
