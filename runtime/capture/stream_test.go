package capture

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/logfile"
	"supervisord/runtime/state"
)

func pipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// eventually polls until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func openLog(t testing.TB, path string) *logfile.Writer {
	t.Helper()
	log := logfile.New(logfile.Options{Path: path})
	if err := log.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return log
}

// facts gathers what a Stream posts.
type facts struct {
	mu   sync.Mutex
	all  []Fact
	done chan struct{}
}

func newFacts() *facts { return &facts{done: make(chan struct{})} }

func (f *facts) post(fact Fact) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, fact)
	if fact.Kind == FactDone {
		close(f.done)
	}
}

// strings is each fact so far as KIND channel data.
func (f *facts) strings() (lines []string) {
	names := map[FactKind]string{
		FactLog: "log", FactComm: "comm", FactOutput: "output", FactClosed: "closed", FactFailed: "failed", FactDone: "done",
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fact := range f.all {
		lines = append(lines, strings.TrimRight(fmt.Sprintf("%s %s %s", names[fact.Kind], fact.Channel, fact.Data), " "))
	}
	return lines
}

func (f *facts) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.all)
}

// join is the data of all facts of a kind.
func (f *facts) join(kind FactKind) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b bytes.Buffer
	for _, fact := range f.all {
		if fact.Kind == kind {
			b.Write(fact.Data)
		}
	}
	return b.String()
}

// unread is how many bytes are in the pipe that w is an end of.
func unread(t testing.TB, w *os.File) (n int) {
	t.Helper()
	raw, err := w.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { n = pending(int(fd)) }); err != nil {
		t.Fatal(err)
	}
	return n
}

func put(t testing.TB, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// TestStream: what a stream with each setting logs, echoes and posts. Each write is
// read before the next is made.
func TestStream(t *testing.T) {
	for _, row := range []struct {
		name   string
		set    Settings
		ch     state.Channel
		writes []string
		log    string
		echo   string
		facts  []string
	}{
		{"log", Settings{}, state.Stdout, []string{"a\n", "b"}, "a\nb", "stdout a\nstdout b", []string{"done stdout"}},
		{"events", Settings{Events: true}, state.Stderr, []string{"a\n", "b"}, "a\nb", "stderr a\nstderr b",
			[]string{"log stderr a\n", "log stderr b", "done stderr"}},
		{"strip", Settings{Events: true, Strip: true}, state.Stdout, []string{"a\x1b[3", "1mb\n"}, "ab\n", "stdout astdout b\n",
			[]string{"log stdout a", "log stdout b\n", "done stdout"}},
		{"capture", Settings{Events: true, CaptureMax: 100}, state.Stdout, []string{"a" + begin, "b", "c" + end + "d"}, "ad",
			"stdout astdout bstdout cstdout d",
			[]string{"log stdout a", "log stdout b", "log stdout c", "comm stdout bc", "log stdout d", "done stdout"}},
		{"capture without events", Settings{CaptureMax: 100}, state.Stdout, []string{begin + "b" + end}, "", "stdout b",
			[]string{"comm stdout b", "done stdout"}},
		{"a tag without its end", Settings{CaptureMax: 100, Events: true}, state.Stdout, []string{"a<!--XS"}, "a<!--XS",
			"stdout astdout <!--XS", []string{"log stdout a", "log stdout <!--XS", "done stdout"}},
		{"protocol", Settings{Protocol: true, Strip: true, CaptureMax: 100, Events: true}, state.Stdout,
			[]string{"READY\n", "\x1b[mx" + begin}, "READY\nx" + begin, "stdout READY\nstdout \x1b[mx" + begin,
			[]string{"output stdout READY\n", "output stdout \x1b[mx" + begin, "done stdout"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			var echo bytes.Buffer // the stream's goroutine writes it before it posts
			row.set.Log = openLog(t, path)
			row.set.Echo = func(ch state.Channel, p []byte) { fmt.Fprintf(&echo, "%s %s", ch, p) }
			r, w := pipe(t)
			f := newFacts()
			s := Start(r, row.ch, row.set, f.post)
			for i, text := range row.writes {
				put(t, w, text)
				if i < len(row.writes)-1 {
					eventually(t, "it is read", func() bool { return unread(t, w) == 0 })
				}
			}
			s.Finish()
			<-f.done
			if diff := cmp.Diff(row.facts, f.strings()); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != row.log {
				t.Errorf("log has %q, %v, want %q", got, err, row.log)
			}
			if echo.String() != row.echo {
				t.Errorf("echoed %q, want %q", &echo, row.echo)
			}
		})
	}
}

// TestClosedWhileTheChildLives: the end of the output is posted once, what was
// held back is let go, and the stream still waits for the child's end.
func TestClosedWhileTheChildLives(t *testing.T) {
	r, w := pipe(t)
	f := newFacts()
	s := Start(r, state.Stdout, Settings{Events: true, CaptureMax: 10}, f.post)
	put(t, w, "bye <!--")
	w.Close()
	want := []string{"log stdout bye", "log stdout <!--", "closed stdout"}
	eventually(t, "the end is posted", func() bool { return f.count() == len(want) })
	s.Finish()
	s.Finish() // a second time means nothing
	<-f.done
	if diff := cmp.Diff(append(want, "done stdout"), f.strings()); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

// TestSet: settings change between two chunks, and what the old ones held back is
// let go under them.
func TestSet(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	r, w := pipe(t)
	f := newFacts()
	s := Start(r, state.Stdout, Settings{Log: openLog(t, a), CaptureMax: 10}, f.post)
	put(t, w, "one<!--")
	eventually(t, "it is logged", func() bool { data, _ := os.ReadFile(a); return len(data) > 0 })
	s.Set(Settings{Log: openLog(t, b), Events: true})
	put(t, w, "two"+begin)
	s.Finish()
	<-f.done
	got := map[string]string{}
	for _, path := range []string{a, b} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got[path] = string(data)
	}
	if diff := cmp.Diff(map[string]string{a: "one<!--", b: "two" + begin}, got); diff != "" {
		t.Errorf("logs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"log stdout two" + begin, "done stdout"}, f.strings()); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

// TestBackPressure: a loop that does not take facts makes the child wait, and
// nothing is lost.
func TestBackPressure(t *testing.T) {
	r, w := pipe(t)
	gate := make(chan struct{})
	f := newFacts()
	s := Start(r, state.Stdout, Settings{Events: true}, func(fact Fact) { <-gate; f.post(fact) })
	sent := pattern(1 << 20)
	wrote := make(chan error)
	go func() {
		_, err := w.Write(sent)
		wrote <- err
	}()
	select {
	case err := <-wrote:
		t.Fatalf("wrote 1 MiB to a stream that waits: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(gate)
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	s.Finish()
	<-f.done
	if got := f.join(FactLog); got != string(sent) {
		t.Errorf("%d bytes came of %d", len(got), len(sent))
	}
}

// TestPanicEndsOneStream: a fault in what a stream calls is said, the child can go
// on writing, and its end is noticed.
func TestPanicEndsOneStream(t *testing.T) {
	r, w := pipe(t)
	f := newFacts()
	s := Start(r, state.Stdout, Settings{Echo: func(state.Channel, []byte) { panic("a fault") }}, f.post)
	if _, err := w.Write(pattern(1 << 20)); err != nil {
		t.Fatal(err)
	}
	s.Finish()
	<-f.done
	got := f.strings()
	if len(got) != 2 || !strings.HasPrefix(got[0], "failed stdout a fault\n") || got[1] != "done stdout" {
		t.Errorf("facts %q", got)
	}
}
