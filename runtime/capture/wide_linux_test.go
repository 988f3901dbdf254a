package capture

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"supervisord/runtime/state"
)

// line100 is a line, of 100 bytes.
var line100 = append(bytes.Repeat([]byte("x"), 99), '\n')

// wideInlet is the reader of a wide pipe, and where to write to it.
func wideInlet(t *testing.T) (*inlet, *writer) {
	t.Helper()
	r, to := pipe(t)
	in := newInlet(r)
	if !in.makeWide() {
		t.Fatal("there is no wide pipe")
	}
	t.Cleanup(in.unwide)
	w := &writer{t: t, to: to}
	if w.holds() < wideRoom {
		t.Fatal("this user may have no larger pipes")
	}
	return in, w
}

// TestWidePipe: a pipe that is full again and again holds more, and no more than usual when
// its writer has stopped; nothing is lost or in another order.
func TestWidePipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	r, to := pipe(t)
	w := &writer{t: t, to: to}
	usual := w.holds()
	w.hold(wideRoom) // fails if this user may have no larger pipes
	w.hold(usual)
	f := newFacts()
	s := Start(r, state.Stdout, Settings{Log: openLog(t, path)}, f.post)
	var sent bytes.Buffer
	block := pattern(pipeSize)
	for range 2 {
		for deadline := time.Now().Add(2 * time.Minute); w.holds() == usual; {
			if time.Now().After(deadline) {
				t.Fatal("the pipe never becomes wide")
			}
			sent.Write(block)
			put(t, to, string(block))
		}
		if got := w.holds(); got != wideRoom {
			t.Errorf("the wide pipe holds %d bytes", got)
		}
		eventually(t, "the pipe holds as much as before", func() bool { return w.holds() == usual && widePipes.Load() == 0 })
	}
	s.Finish()
	<-f.done
	if data, err := os.ReadFile(path); err != nil || !bytes.Equal(data, sent.Bytes()) {
		t.Errorf("the log has %d bytes, others than the %d that were written: %v", len(data), sent.Len(), err)
	}
}

// TestWideLines: what is read of a wide pipe at a time ends with a line, if lines are shorter
// than a page, and if there is more of it.
func TestWideLines(t *testing.T) {
	lines := bytes.Repeat(line100, wideRoom/100)
	whole := wideChunk / 100 * 100
	for _, row := range []struct {
		name string
		text []byte
		want []int
	}{
		{"lines", lines[:2000*100], []int{whole, 2000*100 - whole}},
		{"the beginning of a line", lines[:wideChunk], []int{whole, wideChunk - whole}},
		{"whole lines", pattern(wideChunk + 8), []int{wideChunk, 8}},
		{"no line at all", bytes.Repeat([]byte("x"), wideChunk+1), []int{wideChunk, 1}},
	} {
		t.Run(row.name, func(t *testing.T) {
			in, w := wideInlet(t)
			if _, err := w.to.Write(row.text); err != nil {
				t.Fatal(err)
			}
			w.to.Close()
			var got []int
			var text []byte
			if !in.each(func() bool {
				if in.n <= 0 {
					return in.empty
				}
				got, text = append(got, in.n), append(text, in.bytes()...)
				return true
			}) {
				t.Fatal("it was woken")
			}
			if !bytes.Equal(text, row.text) {
				t.Error("something else was read than was written")
			}
			if len(got) != len(row.want) || got[0] != row.want[0] || got[1] != row.want[1] {
				t.Errorf("it reads %v bytes, want %v", got, row.want)
			}
		})
	}
}

// TestWokenWithinALine: who is woken gives the beginning of a line that it has read.
func TestWokenWithinALine(t *testing.T) {
	in, w := wideInlet(t)
	put(t, w.to, string(bytes.Repeat(line100, 2000)))
	total := 0
	if in.each(func() bool { in.wake(); total += in.n; return true }) {
		t.Error("it was woken and does not say so")
	}
	if total != wideChunk || len(in.kept) > 0 {
		t.Errorf("it has given %d bytes of %d, and keeps %d", total, wideChunk, len(in.kept))
	}
}

// TestWholeReadKeepsNothing, even if the child has made its pipe larger still: the next read may
// be another's.
func TestWholeReadKeepsNothing(t *testing.T) {
	in, w := wideInlet(t)
	w.hold(2 * wideRoom)
	put(t, w.to, string(bytes.Repeat(line100, wideRoom/100+100)))
	in.whole = true
	if err := in.raw.Control(func(fd uintptr) { in.read(int(fd)) }); err != nil {
		t.Fatal(err)
	}
	if in.n != wideRoom+page || len(in.kept) > 0 {
		t.Errorf("it has read %d bytes and keeps %d", in.n, len(in.kept))
	}
}

// TestNarrow: a pipe holds what it did before; what an earlier program has left wide, as much
// as usual; and what the child has chosen itself stays.
func TestNarrow(t *testing.T) {
	for _, row := range []struct {
		name                string
		before, child, want int
	}{
		{"usual", pipeSize, 0, pipeSize},
		{"small", 2 * page, 0, 2 * page},
		{"larger than wide", 2 * wideRoom, 0, 2 * wideRoom},
		{"left wide", wideRoom, 0, pipeSize},
		{"chosen by the child", pipeSize, 2 * pipeSize, 2 * pipeSize},
	} {
		t.Run(row.name, func(t *testing.T) {
			in, w := wideInlet(t)
			in.unwide()
			w.hold(row.before)
			in.makeWide()
			if got := in.room(); got != max(row.before, wideRoom) {
				t.Errorf("it has room for %d bytes", got)
			}
			if row.child > 0 {
				w.hold(row.child)
			}
			in.review()
			if got := w.holds(); got != row.want || in.wide != nil {
				t.Errorf("it holds %d bytes, want %d, and is wide: %v", got, row.want, in.wide != nil)
			}
		})
	}
}

// TestWideNoMore: a pipe stays wide while it is full and nobody but the log waits for what is
// in it.
func TestWideNoMore(t *testing.T) {
	for _, patient := range []bool{true, false} {
		in, w := wideInlet(t)
		in.patient = patient
		put(t, w.to, string(pattern(pipeSize)))
		if err := in.raw.Control(func(fd uintptr) { in.read(int(fd)) }); err != nil {
			t.Fatal(err)
		}
		in.review()
		if (in.wide != nil) != patient {
			t.Errorf("patient %v: it is wide: %v", patient, in.wide != nil)
		}
	}
}

// TestHurriedForNothing: a wait that was ended although nobody has asked for it any more
// goes on.
func TestHurriedForNothing(t *testing.T) {
	r, w := pipe(t)
	in := newInlet(r)
	in.hurry()
	if in.each(func() bool { return false }) || in.woken.Load() {
		t.Error("the wait was not ended")
	}
	in.calm()
	put(t, w, "x")
	if !in.each(func() bool { return false }) {
		t.Error("the wait does not go on")
	}
}

// TestFinishOfOneWhoWritesOn: a stream whose pipe is always full again, and fills its
// chunk each time, ends when it is told to.
func TestFinishOfOneWhoWritesOn(t *testing.T) {
	in, w := wideInlet(t)
	put(t, w.to, string(pattern(wideRoom)))
	n := 0
	if in.each(func() bool {
		if n++; n == 3 {
			in.wake()
		}
		put(t, w.to, string(pattern(in.n)))
		return n < 100
	}) {
		t.Error("it was woken and does not say so")
	}
	if n != 3 {
		t.Errorf("it has read %d times, want 3", n)
	}
}

// TestOthersHaveTheirTurnBesideAFullPipe, although no read of a chunk ever empties it.
func TestOthersHaveTheirTurnBesideAFullPipe(t *testing.T) {
	in, w := wideInlet(t)
	othersHaveTheirTurn(t, in, w.to, wideRoom)
}

// TestManyWidePipes: only so many are wide at once.
func TestManyWidePipes(t *testing.T) {
	widePipes.Add(maxWide)
	defer widePipes.Add(-maxWide)
	r, to := pipe(t)
	w := &writer{t: t, to: to}
	usual := w.holds()
	path := filepath.Join(t.TempDir(), "log")
	f := newFacts()
	s := Start(r, state.Stdout, Settings{Log: openLog(t, path)}, f.post)
	block := string(pattern(pipeSize))
	for range 100 {
		put(t, to, block)
		if got := w.holds(); got != usual {
			t.Fatalf("one more holds %d bytes", got)
		}
	}
	s.Finish()
	<-f.done
	if info, err := os.Stat(path); err != nil || info.Size() != 100*pipeSize {
		t.Errorf("%v, %v", info, err)
	}
}

// TestWidePipesPaused: whatever is written, and however often the stream is paused or its
// settings change meanwhile, all is logged, in order, and no pipe stays wide.
func TestWidePipesPaused(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	defer func() { t.Logf("seed %d", seed) }()
	long := pattern(8 << 20)
	for i := range 10 {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		path := filepath.Join(t.TempDir(), "log")
		r, to := pipe(t)
		set := Settings{Log: openLog(t, path)}
		tailed := set
		tailed.Tail = true
		f := newFacts()
		s := Start(r, state.Stdout, set, f.post)
		text := long[:1<<20+random.IntN(7<<20)]
		written := make(chan error)
		go func() {
			for rest := text; len(rest) > 0; {
				n := min(len(rest), 1+random.IntN(4*pipeSize))
				if _, err := to.Write(rest[:n]); err != nil {
					written <- err
					return
				}
				rest = rest[n:]
			}
			written <- nil
		}()
		var err error
		for over, pauses := false, rand.New(rand.NewPCG(seed, ^uint64(i))); !over; {
			select {
			case err = <-written:
				over = true
			case <-time.After(time.Duration(pauses.IntN(3000)) * time.Microsecond):
				<-s.Pause()
				switch pauses.IntN(4) {
				case 0:
					s.Set(set)
				case 1:
					s.Set(tailed)
				}
				s.Continue()
			}
		}
		s.Finish()
		<-f.done
		<-s.Ended()
		data, failed := os.ReadFile(path)
		if err := errors.Join(err, failed); err != nil || !bytes.Equal(data, text) {
			t.Fatalf("the log has %d bytes, others than the %d that were written: %v", len(data), len(text), err)
		}
		if n := widePipes.Load(); n != 0 {
			t.Fatalf("%d pipes are wide in the end", n)
		}
	}
}
