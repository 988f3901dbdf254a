package logfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"supervisord/runtime/trust"
)

// rotate starts a new file if the last write made this one as large as
// MaxBytes. Whatever fails, the file that is open stays in use.
func (w *Writer) rotate() {
	t, ok := w.target.(*fileTarget)
	if !ok || !t.regular || w.opts.MaxBytes <= 0 {
		return
	}
	// Where an append has ended is the size, whoever else appends or truncates.
	if t.end.Load() < w.opts.MaxBytes || time.Now().Before(w.reopenAt) {
		return // the last of these: it has just failed
	}
	if err := w.rotateNow(t); err != nil {
		w.reopenAt = time.Now().Add(w.reopenEvery)
		w.recordLoss(&w.rotation, 0, err)
		return
	}
	w.recovered(&w.rotation)
}

func (w *Writer) rotateNow(t *fileTarget) error {
	path := w.opts.Path
	defer lockRotation(path)()
	if t.named(path) {
		if w.opts.Backups <= 0 {
			return t.truncate()
		}
		if err := shift(path, w.opts.Backups); err != nil {
			return err
		}
	}
	// Without O_TRUNC or O_EXCL: another program may have made the file just now.
	next, err := w.openLog(path)
	if err != nil {
		return err
	}
	w.swap(next)
	return nil
}

// rotations are the names that somebody rotates at this moment, each with a
// channel that is closed when it is done. Two Writers of one name would otherwise
// rename each other's backups away. Other names do not wait: their disk may be a
// better one.
var rotations = struct {
	sync.Mutex
	under map[entry]chan struct{}
}{under: map[entry]chan struct{}{}}

// entry is a name in a directory, however a path spells the way there.
type entry struct {
	dir  FileID
	name string
}

// entryOf is what a path names. Where its directory is not there, nothing is renamed
// either, and the path itself does.
func entryOf(path string) entry {
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return entry{name: path}
	}
	return entry{trust.IDOf(info), filepath.Base(path)}
}

// lockRotation waits until nothing else rotates path, and returns the unlock function.
func lockRotation(path string) func() {
	name := entryOf(path)
	rotations.Lock()
	defer rotations.Unlock()
	for {
		other, busy := rotations.under[name]
		if !busy {
			break
		}
		rotations.Unlock()
		<-other
		rotations.Lock()
	}
	done := make(chan struct{})
	rotations.under[name] = done
	return func() {
		rotations.Lock()
		defer rotations.Unlock()
		delete(rotations.under, name)
		close(done)
	}
}

// shift renames path.N-1 to path.N, over the oldest, and so on down to path,
// which becomes path.1. It stops at the first failure, with every file intact.
func shift(path string, backups int) error {
	if backups > manyBackups {
		backups = min(backups, highest(path, backups)+1)
	}
	for i := backups - 1; i >= 0; i-- {
		from := path
		if i > 0 {
			from = fmt.Sprintf("%s.%d", path, i)
		}
		err := trust.Rename(from, fmt.Sprintf("%s.%d", filepath.Base(path), i+1))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// manyBackups are more than it is worth trying one by one. Who wants to keep all has
// a limit that is never reached.
const manyBackups = 100

// highest is the highest number below limit that a backup of path has, 0 for none.
// Where that cannot be told it is limit-1, so that each is tried.
func highest(path string, limit int) int {
	dir, err := os.OpenFile(filepath.Dir(path), os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return limit - 1
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return limit - 1
	}
	top := 0
	for _, name := range names {
		number, found := strings.CutPrefix(name, filepath.Base(path)+".")
		if n, err := strconv.Atoi(number); found && err == nil && n < limit {
			top = max(top, n)
		}
	}
	return top
}
