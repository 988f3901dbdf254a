package logfile

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"
)

// Trouble is a report about a target that does not take what it is given, or a
// file that cannot be rotated.
type Trouble struct {
	Target    string // the path, or "syslog"
	Err       error  // the newest reason
	Dropped   int64  // bytes lost since the trouble began
	Rotation  bool   // the file is written but cannot be rotated
	Recovered bool   // it is over
}

// String is a line for the activity log.
func (t Trouble) String() string {
	why := t.Err
	if path := (*fs.PathError)(nil); errors.As(why, &path) {
		why = path.Err
	}
	switch {
	case t.Rotation && t.Recovered:
		return fmt.Sprintf("log %s is rotated again", t.Target)
	case t.Rotation:
		return fmt.Sprintf("log %s cannot be rotated and grows: %v", t.Target, t.Err)
	case t.Recovered:
		return fmt.Sprintf("log %s is written again, %d bytes were dropped", t.Target, t.Dropped)
	default:
		return fmt.Sprintf("log %s cannot be written, %d bytes dropped so far: %v", t.Target, t.Dropped, why)
	}
}

// tracker makes one trouble out of many failures, however they alternate with
// successes: a report at its start, then one per interval, then one at its end.
type tracker struct {
	since   time.Time // zero while there is none
	told    time.Time
	err     error
	dropped int64
}

// recordLoss counts n lost bytes and reports if it is time.
func (w *Writer) recordLoss(t *tracker, n int, err error) {
	w.dropped.Add(int64(n))
	now := time.Now()
	if t.since.IsZero() {
		*t = tracker{since: now}
	}
	t.err = err
	t.dropped += int64(n)
	if t.told.IsZero() || now.Sub(t.told) >= w.reportEvery {
		t.told = now
		w.report(t, false)
	}
}

// recovered ends a trouble. A success soon after a report does not, so that a
// target which works every other time is one trouble and not many.
func (w *Writer) recovered(t *tracker) {
	if t.since.IsZero() || time.Since(t.told) < w.reportEvery {
		return
	}
	w.report(t, true)
	*t = tracker{}
}

func (w *Writer) report(t *tracker, over bool) {
	name := w.opts.Path
	if t == &w.sys {
		name = "syslog"
	}
	w.reports = append(w.reports, Trouble{
		Target: name, Err: t.err, Dropped: t.dropped, Rotation: t == &w.rotation, Recovered: over,
	})
}

// full reports whether err says that there is no room, which opening the file
// again does not change.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
