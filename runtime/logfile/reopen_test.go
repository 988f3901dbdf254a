package logfile

import (
	"path/filepath"
	"testing"
	"testing/synctest"
)

// Requests to reopen a log whose disk hangs do not pile up, and the last of them
// that was taken comes after whatever asked for the others.
func TestReopensDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(Options{Path: filepath.Join(t.TempDir(), "log")})
		if err := w.Open(); err != nil {
			t.Fatal(err)
		}
		w.startTurn() // somebody hangs in it
		results := make(chan error, 10)
		for range 10 {
			go func() { results <- w.Reopen() }()
		}
		synctest.Wait()
		if n := len(results); n != 8 {
			t.Errorf("%d of 10 were refused, want all but 2", n)
		}
		for range len(results) {
			if <-results == nil {
				t.Error("a refusal is no error")
			}
		}
		w.endTurn()
		for range 2 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if err := w.Reopen(); err != nil {
			t.Errorf("later: %v", err)
		}
		w.Close()
	})
}
