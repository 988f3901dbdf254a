package mainlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/logfile"
	"supervisord/runtime/state"
)

// roleKey is the environment variable that makes the test binary a program that
// logs, in the foreground, to the path of its argument.
const roleKey = "MAINLOG_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleKey) != "" {
		l, err := Open(Options{Path: os.Args[1], Stdout: true})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		for i := range 1000 {
			l.Logger().Info(fmt.Sprintf("line %d %s", i, strings.Repeat("x", 200)))
		}
		// Not an error if nobody reads standard output.
		if err := l.Close(); err != nil && !errors.Is(err, logfile.ErrStalled) {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func opened(t *testing.T, o Options) *Log {
	t.Helper()
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// normal is text with times as <time>.
func normal(text string) string {
	return regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} `).ReplaceAllString(text, "<time> ")
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := opened(t, Options{Path: path, Level: LevelBlather})
	log := l.Logger().With("component", "test").WithGroup("g")
	log.Log(t.Context(), LevelCritical, "critical")
	log.Error("error", "err", "x")
	log.Warn("warn")
	log.Info("spawned: 'a' with pid 7", "pid", 7)
	log.Debug("'a' stdout output:\nhello\n")
	log.Log(t.Context(), LevelTrace, "trace")
	log.Log(t.Context(), LevelBlather, "blather")
	log.Log(t.Context(), LevelInfo+1, "between info and warn")
	log.Log(t.Context(), -100, "below everything")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	want := `<time> CRIT critical
<time> ERRO error
<time> WARN warn
<time> INFO spawned: 'a' with pid 7
<time> DEBG 'a' stdout output:
hello

<time> TRAC trace
<time> BLAT blather
<time> INFO between info and warn
`
	if diff := cmp.Diff(want, normal(content(t, path))); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestTimeIsLocal(t *testing.T) {
	at := time.Date(2026, 11, 22, 17, 47, 45, 7_900_000, time.FixedZone("", 3600))
	want := at.Local().Format("2006-01-02 15:04:05") + ",007 INFO x\n"
	if got := string(newRecord(at, LevelInfo, "x").line()); got != want {
		t.Errorf("line %q, want %q", got, want)
	}
}

func TestLevel(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for _, level := range []slog.Level{LevelInfo, LevelDebug, LevelError} {
		l := opened(t, Options{Path: path, Level: level})
		for i, at := range state.Levels {
			l.Logger().Log(t.Context(), levelAt(i), at.Name)
		}
		l.Close()
	}
	want := "CRIT critical ERRO error WARN warn INFO info " +
		"CRIT critical ERRO error WARN warn INFO info DEBG debug CRIT critical ERRO error "
	got := strings.ReplaceAll(strings.ReplaceAll(normal(content(t, path)), "<time> ", ""), "\n", " ")
	if got != want {
		t.Errorf("logged %q, want %q", got, want)
	}
}

func TestParseLevel(t *testing.T) {
	for i, l := range state.Levels {
		for _, name := range []string{l.Name, strings.ToUpper(l.Name)} {
			if got, ok := ParseLevel(name); got != levelAt(i) || !ok {
				t.Errorf("ParseLevel(%q) = %v, %v, want %v, true", name, got, ok, levelAt(i))
			}
		}
	}
	for _, name := range []string{"warning", "", "crit", " info"} {
		if got, ok := ParseLevel(name); ok {
			t.Errorf("ParseLevel(%q) = %v, true, want false", name, got)
		}
	}
}

// TestReopenAndClear: lines stand on the side of the reopening on which they were
// logged, and clearing says so in the first line.
func TestReopenAndClear(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := opened(t, Options{Path: path})
	if l.Path() != path {
		t.Errorf("Path() = %q, want %q", l.Path(), path)
	}
	for i := range 1000 {
		l.Logger().Info(fmt.Sprint("before ", i))
	}
	if err := errors.Join(os.Rename(path, path+".old"), l.Reopen()); err != nil {
		t.Fatal(err)
	}
	l.Logger().Info("between")
	if err := l.Clear(); err != nil {
		t.Fatal(err)
	}
	l.Logger().Info("after")
	l.Close()
	if got := strings.Count(content(t, path+".old"), "before"); got != 1000 {
		t.Errorf("%d lines in the old file, want 1000", got)
	}
	if diff := cmp.Diff("<time> INFO reopening log file\n<time> INFO after\n", normal(content(t, path))); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := opened(t, Options{Path: path, MaxBytes: 60, Backups: 2})
	for i := range 5 {
		l.Logger().Info(fmt.Sprint("line ", i)) // 36 bytes
	}
	l.Close()
	got := map[string]string{}
	for _, name := range []string{"", ".1", ".2"} {
		got[name] = normal(content(t, path+name))
	}
	want := map[string]string{
		"":   "<time> INFO line 4\n",
		".1": "<time> INFO line 2\n<time> INFO line 3\n",
		".2": "<time> INFO line 0\n<time> INFO line 1\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestOpenSaysWhy(t *testing.T) {
	_, err := Open(Options{Path: filepath.Join(t.TempDir(), "no", "log")})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open: %v, want ErrNotExist", err)
	}
}

func TestNoLog(t *testing.T) {
	l := opened(t, Options{})
	l.Logger().Info("nowhere")
	if err := errors.Join(l.Reopen(), l.Clear(), l.Close()); err != nil || l.Path() != "" {
		t.Errorf("path %q, %v, want none", l.Path(), err)
	}
}

// TestSyslog: each line is a message with time and level (contract/config.md
// section 12).
func TestSyslog(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	l := opened(t, Options{Path: "syslog", SyslogSocket: socket})
	l.Logger().Warn("one\n\ntwo\n")
	if l.Path() != "" {
		t.Errorf("Path() = %q, want none", l.Path())
	}
	var got []string
	buf := make([]byte, 1000)
	for range 3 {
		c.SetReadDeadline(time.Now().Add(2 * time.Minute))
		n, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		_, line, _ := strings.Cut(string(buf[:n]), filepath.Base(os.Args[0])+": ")
		got = append(got, normal(line))
	}
	if diff := cmp.Diff([]string{"<time> WARN one", "<time> WARN ", "<time> WARN two"}, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// TestTroubleIsSaid in the log itself as soon as it can be written again: here, by
// the output that works.
func TestTroubleIsSaid(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := opened(t, Options{Path: "/dev/full"})
	w := logfile.New(logfile.Options{Path: path})
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	l.echo = newOutput(w, false)
	l.Logger().Info("lost")
	l.file.flush(2 * time.Minute)
	l.Close()
	want := "<time> INFO lost\n<time> WARN log /dev/full cannot be written, 34 bytes dropped so far: no space left on device\n"
	if diff := cmp.Diff(want, normal(content(t, path))); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// TestLoggingNeverWaits: a log that nobody reads costs lines, which are counted and
// said, and neither time nor memory.
func TestLoggingNeverWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	l := opened(t, Options{Path: path})
	text := strings.Repeat("x", 1000)
	began := time.Now()
	for range 20_000 {
		l.Logger().Info(text)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("20,000 lines took %v", took)
	}
	l.file.mu.Lock()
	queued, dropped := l.file.queued, l.file.dropped
	l.file.mu.Unlock()
	if queued > queueLimit || dropped < 10_000 {
		t.Errorf("%d bytes queued, %d lines dropped, want at most %d and at least 10000", queued, dropped, queueLimit)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	all := make(chan string)
	go func() {
		data, _ := io.ReadAll(f)
		all <- string(data)
	}()
	l.file.flush(2 * time.Minute)
	l.Logger().Info("fine again")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := <-all
	sum := strings.Count(got, text)
	said := regexp.MustCompile(`WARN (\d+) log messages dropped because they could not be written fast enough\n`).FindAllStringSubmatch(got, -1)
	for _, m := range said {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	if sum != 20_000 || len(said) > 3 {
		t.Errorf("%d of 20000 lines accounted for, by %q", sum, said)
	}
	if !strings.HasSuffix(got, "INFO fine again\n") {
		t.Errorf("the last line is not there: %q", got[len(got)-100:])
	}
}

// TestCloseOfAFrozenLog gives up after a while.
func TestCloseOfAFrozenLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Open(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		l.Logger().Info(strings.Repeat("x", 1000))
	}
	began := time.Now()
	if err := l.Close(); err != nil && !errors.Is(err, logfile.ErrStalled) {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 10*patience {
		t.Errorf("Close took %v", took)
	}
}

// play runs the role with its log at path and gives what it wrote to standard
// output; nobody reads that before it has ended if blocked.
func play(t *testing.T, path string, blocked bool) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := os.StartProcess(self, []string{self, path}, &os.ProcAttr{
		// The race detector would otherwise hold up each exit for a second.
		Env: append(os.Environ(), roleKey+"=1", "GORACE=atexit_sleep_ms=0"), Files: []*os.File{nil, w, os.Stderr},
	})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill() // it has ended unless the test failed
	var out bytes.Buffer
	if !blocked {
		if _, err := io.Copy(&out, r); err != nil {
			t.Fatal(err)
		}
	}
	if state, err := p.Wait(); err != nil || !state.Success() {
		t.Fatalf("child: %v, %v", state, err)
	}
	return out.String()
}

// TestForeground: each line is on standard output once, whatever the log is
// (contract/differences.md row 35).
func TestForeground(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink("/dev/stdout", link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "log"), "/dev/stdout", "/dev/fd/1", link} {
		t.Run(path, func(t *testing.T) {
			if got := strings.Count(play(t, path, false), "\n"); got != 1000 {
				t.Errorf("%d lines on standard output, want 1000", got)
			}
		})
	}
	if got := strings.Count(content(t, filepath.Join(dir, "log")), "\n"); got != 1000 {
		t.Errorf("%d lines in the file, want 1000", got)
	}
}

// TestBlockedStandardOutput does not keep lines from the file.
func TestBlockedStandardOutput(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	play(t, path, true)
	if got := strings.Count(content(t, path), "INFO line "); got != 1000 {
		t.Errorf("%d lines in the file, want 1000", got)
	}
}

func BenchmarkLog(b *testing.B) {
	l, err := Open(Options{Path: filepath.Join(b.TempDir(), "log"), MaxBytes: 50 << 20, Backups: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	log := l.Logger()
	b.ReportAllocs()
	for b.Loop() {
		log.Info("success: web entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)")
	}
}

// TestFloodSparesOthers: debug lines that come too fast are dropped before any
// other line is.
func TestFloodSparesOthers(t *testing.T) {
	o := &output{limit: 1000, wake: make(chan struct{}, 1)} // nobody writes
	debug := newRecord(time.Now(), LevelDebug, strings.Repeat("d", 70))
	for range 100 {
		o.put(debug)
	}
	if o.dropped == 0 {
		t.Fatal("the flood was no flood")
	}
	dropped := o.dropped
	o.put(newRecord(time.Now(), LevelWarn, "web: has a problem"))
	if last := o.queue[len(o.queue)-1].text; o.dropped != dropped || last != "web: has a problem" {
		t.Errorf("%d records dropped, then %d; the last in the queue is %q", dropped, o.dropped, last)
	}
}
