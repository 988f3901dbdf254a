package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"supervisord/cmd/internal/oracle"
	"supervisord/runtime/needs"
)

// TestStateOfDaemonUser: a daemon of root that becomes another user keeps its
// state where root's is, in a directory that was given to that user, although a
// daemon that stayed root was there before, and finds it again after a restart.
func TestStateOfDaemonUser(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	owner, uid, _ := nobody(t)
	name, _, _ := strings.Cut(owner, ":")
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	s := &eventRun{oracle.StartIn(t, oracle.Ours, dir, strings.Replace(oracle.Prelude, "[supervisord]", "[supervisord]\nuser="+name, 1)+`
[program:p]
command=/bin/cat
`, inNamespaces(0, fmt.Sprintf("mkdir -p -m 700 %[1]s; mount -t tmpfs -o mode=700 none %[1]s", oracle.StateDir()))), t}
	s.until("p", "RUNNING")
	for _, file := range []string{"history.json", "running.json"} {
		pattern := fmt.Sprintf("/proc/%d/root%s/*/%s", s.PID(), oracle.StateDir(), file)
		s.wait(file, func() bool { found, _ := filepath.Glob(pattern); return len(found) == 1 })
		found, _ := filepath.Glob(pattern)
		info, err := os.Stat(found[0])
		if err != nil || info.Sys().(*syscall.Stat_t).Uid != uid {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
	s.Signal(syscall.SIGHUP)
	s.wait("the restart", func() bool { return strings.Count(s.Log(), "supervisord started with pid") == 2 })
	s.wait("the history of both lives", func() bool {
		history, _ := s.Call("reconcile.getHistory")
		entries, _ := history.([]any)
		return len(entries) == 2
	})
	if _, err := os.Lstat(filepath.Join(dir, ".local")); err == nil {
		t.Error("it has kept state in root's home")
	}
	if strings.Contains(s.Log(), "state directory") {
		t.Errorf("it complains:\n%s", s.Log())
	}
}

// TestStateOfTests: the daemons that tests start keep their state in a directory of the
// tests, and none in that of the machine.
func TestStateOfTests(t *testing.T) {
	t.Parallel()
	needs.Root(t) // others' state is kept in the home directory, which is the test's
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+"[program:p]\ncommand=/bin/cat\n"), t}
	s.until("p", "RUNNING")
	own := ""
	s.wait("its state", func() bool {
		for fd := range 100 { // the table of what runs is kept open
			to, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", s.PID(), fd))
			if strings.HasPrefix(filepath.Base(to), "running.") {
				own = filepath.Dir(to)
			}
		}
		return own != ""
	})
	if filepath.Dir(own) != oracle.StateDir() {
		t.Errorf("it keeps its state in %s", own)
	}
	if _, err := os.Lstat(filepath.Join("/var/lib/supervisord", filepath.Base(own))); err == nil {
		t.Error("it keeps state in /var/lib/supervisord, too")
	}
}

// TestNoStateSaidOnce: a daemon that has no place for its state says so in one
// line.
func TestNoStateSaidOnce(t *testing.T) {
	t.Parallel()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+`
[program:p]
command=/bin/cat

[reconcile]
statedir=/dev/null/state
`), t}
	s.until("p", "RUNNING")
	s.Signal(syscall.SIGTERM)
	s.Wait()
	var warnings []string
	for line := range strings.Lines(s.Log()) {
		if strings.Contains(line, "WARN") && strings.Contains(line, "/dev/null") {
			warnings = append(warnings, line)
		}
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "the state directory cannot be written") {
		t.Errorf("warnings: %q", warnings)
	}
}
