//go:build amd64 || arm64 || riscv64

package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// lookTime is how long the daemon may take to see that a log is gone.
var lookTime = size(oracle.Deadline, 12*time.Second)

// numbersIn are the lines of the counting child in a text.
func numbersIn(t *testing.T, text string) (all []int) {
	t.Helper()
	for line := range strings.Lines(text) {
		n, err := strconv.Atoi(strings.TrimSuffix(line, "\n"))
		if err != nil || !strings.HasSuffix(line, "\n") {
			continue // the daemon's own, or half a line
		}
		all = append(all, n)
	}
	return all
}

// TestLogsAreMadeAgain: logs that are renamed or removed without a word to the daemon
// are at their paths again soon, with all that was written meanwhile, for children with
// and without rotation, AUTO logs and the activity log.
func TestLogsAreMadeAgain(t *testing.T) {
	t.Parallel()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+`
[program:renamed]
command={{.Self}} counting
stdout_logfile={{.Dir}}/renamed.log

[program:rotated]
command={{.Self}} counting
stdout_logfile={{.Dir}}/rotated.log
stdout_logfile_maxbytes=1KB
stdout_logfile_backups=100

[program:removed]
command={{.Self}} counting
stdout_logfile={{.Dir}}/removed.log
stdout_logfile_maxbytes=0

[program:auto]
command={{.Self}} counting
`), t}
	for _, name := range []string{"renamed", "rotated", "removed", "auto"} {
		s.until(name, "RUNNING")
	}
	autos, err := filepath.Glob(filepath.Join(s.Dir, "auto-stdout*"))
	if err != nil || len(autos) != 1 {
		t.Fatalf("AUTO logs: %v, %v", autos, err)
	}
	auto := filepath.Base(autos[0])
	gone := []string{"renamed.log", "rotated.log", "removed.log", auto, "supervisord.log"}
	for _, name := range gone {
		s.wait("something in "+name, func() bool { return s.Read(name) != "" })
	}
	before := make(map[string]string)
	for _, name := range gone {
		path := filepath.Join(s.Dir, name)
		if name == "removed.log" || name == auto {
			before[name] = s.Read(name)
			err = os.Remove(path)
		} else {
			err = os.Rename(path, path+".away")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	begun := time.Now()
	for _, name := range gone {
		s.wait(name+" to be written again", func() bool { return s.Read(name) != "" })
	}
	if took := time.Since(begun); took > lookTime {
		t.Errorf("it took %v", took)
	}
	whole := func(name, text string, atMost int) {
		t.Helper()
		seen := make(map[int]int)
		last := -1
		for _, n := range numbersIn(t, text) {
			seen[n]++
			last = max(last, n)
		}
		for n := range last {
			if seen[n] == 0 || seen[n] > atMost {
				t.Errorf("%s: line %d of %d is there %d times", name, n, last, seen[n])
			}
		}
	}
	s.call("stopAllProcesses")
	whole("renamed.log", s.Read("renamed.log.away")+s.Read("renamed.log"), 1)
	rotated := s.Read("rotated.log.away")
	files, _ := filepath.Glob(filepath.Join(s.Dir, "rotated.log*"))
	for _, f := range files {
		if !strings.HasSuffix(f, ".away") {
			rotated += s.Read(filepath.Base(f))
		}
	}
	whole("rotated.log", rotated, 1)
	for _, name := range []string{"removed.log", auto} { // what was moved is also in what was read before
		whole(name, before[name]+s.Read(name), 2)
	}
	for _, name := range gone {
		text := fmt.Sprintf("INFO log %s had been renamed or removed by another program and was created again\n", filepath.Join(s.Dir, name))
		if n := strings.Count(s.Read("supervisord.log.away")+s.Log(), text); n != 1 && name != "rotated.log" { // which its own rotation may have found first
			t.Errorf("the log says %d times: %s", n, text)
		}
	}
}

// TestLogsAreMadeAgainBesideAHungDisk: a log is made again while the disk of others hangs.
func TestLogsAreMadeAgainBesideAHungDisk(t *testing.T) {
	t.Parallel()
	if !mayMount(t) {
		return
	}
	s := startOnDisks(t, []string{"logs"})
	s.hang()
	path := filepath.Join(s.Dir, "sound.log")
	for i := range 2 { // the look before hangs
		if err := os.Rename(path, fmt.Sprintf("%s.%d", path, i)); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		s.wait("the log beside it", func() bool { return s.Read("sound.log") != "" })
		if took := time.Since(begun); took > lookTime {
			t.Errorf("it took %v", took)
		}
	}
	s.answersAtOnce()
	s.answer()
}
