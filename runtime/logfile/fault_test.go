package logfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"supervisord/runtime/logfile"
)

// eventually polls until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// told gathers reports.
type told struct {
	mu  sync.Mutex
	all []logfile.Trouble
}

func (r *told) report(t logfile.Trouble) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, t)
}

func (r *told) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []string
	for _, t := range r.all {
		lines = append(lines, t.String())
	}
	return lines
}

// TestFullDevice: every byte is counted, and a thousand failures are one report.
func TestFullDevice(t *testing.T) {
	var r told
	w := opened(t, logfile.Options{Path: "/dev/full", MaxBytes: 10, Backups: 1, Report: r.report})
	for range 1000 {
		write(t, w, "ten bytes\n")
	}
	if w.Dropped() != 10_000 {
		t.Errorf("Dropped() = %d, want 10000", w.Dropped())
	}
	want := "log /dev/full cannot be written, 10 bytes dropped so far: no space left on device"
	if got := r.lines(); len(got) != 1 || got[0] != want {
		t.Errorf("told %q, want only %q", got, want)
	}
}

// TestTroubleIsToldInTurn: start, count, end, over and over.
func TestTroubleIsToldInTurn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	var r told
	w := logfile.New(logfile.Options{Path: path, Report: r.report})
	var broken error
	w.OnWrite(func([]byte) (int, error) { return 0, broken })
	open(t, w)
	defer w.Close()

	w.Hurry(0) // report everything
	broken = syscall.ENOSPC
	write(t, w, "four")
	write(t, w, "five5")
	broken = nil
	write(t, w, "fine")
	w.Hurry(time.Hour) // report only the start
	broken = syscall.ENOSPC
	write(t, w, "again")
	broken = nil
	write(t, w, "flaps")
	broken = syscall.EDQUOT
	write(t, w, "flaps")
	want := []string{
		"log " + path + " cannot be written, 4 bytes dropped so far: no space left on device",
		"log " + path + " cannot be written, 9 bytes dropped so far: no space left on device",
		"log " + path + " is written again, 9 bytes were dropped",
		"log " + path + " cannot be written, 5 bytes dropped so far: no space left on device",
	}
	if got := r.lines(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if w.Dropped() != 19 {
		t.Errorf("Dropped() = %d, want 19", w.Dropped())
	}
	wantFiles(t, filepath.Dir(path), map[string]string{"log": "fineflaps"})
}

// TestInputOutputError: what the disk took before it failed is there, the rest of
// that write goes to the file opened anew, and while that fails too it is counted.
func TestInputOutputError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	w := logfile.New(logfile.Options{Path: path})
	failures := 0
	w.OnWrite(func([]byte) (int, error) {
		if failures == 0 {
			return 0, nil
		}
		failures--
		return 3, syscall.EIO
	})
	open(t, w)
	defer w.Close()
	w.Hurry(time.Hour) // open anew once, then no more
	failures = 1
	write(t, w, "abcdefgh")
	if w.Dropped() != 0 {
		t.Errorf("Dropped() = %d after one failure, want 0", w.Dropped())
	}
	failures = 1
	write(t, w, "123456")
	if w.Dropped() != 3 {
		t.Errorf("Dropped() = %d after one more, want 3", w.Dropped())
	}
	write(t, w, "end")
	wantFiles(t, filepath.Dir(path), map[string]string{"log": "abcdefgh123end"})
}

// TestRotationFails: the file grows on, nothing is lost, and it is said once; when
// it is possible again it rotates.
func TestRotationFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	// A directory with something in it cannot be renamed over.
	if err := os.MkdirAll(path+".1/x", 0o700); err != nil {
		t.Fatal(err)
	}
	var r told
	w := logfile.New(logfile.Options{Path: path, MaxBytes: 4, Backups: 1, Report: r.report})
	w.Hurry(time.Nanosecond)
	open(t, w)
	defer w.Close()
	write(t, w, "one ")
	write(t, w, "two ")
	if got, err := os.ReadFile(path); err != nil || string(got) != "one two " {
		t.Errorf("file has %q, %v", got, err)
	}
	if err := os.RemoveAll(path + ".1"); err != nil {
		t.Fatal(err)
	}
	write(t, w, "three ")
	wantFiles(t, dir, map[string]string{"log": "", "log.1": "one two three "})
	got := r.lines()
	if len(got) != 3 || !strings.Contains(got[0], "cannot be rotated and grows: rename") || got[2] != "log "+path+" is rotated again" {
		t.Errorf("told %q", got)
	}
	if w.Dropped() != 0 {
		t.Errorf("Dropped() = %d, want 0", w.Dropped())
	}
}

func fifo(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// frozen is a Writer to a FIFO that nobody reads and that has no more room, and a
// channel that is closed when the Write that waits for room comes back.
func frozen(t *testing.T, r *told) (w *logfile.Writer, rest int, back chan struct{}) {
	t.Helper()
	w = logfile.New(logfile.Options{Path: fifo(t), MaxBytes: 1, Backups: 1, Report: r.report})
	w.Hurry(50 * time.Millisecond)
	open(t, w)
	t.Cleanup(func() { w.Close() })
	back = make(chan struct{})
	go func() {
		w.Write(bytes.Repeat([]byte("0123456789abcdef"), 100_000/16))
		close(back)
	}()
	eventually(t, "the stall is told", func() bool { return len(r.lines()) > 0 })
	return w, 100_000 - 65_536, back
}

// TestFIFO: a reader that comes late gets everything.
func TestFIFO(t *testing.T) {
	var r told
	w, _, back := frozen(t, &r)
	f, err := os.Open(w.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := io.ReadAll(io.LimitReader(f, 100_000))
	if want := bytes.Repeat([]byte("0123456789abcdef"), 100_000/16); err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %d bytes, %v, want the 100000 written", len(got), err)
	}
	<-back
	if w.Dropped() != 0 {
		t.Errorf("Dropped() = %d, want 0", w.Dropped())
	}
	want := "log " + w.Path() + " cannot be written, 0 bytes dropped so far: nothing reads it"
	if got := r.lines()[0]; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
}

// TestFrozenTargetLetsOthersIn: each of these comes through while a Write waits
// for a FIFO that nobody reads.
func TestFrozenTargetLetsOthersIn(t *testing.T) {
	for _, row := range []struct {
		name string
		do   func(w *logfile.Writer) error
		lost bool // the Write ends and its rest is dropped
	}{
		{"Reopen", (*logfile.Writer).Reopen, false},
		{"Open", (*logfile.Writer).Open, false},
		{"Configure", func(w *logfile.Writer) error { return w.Configure(logfile.Options{Path: w.Path()}) }, false},
		{"Clear", func(w *logfile.Writer) error {
			if err := w.Clear(); !errors.Is(err, logfile.ErrNotRegular) {
				return fmt.Errorf("%v, want ErrNotRegular", err)
			}
			return nil
		}, false},
		{"Close", (*logfile.Writer).Close, true},
		{"SetDeadline", func(w *logfile.Writer) error { w.SetDeadline(time.Now()); return nil }, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			var r told
			w, rest, back := frozen(t, &r)
			if err := row.do(w); err != nil {
				t.Fatal(err)
			}
			if row.lost {
				<-back
				if w.Dropped() != int64(rest) {
					t.Errorf("Dropped() = %d, want %d", w.Dropped(), rest)
				}
				return
			}
			select {
			case <-back:
				t.Errorf("the Write came back, %d bytes dropped", w.Dropped())
			default:
			}
		})
	}
}

// TestFrozenTargetReplaced: the rest of a Write that waits goes to the file that
// took the FIFO's place.
func TestFrozenTargetReplaced(t *testing.T) {
	var r told
	w, rest, back := frozen(t, &r)
	path := w.Path()
	if err := errors.Join(os.Remove(path), w.Reopen()); err != nil {
		t.Fatal(err)
	}
	<-back
	// MaxBytes is 1, so that the file has rotated.
	if got, err := os.ReadFile(path + ".1"); err != nil || len(got) != rest {
		t.Errorf("the new file got %d bytes, %v, want %d", len(got), err, rest)
	}
	if w.Dropped() != 0 {
		t.Errorf("Dropped() = %d, want 0", w.Dropped())
	}
}

// TestSlowReaderIsWaitedFor: a deadline is for targets that take nothing, not for
// those that take little, so the last output of a program is not lost to a slow
// collector.
func TestSlowReaderIsWaitedFor(t *testing.T) {
	var r told
	w, _, back := frozen(t, &r)
	f, err := os.Open(w.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w.SetDeadline(time.Now().Add(20 * time.Millisecond))
	buf := make([]byte, 4096)
	for got := 0; got < 100_000; {
		n, err := f.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got += n
		time.Sleep(5 * time.Millisecond) // this reader is slow; nothing waits for it here
	}
	<-back
	if w.Dropped() != 0 {
		t.Errorf("Dropped() = %d, want 0", w.Dropped())
	}
}
