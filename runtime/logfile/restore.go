package logfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"supervisord/runtime/trust"
)

// Restore creates a log again at its path after another program has renamed or removed it
// without notice, or moves to the regular file that is there instead, and returns the
// paths for which it did. logs are all the Writers that have one file open, each once;
// their paths may spell its name in several ways, or be several names.
//
// Only regular files are restored, and only where the directory is on the mount that it
// was on when they were opened: after an unmount nothing is made below the mount point.
// What another user could have put there is refused as by Open. On an error the old
// files stay in use.
//
// What was written since the file was last seen in its place is not lost: if the file
// was renamed it is there, if it was removed it is moved to the new one (on Linux). So
// call Restore every few seconds, unless all of them are at rest, see AtRest. It makes one
// stat of each path, and disturbs the Writers only if there is something to do.
func Restore(logs []*Writer) (restored []string, err error) {
	if !gone(logs) {
		return nil, nil
	}
	for _, w := range logs {
		defer w.takeTurn()()
	}
	r := rescue{logs: logs}
	for _, w := range logs {
		changed, err := w.restore(&r)
		if err != nil {
			return restored, err
		}
		if path := w.opts.Path; changed && !slices.Contains(restored, path) {
			restored = append(restored, path)
		}
	}
	return restored, nil
}

// AtRest reports whether nothing has been written since the file was opened, or since
// Restore last saw it in its place: what has been written is safe, whatever becomes of the
// file. What comes next is not, so Restore is to be called then, too, but seldom. It never
// waits.
func (w *Writer) AtRest() bool {
	t := w.regular.Load()
	return t == nil || !t.touched.Load()
}

// RestoredText is a line for the activity log about a log that was restored.
func RestoredText(path string) string {
	return "log " + path + " had been renamed or removed by another program and was created again"
}

// gone reports whether one of the logs has a file open that is not at its path, and
// notes of the others how long they are.
func gone(logs []*Writer) (any bool) {
	before := make([]*int64, len(logs)) // the look, so that one who empties the file meanwhile is noticed
	for i, w := range logs {
		if t := w.regular.Load(); t != nil {
			before[i] = t.seen.Load()
			t.touched.Store(false) // likewise: a write beside the look counts
		}
	}
	defer func() {
		for _, w := range logs {
			if t := w.regular.Load(); any && t != nil {
				t.touched.Store(true)
			}
		}
	}()
	var last string
	var there fs.FileInfo
	for i, w := range logs {
		t, path := w.regular.Load(), w.Path()
		if t == nil || path == "" {
			continue
		}
		if there == nil || path != last {
			var err error
			if there, err = os.Stat(path); err != nil {
				return true
			}
			last = path
		}
		if !t.id.Is(there) {
			any = true
			continue
		}
		if size := there.Size(); before[i] != nil && size != *before[i] {
			t.seen.CompareAndSwap(before[i], &size)
		}
	}
	return any
}

// restore opens the path anew if it does not name the open file, and reports whether it
// names another one.
func (w *Writer) restore(r *rescue) (changed bool, err error) {
	path := w.opts.Path
	old, ok := w.target.(*fileTarget)
	if !ok || !old.regular {
		return false, nil
	}
	defer lockRotation(path)()
	if old.named(path) {
		return false, nil
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return false, fmt.Errorf("cannot open log: %s: %w", path, ErrNotRegular)
	}
	t, err := w.openLogOn(path, old.mount)
	if err != nil {
		return false, err
	}
	next, ok := t.(*fileTarget)
	if !ok || !next.regular {
		t.close()
		return false, fmt.Errorf("cannot open log: %s: %w", path, ErrNotRegular)
	}
	now, err := old.file.Stat()
	next.touched.Store(true) // with what is moved there
	if err == nil && next.id.Is(now) {
		w.swap(next) // a file system that gave it another number
		return false, nil
	}
	if err == nil {
		r.move(w, old, next, now)
	}
	w.swap(next)
	return true, nil
}

// rescue moves what was written to files without a name, of each once.
type rescue struct {
	logs []*Writer
	done []FileID
}

// move moves what has come to the file old, whose present state is now, since it was
// last seen at its path.
func (r *rescue) move(w *Writer, old, next *fileTarget, now fs.FileInfo) {
	st, ok := now.Sys().(*syscall.Stat_t)
	id := trust.IDOf(now)
	if !ok || st.Nlink > 0 || slices.Contains(r.done, id) {
		return
	}
	r.done = append(r.done, id)
	from := *old.seen.Load()
	for _, other := range r.logs {
		if t, ok := other.target.(*fileTarget); ok && t.id == id {
			from = min(from, *t.seen.Load())
		}
	}
	if from > now.Size() {
		from = 0 // it was emptied meanwhile
	}
	if from == now.Size() {
		return
	}
	moved, err := copyFrom(old.file, next.file, from, now.Size())
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		w.recordLoss(&w.files, int(now.Size()-from-moved), err)
	}
}

// copyFrom appends a part of the open file src to dst.
func copyFrom(src, dst file, from, to int64) (int64, error) {
	f, ok := src.(*os.File)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	in, err := openAgain(f)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	return io.Copy(dst, io.NewSectionReader(in, from, to-from))
}
