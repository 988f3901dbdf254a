package launch

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// TestKilledBeforeItsProgram: a child that somebody kills on its way to its
// program, where Reap does not see it, is collected and told as a failed start.
func TestKilledBeforeItsProgram(t *testing.T) {
	l := launcher(t)
	over := make(chan struct{})
	var killer sync.WaitGroup
	killer.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				killChildren()
			}
		}
	})
	left := map[int]bool{}
	failed := 0
	for n := 0; n < 200 || failed == 0 && n < 20_000; n++ {
		child, err := l.Start(cat())
		if err != nil {
			failed++
			e := err.(*Error)
			if want := "supervisor: couldn't exec /bin/cat: terminated by SIGKILL\n"; !strings.HasPrefix(string(e.ChildMessage()), want) || e.PID == 0 {
				t.Fatalf("pid %d: got %q, want %q", e.PID, e.ChildMessage(), want)
			}
			continue
		}
		left[child.PID] = true
		closeAll(child)
	}
	close(over)
	killer.Wait()
	t.Logf("%d children were killed before their program", failed)
	if failed == 0 {
		t.Error("none was killed in time")
	}
	eventually(t, "all that were started are reaped", func() bool {
		for _, e := range Reap(100) {
			delete(left, e.PID)
		}
		return len(left) == 0
	})
}

// killChildren kills every child that this process has at the moment.
func killChildren() {
	tasks, _ := os.ReadDir("/proc/self/task")
	for _, task := range tasks {
		pids, _ := os.ReadFile("/proc/self/task/" + task.Name() + "/children")
		for pid := range strings.FieldsSeq(string(pids)) {
			if n, err := strconv.Atoi(pid); err == nil {
				_ = Signal(n, syscall.SIGKILL)
			}
		}
	}
}
