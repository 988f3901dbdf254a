package cmd

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// TestSleepers runs 500 children under one daemon, 10,000 with FULL_SIZE=1. It has
// a few threads for all of them, answers quickly, and stops them all. The figures
// of a large run are in CI's log.
//
// A child has two descriptors here, its output and its input; where the limit does
// not allow so many, the rest are FastCGI programs, which share their input.
func TestSleepers(t *testing.T) {
	t.Parallel()
	n := size(500, 10_000)
	deadline := size(oracle.Deadline, 10*time.Minute)
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	const own = 100 // descriptors of the daemon itself, generously
	plain := min(n, int(min(files.Max, 1<<20))-own-n)
	if plain < 0 {
		t.Fatalf("the limit of %d descriptors is too low for %d children", files.Max, n)
	}
	const sleeper = "command=/bin/sleep 100000\nprocess_name=%%(program_name)s_%%(process_num)05d\nnumprocs=%d\nredirect_stderr=true\nstdout_logfile=NONE\n"
	begun := time.Now()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+
		fmt.Sprintf("[program:plain]\n"+sleeper, plain)+
		fmt.Sprintf("[fcgi-program:shared]\nsocket=unix://{{.Dir}}/shared\n"+sleeper, n-plain)), t}
	empty := memory(t, s.PID())
	for _, mark := range []string{"spawned: ", "entered RUNNING"} {
		if !oracle.Eventually(deadline, func() bool { return strings.Count(s.Log(), mark) == n }) {
			t.Fatalf("%d of %d: %s", strings.Count(s.Log(), mark), n, mark)
		}
		t.Logf("%s: all %d after %v", mark, n, time.Since(begun).Round(time.Millisecond))
	}
	if got := len(runningPIDs(t, s.Daemon)); got != n {
		t.Errorf("%d processes have a pid, want %d", got, n)
	}
	threads := threadCount(t, s.PID())
	if threads >= size(n/10, 20) { // a busy machine needs some more
		t.Errorf("%d threads", threads)
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.PID()))
	if err != nil {
		t.Fatal(err)
	}
	most := memory(t, s.PID())
	t.Logf("%d threads, %d descriptors (%.2f for each child), %d MB (%.1f KB for each), %v of processor time",
		threads, len(fds), float64(len(fds))/float64(n), most>>20, float64(most-empty)/float64(n)/1024, cpuTime(t, s.PID()).Round(time.Millisecond))

	client := s.KeptClient()
	for method, limit := range map[string]time.Duration{"supervisor.getState": size(30*time.Second, time.Second), "supervisor.getAllProcessInfo": size(oracle.Deadline, 10*time.Second)} {
		worst := time.Duration(0)
		for range 20 {
			asked := time.Now()
			if _, err := client.Call(method); err != nil {
				t.Fatal(err)
			}
			worst = max(worst, time.Since(asked))
		}
		t.Logf("%s: %v at the most", method, worst)
		if worst > limit {
			t.Errorf("%s took %v", method, worst)
		}
	}
	begun = time.Now()
	s.Stop()
	t.Logf("all stopped in %v", time.Since(begun).Round(time.Millisecond))
}
