package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// TestSecondDaemonSparesAutoLogs: a second daemon without any server, which no
// socket that is taken keeps from starting, leaves the AUTO logs of the first one
// alone; after a daemon that was killed they are cleaned up.
func TestSecondDaemonSparesAutoLogs(t *testing.T) {
	t.Parallel()
	const program = "[program:p]\ncommand=/bin/cat\n"
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+program), t}
	s.until("p", "RUNNING")
	logs := func() []string {
		list, err := filepath.Glob(filepath.Join(s.Dir, "p-std*---supervisor-*.log"))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	first := logs()
	if len(first) != 2 {
		t.Fatalf("AUTO logs: %q", first)
	}

	config := filepath.Join(s.Dir, "serverless.conf")
	text := strings.NewReplacer("{{.Dir}}", s.Dir).Replace(`[supervisord]
logfile={{.Dir}}/second.log
pidfile={{.Dir}}/supervisord.pid
childlogdir={{.Dir}}

[program:once]
command=/bin/sh -c "kill $PPID"
startsecs=0
autorestart=false
`)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	// The second ends itself, by its program.
	second := oracle.Exec(t, oracle.Ours, "supervisord", s.Dir, "-n", "-c", config)
	if second.Exit != 0 || !strings.Contains(s.Read("second.log"), "AUTO logs are not cleaned up: another supervisord is running") {
		t.Errorf("%v\n%s", second, s.Read("second.log"))
	}
	for _, path := range first {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}

	s.Signal(syscall.SIGKILL)
	s.wait("the daemon to be gone", func() bool { return s.PID() == 0 })
	s.Again()
	s.until("p", "RUNNING")
	for _, path := range first {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s is still there", path)
		}
	}
}
