//go:build amd64 || arm64 || riscv64

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

// TestMappedRoot: on a file server that gives root's files to nobody, in a directory
// where everyone can write, a second daemon goes on with the logs and the pidfile of the
// first; but not through what nobody, or anybody else, has put there instead.
func TestMappedRoot(t *testing.T) {
	t.Parallel()
	if !mayMount(t) {
		return
	}
	ownMounts(t)
	dir := t.TempDir()
	victim := makeVictim(t, filepath.Join(dir, "victim"))
	d := newDisk(t, filepath.Join(dir, "tmp"), squashed)
	must(t, syscall.Chmod(d.dir, 0o1777))
	path := filepath.Join(d.dir, "log")
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, dir, fmt.Sprintf(stickyConfig, "tmp/supervisord.log")), t}
	lives := 0
	said := func() {
		t.Helper()
		s.until("p", "RUNNING")
		lives++
		s.wait("what was said in each life", func() bool { return s.Read("tmp/log") == strings.Repeat("said\n", lives) })
		if got := s.Read("tmp/pid"); got != fmt.Sprintln(s.PID()) {
			t.Errorf("the pidfile holds %q", got)
		}
		if n := strings.Count(s.Read("tmp/supervisord.log"), "supervisord started with pid"); n != lives {
			t.Errorf("%d starts are in the activity log, want %d", n, lives)
		}
	}
	said()
	for _, name := range []string{"log", "pid", "supervisord.log"} {
		info, err := os.Stat(filepath.Join(d.dir, name))
		must(t, err)
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != mallory {
			t.Fatalf("%s belongs to uid %d", name, uid)
		}
	}
	for range 2 {
		s.Stop()
		s.Again()
		said()
	}
	if got := s.Ctl(oracle.Ours, "tail", "p").Stdout; strings.TrimSpace(got) != strings.TrimSpace(strings.Repeat("said\n", lives)) {
		t.Errorf("tail: %q", got)
	}
	s.Ctl(oracle.Ours, "clear", "p")
	if got := s.Read("tmp/log"); got != "" {
		t.Errorf("after clear there is %q", got)
	}
	entries, err := os.ReadDir(d.dir)
	must(t, err)
	if len(entries) != 3 {
		t.Errorf("what is there: %v", entries)
	}

	for what, plant := range map[string]func(){
		"link": func() { must(t, os.Symlink(victim, path), os.Lchown(path, mallory, mallory)) },
		"FIFO": func() { must(t, syscall.Mkfifo(path, 0o666), os.Lchown(path, mallory, mallory)) },
		"file": func() { must(t, os.WriteFile(path, nil, 0o666), os.Lchown(path, mallory-1, mallory-1)) },
	} {
		s.Stop()
		must(t, os.Remove(path))
		plant()
		s.Again()
		s.until("p", "FATAL")
		if log := s.Read("tmp/supervisord.log"); !strings.Contains(log, "the "+what+" "+path+" belongs to uid") {
			t.Errorf("no word of a %s in\n%s", what, log)
		}
		unhurt(t, victim)
	}
}
