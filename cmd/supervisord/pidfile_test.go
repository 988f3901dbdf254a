package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPidfile follows a pidfile through its life: one that was removed comes back,
// one that another daemon has taken over is left to it.
func TestPidfile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "pid")
	var log strings.Builder
	p := writePidfile(path, slog.New(slog.NewTextHandler(&log, nil)))
	ours := fmt.Sprintln(os.Getpid())
	holds := func(what, want string) {
		t.Helper()
		if text, _ := os.ReadFile(path); string(text) != want {
			t.Errorf("%s the pidfile holds %q, want %q", what, text, want)
		}
	}
	holds("at first", ours)
	p.keep()
	os.RemoveAll(dir)
	p.keep()
	holds("without its folder", "")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	p.keep()
	holds("after it was removed", ours)
	if n := strings.Count(log.String(), "had vanished"); n != 1 {
		t.Errorf("said %d times:\n%s", n, &log)
	}
	if err := os.WriteFile(path, []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.keep()
	p.remove()
	holds("of another daemon", "1\n")
	os.Remove(path)
	p.keep()
	holds("in the end", "")

	log.Reset()
	p = writePidfile(filepath.Join(dir, "no/pid"), slog.New(slog.NewTextHandler(&log, nil)))
	p.keep()
	p.remove()
	if got := log.String(); !strings.Contains(got, "could not write pidfile") || strings.Contains(got, "started") {
		t.Errorf("the log of one that cannot be written:\n%s", got)
	}
}
