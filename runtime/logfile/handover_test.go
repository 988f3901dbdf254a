package logfile_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"supervisord/runtime/exact"
	"supervisord/runtime/logfile"
)

// passedOn is a Writer that goes on in the place of w.
func passedOn(t *testing.T, w *logfile.Writer, o logfile.Options) *logfile.Writer {
	t.Helper()
	saved, file, busy := w.Save()
	for ; busy; saved, file, busy = w.Save() {
		w.WaitForTurn()
	}
	data, err := exact.Marshal(saved)
	if err != nil {
		t.Fatal(err)
	}
	var read logfile.Saved
	if err := exact.Unmarshal(data, &read); err != nil {
		t.Fatal(err)
	}
	if err := read.Check(); err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("of nobody\n"))
	next := logfile.New(o)
	if err := next.Resume(read, file); err != nil {
		t.Fatal(err)
	}
	return next
}

// TestHandedOver: a log is written on at the byte, and rotated and closed as if nothing had
// been.
func TestHandedOver(t *testing.T) {
	dir := t.TempDir()
	o := logfile.Options{Path: filepath.Join(dir, "log"), MaxBytes: 100, Backups: 100}
	w := opened(t, o)
	open(t, w)
	var want strings.Builder
	for i := range 200 {
		w = passedOn(t, w, o)
		line := fmt.Sprintf("line %d\n", i)
		want.WriteString(line)
		write(t, w, line)
	}
	for range 2 {
		w = passedOn(t, w, o)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	w = passedOn(t, w, o)
	write(t, w, "after the end\n")
	if w = passedOn(t, w, o); w.Dropped() != int64(len("after the end\n")) {
		t.Errorf("%d bytes were dropped", w.Dropped())
	}
	var got strings.Builder
	for i := len(files(t, dir)) - 1; i > 0; i-- {
		data, err := os.ReadFile(fmt.Sprintf("%s.%d", o.Path, i))
		if err != nil {
			t.Fatal(err)
		}
		got.Write(data)
	}
	data, _ := os.ReadFile(o.Path)
	got.Write(data)
	if got.String() != want.String() {
		t.Errorf("got %d bytes that are not the %d written", got.Len(), want.Len())
	}
}

// An AUTO log is locked all the time, so that no other daemon takes it for one that was
// left behind; a file that was removed is found missing later as ever.
func TestAutoHandedOver(t *testing.T) {
	dir := t.TempDir()
	path, err := logfile.CreateAuto(dir, "cat", "stdout", "supervisor", logfile.NewAutoMark())
	if err != nil {
		t.Fatal(err)
	}
	o := logfile.Options{Path: path, Auto: true, Mode: 0o600}
	w := logfile.New(o)
	if err := w.Hold(); err != nil {
		t.Fatal(err)
	}
	saved, file, _ := w.Save()
	look := func() {
		t.Helper()
		if _, err := logfile.CleanAuto(dir, "supervisor"); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Fatal("another daemon has taken it: ", err)
		}
	}
	look()
	w = logfile.New(o)
	if err := w.Resume(saved, file); err != nil {
		t.Fatal(err)
	}
	look()
	open(t, w)
	write(t, w, "a")
	os.Remove(path)
	w = passedOn(t, w, o)
	write(t, w, "b")
	if restored, err := logfile.Restore([]*logfile.Writer{w}); err != nil || len(restored) != 1 {
		t.Error(restored, err)
	}
	wantFiles(t, dir, map[string]string{filepath.Base(path): "ab"})
}

// While somebody is at work on a log it is not given up.
func TestBusyLogIsKept(t *testing.T) {
	path := fifo(t)
	w := opened(t, logfile.Options{Path: path})
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		w.Write(make([]byte, 1<<20)) // more than a FIFO holds
	}()
	reader, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if _, err := reader.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if _, _, busy := w.Save(); !busy {
		t.Error("it is given up")
	}
	go io.Copy(io.Discard, reader) // ends with the test
	<-wrote
	if _, _, busy := w.Save(); busy {
		t.Error("it is busy still")
	}
}

// TestResumeAsksNoDisk: a file that nothing can be asked about is written on.
func TestResumeAsksNoDisk(t *testing.T) {
	o := logfile.Options{Path: filepath.Join(t.TempDir(), "log")}
	w := opened(t, o)
	open(t, w)
	id, _ := w.FileID()
	saved, file, _ := w.Save()
	file.Close() // so that a question fails
	next := logfile.New(o)
	if err := next.Resume(saved, file); err != nil {
		t.Fatal(err)
	}
	if now, open := next.FileID(); !open || now != id {
		t.Errorf("it is %v (open: %v), and was %v", now, open, id)
	}
}
