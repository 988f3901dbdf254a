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

// TestOrphansOfPID1 gives the daemon, as process 1 of a container, 1,000 orphans,
// 10,000 with FULL_SIZE=1, which end when they like. Each is reaped, none stays a
// zombie, and the statuses of its own programs are exact meanwhile.
func TestOrphansOfPID1(t *testing.T) {
	t.Parallel()
	n := size(1000, 10_000)
	s := &eventRun{oracle.StartIn(t, oracle.Ours, t.TempDir(), oracle.Prelude+fmt.Sprintf(`
[program:parent]
command=/bin/sh -c 'i=0; while [ $i -lt %d ]; do (read line <{{.Dir}}/gate; exit 3) & i=$((i+1)); done; exit 7'
process_name=%%(process_num)d
numprocs=10
exitcodes=7
startsecs=0
autorestart=false
stdout_logfile=NONE
stderr_logfile=NONE

[program:quick]
command=/bin/sh -c 'trap "" TERM; echo >>{{.Dir}}/count; exit 42'
startsecs=0
exitcodes=42
autorestart=true
stdout_logfile=NONE
stderr_logfile=NONE
`, n/10), inNamespaces(syscall.CLONE_NEWPID, "mount -t proc none /proc; mkfifo gate")), t}
	for i := range 10 {
		s.wait("the parent's end", func() bool { return s.State(fmt.Sprintf("parent:%d", i)) == "EXITED" })
	}
	gate, err := os.OpenFile(filepath.Join(s.Dir, "gate"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	for range n { // one line for each, so that they end one by one and in bursts
		if _, err := gate.WriteString("\n"); err != nil {
			t.Fatal(err)
		}
	}
	s.wait("all orphans to be reaped", func() bool {
		return strings.Count(s.Log(), "INFO reaped unknown pid ") == n
	})
	if zombies := zombiesOf(t, s.PID()); len(zombies) > 1 { // quick may just have ended
		t.Errorf("%d zombies", len(zombies))
	}
	s.Stop()
	log := s.Log()
	if got := strings.Count(log, "(exit status 3)"); got != n {
		t.Errorf("%d of %d orphans were reaped with their status", got, n)
	}
	if got := strings.Count(log, "exit status 7; expected"); got != 10 {
		t.Errorf("%d of 10 parents ended with status 7", got)
	}
	began := len(s.Read("count"))
	ended := strings.Count(log, "exited: quick (exit status 42; expected)") + strings.Count(log, "stopped: quick (exit status 42)")
	if began != ended || began < 10 {
		t.Errorf("quick ran %d times, its status is in the log %d times", began, ended)
	}
	t.Logf("%d orphans reaped, while a program ended %d times", n, ended)
}

// zombiesOf are the children of a process that have ended and are not reaped.
func zombiesOf(t testing.TB, parent int) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var zombies []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has gone meanwhile
		}
		// pid (name) state ppid …, and the name may hold anything
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if fields[0] == "Z" && fields[1] == fmt.Sprint(parent) {
			zombies = append(zombies, string(text))
		}
	}
	return zombies
}
