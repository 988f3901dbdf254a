package capture

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"supervisord/runtime/state"
)

// writer writes numbered lines and keeps them.
type writer struct {
	t    *testing.T
	to   *os.File
	sent bytes.Buffer
	n    int
}

func (w *writer) line() {
	w.t.Helper()
	w.n++
	line := fmt.Sprintf("line %d\n", w.n)
	w.sent.WriteString(line)
	put(w.t, w.to, line)
}

// makeBusy writes until the pipe is busy.
func (w *writer) makeBusy() {
	w.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); widePipes.Load() == 0; w.line() {
		if time.Now().After(deadline) {
			w.t.Fatal("the pipe never becomes busy")
		}
	}
}

// holds is how much the pipe holds.
func (w *writer) holds() int { return w.room(unix.F_GETPIPE_SZ, 0) }

// hold has the pipe hold n bytes.
func (w *writer) hold(n int) { w.room(unix.F_SETPIPE_SZ, n) }

func (w *writer) room(cmd, arg int) (n int) {
	w.t.Helper()
	raw, err := w.to.SyscallConn()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { n = pipeRoom(int(fd), cmd, arg) }); err != nil || n == 0 {
		w.t.Fatal("the pipe does not tell, or may not hold, so much: ", arg, err)
	}
	return n
}

// TestBusyPipe: a pipe that is written line by line without a break becomes busy and
// larger, and quiet and as large as before when that is over; all is in the log
// in order, what comes after the quiet too, and what is in the pipe when the child ends.
func TestBusyPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	r, to := pipe(t)
	w := &writer{t: t, to: to}
	usual := w.holds()
	f := newFacts()
	s := Start(r, state.Stdout, Settings{Log: openLog(t, path)}, f.post)
	logged := func() bool { data, _ := os.ReadFile(path); return bytes.Equal(data, w.sent.Bytes()) }
	for range 3 {
		w.makeBusy()
		if got := w.holds(); got != wideRoom && got != usual {
			t.Errorf("the busy pipe holds %d bytes", got)
		}
		eventually(t, "the pipe is quiet", func() bool { return widePipes.Load() == 0 })
		eventually(t, "all is logged", logged)
		w.line()
		eventually(t, "a line after the quiet is logged", logged)
		if got := w.holds(); got != usual {
			t.Errorf("the quiet pipe holds %d bytes, want %d", got, usual)
		}
	}
	w.makeBusy()
	for range 100 {
		w.line()
	}
	s.Finish()
	<-f.done
	if !logged() {
		t.Error("the log has something else than was written")
	}
	if n := widePipes.Load(); n != 0 {
		t.Errorf("%d pipes are busy in the end", n)
	}
}

// TestClosedWhileBusy: the end of the output is seen in a busy pipe as well.
func TestClosedWhileBusy(t *testing.T) {
	r, to := pipe(t)
	w := &writer{t: t, to: to}
	f := newFacts()
	s := Start(r, state.Stdout, Settings{}, f.post)
	w.makeBusy()
	to.Close()
	eventually(t, "the end is posted", func() bool { return f.count() == 1 })
	s.Finish()
	<-f.done
}

// TestHurried: what others than the log wait for is read at once, however much it is,
// also if they come when the pipe is busy.
func TestHurried(t *testing.T) {
	for _, set := range []Settings{{Protocol: true}, {Events: true}, {CaptureMax: 1}} {
		r, to := pipe(t)
		w := &writer{t: t, to: to}
		f := newFacts()
		s := Start(r, state.Stdout, Settings{}, f.post)
		w.makeBusy()
		s.Set(set)
		w.line()
		eventually(t, "the pipe is not left to fill", func() bool { return widePipes.Load() == 0 })
		for range 10_000 {
			w.line()
			if widePipes.Load() != 0 {
				t.Fatalf("with %+v the pipe is left to fill", set)
			}
		}
		s.Finish()
		<-f.done
	}
}

// TestManyBusyPipes: only so many are busy at once; the others are read as quiet ones.
func TestManyBusyPipes(t *testing.T) {
	widePipes.Add(maxWide)
	r, to := pipe(t)
	w := &writer{t: t, to: to}
	path := filepath.Join(t.TempDir(), "log")
	f := newFacts()
	s := Start(r, state.Stdout, Settings{Log: openLog(t, path)}, f.post)
	for range 10_000 {
		w.line()
	}
	if n := widePipes.Add(-maxWide); n != 0 {
		t.Errorf("%d more than there may be", n)
	}
	s.Finish()
	<-f.done
	if data, err := os.ReadFile(path); err != nil || !bytes.Equal(data, w.sent.Bytes()) {
		t.Errorf("%d bytes of %d, %v", len(data), w.sent.Len(), err)
	}
}
