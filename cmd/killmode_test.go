package cmd

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
	"supervisord/runtime/launch"
	"supervisord/runtime/needs"
)

// escaping is a program that leaves behind a process in a session of its own,
// which takes no notice of TERM, and one that does. What the former says when its
// sleep is ended goes nowhere, lest it die of a pipe that nobody reads.
const escaping = oracle.Prelude + `
[reconcile]
statedir={{.Dir}}/state

[program:web]
command=/bin/sh -c "setsid /bin/sh -c 'exec 2>/dev/null; trap : TERM; while :; do sleep 0.1; done' stubborn & setsid sleep 1000 & exec sleep 2000"
killmode=cgroup
stopwaitsecs=1
`

// cgroupsHere reports whether killmode=cgroup can be had, which REQUIRE_CGROUP2=1
// demands.
func cgroupsHere(t *testing.T) bool {
	t.Helper()
	_, err := launch.FindCgroups()
	if err != nil && os.Getenv("REQUIRE_CGROUP2") == "1" {
		t.Fatal(err)
	}
	if err != nil {
		t.Log("no cgroups, left out:", err)
	}
	return err == nil
}

// escaped starts the program and waits until all three processes are there.
func escaped(t *testing.T, in oracle.Surroundings) *oracle.Daemon {
	t.Helper()
	oracle.Require(t)
	d := oracle.StartIn(t, oracle.Ours, t.TempDir(), escaping, in, "-e", "debug")
	untilRunning(t, d, "web")
	oracle.WaitFor(t, "those who escape", func() bool { return len(copies(d, "stubborn"))+len(copies(d, "1000")) == 2 })
	return d
}

// A stop ends everything that a program ever started, within stopwaitsecs.
func TestCgroupStop(t *testing.T) {
	t.Parallel()
	if !cgroupsHere(t) {
		return
	}
	d := escaped(t, oracle.Surroundings{})
	begun := time.Now()
	if _, err := d.Call("supervisor.stopProcess", "web"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < time.Second || took > 9*time.Second { // less than without the key
		t.Errorf("the stop took %v, with a stopwaitsecs of 1 s", took)
	}
	if left := d.Descendants(); len(left) != 1 {
		t.Errorf("beside the daemon there still are some of %v", left)
	}
	if want := "of its cgroup survived the stop"; !strings.Contains(d.Log(), want) {
		t.Errorf("no %q in\n%s", want, d.Log())
	}
}

// What a program that died has left behind is ended before there is a new one.
func TestCgroupRestart(t *testing.T) {
	t.Parallel()
	if !cgroupsHere(t) {
		return
	}
	d := escaped(t, oracle.Surroundings{})
	leader, former := runningPIDs(t, d)["web"], append(copies(d, "stubborn"), copies(d, "1000")...)
	if err := syscall.Kill(leader, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	oracle.WaitFor(t, "a new one", func() bool { pid := runningPIDs(t, d)["web"]; return pid != 0 && pid != leader })
	if got := d.Descendants(); slices.ContainsFunc(got, func(pid int) bool { return slices.Contains(former, pid) }) {
		t.Errorf("some of %v outlived the start of a new one: %v", former, got)
	}
}

// The daemon that comes after one which was killed ends all of it, also when the
// leader has died in between.
func TestCgroupSurvives(t *testing.T) {
	t.Parallel()
	if !cgroupsHere(t) {
		return
	}
	d := escaped(t, oracle.Surroundings{})
	leader, former := runningPIDs(t, d)["web"], append(copies(d, "stubborn"), copies(d, "1000")...)
	d.Kill()
	if err := syscall.Kill(leader, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	d.Again()
	untilRunning(t, d, "web")
	if got := d.Descendants(); slices.ContainsFunc(got, func(pid int) bool { return slices.Contains(former, pid) }) {
		t.Errorf("some of %v live on: %v", former, got)
	}
}

// Where there is no cgroup to be had it is said once, and the group is stopped, with
// those who have left it.
func TestCgroupFallback(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	d := escaped(t, oracle.Surroundings{Through: []string{
		"unshare", "-m", "sh", "-c", `mount -t tmpfs none /sys/fs/cgroup && exec "$@"`, "sh"}})
	if n := strings.Count(d.Log(), "WARN web: killmode=cgroup falls back to group: "); n != 1 {
		t.Errorf("said %d times in\n%s", n, d.Log())
	}
	if _, err := d.Call("supervisor.stopProcess", "web"); err != nil {
		t.Fatal(err)
	}
	if left := append(copies(d, "stubborn"), copies(d, "1000")...); len(left) != 0 {
		t.Errorf("%v are left", left)
	}
}
