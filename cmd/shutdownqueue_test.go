package cmd

import (
	"strings"
	"syscall"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// TestNothingStartsAfterTERM: of 600 programs that are being started, none is
// spawned once the signal to end was taken, but for a fork that was under way.
func TestNothingStartsAfterTERM(t *testing.T) {
	t.Parallel()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+`
[program:p]
command=/bin/sleep 1000
process_name=%(process_num)d
numprocs=600
stdout_logfile=NONE
stderr_logfile=NONE
`), t}
	s.wait("the first to be spawned", func() bool { return strings.Contains(s.Log(), "INFO spawned: ") })
	s.Signal(syscall.SIGTERM)
	s.wait("the daemon to be gone", func() bool { return s.PID() == 0 })
	before, after, found := strings.Cut(s.Log(), "received SIGTERM indicating exit request")
	if !found {
		t.Fatalf("log:\n%s", s.Log())
	}
	if n := strings.Count(after, "INFO spawned: "); n > 4 { // as many as may fork at once
		t.Errorf("%d were spawned after the signal, %d before", n, strings.Count(before, "INFO spawned: "))
	}
	if n := strings.Count(after, "INFO stopped: ") + strings.Count(after, "WARN stopped: "); n != 600 {
		t.Errorf("%d were stopped", n)
	}
}
