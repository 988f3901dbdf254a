package logfile

import (
	"io/fs"
	"os"
	"time"

	"supervisord/runtime/trust"
)

// Hurry shortens the intervals of w.
func (w *Writer) Hurry(d time.Duration) { w.reportEvery, w.stallAfter, w.reopenEvery = d, d, d }

// OnClear makes w give a file's content to see before it is truncated.
func (w *Writer) OnClear(see func([]byte)) {
	w.openFile = func(path string, flag int, mode fs.FileMode, on trust.Mount) (file, trust.Mount, error) {
		f, in, err := openOS(path, flag, mode, on)
		if err != nil {
			return nil, in, err
		}
		return seen{f, path, see}, in, nil
	}
}

type seen struct {
	file
	path string
	see  func([]byte)
}

func (s seen) Truncate(size int64) error {
	// By name: the caller renames no file while it clears.
	data, err := os.ReadFile(s.path)
	if err != nil {
		return err
	}
	s.see(data)
	return s.file.Truncate(size)
}

// OnWrite makes w ask fail before each write; an error stands in for the write.
func (w *Writer) OnWrite(fail func(p []byte) (int, error)) {
	w.openFile = func(path string, flag int, mode fs.FileMode, on trust.Mount) (file, trust.Mount, error) {
		f, in, err := openOS(path, flag, mode, on)
		if err != nil {
			return nil, in, err
		}
		return failing{f, fail}, in, nil
	}
}

type failing struct {
	file
	fail func([]byte) (int, error)
}

func (f failing) Write(p []byte) (int, error) {
	n, err := f.fail(p)
	if err == nil {
		return f.file.Write(p)
	}
	if n > 0 {
		if m, werr := f.file.Write(p[:n]); werr != nil {
			return m, werr
		}
	}
	return n, err
}
