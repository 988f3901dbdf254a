package logfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"supervisord/runtime/capture"
	"supervisord/runtime/logfile"
	"supervisord/runtime/state"
)

// TestEveryByteOnce: a child writes checksummed lines while its log rotates and is
// cleared, reopened, renamed and copied-and-truncated. What is on disk and what was
// cleared is every line once.
//
// Who copies and truncates loses what is written in between, whoever writes it.
// The test lets the stream write on during every other copy and then allows for one
// gap after what was copied, and pauses it during the rest and allows for none.
//
// LOGFILE_TEST_MIB is how much the child writes, in MiB; 32 if it is not set.
func TestEveryByteOnce(t *testing.T) {
	mib := 32
	if text := os.Getenv("LOGFILE_TEST_MIB"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		mib = n
	}
	dir := t.TempDir()
	lines := mib << 20 / lineSize
	log := logfile.New(logfile.Options{Path: filepath.Join(dir, "log"), MaxBytes: 1 << 20, Backups: mib + 1})
	acc := &account{seen: make([]uint8, lines), gapAfter: map[int]bool{}}
	log.OnClear(func(data []byte) { acc.add(t, "cleared", data) })
	open(t, log)

	r, w := pipe(t)
	began := time.Now()
	child := play(t, "spew", []*os.File{nil, w, os.Stderr}, strconv.Itoa(lines))
	w.Close()
	closed, done := make(chan struct{}), make(chan struct{})
	stream := capture.Start(r, state.Stdout, capture.Settings{Log: log}, func(f capture.Fact) {
		switch f.Kind {
		case capture.FactClosed:
			close(closed)
		case capture.FactDone:
			close(done)
		}
	})
	d := &disturber{t: t, log: log, dir: dir, stream: stream, acc: acc}
	steps := 0
	for running := true; running; steps++ {
		select {
		case <-closed:
			running = false
		case <-time.After(time.Millisecond):
			d.step(steps)
		}
	}
	took := time.Since(began)
	ended(t, child)
	stream.Finish()
	<-done
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	for name, text := range files(t, dir) {
		acc.add(t, name, []byte(text))
	}
	gaps := acc.check(t)
	if log.Dropped() != 0 {
		t.Errorf("Dropped() = %d, want 0", log.Dropped())
	}
	if steps < 12 {
		t.Errorf("only %d disturbances", steps)
	}
	t.Logf("%d MiB in %v (%.0f MB/s) through %d disturbances: each of %d lines once, but for %d lines written while somebody copied and truncated",
		mib, took.Round(time.Millisecond), float64(mib<<20)/took.Seconds()/1e6, steps, lines, gaps)
}

// disturber does to a log what administrators do.
type disturber struct {
	t      *testing.T
	log    *logfile.Writer
	dir    string
	stream *capture.Stream
	acc    *account
}

func (d *disturber) step(i int) {
	path := d.log.Path()
	var err error
	switch i % 6 {
	case 0:
		err = d.log.Clear()
	case 1: // logrotate without a signal yet
		err = os.Rename(path, fmt.Sprintf("%s.moved%d", path, i))
	case 2: // and the signal
		err = d.log.Reopen()
	case 3: // logrotate with "create"
		err = errors.Join(os.Rename(path, fmt.Sprintf("%s.moved%d", path, i)), os.WriteFile(path, nil, 0o600), d.log.Reopen())
	case 4:
		err = d.copyTruncate(path, false)
	case 5:
		err = d.copyTruncate(path, true)
	}
	// The file may be missing for the moment between a rotation's two steps.
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		d.t.Errorf("step %d: %v", i, err)
	}
}

// copyTruncate copies the log away and empties it, quietly while nothing is written to it.
// To do so without a rotation putting another file under the name, it works on an open
// file, as logrotate does.
func (d *disturber) copyTruncate(path string, quietly bool) error {
	if quietly {
		<-d.stream.Pause()
		defer d.stream.Continue()
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 { // no line would tell where the gap is
		return err
	}
	data := make([]byte, info.Size())
	if _, err := f.ReadAt(data, 0); err != nil {
		return err
	}
	if !quietly {
		// Between copy and truncation the file may grow, rotate, be anything.
		if now, err := os.Stat(path); err != nil || !os.SameFile(info, now) {
			return err
		}
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	d.acc.add(d.t, "copied", data)
	if !quietly {
		d.acc.gapAfter[number(d.t, "copied", data[len(data)-lineSize:])] = true
	}
	return nil
}

// account counts lines.
type account struct {
	mu       sync.Mutex
	seen     []uint8
	gapAfter map[int]bool // lines after which some may be missing
}

// add counts the lines of data, which follow one another.
func (a *account) add(t *testing.T, from string, data []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(data)%lineSize != 0 {
		t.Errorf("%s: %d bytes are no whole lines", from, len(data))
		return
	}
	last := -1
	for len(data) > 0 {
		n := number(t, from, data[:lineSize])
		if n < 0 || n >= len(a.seen) {
			return
		}
		if last >= 0 && n != last+1 {
			t.Errorf("%s: line %d follows line %d", from, n, last)
		}
		a.seen[n]++
		last = n
		data = data[lineSize:]
	}
}

// check finds each line once, but for gaps after copies, and counts those.
func (a *account) check(t *testing.T) (missing int) {
	t.Helper()
	for n := 0; n < len(a.seen); n++ {
		switch {
		case a.seen[n] > 1:
			t.Errorf("line %d is there %d times", n, a.seen[n])
			return
		case a.seen[n] == 0 && (n == 0 || !a.gapAfter[n-1]):
			t.Errorf("line %d is lost", n)
			return
		case a.seen[n] == 0:
			for ; n < len(a.seen) && a.seen[n] == 0; n++ {
				missing++
			}
			n--
		}
	}
	return missing
}

// number is the number of a line, or -1 after a failure.
func number(t *testing.T, from string, line []byte) int {
	n, err := strconv.ParseUint(string(line[:7]), 16, 32)
	if err != nil || !bytes.Equal(numbered(nil, int(n)), line) {
		t.Errorf("%s: line %q is damaged", from, line)
		return -1
	}
	return int(n)
}
