package capture

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/logfile"
	"supervisord/runtime/state"
)

// TestFrozenLogDelaysItsOwnChild: streams whose log nobody reads hold up neither
// others nor, for more than the grace, the end of their child.
func TestFrozenLogDelaysItsOwnChild(t *testing.T) {
	dir := t.TempDir()
	type one struct {
		s   *Stream
		w   *os.File
		f   *facts
		log *logfile.Writer
	}
	start := func(path string) one {
		r, w := pipe(t)
		o := one{w: w, f: newFacts(), log: openLog(t, path)}
		o.s = Start(r, state.Stdout, Settings{Log: o.log}, o.f.post)
		return o
	}
	threads := func() int {
		entries, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return 0 // not Linux
		}
		return len(entries)
	}
	var frozen []one
	for i := range 20 {
		path := filepath.Join(dir, fmt.Sprint("fifo", i))
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		o := start(path)
		o.s.logGrace = 50 * time.Millisecond
		put(t, o.w, string(pattern(64<<10))) // fills the FIFO
		eventually(t, "it is read", func() bool { return unread(t, o.w) == 0 })
		put(t, o.w, string(pattern(60_000))) // is in the stream's hands
		frozen = append(frozen, o)
	}
	before := threads()
	began := time.Now()
	var others []one
	for i := range 1000 {
		others = append(others, start(filepath.Join(dir, fmt.Sprint("log", i))))
	}
	for i, o := range others {
		put(t, o.w, fmt.Sprintf("line of %d\n", i))
	}
	for i, o := range others {
		o.s.Finish()
		<-o.f.done
		if got, err := os.ReadFile(o.log.Path()); err != nil || string(got) != fmt.Sprintf("line of %d\n", i) {
			t.Errorf("log %d has %q, %v", i, got, err)
		}
		o.w.Close()
		o.log.Close()
	}
	t.Logf("1000 others took %v; threads %d, then %d", time.Since(began), before, threads())
	if more := threads() - before; more > 10 {
		t.Errorf("%d more threads", more)
	}
	for _, o := range frozen {
		if n := o.f.count(); n != 0 {
			t.Errorf("a frozen stream has posted %d facts", n)
		}
		o.s.Finish()
	}
	for _, o := range frozen {
		<-o.f.done
		if o.log.Dropped() != 60_000 {
			t.Errorf("dropped %d bytes, want 60000", o.log.Dropped())
		}
	}
}

// TestStoppedReader: a log read by a process that is stopped for a while loses
// nothing.
func TestStoppedReader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	log := openLog(t, path)
	end, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer end.Close()
	reader := play(t, "read", []*os.File{end, os.Stderr, os.Stderr})
	defer reader.Kill()
	if err := reader.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	r, w := pipe(t)
	f := newFacts()
	s := Start(r, state.Stdout, Settings{Log: log}, f.post)
	wrote := make(chan error)
	go func() {
		_, err := w.Write(pattern(1 << 20))
		wrote <- err
	}()
	select {
	case err := <-wrote:
		t.Fatalf("wrote 1 MiB while the reader was stopped: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := reader.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	s.Finish()
	<-f.done
	if log.Dropped() != 0 {
		t.Errorf("Dropped() = %d, want 0", log.Dropped())
	}
}

// TestHungLog: the end of a child is posted even if its log never comes back, and
// nothing after it.
func TestHungLog(t *testing.T) {
	r, w := pipe(t)
	f := newFacts()
	hung := make(chan struct{})
	s := Start(r, state.Stdout, Settings{Events: true, Echo: func(state.Channel, []byte) { <-hung }}, f.post)
	s.doneGrace = 50 * time.Millisecond
	put(t, w, "x")
	s.Finish()
	<-f.done
	close(hung)
	<-s.ended
	if diff := cmp.Diff([]string{"done stdout"}, f.strings()); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}
