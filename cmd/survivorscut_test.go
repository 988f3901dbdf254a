package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// TestSurvivorsDoNotDelayShutdown: a daemon that is ending what an earlier one left
// running ends at once when it is told to, and leaves that to the next one.
func TestSurvivorsDoNotDelayShutdown(t *testing.T) {
	t.Parallel()
	d := oracle.StartDaemon(t, oracle.Ours, t.TempDir(), fmt.Sprintf(killed, "stop")+`
[program:patient]
command=/bin/sh -c "trap '' TERM; while ! test -e {{.Dir}}/go; do sleep 0.1; done" patient
stopwaitsecs=1000
`)
	untilRunning(t, d, "patient")
	pid := runningPIDs(t, d)["patient"]
	d.Kill()

	told := make(chan error, 1)
	go func() {
		if !oracle.Eventually(oracle.Deadline/2, func() bool {
			return strings.Contains(d.Log(), fmt.Sprintf("stopping patient (pid %d)", pid))
		}) {
			told <- errors.New("the survivor was not stopped")
			return
		}
		second, err := strconv.Atoi(strings.TrimSpace(d.Read("supervisord.pid")))
		if err == nil {
			err = syscall.Kill(second, syscall.SIGTERM)
		}
		told <- err
	}()
	out := oracle.Exec(t, oracle.Ours, "supervisord", d.Dir, "-n", "-c", d.Config)
	if err := <-told; err != nil || out.Exit != 0 {
		t.Errorf("%v; it ended with %v", err, out)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("the survivor: %v", err)
	}
	const said = "processes of an earlier supervisord that are left to the next one: 1"
	if left, _ := filepath.Glob(filepath.Join(d.Dir, "state/*/running.json")); len(left) != 1 || !strings.Contains(d.Log(), said) {
		t.Errorf("noted in %q, log:\n%s", left, d.Log())
	}
	if err := os.WriteFile(filepath.Join(d.Dir, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	oracle.WaitFor(t, "the survivor to end", func() bool { return syscall.Kill(pid, 0) != nil })
}
