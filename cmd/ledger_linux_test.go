//go:build amd64 || arm64 || riscv64

package cmd

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
	"supervisord/runtime/procstat"
)

// clerk is a program that writes numbered lines for ever, some at a time, and keeps
// the number of those that it has written in a file of its own in the directory
// $ARGV[0]. A line that nobody takes is written again. It pauses $ARGV[1]
// milliseconds at the most. It is in Perl because hundreds of them start at once.
//
// A line is RUN NUMBER FILLING; RUN, the name of the file, is PROCESS.PID.TIME.
const clerk = `#!/usr/bin/perl
$SIG{PIPE} = 'IGNORE';
my ($dir, $pause) = @ARGV;
my $run = "$ENV{SUPERVISOR_PROCESS_NAME}.$$." . time;
open(my $count, '+>', "$dir/$run") or die $!;
for (my $n = 0;; $n++) {
	my $line = "$run $n " . chr(97 + $n % 26) x ($n * 37 % 300) . "\n";
	until (syswrite(STDOUT, $line)) { select(undef, undef, undef, 0.005) }
	sysseek($count, 0, 0);
	syswrite($count, sprintf("%010d\n", $n + 1));
	select(undef, undef, undef, rand() * $pause / 1000) if rand() < 0.1;
}
`

// ledger knows what clerks have written, and where the logs of each are.
type ledger struct {
	dir string // of the files that clerks keep

	mu      sync.Mutex
	orphans map[string]int // how often a run has outlived its daemon
}

func newLedger(t testing.TB, dir string) *ledger {
	t.Helper()
	writeFiles(t, dir, map[string]string{"clerk": clerk, "runs/.keep": ""})
	return &ledger{dir: filepath.Join(dir, "runs"), orphans: make(map[string]int)}
}

// orphaned notes that these processes have lost their daemon.
func (l *ledger) orphaned(slots map[string][]int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, pids := range slots {
		for _, pid := range pids {
			runs, _ := filepath.Glob(filepath.Join(l.dir, fmt.Sprintf("*.%d.*", pid)))
			if len(runs) > 0 { // the latest has this number
				l.orphans[filepath.Base(slices.MaxFunc(runs, byBegin))]++
			}
		}
	}
}

// written is how many lines each run of a clerk has written, or one less.
func (l *ledger) written(clerk string) map[string]int {
	files, _ := filepath.Glob(filepath.Join(l.dir, clerk+".*"))
	all := make(map[string]int)
	for _, file := range files {
		text, _ := os.ReadFile(file)
		all[filepath.Base(file)], _ = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	return all
}

var entryLine = regexp.MustCompile(`^(\w+\.\d+\.\d+) (\d+) ([a-z]*)$`)

// account is what the logs of one clerk hold: of each run the numbers of its lines, in
// the order of the files, and what is no line.
type account struct {
	runs map[string][]int
	torn []string
}

// read reads the logs of a pattern, the oldest first.
func (l *ledger) read(t testing.TB, pattern string) account {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(files, byAge)
	a := account{runs: make(map[string][]int)}
	var text []byte
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, data...)
	}
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // the last, which may be written just now
		}
		m := entryLine.FindSubmatch(bytes.TrimSuffix(line, []byte("\n")))
		n := -1
		if m != nil {
			n, _ = strconv.Atoi(string(m[2]))
		}
		if m == nil || string(m[3]) != strings.Repeat(string(rune('a'+n%26)), n*37%300) {
			a.torn = append(a.torn, fmt.Sprintf("%.60q", line))
			continue
		}
		run := string(m[1])
		a.runs[run] = append(a.runs[run], n)
	}
	return a
}

// byAge orders backups: x.log.2 is older than x.log.1, and x.log is the newest. What
// was renamed by others is called x.log.movedNNN, and is older than what has
// that name no longer.
func byAge(a, b string) int {
	age := func(path string) int {
		_, suffix, _ := strings.Cut(filepath.Base(path), ".log")
		switch n, err := strconv.Atoi(strings.TrimPrefix(suffix, ".")); {
		case err == nil:
			return -n
		case suffix == "":
			return 0
		default: // .movedNNN
			n, _ := strconv.Atoi(strings.TrimPrefix(suffix, ".moved"))
			return n - 1<<40
		}
	}
	return age(a) - age(b)
}

// rule is what may have happened to a log.
type rule struct {
	cut     bool // what was written first is gone, by maxbytes and backups
	dropped bool // its disk took nothing for a while, and lines were dropped
}

// audit holds the logs of one clerk, those of a pattern, against what it has written:
// each line is there once and in order, and none is missing. It returns how many there
// are, and what is wrong.
//
// A run loses one stretch of lines, and has one torn line, for each time that its daemon
// was killed: what the daemon had read and not written yet, one chunk at the most, and
// with survivors=stop what was still in the pipe. What it writes while there is no
// daemon is refused by the kernel, and no clerk takes that for written. The last lines
// may be on their way for a moment.
func (l *ledger) audit(t testing.TB, clerk, pattern string, may rule) (lines int, wrong []string) {
	t.Helper()
	written := l.written(clerk) // before, so that what is written meanwhile is not missed
	a := l.read(t, pattern)
	l.mu.Lock()
	defer l.mu.Unlock()
	mayTear := 0
	if may.cut {
		mayTear++ // the first line that is left
	}
	for run := range a.runs { // one that has just begun
		if _, ok := written[run]; !ok {
			written[run] = 0
		}
	}
	first := true
	for _, run := range slices.SortedStableFunc(maps.Keys(written), byBegin) {
		numbers, orphaned := a.runs[run], l.orphans[run]
		lines += len(numbers)
		mayTear += orphaned
		next := 0
		if may.cut && first {
			if len(numbers) == 0 {
				continue
			}
			next = numbers[0]
		}
		first = false
		var missing []string
		for _, n := range numbers {
			if n < next {
				wrong = append(wrong, fmt.Sprintf("line %d of run %s follows line %d", n, run, next-1))
			}
			if n > next {
				missing = append(missing, fmt.Sprintf("%d to %d", next, n-1))
			}
			next = n + 1
		}
		if next < written[run] {
			missing = append(missing, fmt.Sprintf("%d to %d, the last,", next, written[run]-1))
		}
		if len(missing) > orphaned && !may.dropped {
			wrong = append(wrong, fmt.Sprintf("lines %s of run %s are missing, which was orphaned %d times", strings.Join(missing, ", "), run, orphaned))
		}
	}
	if len(a.torn) > mayTear && !may.dropped {
		wrong = append(wrong, fmt.Sprintf("%d lines may be torn, these are: %s", mayTear, strings.Join(a.torn, ", ")))
	}
	return lines, wrong
}

// byBegin orders runs by the time at which they began.
func byBegin(a, b string) int {
	return strings.Compare(filepath.Ext(a), filepath.Ext(b))
}

// slots are the pids of the processes of a daemon, by GROUP:NAME, as their environment
// says: those that it started itself, not what they started, and none that has ended.
func slots(d *oracle.Daemon) map[string][]int {
	list := make(map[string][]int)
	for _, pid := range d.Descendants() {
		env, _ := procstat.Environ("/proc", pid, time.Now().Add(procstat.ExecPatience))
		group, name := variable(env, "SUPERVISOR_GROUP_NAME"), variable(env, "SUPERVISOR_PROCESS_NAME")
		if leader, _ := syscall.Getpgid(pid); name != "" && leader == pid {
			at := group + ":" + name
			list[at] = append(list[at], pid)
		}
	}
	return list
}

// variable is the value of a variable in an environment, "" for none.
func variable(env []byte, name string) string {
	for pair := range bytes.SplitSeq(env, []byte{0}) {
		if key, value, _ := bytes.Cut(pair, []byte("=")); string(key) == name {
			return string(value)
		}
	}
	return ""
}

// watchSlots looks all the time whether a slot has more than one process, until done
// is closed. It returns what it has seen.
func watchSlots(d *oracle.Daemon, done <-chan struct{}) (looks int, doubles []string) {
	for look := time.NewTicker(200 * time.Millisecond); ; looks++ {
		select {
		case <-done:
			look.Stop()
			return looks, doubles
		case <-look.C:
		}
		for at, pids := range slots(d) {
			// One may have followed the other while the list was made.
			if len(pids) > 1 && !slices.ContainsFunc(pids, func(pid int) bool { return !running(pid) }) && len(doubles) < 20 {
				doubles = append(doubles, fmt.Sprintf("%s runs as %v", at, pids))
			}
		}
	}
}
