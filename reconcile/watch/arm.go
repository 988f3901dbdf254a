package watch

import (
	"errors"
	"io/fs"
	"syscall"
)

// survey resolves the paths anew and watches what they lead through, again and
// again until nothing new had to be armed, so that nothing can happen between
// the look and the watch. It reports whether anything was armed.
func (w *Watcher) survey() (armed bool) {
	wasDegraded := w.degraded
	for range 16 {
		w.layout = resolve(disk{}, w.now.Paths, w.ignore)
		if !w.arm() {
			break
		}
		armed = true
	}
	if w.degraded != wasDegraded {
		w.rearmRescan()
	}
	return armed
}

// arm makes the set of watches that of the layout. It reports whether a watch
// was added.
func (w *Watcher) arm() (added bool) {
	w.degraded = false
	if len(w.layout.dirs) == 0 {
		return false
	}
	if w.fsn == nil {
		fsn, err := w.open()
		if err != nil {
			w.fallBack(err.Error(), "cannot have notices of changed files", err)
			return false
		}
		w.fsn = fsn
	}
	// What is gone or another directory by now goes first: the kernel has one
	// watch per directory, and would give the new one the old one's name. What
	// the kernel dropped by itself, as when a file system is unmounted, is no
	// longer on its list.
	live := make(map[string]bool, len(w.armed))
	for _, path := range w.fsn.WatchList() {
		live[path] = true
	}
	byID := make(map[identity]string, len(w.armed))
	for path, id := range w.armed {
		if in, ok := w.layout.dirs[path]; !ok || in.id != id || !live[path] {
			w.disarm(path)
			continue
		}
		byID[id] = path
	}
	w.alias = nil
	for path, in := range w.layout.dirs {
		if _, ok := w.armed[path]; ok {
			continue
		}
		if first, ok := byID[in.id]; ok {
			// One directory under two paths, as a bind mount makes it.
			if w.alias == nil {
				w.alias = make(map[string][]string)
			}
			w.alias[first] = append(w.alias[first], path)
			continue
		}
		switch err := w.add(w.fsn, path); {
		case err == nil:
			w.armed[path], byID[in.id] = in.id, path
			added = true
			if kind := w.fsType(path); kind != "" {
				w.remote[path] = true
				w.fallBack(kind, path+" is on a "+kind+" file system, which may change without notice", nil)
			}
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.ENOTDIR):
			// Gone meanwhile, or not for us to see: its parent tells when that changes.
		default:
			w.fallBack(err.Error(), "cannot watch "+path, err)
		}
	}
	w.degraded = w.degraded || len(w.remote) > 0
	return added
}

// disarm gives up the watch on a directory.
func (w *Watcher) disarm(path string) {
	w.fsn.Remove(path) // an error only says that it is gone already
	delete(w.armed, path)
	delete(w.remote, path)
}

// fallBack notes that notices alone cannot be trusted, and says so once for
// each reason: one line for all that met the same limit.
func (w *Watcher) fallBack(reason, what string, err error) {
	w.degraded = true
	if w.reported[reason] {
		return
	}
	w.reported[reason] = true
	every := w.now.Rescan
	if every <= 0 {
		every = FallbackRescan
	}
	w.log.Warn(what+"; looking at all files every "+every.String()+" instead", "err", err)
}
