package capture

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"supervisord/runtime/state"
)

// TestBurst: a child that writes 64 KiB, as much as a pipe holds, and exits at
// once loses none of it. CAPTURE_TEST_BURSTS is how many times; 100 if it is not
// set.
func TestBurst(t *testing.T) {
	times := 100
	if text := os.Getenv("CAPTURE_TEST_BURSTS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		times = n
	}
	const size = 64 << 10
	want := pattern(size)
	path := filepath.Join(t.TempDir(), "log")
	log := openLog(t, path)
	for i := range times {
		if err := log.Clear(); err != nil {
			t.Fatal(err)
		}
		if f := run(t, Settings{Log: log}, nil, "burst", strconv.Itoa(size)); len(f.strings()) > 2 {
			t.Errorf("facts %q", f.strings())
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("after %d children: %d bytes of %d, %v", i, len(got), len(want), err)
		}
	}
}

// run plays a child to its end, as the loop does: first it is reaped, then its
// stream told to finish.
func run(t testing.TB, set Settings, hold *os.File, role string, args ...string) *facts {
	t.Helper()
	r, w := pipe(t)
	f := newFacts()
	s := Start(r, state.Stdout, set, f.post)
	child := play(t, role, []*os.File{hold, w, os.Stderr}, args...)
	w.Close()
	if state, err := child.Wait(); err != nil || !state.Success() {
		t.Fatalf("child: %v, %v", state, err)
	}
	s.Finish()
	<-f.done
	return f
}

// TestGrandchildHoldsThePipe: the end of a child does not wait for what the child
// left behind, be it silent or never silent, and all that the child wrote is there.
func TestGrandchildHoldsThePipe(t *testing.T) {
	for _, role := range []string{"read", "flood"} {
		t.Run(role, func(t *testing.T) {
			hold, end := pipe(t) // the grandchild that reads lives until this is closed
			defer end.Close()
			const size = 50_000
			f := run(t, Settings{Events: true}, hold, "leave", strconv.Itoa(size), role)
			if got := f.join(FactLog); !strings.HasPrefix(got, string(pattern(size))) {
				t.Errorf("%d bytes came, want %d and what the grandchild wrote", len(got), size)
			}
			for _, line := range f.strings() {
				if line == "closed stdout" {
					t.Errorf("the pipe was closed before the child's end")
				}
			}
		})
	}
}
