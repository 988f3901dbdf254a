package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"supervisord/cmd/internal/oracle"
)

var writtenAgain = regexp.MustCompile(`p: log \S+/log is written again, (\d+) bytes were dropped`)

// TestTinyDisk fills the disk that a program's log is on: the program runs on, and
// once there is room again its log is written again by itself. What is on the disk
// and what the activity log counts as dropped is all that the program wrote.
func TestTinyDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	disk := filepath.Join(dir, "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &eventRun{oracle.StartIn(t, oracle.Ours, dir, oracle.Prelude+`
[program:p]
command=/bin/cat
stdout_logfile={{.Dir}}/disk/log
stdout_logfile_maxbytes=0
`, inNamespaces(0, "mount -t tmpfs -o size=256k none "+disk+"; head -c 128k /dev/zero >"+disk+"/ballast")), t}
	s.until("p", "RUNNING")
	inside := fmt.Sprintf("/proc/%d/root%s/disk/", s.PID(), s.Dir)
	written := 0
	size := func() int {
		info, err := os.Stat(inside + "log")
		if err != nil {
			t.Fatal(err)
		}
		return int(info.Size())
	}
	say := func(n int) {
		s.call("sendProcessStdin", "p", strings.Repeat("x", n-1)+"\n")
		written += n
	}
	pid := s.pid("p")
	for range 6 {
		say(40_000)
	}
	s.logged("p: log " + s.Dir + "/disk/log cannot be written, ")
	if size() >= written {
		t.Fatalf("%d bytes are on a disk of 128 KiB", size())
	}
	if err := os.Remove(inside + "ballast"); err != nil {
		t.Fatal(err)
	}
	var again []string
	s.wait("the log to be written again", func() bool {
		say(1)
		again = writtenAgain.FindStringSubmatch(s.Log())
		return again != nil
	})
	dropped, _ := strconv.Atoi(again[1])
	s.wait(fmt.Sprintf("%d bytes on the disk, %d are dropped of %d", written-dropped, dropped, written),
		func() bool { return size() == written-dropped })
	if now := s.pid("p"); now != pid {
		t.Errorf("it has pid %d, had %d", now, pid)
	}
	if n := strings.Count(s.Log(), "cannot be written"); n > 2 {
		t.Errorf("%d warnings of one trouble", n)
	}
	t.Logf("%d bytes written, %d dropped, %d on the disk", written, dropped, size())
}
