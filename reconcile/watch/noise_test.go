package watch

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestNoise: rests grow while what does not matter goes on, and begin anew when it was
// quiet or something mattered.
func TestNoise(t *testing.T) {
	const ms = time.Millisecond
	var n noise
	now := time.Now()
	few := func() {
		t.Helper()
		for i := range noiseBegins {
			if rest := n.unheeded(now); rest != 0 {
				t.Errorf("a rest of %v after %d", rest, i+1)
			}
		}
	}
	few()
	for i, row := range []struct {
		after   time.Duration
		matters bool
		rest    time.Duration
	}{
		{after: 0, rest: ms}, {after: ms, rest: 0}, {after: ms / 8, rest: 2 * ms}, {after: 2 * ms, rest: 0}, {after: ms / 4, rest: 4 * ms},
		{after: 5 * ms, rest: 8 * ms}, {after: 10 * ms, rest: 16 * ms}, {after: 20 * ms, rest: 32 * ms}, {after: 40 * ms, rest: 50 * ms},
		{after: 56 * ms, rest: 0}, {after: ms, rest: 50 * ms}, {after: noiseOver, rest: 50 * ms},
		{after: noiseOver + 1, rest: 0}, {after: ms, matters: true},
	} {
		now = now.Add(row.after)
		if row.matters {
			n.heeded()
		} else if rest := n.unheeded(now); rest != row.rest {
			t.Errorf("row %d: %v, want %v", i, rest, row.rest)
		}
	}
	few()
}

// TestChangeAmidNoise: beside files that are written to without end and do not matter, what
// matters is noticed, and notices are left alone.
func TestChangeAmidNoise(t *testing.T) {
	dir := realTempDir(t)
	w := start(t, dir, nil, "*.ini")
	stop, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		var logs [4]*os.File
		for i := range logs {
			f, err := os.Create(filepath.Join(dir, "log"+string(rune('a'+i))))
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			logs[i] = f
		}
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := logs[i%len(logs)].WriteString("a line\n"); err != nil {
				t.Error(err)
				return
			}
			if i%8 == 0 {
				time.Sleep(time.Millisecond) // as a program does that has other things to do
			}
		}
	}()
	defer func() { close(stop); <-over }()
	for i := range 5 {
		if err := os.WriteFile(filepath.Join(dir, string(rune('a'+i))+".ini"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		expect(t, w, "a file that matters")
	}
	for over := time.After(time.Minute); w.rests.Load() == 0; {
		select {
		case <-w.Hints():
		case <-over:
			t.Fatal("it never rests")
		case <-time.After(time.Millisecond):
		}
	}
}
