package capture

import (
	"bytes"
	"os"
	goruntime "runtime"
	"testing"

	"supervisord/runtime/state"
)

// TestStretches: all processors but one may have a stream that goes on for longer.
func TestStretches(t *testing.T) {
	defer goruntime.GOMAXPROCS(goruntime.GOMAXPROCS(3))
	read := func(s *stretch) (n int) {
		for n = pipeSize; s.goesOn(pipeSize) && n <= longStretch; n += pipeSize {
		}
		return n
	}
	var a, b, c stretch
	for i, step := range []struct {
		s    *stretch
		want int
	}{{&a, longStretch}, {&b, longStretch}, {&c, shortStretch}, {&a, longStretch}} {
		step.s.end()
		if n := read(step.s); n != step.want {
			t.Errorf("stretch %d is of %d bytes, want %d", i, n, step.want)
		}
	}
	a.end()
	b.end()
	c.end()
	if n := longOnes.Load(); n != 0 {
		t.Errorf("%d streams go on in the end", n)
	}
}

// TestOthersHaveTheirTurn: somebody who waits for the poller does not wait for a stream
// whose pipe is never empty for long.
func TestOthersHaveTheirTurn(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("the poller tells of the end of a pipe once")
	}
	r, w := pipe(t)
	othersHaveTheirTurn(t, newInlet(r), w, 5*page)
}

// othersHaveTheirTurn has in read a pipe that has n bytes whenever one looks.
func othersHaveTheirTurn(t *testing.T, in *inlet, w *os.File, n int) {
	defer goruntime.GOMAXPROCS(goruntime.GOMAXPROCS(1))
	const rounds, most = 50, 100 // a stretch is of a few chunks, but the system may give the processor to others
	otherR, otherW := pipe(t)
	seen := make(chan struct{}, 1)
	go func() { // ends with the pipe
		for b := make([]byte, 1); ; {
			if _, err := otherR.Read(b); err != nil {
				return
			}
			seen <- struct{}{}
		}
	}()
	text := string(pattern(n))
	put(t, w, text)
	turns, longest, told := 0, 0, 0
	again := func() bool {
		in.release()
		put(t, w, text[:in.n]) // there is more at once
		select {
		case <-seen:
			longest, turns = max(longest, turns), 0
			told++
		default:
			turns++
		}
		if turns == 0 {
			put(t, otherW, "x")
		}
		return told < rounds && turns < 1000*most
	}
	put(t, otherW, "x")
	in.each(again)
	if told < rounds || longest > most {
		t.Errorf("the other was told %d times of %d, after up to %d chunks", told, rounds, max(longest, turns))
	}
}

// TestEndWithTheLastChunk: the end of the output is seen although the poller tells of it
// together with what was written last, and nothing else is ever told.
func TestEndWithTheLastChunk(t *testing.T) {
	for _, size := range []int{page, page + 1, 5 * page, pipeSize} {
		r, w := pipe(t)
		p := pattern(size)
		if _, err := w.Write(p); err != nil {
			t.Fatal(err)
		}
		w.Close()
		f := newFacts()
		s := Start(r, state.Stdout, Settings{Events: true}, f.post)
		eventually(t, "the end is posted", func() bool { all := f.strings(); return len(all) > 0 && all[len(all)-1] == "closed stdout" })
		if !bytes.Equal([]byte(f.join(FactLog)), p) {
			t.Errorf("%d bytes have changed on their way", size)
		}
		s.Finish()
		<-f.done
	}
}

// TestAnnounced: the poller tells of all but an end that it may have told of already.
func TestAnnounced(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("it is not known")
	}
	r, w := pipe(t)
	told := func() (yes bool) {
		raw, err := r.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		if err := raw.Control(func(fd uintptr) { yes = announced(int(fd)) }); err != nil {
			t.Fatal(err)
		}
		return yes
	}
	if !told() {
		t.Error("not of what comes into an empty pipe")
	}
	put(t, w, "x")
	if !told() {
		t.Error("not of what has come")
	}
	w.Close()
	if !told() {
		t.Error("not of what has come before the end")
	}
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if told() {
		t.Error("of the end, twice")
	}
}
