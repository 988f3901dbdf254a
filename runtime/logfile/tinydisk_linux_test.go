package logfile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"supervisord/runtime/logfile"
)

// TestTinyDisk: a child's log on a full disk loses what does not fit and gets
// well by itself when there is room, with rotation in force.
func TestTinyDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Logf("left out: cannot mount a small disk: %v", err)
		return
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 40<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	var r told
	w := logfile.New(logfile.Options{Path: filepath.Join(dir, "log"), MaxBytes: 100 << 10, Backups: 1, Report: r.report})
	w.Hurry(time.Nanosecond)
	open(t, w)
	defer w.Close()
	chunk := strings.Repeat("x", 1000)
	for range 50 {
		write(t, w, chunk)
	}
	info, err := os.Stat(w.Path())
	if err != nil {
		t.Fatal(err)
	}
	if sum := info.Size() + w.Dropped(); sum != 50_000 || info.Size() == 0 || w.Dropped() == 0 {
		t.Errorf("%d bytes in the file and %d dropped, want some of each and 50000 in all", info.Size(), w.Dropped())
	}
	lost := w.Dropped()
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	write(t, w, chunk)
	if w.Dropped() != lost {
		t.Errorf("still dropping when there is room")
	}
	last := fmt.Sprintf("log %s is written again, %d bytes were dropped", w.Path(), lost)
	if got := r.lines(); got[len(got)-1] != last {
		t.Errorf("told last %q, want %q", got[len(got)-1], last)
	}
}
