package capture

import (
	"os"
	goruntime "runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/state"
)

// TestAsleep: a Stream that was given nothing has no goroutine, and misses nothing.
func TestAsleep(t *testing.T) {
	t.Parallel()
	pause := func(t *testing.T, s *Stream) {
		if !isClosed(s.Pause()) {
			t.Error("a stream that sleeps is not quiet")
		}
	}
	resume := func(t *testing.T, f *facts, s *Stream) *Stream {
		saved, r := s.Save()
		if !isClosed(s.ended) {
			t.Error("the stream was saved and has not ended")
		}
		return Resume(r, state.Stdout, Settings{Events: true}, saved, f.post)
	}
	for _, row := range []struct {
		name string
		do   func(t *testing.T, f *facts, s *Stream, w *os.File) *Stream
	}{
		{"written", func(t *testing.T, f *facts, s *Stream, w *os.File) *Stream {
			put(t, w, "x")
			return s
		}},
		{"written while paused", func(t *testing.T, f *facts, s *Stream, w *os.File) *Stream {
			pause(t, s)
			put(t, w, "x")
			s.Continue()
			return s
		}},
		{"paused twice", func(t *testing.T, f *facts, s *Stream, w *os.File) *Stream {
			for range 2 {
				pause(t, s)
				s.Continue()
			}
			put(t, w, "x")
			return s
		}},
		{"saved", func(t *testing.T, f *facts, s *Stream, w *os.File) *Stream {
			pause(t, s)
			s = resume(t, f, s)
			put(t, w, "x")
			return s
		}},
		{"written and saved", func(t *testing.T, f *facts, s *Stream, w *os.File) *Stream {
			pause(t, s)
			put(t, w, "x")
			return resume(t, f, s)
		}},
		{"finished while paused", func(t *testing.T, f *facts, s *Stream, w *os.File) *Stream {
			pause(t, s)
			put(t, w, "x")
			s.Finish()
			s.Continue()
			return s
		}},
		{"finished while paused, and saved", func(t *testing.T, f *facts, s *Stream, w *os.File) *Stream {
			pause(t, s)
			put(t, w, "x")
			s.Finish()
			pause(t, s)
			s = resume(t, f, s)
			s.Finish()
			return s
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			f := newFacts()
			s := row.do(t, f, Start(r, state.Stdout, Settings{Events: true}, f.post), w)
			if !isClosed(s.finished) {
				eventually(t, "the output", func() bool { return f.count() > 0 })
			}
			s.Finish()
			<-s.Ended()
			<-f.done
			if diff := cmp.Diff([]string{"log stdout x", "done stdout"}, f.strings()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAsleepHasNoGoroutine: nor does one that is paused and goes on.
func TestAsleepHasNoGoroutine(t *testing.T) {
	const n = 100
	before := goruntime.NumGoroutine()
	streams := make([]*Stream, n)
	for i := range streams {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		streams[i] = Start(r, state.Stdout, Settings{}, func(Fact) {})
		streams[i].Pause()
		streams[i].Continue()
	}
	if now := goruntime.NumGoroutine(); now > before+n/2 {
		t.Errorf("%d goroutines for %d streams that sleep", now-before, n)
	}
	for _, s := range streams {
		s.Finish()
		<-s.Ended()
	}
}

// TestEndAsleep: Streams that nothing was written to end one after the other, in whatever
// state the others are, each with one fact. What came with the end is read, and one that is
// paused ends when it goes on.
func TestEndAsleep(t *testing.T) {
	t.Parallel()
	const n = 60
	var streams [n]*Stream
	var told [n]*facts
	var pipes [n]*os.File
	for i := range streams {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		told[i], pipes[i] = newFacts(), w
		streams[i] = Start(r, state.Stdout, Settings{Events: true}, told[i].post)
	}
	for i, s := range streams {
		switch i % 3 {
		case 1:
			s.Pause()
		case 2:
			put(t, pipes[i], "x")
		}
		s.Finish()
	}
	for i, s := range streams {
		if i%3 != 1 {
			continue
		}
		if isClosed(s.Ended()) {
			t.Errorf("stream %d has ended while it was paused", i)
		}
		s.Continue()
	}
	for i, s := range streams {
		<-s.Ended()
		<-told[i].done
		want := []string{"done stdout"}
		if i%3 == 2 {
			want = []string{"log stdout x", "done stdout"}
		}
		if diff := cmp.Diff(want, told[i].strings()); diff != "" {
			t.Errorf("stream %d: %s", i, diff)
		}
		if _, err := pipes[i].Write([]byte("x")); err == nil {
			t.Errorf("stream %d keeps its pipe", i)
		}
	}
}
