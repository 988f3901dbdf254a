package launch

import (
	"bufio"
	"io"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

func TestDescribe(t *testing.T) {
	rows := []struct {
		status syscall.WaitStatus
		want   string
	}{
		{0, "exit status 0"},
		{3 << 8, "exit status 3"},
		{255 << 8, "exit status 255"},
		{127 << 8, "exit status 127"},
		{15, "terminated by SIGTERM"},
		{9, "terminated by SIGKILL"},
		{11 | 0x80, "terminated by SIGSEGV (core dumped)"},
		{50, "terminated by signal 50"},
		{0x137f, "unknown termination cause 0x137f"},
	}
	for _, row := range rows {
		if got := Describe(row.status); got != row.want {
			t.Errorf("%#x: got %q, want %q", uint32(row.status), got, row.want)
		}
	}
}

func TestReapKeepsToItsBound(t *testing.T) {
	l := launcher(t)
	pids, ended := map[int]bool{}, map[int]bool{}
	for range 5 {
		child := start(t, l, Command{Name: "true", Path: "/bin/true", Args: []string{"true"}, Umask: -1, UID: -1, GID: -1})
		pids[child.PID] = true
	}
	eventually(t, "all have ended", func() bool {
		exits := Reap(2)
		if len(exits) > 2 {
			t.Fatalf("asked for 2, got %d", len(exits))
		}
		for _, e := range exits {
			if ended[e.PID] {
				t.Errorf("pid %d has ended twice", e.PID)
			}
			ended[e.PID] = true
			delete(pids, e.PID) // some may be of an earlier test
		}
		return len(pids) == 0
	})
}

// Signals go where they are sent: TERM to one that ignores it, KILL, a group
// whose leader has gone.
func TestSignals(t *testing.T) {
	l := launcher(t)
	child := start(t, l, self("stubborn"))
	line, err := bufio.NewReader(child.Stdout).ReadString('\n')
	if err != nil || line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if err := Signal(child.PID, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := Signal(child.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if how := Describe(awaitExit(t, child.PID)); how != "terminated by SIGKILL" {
		t.Error(how)
	}
	if err := Signal(child.PID, syscall.SIGKILL); err != syscall.ESRCH {
		t.Errorf("a signal to nobody: %v", err)
	}
}

func TestSignalRefusesWhatIsNoProcess(t *testing.T) {
	for _, pid := range []int{0, -1, -1000} {
		if err := Signal(pid, 0); err != syscall.EINVAL {
			t.Errorf("process %d: %v", pid, err)
		}
	}
	for _, pgid := range []int{1, 0, -1, -1000} {
		if err := SignalGroup(pgid, 0); err != syscall.EINVAL {
			t.Errorf("group %d: %v", pgid, err)
		}
	}
}

// A thousand programs, three thousand with FULL_SIZE=1, that end at once, started from
// many goroutines while one reaps, with failures among them: every end is seen once, with its own
// status, and no failure is taken for an end.
func TestImmediateExits(t *testing.T) {
	programs := size(1000, 3000)
	l := launcher(t)
	chld := make(chan os.Signal, 1)
	signal.Notify(chld, syscall.SIGCHLD)
	t.Cleanup(func() { signal.Stop(chld) })
	type result struct {
		child  *Child
		err    error
		expect int
	}
	results := make(chan result)
	next := make(chan int)
	go func() { // ends with the numbers
		defer close(next)
		for i := range programs {
			next <- i
		}
	}()
	for range 8 {
		go func() { // ends with the numbers
			for i := range next {
				c := Command{Name: "exit", Path: "/bin/sh", Umask: -1, UID: -1, GID: -1,
					Args: []string{"sh", "-c", "exit $1", "sh", string(rune('0' + i%10))}}
				if i%5 == 4 {
					c.Path = "/no/such/program"
				}
				child, err := l.Start(c)
				results <- result{child, err, i % 10}
			}
		}()
	}

	known := map[int]int{}                // pid → expected status
	early := map[int]syscall.WaitStatus{} // ends of pids that are not known yet
	pending, ended, failed := programs, 0, 0
	end := func(pid int, status syscall.WaitStatus) {
		ended++
		if want := known[pid]; status.ExitStatus() != want {
			t.Errorf("pid %d: %s, want %d", pid, Describe(status), want)
		}
		delete(known, pid)
	}
	for deadline := time.After(60 * time.Second); pending > 0 || len(known) > 0; {
		select {
		case r := <-results:
			pending--
			if r.err != nil {
				failed++
				continue
			}
			closeAll(r.child)
			known[r.child.PID] = r.expect
			if status, ok := early[r.child.PID]; ok {
				delete(early, r.child.PID)
				end(r.child.PID, status)
			}
		case <-deadline:
			t.Fatalf("%d starts pending, %d children known", pending, len(known))
		case <-chld:
			for exits := Reap(100); len(exits) > 0; exits = Reap(100) {
				for _, e := range exits {
					if _, ok := known[e.PID]; ok {
						end(e.PID, e.Status)
					} else if _, twice := early[e.PID]; twice {
						t.Fatalf("pid %d ended twice", e.PID)
					} else {
						early[e.PID] = e.Status
					}
				}
			}
		}
	}
	checkStrangers(t, early)
	if failed != programs/5 || ended != programs-failed {
		t.Errorf("%d failed and %d ended of %d", failed, ended, programs)
	}
	if _, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("children are left: %v", err)
	}
}

// A leader that has gone leaves members of its group to be found and ended.
func TestGroupOutlivesItsLeader(t *testing.T) {
	l := launcher(t)
	child := start(t, l, self("grandchild"))
	var survivor int
	out := bufio.NewReader(child.Stdout)
	line, err := out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	survivor = atoi(line[:len(line)-1])
	if status := awaitExit(t, child.PID); status != 0 {
		t.Fatal(Describe(status))
	}
	checkMembers(t, child.PID, survivor)
	if err := SignalGroup(child.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the group is empty", func() bool { return len(GroupMembers(child.PID)) == 0 })
	if _, err := io.ReadAll(child.Stderr); err != nil { // the survivor held it open
		t.Error(err)
	}
}
