package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// TestSecondDaemonSparesAutoLogs: a second daemon without any server, which no
// socket that is taken keeps from starting, and with the same pidfile, leaves the AUTO logs of the first one
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
	if second.Exit != 0 || !strings.Contains(s.Read("second.log"), "spawned: 'once'") {
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

// TestDaemonsShareAChildlogdir: the start of a daemon with the same identifier and
// the same childlogdir, which has nothing else to do with the first, leaves alone what
// the first one writes, and what its stopped programs have written, over restarts and
// updates. What the second has left behind itself is cleaned up meanwhile.
func TestDaemonsShareAChildlogdir(t *testing.T) {
	t.Parallel()
	shared := t.TempDir()
	head := strings.Replace(oracle.Prelude, "childlogdir={{.Dir}}", "childlogdir="+shared, 1)
	if head == oracle.Prelude {
		t.Fatal("the prelude has no childlogdir")
	}
	const programs = "[program:%[1]sruns]\ncommand=/bin/sh -c 'echo hello; exec /bin/cat'\n" +
		"[program:%[1]sstopped]\ncommand=/bin/echo hello\nstartsecs=0\nautorestart=false\n"
	logs := func(name string) []string {
		list, err := filepath.Glob(filepath.Join(shared, name+"*-stdout---supervisor-*.log"))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	said := func(path string) bool {
		data, err := os.ReadFile(path)
		return err == nil && string(data) == "hello\n"
	}
	start := func(name string) *eventRun {
		s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), head+fmt.Sprintf(programs, name)), t}
		s.until(name+"runs", "RUNNING")
		s.until(name+"stopped", "EXITED")
		return s
	}
	first := start("a")
	kept := logs("a")
	second := start("b")
	second.Signal(syscall.SIGKILL)
	second.wait("the second daemon to be gone", func() bool { return second.PID() == 0 })
	gone := logs("b")
	third := start("c")
	if len(kept) != 2 || len(gone) != 2 {
		t.Fatalf("AUTO logs: %q, %q", kept, gone)
	}
	for _, path := range kept {
		if !said(path) {
			t.Errorf("%s of a daemon that lives is gone, or empty", path)
		}
	}
	for _, path := range gone {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s of a daemon that was killed is still there", path)
		}
	}
	// All programs of the first stop: that it lives is known all the same.
	if out := first.Ctl(oracle.Ours, "stop", "aruns"); out.Exit != 0 {
		t.Fatal(out)
	}
	third.Stop()
	fourth := start("d")
	for _, path := range kept {
		if !said(path) {
			t.Errorf("%s of a daemon that lives and runs nothing is gone, or empty", path)
		}
	}
	if left := logs("c"); len(left) != 0 {
		t.Errorf("%q are left of a daemon that has ended", left)
	}
	fourth.Stop()
	first.Stop()
	_ = start("e")
	if left := logs("[a-d]"); len(left) != 0 {
		t.Errorf("%q are left of daemons that have ended", left)
	}
}
