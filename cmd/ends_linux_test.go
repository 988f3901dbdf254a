package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// TestServedWhileSurvivorsEnd: a daemon that comes after one which was killed answers at
// once, although what that left running takes long to end. Its programs are STARTING
// until then, so that nobody takes them for given up, and none runs twice.
func TestServedWhileSurvivorsEnd(t *testing.T) {
	t.Parallel()
	d := oracle.StartDaemon(t, oracle.Ours, t.TempDir(), fmt.Sprintf(killed, "stop")+`
[program:patient]
command=/bin/sh -c "trap '' TERM; while ! test -e {{.Dir}}/go; do sleep 0.1; done" patient
stopwaitsecs=1000

[program:quick]
command=/bin/sh -c "exec sleep 1000" quick

[program:manual]
command=/bin/sh -c "exec sleep 2000" manual
autostart=false
`)
	untilRunning(t, d, "patient", "quick")
	d.Kill()
	d.Again() // returns when it answers
	s := &eventRun{d, t}
	if state, err := d.Call("supervisor.getState"); err != nil || state.(map[string]any)["statename"] != "RUNNING" {
		t.Errorf("the daemon is %v, %v", state, err)
	}
	s.until("quick", "STARTING")
	s.until("patient", "STARTING")
	started := make(chan error, 1)
	go func() { _, err := d.Call("supervisor.startProcess", "manual"); started <- err }()
	s.until("manual", "STARTING")
	if out := d.Ctl(oracle.Ours, "wait", "-t", "1"); out.Exit != 1 {
		t.Errorf("wait: %v", out)
	}
	if n := len(copies(d, "patient")); n != 1 {
		t.Errorf("patient runs %d times", n)
	}
	if n := strings.Count(d.Log(), "spawned: "); n != 2 {
		t.Errorf("%d processes were started before the survivors had ended", n)
	}
	d.Write("go", "")
	if err := <-started; err != nil {
		t.Errorf("the start by hand: %v", err)
	}
	untilRunning(t, d, "quick", "manual")
	os.Remove(filepath.Join(d.Dir, "go"))
	defer d.Write("go", "") // to end
	untilRunning(t, d, "patient")
	if out := d.Ctl(oracle.Ours, "wait", "-t", "60"); out.Exit != 0 {
		t.Errorf("wait: %v", out)
	}
}

// TestPipeForAPidfile: a daemon that finds a FIFO in the place of its pidfile, to which
// nobody writes, waits for nobody at its end; and a child has its stopwaitsecs, however
// often the daemon is told to end.
func TestPipeForAPidfile(t *testing.T) {
	t.Parallel()
	const limit = 10*time.Second + 5*time.Second // its stopwaitsecs, and what is left to everything else
	for _, signals := range []int{1, 2} {
		t.Run(fmt.Sprint(signals), func(t *testing.T) {
			t.Parallel()
			s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+`
[program:p]
command=/bin/sh -c "trap 'sleep 1.5; echo late; exit' TERM; echo ready; while :; do sleep 0.05; done"
stdout_logfile={{.Dir}}/p.out
stopwaitsecs=10
`), t}
			s.wait("p", func() bool { return s.Read("p.out") == "ready\n" })
			pidfile := filepath.Join(s.Dir, "supervisord.pid")
			if err := os.Remove(pidfile); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mkfifo(pidfile, 0o600); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			for i := range signals {
				s.Signal(syscall.SIGTERM)
				s.wait("the signal", func() bool { return strings.Count(s.Log(), "received SIGTERM") == i+1 })
			}
			if status := s.Wait(); status != 0 {
				t.Errorf("exit status %d", status)
			}
			took := time.Since(begun)
			if err := os.Remove(pidfile); err != nil {
				t.Error(err)
			}
			if took > limit {
				t.Errorf("after %d signals the end took %v", signals, took)
			}
			if got := s.Read("p.out"); got != "ready\nlate\n" {
				t.Errorf("the child was cut short: %q", got)
			}
			if _, err := os.Lstat(s.Sock); err == nil {
				t.Error("the socket is left")
			}
			t.Logf("%d signals: %v", signals, took)
		})
	}
}

// TestCrashLeavesATrace: what Go says of a daemon that crashes in the background is in
// the state directory, the next daemon tells where, and it finds what still runs.
func TestCrashLeavesATrace(t *testing.T) {
	t.Parallel()
	d := oracle.StartDaemon(t, oracle.Ours, t.TempDir(), fmt.Sprintf(killed, "adopt")+`
[program:p]
command=/bin/sh -c "exec sleep 1000" p
`)
	untilRunning(t, d, "p")
	before := runningPIDs(t, d)["p"]
	for range 2 { // the second finds the trace of the first
		d.Signal(syscall.SIGABRT) // which Go takes for a fatal error of its own
		if status := d.Wait(); status == 0 {
			t.Fatal("it did not crash")
		}
		d.Again()
		untilRunning(t, d, "p")
	}
	if now := runningPIDs(t, d)["p"]; now != before {
		t.Errorf("p has pid %d, had %d", now, before)
	}
	traces, _ := filepath.Glob(filepath.Join(d.Dir, "state/*/last-crash.log"))
	if len(traces) != 1 {
		t.Fatalf("traces: %v", traces)
	}
	text, err := os.ReadFile(traces[0])
	if err != nil || !strings.Contains(string(text), "SIGABRT") || strings.Count(string(text), "SIGABRT: abort") != 1 {
		t.Errorf("%v; the trace is:\n%s", err, text)
	}
	said := "WARN an earlier supervisord has crashed: its last output is in " + traces[0] + "\n"
	if n := strings.Count(d.Log(), said); n != 2 {
		t.Errorf("said %d times: %s", n, said)
	}
	d.Stop()
	d.Again()
	if n := strings.Count(d.Log(), said); n != 2 {
		t.Errorf("after an ordered end said %d times: %s", n, said)
	}
}
