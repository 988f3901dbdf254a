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

// forking is a program that leaves behind, by a double fork, a process in a session
// of its own which nobody has the parenthood of, and one that takes no notice of TERM.
const forking = oracle.Prelude + `
[program:web]
command=/bin/sh -c "(setsid sleep 3000 &); (setsid /bin/sh -c 'exec 2>/dev/null; trap : TERM; while :; do sleep 0.1; done' stubborn &); exec sleep 2000"
stopwaitsecs=1
`

// forked starts the program and waits until those that it left behind are there.
func forked(t *testing.T, config string) *oracle.Daemon {
	t.Helper()
	oracle.Require(t)
	d := oracle.StartDaemon(t, oracle.Ours, t.TempDir(), config)
	untilRunning(t, d, "web")
	oracle.WaitFor(t, "those who fork away", func() bool { return len(copies(d, "3000")) == 1 && len(copies(d, "stubborn")) == 1 })
	return d
}

// parents are the parents of those who forked away.
func parents(t *testing.T, d *oracle.Daemon) (pids [2]int) {
	t.Helper()
	for i, word := range []string{"3000", "stubborn"} {
		pids[i] = parentOf(t, copies(d, word)[0])
	}
	return pids
}

// A double fork takes nobody away from a program with killmode=group, although the
// daemon is not process 1: a stop, and a restart after a crash, end all of it.
func TestDoubleForksAreEnded(t *testing.T) {
	t.Parallel()
	d := forked(t, forking+"killmode=group\n")
	if got, want := parents(t, d), [2]int{d.PID(), d.PID()}; got != want {
		t.Errorf("the parents of those who forked away are %v, not the daemon, %v", got, want)
	}
	former := append(copies(d, "3000"), copies(d, "stubborn")...)
	leader := runningPIDs(t, d)["web"]
	if err := syscall.Kill(leader, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	oracle.WaitFor(t, "another web", func() bool { pid := runningPIDs(t, d)["web"]; return pid != 0 && pid != leader })
	for _, pid := range former {
		if syscall.Kill(pid, 0) == nil {
			t.Errorf("%d outlived the start of another", pid)
		}
	}
	oracle.WaitFor(t, "those who fork away", func() bool { return len(copies(d, "3000")) == 1 && len(copies(d, "stubborn")) == 1 })
	if _, err := d.Call("supervisor.stopProcess", "web"); err != nil {
		t.Fatal(err)
	}
	if left := d.Descendants(); len(left) != 1 {
		t.Errorf("beside the daemon there still are some of %v", left)
	}
	if strings.Contains(d.Log(), "reaped unknown pid") {
		t.Errorf("orphans are told although they are expected:\n%s", d.Log())
	}
}

// With subreaper=true orphans of any program come to the daemon, and are let live
// where there is no killmode; without the key they go where they went before.
func TestSubreaperForAll(t *testing.T) {
	t.Parallel()
	d := forked(t, strings.Replace(forking, "[supervisord]\n", "[supervisord]\nsubreaper=true\n", 1))
	if got, want := parents(t, d), [2]int{d.PID(), d.PID()}; got != want {
		t.Errorf("the parents of those who forked away are %v, not the daemon, %v", got, want)
	}
	if _, err := d.Call("supervisor.stopProcess", "web"); err != nil {
		t.Fatal(err)
	}
	if len(copies(d, "3000")) != 1 || len(copies(d, "stubborn")) != 1 {
		t.Error("who belongs to nobody was ended")
	}
	end(d)

	d = forked(t, forking)
	defer end(d)
	for _, parent := range parents(t, d) {
		if parent == d.PID() {
			t.Error("an orphan came to the daemon, who did not ask for it")
		}
	}
}

// end ends those who forked away.
func end(d *oracle.Daemon) {
	for _, pid := range append(copies(d, "3000"), copies(d, "stubborn")...) {
		_ = syscall.Kill(-pid, syscall.SIGKILL) // it leads a group of its own
	}
}

// parentOf is the parent of a process.
func parentOf(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "\nPPid:")
	parent, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(after, "\n", 2)[0]))
	if err != nil {
		t.Fatal(err)
	}
	return parent
}
