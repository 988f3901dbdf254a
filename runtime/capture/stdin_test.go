package capture

import (
	"bytes"
	"errors"
	"io"
	"os"
	goruntime "runtime"
	"strings"
	"testing"
)

func TestStdinWritesAtOnce(t *testing.T) {
	r, w := pipe(t)
	s := NewStdin(w)
	defer s.Close()
	before := goruntime.NumGoroutine()
	for _, text := range []string{"a", "", "bc\n"} {
		if err := s.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if s.Queued() != 0 || goruntime.NumGoroutine() > before {
		t.Errorf("%d bytes queued, %d goroutines more, want none", s.Queued(), goruntime.NumGoroutine()-before)
	}
	buf := make([]byte, 10)
	if n, err := r.Read(buf); err != nil || string(buf[:n]) != "abc\n" {
		t.Errorf("read %q, %v", buf[:n], err)
	}
}

// TestStdinQueues: what the pipe does not take waits in order, up to the limit, and
// is read when the child gets round to it.
func TestStdinQueues(t *testing.T) {
	r, w := pipe(t)
	s := NewStdin(w)
	defer s.Close()
	s.limit = 100_000
	data := pattern(500_000)
	sent := 0
	for {
		err := s.Write(data[sent : sent+10_000])
		if errors.Is(err, ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		sent += 10_000
	}
	// The pipe holds 64 KiB, and the write that fills it may be queued in part.
	if q := s.Queued(); q > 100_000 || q < 90_000 || sent-q > 64<<10 {
		t.Errorf("%d bytes taken, %d of them queued, with a limit of 100000", sent, q)
	}
	got := make([]byte, sent)
	if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, data[:sent]) {
		t.Errorf("read %d bytes that are not the %d written, %v", len(got), sent, err)
	}
	eventually(t, "the queue is empty", func() bool { return s.Queued() == 0 })
	if err := s.Write([]byte("more")); err != nil {
		t.Errorf("Write after the queue was empty: %v", err)
	}
}

// TestStdinTakesOneLargeMessage, however long, so that an event larger than the
// limit can be delivered at all.
func TestStdinTakesOneLargeMessage(t *testing.T) {
	r, w := pipe(t)
	s := NewStdin(w)
	defer s.Close()
	s.limit = 1
	data := pattern(300_000)
	if err := s.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := s.Write([]byte("x")); !errors.Is(err, ErrFull) {
		t.Errorf("Write behind it: %v, want ErrFull", err)
	}
	// An event has its place behind what others have written.
	if whole, err := s.Send([]byte("event")); whole || err != nil {
		t.Errorf("Send behind it = %v, %v, want false, nil", whole, err)
	}
	data = append(data, "event"...)
	got := make([]byte, len(data))
	if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, data) {
		t.Errorf("read something else, %v", err)
	}
}

// TestStdinKeepsNoReference: the caller may use its buffer again.
func TestStdinKeepsNoReference(t *testing.T) {
	r, w := pipe(t)
	s := NewStdin(w)
	defer s.Close()
	data := pattern(200_000)
	want := bytes.Clone(data)
	if err := s.Write(data); err != nil {
		t.Fatal(err)
	}
	clear(data)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("read something else, %v", err)
	}
}

func TestStdinOfAChildThatClosedIt(t *testing.T) {
	r, w := pipe(t)
	s := NewStdin(w)
	r.Close()
	for range 2 {
		if err := s.Write([]byte("x")); !errors.Is(err, ErrClosed) {
			t.Errorf("Write: %v, want ErrClosed", err)
		}
	}
	s.Close()
}

// TestStdinClosedWhileQueued, by the child or by us.
func TestStdinClosedWhileQueued(t *testing.T) {
	for name, shut := range map[string]func(r *os.File, s *Stdin){
		"child": func(r *os.File, _ *Stdin) { r.Close() },
		"us":    func(_ *os.File, s *Stdin) { s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			r, w := pipe(t)
			s := NewStdin(w)
			if err := s.Write([]byte(strings.Repeat("x", 200_000))); err != nil {
				t.Fatal(err)
			}
			shut(r, s)
			eventually(t, "it is closed", func() bool { return errors.Is(s.Write(nil), ErrClosed) })
			if s.Queued() != 0 {
				t.Errorf("%d bytes queued, want 0", s.Queued())
			}
			s.Close()
		})
	}
}

// TestStdinSaysWhenItIsDrained: each Send is answered once, at once or later.
func TestStdinSaysWhenItIsDrained(t *testing.T) {
	for name, row := range map[string]struct {
		then  func(r *os.File, s *Stdin)
		whole bool
	}{
		"read":   {func(r *os.File, _ *Stdin) { io.CopyN(io.Discard, r, 200_000) }, true},
		"closed": {func(r *os.File, _ *Stdin) { r.Close() }, false},
		"ended":  {func(_ *os.File, s *Stdin) { s.Close() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r, w := pipe(t)
			s := NewStdin(w)
			defer s.Close()
			drained := make(chan bool, 10)
			s.OnDrained(func(whole bool) { drained <- whole })
			if whole, err := s.Send([]byte("x")); !whole || err != nil {
				t.Errorf("Send of a byte = %v, %v, want true, nil", whole, err)
			}
			if whole, err := s.Send(pattern(199_999)); whole || err != nil {
				t.Errorf("Send of more than a pipe holds = %v, %v, want false, nil", whole, err)
			}
			row.then(r, s)
			if whole := <-drained; whole != row.whole {
				t.Errorf("drained with %v, want %v", whole, row.whole)
			}
			if _, err := s.Send([]byte("y")); (err == nil) != row.whole {
				t.Errorf("Send afterwards: %v", err)
			}
			if len(drained) != 0 {
				t.Error("drained twice")
			}
		})
	}
}

// TestStdinQueueCostsItsBytes: what waits costs what it has bytes, in however
// many messages it came, and nothing once it is read.
func TestStdinQueueCostsItsBytes(t *testing.T) {
	r, w := pipe(t)
	s := NewStdin(w)
	defer s.Close()
	before := memory()
	sent := 0
	for ; s.Write([]byte("x")) == nil; sent++ {
	}
	if q := s.Queued(); q != stdinLimit {
		t.Errorf("%d bytes queued, want %d", q, stdinLimit)
	}
	if cost := int64(memory() - before); cost > 4*stdinLimit {
		t.Errorf("a queue of %d bytes costs %d", stdinLimit, cost)
	}
	if n, err := io.CopyN(io.Discard, r, int64(sent)); err != nil {
		t.Fatalf("read %d bytes of %d, %v", n, sent, err)
	}
	eventually(t, "the queue is empty", func() bool { return s.Queued() == 0 })
	if cost := int64(memory() - before); cost > stdinLimit/2 {
		t.Errorf("an empty queue costs %d bytes", cost)
	}
}

func BenchmarkStdin(b *testing.B) {
	r, w := pipe(b)
	go io.Copy(io.Discard, r) // ends when the pipe is closed
	s := NewStdin(w)
	defer s.Close()
	event := []byte(strings.Repeat("x", 200))
	b.ReportAllocs()
	for b.Loop() {
		for s.Write(event) != nil { // the reader is behind
			goruntime.Gosched()
		}
	}
}
