package capture

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/state"
)

// handOver has another Stream go on in the place of one.
func handOver(t testing.TB, s *Stream, set Settings, post func(Fact)) *Stream {
	t.Helper()
	<-s.Pause()
	saved, pipe := s.Save()
	if err := saved.Check(); err != nil {
		t.Fatal(err)
	}
	<-s.Ended()
	return Resume(pipe, s.channel, set, saved, post)
}

// TestStreamHandedOver: of what a child writes nothing is lost or doubled, however often
// another Stream goes on, or the same one after a pause.
func TestStreamHandedOver(t *testing.T) {
	for _, lineByLine := range []bool{false, true} { // the latter makes the pipe a busy one
		t.Run(fmt.Sprintf("by line %v", lineByLine), func(t *testing.T) {
			r, w := pipe(t)
			path := filepath.Join(t.TempDir(), "log")
			set := Settings{Log: openLog(t, path), Strip: true}
			if !lineByLine {
				set.CaptureMax, set.Events = 1<<20, true
			}
			var want, wantComm strings.Builder
			wrote := make(chan struct{})
			go func() {
				defer close(wrote)
				for i := range 10_000 {
					line := fmt.Sprintf("\x1b[32mline %d\x1b[0m\n", i)
					fmt.Fprintf(&want, "line %d\n", i)
					if i%100 == 0 && !lineByLine {
						line += begin + fmt.Sprint(i) + end
						fmt.Fprintln(&wantComm, i)
					}
					io.WriteString(w, line)
				}
			}()
			got := newFacts()
			s := Start(r, state.Stdout, set, got.post)
			for n := 0; ; n++ {
				select {
				case <-wrote:
					s = handOver(t, s, set, got.post)
					s.Finish()
					<-got.done
					data, _ := os.ReadFile(path)
					if string(data) != want.String() {
						t.Errorf("the log has %d bytes that are not the %d written, after %d handovers", len(data), want.Len(), n)
					}
					var comm, log strings.Builder
					for _, f := range got.all {
						switch f.Kind {
						case FactComm:
							fmt.Fprintf(&comm, "%s\n", f.Data)
						case FactLog:
							log.Write(f.Data)
						}
					}
					if diff := cmp.Diff(wantComm.String(), comm.String()); diff != "" {
						t.Error(diff)
					}
					if set.Events && !strings.HasPrefix(log.String(), "line 0\n0line 1\n") {
						t.Errorf("events begin with %.40q", log.String())
					}
					return
				default:
				}
				switch rand.IntN(3) {
				case 0:
					s.Pause()
					s.Continue()
				case 1:
					<-s.Pause()
					s.Continue()
				default:
					s = handOver(t, s, set, got.post)
				}
				time.Sleep(time.Duration(rand.IntN(500)) * time.Microsecond) // so that there is something to read between
			}
		})
	}
}

// A child ends while its Stream is paused: nothing is posted until the Stream goes on,
// however long that takes, and then all of it, also by the one that goes on in its place.
func TestFinishWhilePaused(t *testing.T) {
	for _, save := range []bool{false, true} {
		r, w := pipe(t)
		got := newFacts()
		s := newStream(r, state.Stdout, Settings{Events: true}, got.post)
		s.doneGrace = time.Millisecond
		go s.run()
		<-s.Pause()
		io.WriteString(w, "last words")
		s.Finish()
		time.Sleep(20 * s.doneGrace) // not for something to happen, but for nothing to
		<-s.Pause()
		if facts := got.strings(); len(facts) > 0 {
			t.Errorf("it posts %q while it is paused", facts)
		}
		if save {
			s = handOver(t, s, Settings{Events: true}, got.post)
			s.Finish()
		} else {
			s.Continue()
		}
		<-got.done
		if diff := cmp.Diff([]string{"log stdout last words", "done stdout"}, got.strings()); diff != "" {
			t.Error(diff)
		}
	}
}

// A pipe that its child has closed is nothing to go on with.
func TestClosedPipeHandedOver(t *testing.T) {
	for _, finish := range []bool{false, true} {
		r, w := pipe(t)
		got := newFacts()
		s := Start(r, state.Stderr, Settings{}, got.post)
		w.Close()
		eventually(t, "it is closed", func() bool { return len(got.strings()) > 0 })
		<-s.Pause()
		want := []string{"closed stderr"}
		if finish { // it has ended by itself when it is quiet again
			s.Finish()
			<-s.Pause()
			want = append(want, "done stderr")
		}
		if _, file := s.Save(); file != nil {
			t.Error("there is a pipe")
		}
		<-s.Ended()
		if diff := cmp.Diff(want, got.strings()); diff != "" {
			t.Error(diff)
		}
	}
}

// A log that takes nothing keeps its Stream from being quiet, and a pause that is given up
// changes nothing.
func TestPauseWaitsForTheLog(t *testing.T) {
	r, w := pipe(t)
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	log := openLog(t, path)
	io.WriteString(w, strings.Repeat("x", 60_000))
	got := newFacts()
	s := Start(r, state.Stdout, Settings{Log: log}, got.post)
	io.WriteString(w, strings.Repeat("y", 40_000)) // more than a FIFO holds
	io.WriteString(w, "z")
	select {
	case <-s.Pause():
		// The last may have come after a read that left the log room.
	case <-time.After(50 * time.Millisecond):
	}
	s.Continue()
	reader, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	all := make([]byte, 100_001)
	if _, err := io.ReadFull(reader, all); err != nil || all[100_000] != 'z' {
		t.Errorf("it ends in %q, %v", all[99_990:], err)
	}
	s.Finish()
	<-got.done
}

// What is captured and held back goes on under the settings that there are then.
func TestSettingsChangeInAHandover(t *testing.T) {
	r, w := pipe(t)
	got := newFacts()
	s := Start(r, state.Stdout, Settings{Events: true, CaptureMax: 100}, got.post)
	io.WriteString(w, "a"+begin+"b"+end[:5])
	eventually(t, "it is captured", func() bool { return len(got.strings()) == 2 })
	s = handOver(t, s, Settings{Events: true}, got.post)
	io.WriteString(w, "c")
	s.Finish()
	<-got.done
	want := []string{"log stdout a", "log stdout b", "log stdout " + end[:5], "log stdout c", "done stdout"}
	if diff := cmp.Diff(want, got.strings()); diff != "" {
		t.Error(diff)
	}
}

// TestStdinHandedOver: a child reads every byte of its input once, however often another
// Stdin goes on with the queue, or the same one after a pause.
func TestStdinHandedOver(t *testing.T) {
	r, w := pipe(t)
	data := pattern(2_000_000)
	read := make(chan []byte)
	go func() {
		var all []byte
		buf := make([]byte, 10_000)
		for {
			n, err := r.Read(buf[:1+rand.IntN(len(buf)-1)])
			all = append(all, buf[:n]...)
			if err != nil {
				read <- all
				return
			}
		}
	}()
	var mu sync.Mutex
	drains, whole := 0, true
	drained := func(all bool) {
		mu.Lock()
		defer mu.Unlock()
		drains++
		whole = whole && all
	}
	s := NewStdin(w)
	s.OnDrained(drained)
	queued := 0
	for left := data; len(left) > 0; {
		n := min(len(left), 1+rand.IntN(200_000))
		all, err := s.Send(left[:n])
		if err != nil {
			t.Fatal(err)
		}
		if left = left[n:]; !all {
			queued++
		}
		switch rand.IntN(4) {
		case 0:
			<-s.Pause()
			queue, w := s.Save()
			s = ResumeStdin(w, queue, drained)
		case 1:
			s.Pause()
			s.Continue()
		case 2:
			<-s.Pause()
			if _, err := s.Send(left[:min(10, len(left))]); err != nil {
				t.Fatal(err)
			}
			left = left[min(10, len(left)):]
			s.Continue()
		}
	}
	eventually(t, "the queue is empty", func() bool { return s.Queued() == 0 })
	s.Close()
	if all := <-read; !bytes.Equal(all, data) {
		t.Errorf("%d bytes were read that are not the %d written", len(all), len(data))
	}
	mu.Lock()
	defer mu.Unlock()
	if !whole || queued > 0 && drains == 0 {
		t.Errorf("of %d sends that were queued, %d were told of, whole: %v", queued, drains, whole)
	}
}

// A Stdin that is quiet has told what came of its queue.
func TestQuietStdinHasTold(t *testing.T) {
	r, w := pipe(t)
	s := NewStdin(w)
	told := make(chan struct{})
	s.OnDrained(func(bool) { told <- struct{}{} })
	if err := s.Write(pattern(100_000)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the queue is written", func() bool { return s.Queued() == 0 })
	select {
	case <-s.Pause():
		t.Error("it is quiet before it has told")
	case <-told:
	}
	<-s.Pause()
}

// What no Stream comes to is refused.
func TestSavedCheck(t *testing.T) {
	for name, s := range map[string]Saved{
		"a whole tag":              {Begun: true, CaptureMax: 1, Matched: len(begin)},
		"less than nothing":        {Begun: true, CaptureMax: 1, Matched: -1},
		"a tag without capture":    {Begun: true, Matched: 1},
		"a capture without one":    {Begun: true, Within: true},
		"captured outside":         {Begun: true, CaptureMax: 9, Captured: []byte("x")},
		"no part of a sequence":    {Begun: true, Strip: true, Sequence: 5},
		"a sequence that is kept":  {Begun: true, Sequence: 1},
		"more before it has begun": {CaptureMax: 9, Matched: 2},
	} {
		if s.Check() == nil {
			t.Errorf("%s is fine", name)
		}
	}
}
