package trust

import (
	"os"
	"testing"
)

// TestOpenForWriting: a file is in use for as long as somebody has it open to write.
func TestOpenForWriting(t *testing.T) {
	path := t.TempDir() + "/file"
	w, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if !OpenForWriting(int(r.Fd())) {
		t.Error("a file that is open for writing is not")
	}
	w.Close()
	if OpenForWriting(int(r.Fd())) {
		t.Error("a file that was closed is open")
	}
}
