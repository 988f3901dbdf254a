package logfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"supervisord/runtime/trust"
)

// target is an open place to write to. Its methods are called by the holder of
// the Writer's turn.
type target interface {
	// write appends p and waits for the target until then, if it waits at all; it
	// returns os.ErrDeadlineExceeded then, or earlier when it is to look up.
	write(p []byte, until time.Time) (int, error)
	// waits reports whether a write may wait for somebody to read.
	waits() bool
	// taken is how many bytes the target has taken, from anyone; it only counts up.
	taken() int64
	// named reports whether path names this target at this moment.
	named(path string) bool
	close() error
}

// file is what is asked of an open file; *os.File is the real one.
type file interface {
	Write(p []byte) (int, error)
	Seek(offset int64, whence int) (int64, error)
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
	SetWriteDeadline(t time.Time) error
	Close() error
}

// openOS opens a file whose directory is on the mount on, if that is not zero, and says
// on which it is.
func openOS(path string, flag int, mode fs.FileMode, on trust.Mount) (file, trust.Mount, error) {
	f, in, err := trust.OpenFileOn(path, flag, mode, on)
	if err != nil {
		return nil, in, err // not f, which would be a file that is not nil
	}
	return f, in, nil
}

// fileTarget is a file that was opened by its path.
type fileTarget struct {
	file        file
	regular     bool
	patient     bool // it has deadlines, so writes wait
	written     int64
	end         atomic.Int64 // of what was last appended to a regular file; 0 before that
	id          FileID
	mount       trust.Mount           // of its directory, when it was opened
	seen        atomic.Pointer[int64] // how long it was when it was last seen at its path, for Restore
	touched     atomic.Bool           // it may have been written to since then, or is known to be gone
	interrupted func() bool           // see Writer.interrupted
}

// FileID identifies a file, whatever its path.
type FileID = trust.FileID

// openTarget opens what path names; nil for no path. Its directory must be on the mount
// on, if that is not zero.
func (w *Writer) openTarget(path string, on trust.Mount) (target, error) {
	if path == "" {
		return nil, nil
	}
	if fd, ok := inheritedFD(path); ok {
		if err := trust.Check(path); err != nil {
			return nil, fmt.Errorf("cannot open log: %w", err)
		}
		return newShared(fd, w.interrupted)
	}
	flag := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if info, err := os.Stat(path); err == nil && info.Mode().Type() == fs.ModeNamedPipe {
		// Both ends, so that opening waits for no reader and readers may come and go.
		flag = os.O_RDWR | os.O_APPEND
	}
	f, mount, err := w.openFile(path, flag, w.opts.Mode, on)
	if err != nil && flag&os.O_RDWR != 0 && errors.Is(err, fs.ErrPermission) {
		f, mount, err = w.openFile(path, os.O_WRONLY|os.O_APPEND, w.opts.Mode, on)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open log: %w", err)
	}
	t, err := w.adopt(f, mount)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot open log: %w", err)
	}
	return t, nil
}

// adopt makes a target of an open file, whose directory is on mount.
func (w *Writer) adopt(f file, mount trust.Mount) (*fileTarget, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	t := &fileTarget{file: f, id: trust.IDOf(info), mount: mount, regular: info.Mode().IsRegular(), interrupted: w.interrupted}
	size := info.Size()
	t.seen.Store(&size)
	if !t.regular {
		t.patient = f.SetWriteDeadline(time.Time{}) == nil
	}
	return t, nil
}

func (t *fileTarget) write(p []byte, until time.Time) (int, error) {
	if t.patient {
		if err := t.file.SetWriteDeadline(until); err != nil {
			return 0, err
		}
		// Who asked before the deadline was set did not wake this write.
		if t.interrupted() {
			return 0, os.ErrDeadlineExceeded
		}
	}
	n, err := t.file.Write(p)
	t.written += int64(n)
	if t.regular && n > 0 {
		t.appended(int64(n))
	}
	return n, err
}

// appended notes where the last n bytes are. If that is before what was there earlier,
// somebody has emptied the file, and nothing of it has been seen.
func (t *fileTarget) appended(n int64) {
	end, err := t.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return
	}
	if end-n < max(t.end.Load(), *t.seen.Load()) {
		t.seen.Store(new(int64))
	}
	t.end.Store(end)
	if !t.touched.Load() {
		t.touched.Store(true)
	}
}

func (t *fileTarget) waits() bool  { return t.patient }
func (t *fileTarget) taken() int64 { return t.written }
func (t *fileTarget) close() error { return t.file.Close() }

func (t *fileTarget) named(path string) bool {
	if _, ok := inheritedFD(path); ok {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && t.id.Is(info)
}

// truncate empties the file. What is appended next begins at its start.
func (t *fileTarget) truncate() error {
	if err := t.file.Truncate(0); err != nil {
		return fmt.Errorf("cannot clear log: %w", err)
	}
	return nil
}

// clearPath empties a file that no Writer has open.
func clearPath(path string) error {
	if _, ok := inheritedFD(path); ok {
		return fmt.Errorf("cannot clear %s: %w", path, ErrNotRegular)
	}
	f, err := trust.OpenFile(filepath.Clean(path), os.O_WRONLY, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.EISDIR):
		return fmt.Errorf("cannot clear %s: %w", path, ErrNotRegular)
	case err != nil:
		return fmt.Errorf("cannot clear log: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("cannot clear log: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("cannot clear %s: %w", path, ErrNotRegular)
	}
	return (&fileTarget{file: f}).truncate()
}
