package cmd

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// TestFullDevice has a program whose log is always full: it runs on, and the
// activity log says so once, not for every write.
func TestFullDevice(t *testing.T) {
	t.Parallel()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+`
[program:full]
command=/bin/sh -c 'while :; do echo 0123456789; echo >>{{.Dir}}/beat; sleep 0.01; done'
stdout_logfile=/dev/full
stdout_logfile_maxbytes=0
`), t}
	s.until("full", "RUNNING")
	pid := s.pid("full")
	s.logged("log /dev/full cannot be written, 11 bytes dropped so far: no space left on device")
	s.wait("50 writes", func() bool { return len(s.Read("beat")) > 50 })
	if n := strings.Count(s.Log(), "cannot be written"); n > 2 {
		t.Errorf("%d warnings of one trouble", n)
	}
	if now := s.pid("full"); now != pid || s.State("full") != "RUNNING" {
		t.Errorf("it has pid %d and is %s, had pid %d", now, s.State("full"), pid)
	}
}

// frozen are programs that write to logs which take nothing (a FIFO without a
// reader, one whose reader is stopped, a pipe that the daemon was started with)
// and programs that have nothing to do with them.
const frozen = `
[program:many]
command=/bin/sleep 1000
process_name=%(process_num)03d
numprocs=100
stdout_logfile=NONE
stderr_logfile=NONE

[program:healthy]
command=/bin/sh -c 'while :; do echo tick; sleep 0.01; done'
stdout_logfile={{.Dir}}/healthy.log

[program:fifo]
command=/usr/bin/yes 0123456789
stdout_logfile={{.Dir}}/fifo
stdout_logfile_maxbytes=0

[program:stopped]
command=/usr/bin/yes 0123456789
stdout_logfile={{.Dir}}/stopped
stdout_logfile_maxbytes=0

[program:inherited]
command=/usr/bin/yes 0123456789
stdout_logfile=/dev/fd/3
stdout_logfile_maxbytes=0

[program:late]
command=/bin/sh -c 'echo late; exec sleep 1000'
autostart=false
stdout_logfile={{.Dir}}/fifo
stdout_logfile_maxbytes=0
`

// withFrozenLogs starts a daemon with the programs above. resume lets the stopped
// reader go on, and read is how much it has had.
func withFrozenLogs(t *testing.T) (s *eventRun, resume func(), read func() int) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"fifo", "stopped"} {
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	reader := exec.Command("/bin/cat", filepath.Join(dir, "stopped"))
	taken, err := os.Create(filepath.Join(dir, "taken"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	reader.Stdout = taken
	if err := reader.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Process.Kill(); reader.Wait() })
	reader.Process.Signal(syscall.SIGSTOP)

	unread, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unread.Close(); theirs.Close() })
	s = &eventRun{oracle.StartIn(t, oracle.Ours, dir, oracle.Prelude+frozen, oracle.Surroundings{Files: []*os.File{theirs}}), t}
	return s, func() { reader.Process.Signal(syscall.SIGCONT) }, func() int {
		end, err := taken.Seek(0, io.SeekEnd)
		if err != nil {
			t.Fatal(err)
		}
		return int(end)
	}
}

// TestFrozenLogs: each program waits for its own log; a hundred others, answers,
// restarts, reopening and the end of the daemon do not.
func TestFrozenLogs(t *testing.T) {
	t.Parallel()
	s, resume, read := withFrozenLogs(t)
	for _, name := range []string{"fifo", "stopped", "inherited", "healthy", "many:099"} {
		s.until(name, "RUNNING")
	}
	s.logged("fifo: log " + s.Dir + "/fifo cannot be written, 0 bytes dropped so far: nothing reads it")
	s.logged("inherited: log /dev/fd/3 cannot be written, 0 bytes dropped so far: nothing reads it")

	client := s.KeptClient()
	var took []time.Duration
	for range size(300, 10_000) {
		begun := time.Now()
		if _, err := client.Call("supervisor.getState"); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	t.Logf("getState: median %v, 99 in 100 within %v, worst %v", took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
	if worst := took[len(took)-1]; worst > size(30*time.Second, time.Second) {
		t.Errorf("getState took %v", worst)
	}

	within := func(limit time.Duration, what string, do func()) {
		t.Helper()
		if !fullSize {
			limit *= 6 // on a busy machine
		}
		begun := time.Now()
		do()
		t.Logf("%s: %v", what, time.Since(begun).Round(time.Millisecond))
		if d := time.Since(begun); d > limit {
			t.Errorf("%s took %v", what, d)
		}
	}
	within(5*time.Second, "the restart of another program", func() {
		s.call("stopProcess", "many:000")
		s.call("startProcess", "many:000") // waits for startsecs
	})
	within(5*time.Second, "the start of a program on a FIFO that is full", func() { s.call("startProcess", "late") })
	within(10*time.Second, "the stop of a program whose log is frozen", func() { s.call("stopProcess", "fifo") })
	within(5*time.Second, "a reopening", func() {
		if err := os.Rename(filepath.Join(s.Dir, "healthy.log"), filepath.Join(s.Dir, "healthy.log.1")); err != nil {
			t.Fatal(err)
		}
		s.Signal(syscall.SIGUSR2)
		s.wait("the reopened log", func() bool { return strings.Count(s.Read("healthy.log"), "\n") > 3 })
	})
	before := read()
	resume()
	s.wait("a log that is read again to go on", func() bool { return read() > before+1<<20 })
	s.wait("the healthy program to go on", func() bool { return strings.Count(s.Read("healthy.log"), "\n") > 20 })
	within(20*time.Second, "the shutdown", s.Stop)
	if code := s.Wait(); code != 0 {
		t.Errorf("exit status %d", code)
	}
}
