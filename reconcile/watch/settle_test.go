package watch

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestReadAhead: half way through Settle there is a hint to read ahead, and the next
// has the same number of changes, unless something changed meanwhile.
func TestReadAhead(t *testing.T) {
	t.Parallel()
	root := realTempDir(t)
	const long = time.Second
	w := start(t, root, func(w *Watcher) {
		s := *w.scope.Load()
		s.Settle = long
		w.Set(s)
	}, "*.ini")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(root+"/a.ini", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	over := time.After(2 * time.Minute)
	next := func() Hint {
		t.Helper()
		select {
		case h := <-w.Hints():
			return h
		case <-over:
			t.Fatal("no hint")
			return Hint{}
		}
	}
	// early is the hint half way after a write. One that was not taken in time, for
	// the machine was busy, has been replaced by that at the end; then another write
	// is made.
	early := func() Hint {
		t.Helper()
		for {
			begun := time.Now()
			write("more")
			if h := next(); h.ReadAhead {
				if waited := time.Since(begun); waited < long/2 {
					t.Errorf("a hint to read ahead after %v", waited)
				}
				return h
			}
		}
	}
	h := early()
	if end := next(); end.ReadAhead || end.Changes != h.Changes {
		t.Errorf("%+v half way, then %+v", h, end)
	}
	h = early()
	again := early() // before the end, if the machine is not busy
	if again.Changes == h.Changes {
		t.Error("a change after a hint was not counted")
	}
	if end := next(); end.ReadAhead || end.Changes != again.Changes {
		t.Errorf("%+v half way, then %+v", again, end)
	}
}

// TestNeverQuiet: a tree that does not get quiet is hinted at all the same, with the
// files that are to blame.
func TestNeverQuiet(t *testing.T) {
	t.Parallel()
	root := realTempDir(t)
	shell(t, root, "mkdir d; ln -s d l; echo 1 >d/a.ini; echo 1 >d/b.ini")
	const short = 60 * time.Millisecond
	w := start(t, root, func(w *Watcher) {
		s := *w.scope.Load()
		s.Settle = short
		w.Set(s)
	}, "l/*.ini")
	shell(t, root, "echo 2 >d/b.ini") // once, and not to blame
	ctx, cancel := context.WithCancel(context.Background())
	var writer sync.WaitGroup
	defer writer.Wait()
	defer cancel()
	writer.Go(func() {
		for ctx.Err() == nil {
			os.WriteFile(root+"/d/a.ini", []byte("more"), 0o644)
			time.Sleep(short / 10)
		}
	})
	over := time.After(2 * time.Minute)
	next := func(what string, wanted func(Hint) bool) Hint {
		t.Helper()
		for {
			select {
			case h := <-w.Hints():
				if wanted(h) {
					return h
				}
			case <-over:
				t.Fatalf("no hint %s", what)
			}
		}
	}
	for range 2 {
		h := next("while it is written to", func(h Hint) bool { return !h.ReadAhead && len(h.Busy) > 0 })
		if len(h.Busy) != 1 || h.Busy[0] != root+"/d/a.ini" {
			t.Errorf("busy: %v", h.Busy)
		}
	}
	cancel()
	writer.Wait()
	next("of quiet", func(h Hint) bool { return !h.ReadAhead && len(h.Busy) == 0 })
}

// TestSettle: a file that is written again and again is not looked at before it
// is left alone.
func TestSettle(t *testing.T) {
	t.Parallel()
	root := realTempDir(t)
	const long = 400 * time.Millisecond
	w := start(t, root, func(w *Watcher) {
		s := *w.scope.Load()
		s.Settle = long
		w.Set(s)
	}, "*.ini")
	var last time.Time
	write := func() {
		t.Helper()
		last = time.Now()
		if err := os.WriteFile(root+"/a.ini", []byte("more"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	for n := 0; n < 8; {
		select {
		case h := <-w.Hints():
			if h.ReadAhead {
				continue
			}
			if gap := time.Since(last); gap < long {
				t.Fatalf("looked %v after a write; it had to be quiet for %v", gap, long)
			}
			write() // the machine stood still
		case <-time.After(long / 4):
			if time.Since(last) < long*3/4 { // else a hint may be on its way
				write()
				n++
			}
		}
	}
	expect(t, w, "after the last write")
	if waited := time.Since(last); waited < long {
		t.Errorf("the hint came %v after the last write, before it was quiet for %v", waited, long)
	}
	quiet(t, w, "one hint for one burst")
}

// TestBurst: a burst is one hint. The files are made beforehand, so that the
// burst is as quick as renames are; one that the machine drew out counts as
// several, and is tried again.
func TestBurst(t *testing.T) {
	t.Parallel()
	const files, long = 500, 300 * time.Millisecond
	for range 10 {
		root := realTempDir(t)
		if err := os.Mkdir(root+"/new", 0o700); err != nil {
			t.Fatal(err)
		}
		for i := range files {
			if err := os.WriteFile(fmt.Sprintf("%s/new/%d.ini", root, i), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w := start(t, root, func(w *Watcher) { w.Set(Scope{Paths: w.scope.Load().Paths, Settle: long}) }, "*.ini")
		var pause time.Duration
		begun := time.Now()
		for i := range files {
			at := time.Now()
			if err := os.Rename(fmt.Sprintf("%s/new/%d.ini", root, i), fmt.Sprintf("%s/%d.ini", root, i)); err != nil {
				t.Fatal(err)
			}
			pause = max(pause, time.Since(at))
		}
		if took := time.Since(begun); pause > long/2 || took > SettleLimit*long {
			t.Logf("the burst took %v, with a pause of %v: once more", took, pause)
			continue
		}
		expect(t, w, "the burst")
		quiet(t, w, "one burst, one hint")
		return
	}
	t.Error("no burst was quick enough to try")
}

// TestLateTimer: a change that comes while a survey takes longer than Settle
// starts the wait anew, although the timer is over as soon as the survey is.
func TestLateTimer(t *testing.T) {
	t.Parallel()
	root := realTempDir(t)
	const long = 400 * time.Millisecond
	var slow atomic.Bool
	var last time.Time
	w := start(t, root, func(w *Watcher) {
		w.Set(Scope{Paths: w.scope.Load().Paths, Settle: long})
		ignore := w.ignore
		w.ignore = func(name string) bool {
			if w.phase == changed && slow.Swap(false) { // the survey half way
				time.Sleep(long)
				last = time.Now()
				if err := os.WriteFile(root+"/b.ini", nil, 0o600); err != nil {
					t.Error(err)
				}
			}
			return ignore(name)
		}
	}, "*.ini")
	slow.Store(true)
	shell(t, root, "mkdir new && touch new/a.ini && mv new/a.ini a.ini") // one notice
	expect(t, w, "after the slow survey")
	if slow.Load() {
		t.Fatal("no survey was slow")
	}
	if waited := time.Since(last); waited < long {
		t.Errorf("a hint %v after a change; it had to be quiet for %v", waited, long)
	}
}
