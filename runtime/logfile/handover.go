package logfile

import (
	"errors"
	"fmt"
	"os"

	"supervisord/runtime/trust"
)

// Saved is the state from which another Writer continues, except for its options and
// the open file.
type Saved struct {
	Users   int    `json:"users,omitempty"` // Opens that have not been closed
	Held    bool   `json:"held,omitempty"`
	Partial []byte `json:"partial,omitempty"` // an unfinished line, for targets that take whole lines
	Dropped int64  `json:"dropped,omitempty"` // bytes

	// File is a regular file, of which everything is known that Resume needs: it asks no
	// disk. It is zero for others, and where an earlier version has saved it.
	File  FileID      `json:"regular_file,omitzero"`
	Mount trust.Mount `json:"mount,omitzero"` // of the file's directory
	Seen  int64       `json:"seen,omitempty"` // see fileTarget
	End   int64       `json:"end,omitempty"`
}

// Save closes a Writer that is not in use, without a flush, and returns its open file,
// with the lock that it may have; nil if it has none of its own. It never waits: busy says
// that somebody is at work on the Writer, which is then as it was. WaitForTurn waits for
// that. A Writer that was saved is a closed one.
func (w *Writer) Save() (saved Saved, open *os.File, busy bool) {
	select {
	case w.turn <- struct{}{}:
	default:
		return saved, nil, true
	}
	defer w.endTurn()
	saved = Saved{Users: w.users, Held: w.held, Partial: w.partial, Dropped: w.Dropped()}
	if t, ok := w.target.(*fileTarget); ok {
		open, _ = t.file.(*os.File)
		saved.Mount, saved.Seen, saved.End = t.mount, *t.seen.Load(), t.end.Load()
		if t.regular {
			saved.File = t.id
		}
	}
	w.users, w.held, w.partial, w.target = 0, false, nil, nil
	w.blockedFile.Store(nil)
	w.regular.Store(nil)
	return saved, open, false
}

// WaitForTurn waits until nothing uses the Writer.
func (w *Writer) WaitForTurn() { w.takeTurn()() }

// Resume makes a closed Writer continue in place of one that was saved, with its
// open file. Without one it is opened by its path, if it was open. The error is that of
// opening it, or says that the file is none: the Writer is then open, and drops what it is
// given until it is opened again.
func (w *Writer) Resume(saved Saved, open *os.File) error {
	defer w.takeTurn()()
	w.users, w.held, w.partial = saved.Users, saved.Held, saved.Partial
	w.dropped.Store(saved.Dropped)
	if !w.open() {
		return nil
	}
	if open == nil {
		t, err := w.openLog(w.opts.Path)
		if err != nil {
			return err
		}
		return w.swap(t)
	}
	t := &fileTarget{file: open, id: saved.File, mount: saved.Mount, regular: true, interrupted: w.interrupted}
	if saved.File == (FileID{}) {
		var err error
		if t, err = w.adopt(open, saved.Mount); err != nil {
			return fmt.Errorf("cannot continue log: %w", err)
		}
	}
	t.end.Store(saved.End)
	t.seen.Store(&saved.Seen)
	t.touched.Store(true)
	return w.swap(t)
}

// Check reports a state that no Writer can be in.
func (s *Saved) Check() error {
	switch {
	case s.Users < 0 || s.Dropped < 0 || s.Seen < 0 || s.End < 0:
		return errors.New("it has counted less than nothing")
	case len(s.Partial) > maxPartial:
		return errors.New("it holds back too much")
	}
	return nil
}
