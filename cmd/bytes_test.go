package cmd

import (
	"bufio"
	"fmt"
	"hash/crc32"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// fullSize makes the tests of this package that have two sizes as large as they
// can be: FULL_SIZE=1 go test -timeout 30m ./cmd
var fullSize = oracle.FullSize()

// size is small in an ordinary run and large with FULL_SIZE=1.
func size[T any](small, large T) T {
	if fullSize {
		return large
	}
	return small
}

// numbered is a child that waits for a line on its standard input, writes
// numbered lines with a checksum, at least so many bytes in all, and exits. Each
// line is one write that fits into a pipe at once, so that logs hold whole lines.
// With a second argument it waits for as many lines, evenly while it writes.
func numbered(args []string) int {
	total, err := strconv.Atoi(args[0])
	if err != nil {
		return 2
	}
	waits := 1
	if len(args) > 1 {
		if waits, err = strconv.Atoi(args[1]); err != nil {
			return 2
		}
	}
	in := bufio.NewReader(os.Stdin)
	waited := 0
	for n, written := 0, 0; written < total; n++ {
		for ; waited*total <= written*waits; waited++ {
			in.ReadString('\n')
		}
		line := numberedLine(n)
		if _, err := os.Stdout.WriteString(line); err != nil {
			return 1
		}
		written += len(line)
	}
	return 0
}

// numberedLine is line n: its number, filling of a length that varies, and a
// checksum of both.
func numberedLine(n int) string {
	text := fmt.Sprintf("%09d %s", n, strings.Repeat(string(rune('a'+n%26)), 100+n*37%3000))
	return fmt.Sprintf("%s %08x\n", text, crc32.ChecksumIEEE([]byte(text)))
}

// linesOf is how many lines numbered writes for so many bytes.
func linesOf(total int) int {
	n := 0
	for written := 0; written < total; n++ {
		written += len(numberedLine(n))
	}
	return n
}

// steady is a child that writes a line every millisecond, each of which is an event.
func steady([]string) int {
	for range time.Tick(time.Millisecond) {
		if _, err := os.Stdout.WriteString("a line\n"); err != nil {
			return 1
		}
	}
	return 0
}

// span is a run of lines in one file, from first to before end.
type span struct {
	file       string
	first, end int
}

// spans reads what numbered has written to the files of a pattern, by line
// number. A line that is not whole fails the test, as does one that does not
// follow the one before it. Only a copy may end within a line: it can be made
// while that is being written.
func spans(t testing.TB, pattern string) []span {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	var all []span
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := span{file: filepath.Base(file), first: -1}
		for line := range strings.Lines(string(data)) {
			if strings.Contains(s.file, ".copy") && !strings.HasSuffix(line, "\n") {
				break
			}
			n, err := strconv.Atoi(line[:min(9, len(line))])
			if err != nil || line != numberedLine(n) {
				t.Fatalf("%s holds a broken line after %d: %.60q", file, s.end, line)
			}
			if s.first < 0 {
				s.first, s.end = n, n
			}
			if n != s.end {
				t.Fatalf("%s: line %d is followed by %d", file, s.end-1, n)
			}
			s.end++
		}
		if s.first >= 0 {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b span) int { return a.first - b.first })
	return all
}

// gaps counts the places between 0 and end at which lines are missing. Lines that
// are there twice fail the test.
func gaps(t testing.TB, all []span, end int) int {
	t.Helper()
	count, next := 0, 0
	for _, s := range append(all, span{"the end", end, end}) {
		switch {
		case s.first < next:
			t.Fatalf("%s begins with line %d, but that is elsewhere too, up to %d", s.file, s.first, next-1)
		case s.first > next:
			count++
			t.Logf("lines %d to %d are missing before %s", next, s.first-1, s.file)
		}
		next = s.end
	}
	return count
}

// TestEveryByteOnce has children write while their logs rotate by size and are
// renamed, reopened, cleared and copied and truncated by others. What nobody took
// away is there once: 4 MiB of each child, 256 MiB with FULL_SIZE=1.
func TestEveryByteOnce(t *testing.T) {
	t.Parallel()
	total := size(4<<20, 256<<20)
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+fmt.Sprintf(`
[program:kept]
command={{.Self}} numbered %d 8
autorestart=false
stdout_logfile={{.Dir}}/kept.log
stdout_logfile_maxbytes=%d
stdout_logfile_backups=100

[program:cut]
command={{.Self}} numbered %[1]d 8
autorestart=false
stdout_logfile={{.Dir}}/cut.log
stdout_logfile_maxbytes=%[2]d
stdout_logfile_backups=100
`, total, total/24)), t}
	s.until("kept", "RUNNING")
	s.until("cut", "RUNNING")
	writing := func() bool { return s.State("kept") == "RUNNING" || s.State("cut") == "RUNNING" }
	moved, cuts := 0, 0
	for ; writing(); moved++ {
		for _, name := range []string{"kept", "cut"} {
			s.Call("supervisor.sendProcessStdin", name, "go on\n") // it may be at its end
		}
		err := os.Rename(filepath.Join(s.Dir, "kept.log"), filepath.Join(s.Dir, fmt.Sprintf("kept.log.moved%d", moved)))
		if err != nil && !os.IsNotExist(err) { // the rotation was at it
			t.Fatal(err)
		}
		s.Signal(syscall.SIGUSR2)
		switch moved % 8 {
		case 3:
			s.call("clearProcessLogs", "cut")
			cuts++
		case 7:
			copyTruncate(t, filepath.Join(s.Dir, "cut.log"), filepath.Join(s.Dir, fmt.Sprintf("cut.log.copy%d", moved)))
			cuts++
		}
	}
	s.until("kept", "EXITED")
	s.until("cut", "EXITED")

	end := linesOf(total)
	kept := spans(t, filepath.Join(s.Dir, "kept.log*"))
	if n := gaps(t, kept, end); n != 0 {
		t.Errorf("kept: %d gaps in %d lines", n, end)
	}
	cut := spans(t, filepath.Join(s.Dir, "cut.log*"))
	if n := gaps(t, cut, end); n > cuts {
		t.Errorf("cut: %d gaps, but its log was cut %d times only", n, cuts)
	}
	t.Logf("%d bytes in %d lines each; kept: %d files, moved and reopened %d times; cut: %d files, cut %d times",
		total, end, len(kept), moved, len(cut), cuts)
	if moved < 3 || len(kept) < 20 {
		t.Errorf("too little went on: %d times moved, %d files", moved, len(kept))
	}
}

// copyTruncate is what logrotate does under that name. What is written between
// the two steps is lost.
func copyTruncate(t testing.TB, log, to string) {
	t.Helper()
	f, err := os.OpenFile(log, os.O_RDWR, 0)
	if os.IsNotExist(err) {
		return // it is being rotated
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := out.ReadFrom(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
}

// lastWord is as much as a pipe holds, so that a child can write it and be gone
// before anybody reads.
const lastWord = 64 << 10

// goneAtOnce is a child that says in a file that it was there, writes as much as
// a pipe holds and exits at once. It finishes what it began whatever it is sent.
func goneAtOnce(args []string) int {
	signal.Ignore(syscall.SIGTERM)
	count, err := os.OpenFile(args[0], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 2
	}
	if _, err := count.WriteString("."); err != nil {
		return 2
	}
	word := fmt.Sprintf("%d ", os.Getpid())
	word += strings.Repeat("x", lastWord-len(word)-1) + "\n"
	if _, err := os.Stdout.WriteString(word); err != nil {
		return 1
	}
	return 0
}

// TestLastWords has programs that write 64 KiB and exit at once, over and over:
// 100 times, 1,000 times with FULL_SIZE=1. All of it is in the log.
func TestLastWords(t *testing.T) {
	t.Parallel()
	runs := size(100, 1000)
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+`
[program:w]
command={{.Self}} gone-at-once {{.Dir}}/%(process_num)d.count
process_name=%(process_num)d
numprocs=2
startsecs=0
autorestart=true
stdout_logfile={{.Dir}}/%(process_num)d.out
stdout_logfile_maxbytes=0
stopwaitsecs=60
`), t}
	for _, name := range []string{"0", "1"} {
		begun := time.Now()
		for deadline := begun.Add(size(5*time.Minute, 30*time.Minute)); len(s.Read(name+".count")) < runs/2; {
			if time.Now().After(deadline) {
				t.Fatalf("%d runs in %v", len(s.Read(name+".count")), time.Since(begun))
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	s.Stop()
	for _, name := range []string{"0", "1"} {
		count := len(s.Read(name + ".count"))
		info, err := os.Stat(filepath.Join(s.Dir, name+".out"))
		if err != nil {
			t.Fatal(err)
		}
		if want := int64(count) * lastWord; info.Size() != want {
			t.Errorf("%d runs left %d bytes, %d are missing", count, info.Size(), want-info.Size())
		}
		t.Logf("%d runs, %d bytes", count, info.Size())
	}
	if n := strings.Count(s.Log(), "exit status 0; expected"); n < runs-2 {
		t.Errorf("%d exits with their status in the log, want %d", n, runs)
	}
}
