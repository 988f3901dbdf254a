package logfile

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"supervisord/runtime/trust"
)

// Options say where a Writer writes. The zero value discards everything.
type Options struct {
	// Path is the file, "" for none. Special paths are described at the package.
	Path string
	// MaxBytes is the size in bytes at which a regular file rotates; 0 or less
	// never does. A write is never split, so a file may exceed it by one write.
	MaxBytes int64
	// Backups is how many rotated files are kept: Path.1 (newest) to Path.N. With
	// 0 or less the file is emptied instead.
	Backups int
	// Syslog also sends each line to syslog as user.info.
	Syslog bool
	// SyslogSocket is the socket of the syslog daemon; "" looks in the usual places.
	SyslogSocket string
	// Tag stands before each line in syslog, with a space; "" for none. It is the
	// process's name.
	Tag string
	// Mode is the mode of files that are created, before the umask; 0 means 0666.
	Mode fs.FileMode
	// Auto is for AUTO logs: a regular file is locked while it is open, by which
	// CleanAuto sees that it is in use.
	Auto bool
	// Report is told of lost bytes, on the goroutine that writes and without a
	// lock held. May be nil. It may call Path, Dropped and SetDeadline, nothing
	// else of this Writer.
	Report func(Trouble)
}

// Errors that callers may test for.
var (
	// ErrClosed: nothing is open because Open was not called or Close was.
	ErrClosed = errors.New("log is closed")
	// ErrStalled: the target is there but takes nothing.
	ErrStalled = errors.New("nothing reads it")
	// ErrNotRegular: the operation makes sense for regular files only.
	ErrNotRegular = errors.New("not a regular file")
)

// Intervals of a Writer; tests shorten them.
const (
	reportEvery = 10 * time.Second // between two reports of one trouble
	stallAfter  = 5 * time.Second  // until a target that takes nothing is reported
	reopenEvery = time.Second      // between two attempts to get a broken file back
)

// Writer appends to one log. Its methods may be called from any goroutine; all
// but Path, Dropped, SetDeadline may wait for the disk.
type Writer struct {
	path    atomic.Pointer[string]
	dropped atomic.Int64

	// turn holds one token while somebody works on the fields below. It is a
	// channel and no mutex since its queue is fair: a Write that is asked to make
	// room gets in again only behind the asker.
	turn        chan struct{}
	waiting     atomic.Int32               // callers that want a blocked Write to end its turn
	blockedFile atomic.Pointer[os.File]    // the file that a Write may be blocked on
	regular     atomic.Pointer[fileTarget] // the target, if it is a regular file: for Restore
	deadline    atomic.Pointer[time.Time]  // see SetDeadline
	reopens     atomic.Int32               // calls of Reopen under way

	// Owned by whoever holds the turn.
	opts           Options
	users          int        // Opens that have not been closed
	held           bool       // Hold was called, and Release has not been
	target         target     // nil when there is no file
	partial        []byte     // an unfinished line, for targets that take whole lines
	deadlinePassed bool       // the deadline has passed and nothing was taken
	seenDeadline   *time.Time // the deadline that the present write goes by
	reopenAt       time.Time
	files          tracker
	rotation       tracker
	sys            tracker
	reports        []Trouble // to be made once the turn has ended

	reportEvery, stallAfter, reopenEvery time.Duration
	openFile                             func(path string, flag int, mode fs.FileMode, on trust.Mount) (file, trust.Mount, error)
}

// New returns a Writer that has nothing open yet.
func New(o Options) *Writer {
	w := &Writer{
		turn:        make(chan struct{}, 1),
		reportEvery: reportEvery, stallAfter: stallAfter, reopenEvery: reopenEvery,
		openFile: openOS,
	}
	w.setOptions(o)
	return w
}

func (w *Writer) setOptions(o Options) {
	if o.Mode == 0 {
		o.Mode = 0o666
	}
	w.opts = o
	w.path.Store(&o.Path)
}

// Path is the file of the Writer's options, "" for none. It never waits.
func (w *Writer) Path() string { return *w.path.Load() }

// FileID tells which regular file is open, if one is. It never waits.
func (w *Writer) FileID() (id FileID, open bool) {
	t := w.regular.Load()
	if t == nil {
		return FileID{}, false
	}
	return t.id, true
}

// Dropped is how many bytes were lost since New because a target did not take
// them. A byte that both the file and syslog lost counts twice. It never waits.
func (w *Writer) Dropped() int64 { return w.dropped.Load() }

// Size is how long the regular file is that is open, as of what was last appended; 0 where
// none is. It never waits.
func (w *Writer) Size() int64 {
	t := w.regular.Load()
	if t == nil {
		return 0
	}
	return cmp.Or(t.end.Load(), *t.seen.Load())
}

// SetDeadline says from when on writes drop what a target that takes nothing has
// not taken; the zero time waits for ever. A target that takes something, however
// slowly, is waited for. It applies to a Write that waits now, too. Open sets it
// back to zero. It never waits.
//
// A disk that hangs in the kernel cannot be given up on.
func (w *Writer) SetDeadline(t time.Time) {
	w.deadline.Store(&t)
	w.wake()
}

// Open opens the file for appending, creating it if need be. When it is open
// already but its name means another file by now, that one is opened instead. Each
// Open that succeeds asks for a Close; only the last Close closes the file, so that
// a process may be started anew while its former end is still being dealt with.
func (w *Writer) Open() error {
	w.deadline.Store(nil)
	defer w.takeTurn()()
	w.deadlinePassed = false
	if err := w.refresh(); err != nil {
		return err
	}
	w.users++
	return nil
}

// Reopen opens the file by its name again, which is what log rotation by others
// asks for (SIGUSR2). If that fails the old file stays in use. It does nothing
// while the Writer is closed. While one Reopen hangs on its disk and another waits
// for it, further ones would add nothing, and fail at once.
func (w *Writer) Reopen() error {
	defer w.reopens.Add(-1)
	if w.reopens.Add(1) > 2 {
		return fmt.Errorf("cannot open log: %s: the disk has not answered an earlier request", w.Path())
	}
	defer w.takeTurn()()
	if !w.open() {
		return nil
	}
	return w.refresh()
}

// Configure changes everything about the log in place. An open Writer stays
// open; if the new file cannot be opened nothing changes.
func (w *Writer) Configure(o Options) error {
	defer w.takeTurn()()
	old := w.opts
	w.setOptions(o)
	if !w.open() || old.Path == o.Path {
		return nil
	}
	next, err := w.openLog(o.Path)
	if err != nil {
		w.setOptions(old)
		return err
	}
	w.flush()
	w.swap(next)
	return nil
}

// Clear empties the log: the file of that name, which need not be open. Backups
// are left alone. A missing file is created if the Writer is open and is nothing
// to clear otherwise. It refuses anything but a regular file with ErrNotRegular.
func (w *Writer) Clear() error {
	defer w.takeTurn()()
	switch {
	case w.opts.Path == "":
		return nil
	case !w.open():
		return clearPath(w.opts.Path)
	}
	defer lockRotation(w.opts.Path)() // not to empty what another Writer makes a backup
	if err := w.refresh(); err != nil {
		return err
	}
	f, ok := w.target.(*fileTarget)
	if !ok || !f.regular {
		return fmt.Errorf("cannot clear %s: %w", w.opts.Path, ErrNotRegular)
	}
	return f.truncate()
}

// Flush writes an unfinished line that was held back.
func (w *Writer) Flush() {
	w.startTurn()
	w.flush()
	w.endTurn()
}

// Close ends one Open; the last one flushes and closes the file. Writes are then
// dropped until Open is called again. It does nothing while the Writer is closed.
func (w *Writer) Close() error {
	defer w.takeTurn()()
	if w.users == 0 {
		return nil
	}
	if w.users--; w.open() {
		return nil
	}
	w.flush()
	return w.swap(nil)
}

// Hold keeps the log open, and locked if it is an AUTO log, although nobody writes to
// it, until Release. A second Hold does nothing.
func (w *Writer) Hold() error {
	defer w.takeTurn()()
	if w.held {
		return nil
	}
	if err := w.refresh(); err != nil {
		return err
	}
	w.held = true
	return nil
}

// Release ends a Hold. It does nothing without one.
func (w *Writer) Release() error {
	defer w.takeTurn()()
	if !w.held {
		return nil
	}
	if w.held = false; w.open() {
		return nil
	}
	w.flush()
	return w.swap(nil)
}

// Write appends p. It returns len(p) and no error, always: what the target does
// not take is counted in Dropped and told to Options.Report. It is written with
// one call as far as the target allows, and waits for a target that takes
// nothing, see SetDeadline.
func (w *Writer) Write(p []byte) (int, error) {
	w.startTurn()
	if w.opts.Syslog && w.open() {
		w.toSyslog(p)
	}
	for data := w.lines(p); ; w.startTurn() {
		data = w.advance(data)
		w.endTurn()
		if len(data) == 0 {
			return len(p), nil
		}
	}
}

// advance writes data until it is gone or somebody else wants the turn, and
// returns what is left. What nobody will ever take is dropped, not left.
func (w *Writer) advance(data []byte) []byte {
	if !w.open() {
		w.recordLoss(&w.files, len(data), ErrClosed)
		return nil
	}
	for w.target != nil && len(data) > 0 {
		until, final := w.writeDeadline()
		taken := w.target.taken()
		n, err := w.target.write(data, until)
		data = data[n:]
		frozen := w.target.taken() == taken && !time.Now().Before(until)
		switch {
		case err == nil:
			w.deadlinePassed = false
			w.recovered(&w.files)
		case !errors.Is(err, os.ErrDeadlineExceeded):
			if !w.reopenAfter(err) {
				w.recordLoss(&w.files, len(data), err)
				data = nil
			}
		case frozen && final:
			w.deadlinePassed = true
			w.recordLoss(&w.files, len(data), ErrStalled)
			data = nil
		case frozen:
			w.recordLoss(&w.files, 0, ErrStalled)
			return data
		default:
			return data
		}
		w.rotate()
	}
	return nil
}

// writeDeadline is until when the next write may wait for a target that takes
// nothing, and whether what is left is dropped then.
func (w *Writer) writeDeadline() (until time.Time, final bool) {
	if !w.target.waits() {
		return time.Time{}, false
	}
	now := time.Now()
	until = now.Add(w.stallAfter)
	w.seenDeadline = w.deadline.Load()
	if t := w.seenDeadline; t != nil && !t.IsZero() && t.Before(until) {
		if w.deadlinePassed && !now.Before(*t) {
			return now, true // one moment for all of what comes
		}
		// Even late, a target that others make full is given a moment.
		return later(*t, now.Add(pollInterval)), true
	}
	return until, false
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// reopenAfter opens a file anew after an error that says this one is of no more
// use, such as a stale NFS handle or a reader that has gone.
func (w *Writer) reopenAfter(err error) bool {
	if full(err) || time.Now().Before(w.reopenAt) {
		return false
	}
	w.reopenAt = time.Now().Add(w.reopenEvery)
	next, err := w.openLog(w.opts.Path)
	if err != nil {
		return false
	}
	w.swap(next)
	return true
}

// refresh makes the target the file that the path names now.
func (w *Writer) refresh() error {
	if w.target != nil && w.target.named(w.opts.Path) {
		return nil
	}
	next, err := w.openLog(w.opts.Path)
	if err != nil {
		return err
	}
	w.flush()
	w.swap(next)
	return nil
}

// swap closes the target and puts next, which may be nil, in its place.
func (w *Writer) swap(next target) error {
	var err error
	if w.target != nil {
		err = w.target.close()
	}
	w.target = next
	w.blockedFile.Store(nil)
	w.regular.Store(nil)
	if f, ok := next.(*fileTarget); ok {
		if f.regular {
			w.regular.Store(f)
		}
		if osf, ok := f.file.(*os.File); ok && f.waits() {
			w.blockedFile.Store(osf)
		}
	}
	return err
}

// open reports whether there has been an Open without a Close, or a Hold without a
// Release.
func (w *Writer) open() bool { return w.users > 0 || w.held }

// takeTurn interrupts a Write that waits for its target, takes the turn, and
// returns what ends it.
func (w *Writer) takeTurn() func() {
	w.waiting.Add(1)
	w.wake()
	w.startTurn()
	w.waiting.Add(-1)
	return w.endTurn
}

// interrupted reports whether a write that waits is to return: somebody wants the turn,
// or has set another deadline.
func (w *Writer) interrupted() bool {
	return w.waiting.Load() > 0 || w.deadline.Load() != w.seenDeadline
}

func (w *Writer) startTurn() { w.turn <- struct{}{} }

// endTurn ends the turn and makes the reports that came up in it.
func (w *Writer) endTurn() {
	reports, tell := w.reports, w.opts.Report
	w.reports = nil
	<-w.turn
	if tell == nil {
		return
	}
	for _, r := range reports {
		tell(r)
	}
}

// wake makes a Write that waits for its target check whether it is interrupted.
func (w *Writer) wake() {
	if f := w.blockedFile.Load(); f != nil {
		// It fails when the file has just been closed, and then nobody waits.
		_ = f.SetWriteDeadline(time.Unix(1, 0))
	}
}
