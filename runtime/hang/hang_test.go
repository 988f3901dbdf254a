package hang

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// disk is a set of paths that answer, or do not until they are released.
type disk struct {
	mu    sync.Mutex
	stuck map[string]chan struct{}
}

func (d *disk) hang(path string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stuck == nil {
		d.stuck = make(map[string]chan struct{})
	}
	d.stuck[path] = make(chan struct{})
}

func (d *disk) release(path string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.stuck[path])
	delete(d.stuck, path)
}

// replace has a path answer from now on; what hangs in it goes on hanging until
// the channel is closed.
func (d *disk) replace(path string) chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.stuck[path]
	delete(d.stuck, path)
	return old
}

func (d *disk) read(path string) (string, error) {
	d.mu.Lock()
	stuck := d.stuck[path]
	d.mu.Unlock()
	if stuck != nil {
		<-stuck
	}
	return "content of " + path, nil
}

// look reads paths one after the other, each under a directory of its own, and
// says which answered.
func (d *disk) look(paths ...string) func(*Try) []string {
	return func(t *Try) []string {
		var answered []string
		for _, p := range paths {
			_, err := Call(t, p, func() (string, error) { return d.read(p) })
			var silent *Silent
			switch {
			case err == nil:
				answered = append(answered, p)
			case errors.As(err, &silent):
				answered = append(answered, "no "+silent.Dir)
			}
		}
		return answered
	}
}

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// fixed makes a Disks that knows of no mounts.
func fixed() *Disks {
	d := New(0, 0)
	d.mount = func(string) string { return "" }
	return d
}

func TestSilentDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, files := fixed(), new(disk)
		files.hang("/b")
		began := time.Now()
		got, _ := Do(d, nil, files.look("/a", "/b", "/c"))
		want(t, "with /b hung", got, "/a", "no /b", "/c")
		if took := time.Since(began); took != Patience {
			t.Errorf("took %v, want %v", took, Patience)
		}

		began = time.Now()
		got, _ = Do(d, nil, files.look("/b", "/b/below", "/bc"))
		want(t, "while it is silent", got, "no /b", "no /b", "/bc")
		if took := time.Since(began); took != 0 {
			t.Errorf("a silent directory was waited for: %v", took)
		}

		select {
		case <-d.Back():
			t.Error("back, although it does not answer")
		default:
		}
		if n := LeftBehind(); n != 1 || AllReturn(time.Second) {
			t.Errorf("%d accesses left behind", n)
		}
		time.AfterFunc(time.Second, func() { files.release("/b") })
		if !AllReturn(time.Minute) {
			t.Error("the access has not returned")
		}
		synctest.Wait()
		<-d.Back()
		if n := LeftBehind(); n != 0 {
			t.Errorf("%d accesses left behind when it answers", n)
		}
		got, _ = Do(d, nil, files.look("/a", "/b"))
		want(t, "when it answers again", got, "/a", "/b")
	})
}

// TestManySilent is a mount with many directories: only the first is waited for
// with all patience.
func TestManySilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, files := fixed(), new(disk)
		for _, p := range []string{"/1", "/2", "/3"} {
			files.hang(p)
		}
		began := time.Now()
		got, _ := Do(d, nil, files.look("/1", "/2", "/ok", "/3"))
		want(t, "three hung", got, "no /1", "no /2", "/ok", "no /3")
		if took := time.Since(began); took != Patience+2*LaterPatience {
			t.Errorf("took %v", took)
		}
		for _, p := range []string{"/1", "/2", "/3"} {
			files.release(p)
		}
	})
}

// TestSlowIsNotSilent reads for longer than patience, each access within it.
func TestSlowIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fixed()
		n := 0
		_, ok := Do(d, nil, func(t *Try) int {
			n++
			for range 10 {
				_, _ = Call(t, "/slow", func() (int, error) { time.Sleep(Patience - time.Millisecond); return 0, nil })
			}
			return 0
		})
		if !ok || n != 1 {
			t.Errorf("ok %v after %d tries", ok, n)
		}
	})
}

// TestAbandonedEndsAtOnce: what is left of a try that nobody waits for makes no
// further access.
func TestAbandonedEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, files := fixed(), new(disk)
		files.hang("/b")
		var mu sync.Mutex
		first, after := true, 0
		_, _ = Do(d, nil, func(t *Try) int {
			_, _ = Call(t, "/b", func() (string, error) { return files.read("/b") })
			_, err := Call(t, "/c", func() (int, error) { return 0, nil })
			mu.Lock()
			defer mu.Unlock()
			if !t.Again() {
				first = false
				if err == nil {
					after++
				}
			}
			return 0
		})
		files.release("/b")
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if first || after > 0 {
			t.Errorf("first try ended: %v; accesses after it was given up: %d", !first, after)
		}
	})
}

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, files := fixed(), new(disk)
		files.hang("/b")
		stop := make(chan struct{})
		close(stop)
		if _, ok := Do(d, stop, files.look("/b")); ok {
			t.Error("ended, although it hangs and was stopped")
		}
		files.release("/b")
	})
}

// TestRemounted: where something else is mounted now, the access that hangs is
// about what was there before.
func TestRemounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, files := fixed(), new(disk)
		mount := "dead"
		d.mount = func(string) string { return mount }
		files.hang("/b")
		got, _ := Do(d, nil, files.look("/b"))
		want(t, "hung", got, "no /b")

		old := files.replace("/b")
		mount = "alive"
		got, _ = Do(d, nil, files.look("/b"))
		want(t, "remounted", got, "/b")
		close(old)
		synctest.Wait()
		got, _ = Do(d, nil, files.look("/b"))
		want(t, "when the old access has returned", got, "/b")
	})
}

// TestParallel has several goroutines of one try hang in one directory.
func TestParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, files := fixed(), new(disk)
		files.hang("/b")
		silent, _ := Do(d, nil, func(t *Try) int {
			var mu sync.Mutex
			var all sync.WaitGroup
			silent := 0
			for range 4 {
				all.Go(func() {
					if _, err := Call(t, "/b", func() (string, error) { return files.read("/b") }); err != nil {
						mu.Lock()
						silent++
						mu.Unlock()
					}
				})
			}
			all.Wait()
			return silent
		})
		if silent != 4 {
			t.Errorf("%d of 4 failed at once", silent)
		}
		files.release("/b")
		synctest.Wait()
		<-d.Back()
		got, _ := Do(d, nil, files.look("/b"))
		want(t, "when all have returned", got, "/b")
	})
}

func TestMountOf(t *testing.T) {
	if mountOf("/proc/self/status") == mountOf("/") && mountOf("/") != "" {
		t.Error("/proc and / are one mount")
	}
}

func BenchmarkCall(b *testing.B) {
	d := New(0, 0)
	b.ReportAllocs()
	_, _ = Do(d, nil, func(t *Try) int {
		for b.Loop() {
			_, _ = Call(t, "/a", func() (int, error) { return 0, nil })
		}
		return 0
	})
}
