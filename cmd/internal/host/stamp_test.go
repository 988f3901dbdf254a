package host

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A file that was just written is never promised to be the same; one that has
// rested is, until it changes, even if its modification time is set back.
func TestStamp(t *testing.T) {
	h := New()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, ok := h.Stamp(path); ok {
		t.Errorf("a file written just now has the stamp %+v", s)
	}
	if _, ok := h.Stamp(path + ".missing"); ok {
		t.Error("a missing file has a stamp")
	}

	rested := "/bin/sh"
	first, ok := h.Stamp(rested)
	if !ok || first.Ino == 0 || first.Size == 0 || first.MTime == 0 {
		t.Fatalf("Stamp(%s) = %+v, %v", rested, first, ok)
	}
	if again, ok := h.Stamp(rested); !ok || again != first {
		t.Errorf("Stamp(%s) = %+v, then %+v, %v", rested, first, again, ok)
	}

	old := time.Unix(1e9, 0)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	if s, ok := h.Stamp(path); ok {
		t.Errorf("a file whose modification time was set back has the stamp %+v", s)
	}
	future := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, future, future); err != nil {
		t.Fatal(err)
	}
	if s, ok := h.Stamp(path); ok {
		t.Errorf("a file from the future has the stamp %+v", s)
	}
}
