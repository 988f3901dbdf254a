package capture

import (
	"errors"
	"os"
	"path/filepath"
	goruntime "runtime"
	"syscall"
	"testing"

	"supervisord/runtime/logfile"
	"supervisord/runtime/state"
)

// TestIdleStreamsAreCheap: what 20,000 idle streams, as of 10,000 children, cost.
// Each has read something before, so that a buffer it kept would show.
func TestIdleStreamsAreCheap(t *testing.T) {
	n := 20_000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	n = min(n, int(limit.Cur)/2-100)
	before := memory()
	f := newFacts()
	streams, ends := make([]*Stream, n), make([]*os.File, n)
	for i := range n {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = w
		streams[i] = Start(r, state.Stdout, Settings{Events: true}, func(fact Fact) {
			if fact.Kind == FactLog {
				f.post(fact)
			}
		})
		put(t, w, "x")
	}
	eventually(t, "all have read", func() bool { return f.count() == n })
	each := (memory() - before) / uint64(n)
	t.Logf("%d idle streams: %d bytes each", n, each)
	if each > 12<<10 {
		t.Errorf("%d bytes for each of %d idle streams, want at most 12 KiB", each, n)
	}
	for i, s := range streams {
		s.Finish()
		ends[i].Close()
	}
	for _, s := range streams {
		<-s.ended
	}
}

// memory is how much the program has from the system for its heap and stacks.
func memory() uint64 {
	goruntime.GC()
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// BenchmarkStream is a child's output from the pipe to the log.
func BenchmarkStream(b *testing.B) {
	for _, row := range []struct {
		name string
		size int
		set  Settings
	}{
		{"64KiB-none", 64 << 10, Settings{}},
		{"64KiB-log", 64 << 10, Settings{Log: logfile.New(logfile.Options{})}},
		{"64KiB-log-events", 64 << 10, Settings{Log: logfile.New(logfile.Options{}), Events: true}},
		{"64KiB-log-strip-capture", 64 << 10, Settings{Log: logfile.New(logfile.Options{}), Strip: true, CaptureMax: 1 << 20}},
		{"100B-log", 100, Settings{Log: logfile.New(logfile.Options{})}},
	} {
		b.Run(row.name, func(b *testing.B) {
			if log := row.set.Log; log != nil {
				path := filepath.Join(b.TempDir(), "log")
				if err := errors.Join(log.Configure(logfile.Options{Path: path, MaxBytes: 50 << 20, Backups: 1}), log.Open()); err != nil {
					b.Fatal(err)
				}
				defer log.Close()
			}
			r, w := pipe(b)
			done := make(chan struct{})
			s := Start(r, state.Stdout, row.set, func(f Fact) {
				if f.Kind == FactDone {
					close(done)
				}
			})
			p := pattern(row.size)
			b.SetBytes(int64(row.size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.Write(p); err != nil {
					b.Fatal(err)
				}
			}
			s.Finish()
			<-done
		})
	}
}
