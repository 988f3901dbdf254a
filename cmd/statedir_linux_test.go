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

// TestStateOfDaemonUser: a daemon of root that becomes another user keeps its
// state where root's is, in a directory that was given to that user, although a
// daemon that stayed root was there before, and finds it again after a restart.
func TestStateOfDaemonUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root becomes another user")
	}
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
`, inNamespaces(0, "mount -t tmpfs -o mode=755 none /var/lib; mkdir -m 700 /var/lib/supervisord")), t}
	s.until("p", "RUNNING")
	for _, file := range []string{"history.json", "running.json"} {
		pattern := fmt.Sprintf("/proc/%d/root/var/lib/supervisord/*/%s", s.PID(), file)
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
