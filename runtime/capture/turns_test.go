package capture

import (
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"supervisord/runtime/state"
)

// inLine is how many turns count, and how many wait for theirs.
func (ts *turns) inLine() (taken, waiting int) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return len(ts.taken), len(ts.waiting)
}

// TestTurns: all processors but one have a stream that copies, and who waits longest is
// next.
func TestTurns(t *testing.T) {
	defer goruntime.GOMAXPROCS(goruntime.GOMAXPROCS(3))
	ts := turns{limit: time.Hour}
	begun := make(chan *turn)
	var all []*turn
	for i := range 6 {
		one := newTurn()
		all = append(all, one)
		go func() { // ends with the test
			ts.take(one)
			begun <- one
		}()
		eventually(t, "it is in line", func() bool { taken, waiting := ts.inLine(); return taken+waiting == i+1 })
	}
	if taken, _ := ts.inLine(); taken != 2 {
		t.Errorf("%d copy at once", taken)
	}
	first := []*turn{<-begun, <-begun}
	if !slices.Contains(first, all[0]) || !slices.Contains(first, all[1]) {
		t.Error("the first two are not those who came first")
	}
	for i := range all {
		ts.end(all[i])
		if next := i + 2; next < len(all) {
			if <-begun != all[next] {
				t.Errorf("it is not the turn of number %d", next)
			}
		}
	}
	if taken, waiting := ts.inLine(); taken+waiting > 0 {
		t.Errorf("%d copy, %d wait", taken, waiting)
	}
}

// TestTurnThatDoesNotEnd: one that hangs delays others once, and when it comes back does
// not count at first.
func TestTurnThatDoesNotEnd(t *testing.T) {
	defer goruntime.GOMAXPROCS(goruntime.GOMAXPROCS(2))
	ts := turns{limit: 20 * time.Millisecond}
	hung, other := newTurn(), newTurn()
	began := time.Now()
	ts.take(hung)
	ts.take(other)
	if waited := time.Since(began); waited < ts.limit {
		t.Errorf("the other has waited %v only", waited)
	}
	ts.end(hung)
	ts.mu.Lock()
	ts.limit = time.Hour // the other has as long as it wants
	ts.mu.Unlock()
	ts.take(hung)
	if taken, waiting := ts.inLine(); taken != 1 || waiting != 0 {
		t.Errorf("%d turns count and %d wait, want that of the other alone", taken, waiting)
	}
	ts.end(hung)
	ts.end(other)
	ts.take(hung)
	if taken, _ := ts.inLine(); taken != 1 {
		t.Error("it has ended a turn in time, and does not count")
	}
}

// TestRequestsBesideHungLogs: while there are requests, logs that take nothing do not keep
// others from theirs.
func TestRequestsBesideHungLogs(t *testing.T) {
	defer goruntime.GOMAXPROCS(goruntime.GOMAXPROCS(2))
	dir := t.TempDir()
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for tick := time.NewTicker(attention / 10); ; {
			Attend()
			select {
			case <-tick.C:
			case <-stop:
				tick.Stop()
				return
			}
		}
	}()
	defer func() { close(stop); <-ended; attended.Store(nil) }()
	start := func(path string) (*Stream, *os.File, *facts) {
		r, w := pipe(t)
		f := newFacts()
		s := Start(r, state.Stdout, Settings{Log: openLog(t, path)}, f.post)
		s.logGrace = 50 * time.Millisecond
		put(t, w, "begin\n") // from the second chunk on it takes turns
		eventually(t, "it is read", func() bool { return unread(t, w) == 0 })
		return s, w, f
	}
	var all []*Stream
	var done []*facts
	for i := range 10 {
		path := filepath.Join(dir, fmt.Sprint("fifo", i))
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		s, w, f := start(path)
		put(t, w, string(pattern(64<<10))) // more than the FIFO holds now
		eventually(t, "it is read", func() bool { return unread(t, w) == 0 })
		all, done = append(all, s), append(done, f)
	}
	for i := range 20 {
		path := filepath.Join(dir, fmt.Sprint("log", i))
		s, w, f := start(path)
		const size = 300_000
		for sent := 0; sent < size; sent += 30_000 {
			put(t, w, string(pattern(30_000)))
		}
		eventually(t, "it is in the log", func() bool {
			info, err := os.Stat(path)
			return err == nil && info.Size() == int64(len("begin\n"))+size
		})
		all, done = append(all, s), append(done, f)
	}
	for _, s := range all {
		s.Finish()
	}
	for _, f := range done {
		<-f.done
	}
}
