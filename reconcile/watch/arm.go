package watch

import (
	"errors"
	"io/fs"
	"maps"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"supervisord/runtime/hang"
)

// survey is one look at the tree, made on a goroutine of its own because the disk
// may not answer. It works on copies of what the loop owns.
type survey struct {
	*Watcher // only what is fixed after New
	paths    []string
	try      *hang.Try
	fsn      *fsnotify.Watcher
	closes   *closes
	armed    map[string]identity
	remote   map[string]bool
	alias    map[string][]string
	layout   layout
	degraded bool
	added    bool       // a watch was set
	limits   []fallback // reasons to fall back
}

// fallback is why notifications alone cannot be trusted.
type fallback struct {
	reason, what string
	err          error
}

// survey resolves the paths again and watches what they lead through, again
// and again until nothing new had to be armed, so that nothing can happen
// between the look and the watch. It reports whether anything was armed.
func (w *Watcher) survey() (added bool) {
	paths, fsn, closes, armed, remote := w.now.Paths, w.fsn, w.closes, w.armed, w.remote
	w.looked = time.Now()
	s, ok := hang.Do(w.disks, w.stop, func(try *hang.Try) *survey {
		s := &survey{Watcher: w, paths: paths, try: try, fsn: fsn, closes: closes, armed: maps.Clone(armed), remote: maps.Clone(remote)}
		if try.Again() {
			// Whoever was left behind may hold the lock of the other one for ever.
			s.fsn, s.closes, s.armed, s.remote = nil, nil, make(map[string]identity), make(map[string]bool)
		}
		s.run()
		if try.GivenUp() && s.fsn != nil && s.fsn != fsn {
			s.fsn.Close()
			s.closes.Close()
		}
		return s
	})
	if !ok {
		if fsn != nil {
			go fsn.Close() // which an access that hangs may hold up
			go closes.Close()
		}
		w.fsn, w.closes = nil, nil
		return false
	}
	if old := w.fsn; old != nil && old != s.fsn {
		go old.Close() // ends with the access that hangs
		go closes.Close()
	}
	wasDegraded := w.degraded
	w.closes = s.closes
	w.fsn, w.armed, w.remote, w.alias, w.layout, w.degraded = s.fsn, s.armed, s.remote, s.alias, s.layout, s.degraded
	for _, f := range s.limits {
		w.report(f)
	}
	if w.degraded != wasDegraded {
		w.rearmRescan()
	}
	return s.added
}

func (s *survey) run() {
	for range 16 {
		s.layout = resolve(disk{s.try, hang.Mounts()}, s.paths, s.matcher, s.ignore)
		if !s.arm() {
			break
		}
		s.added = true
	}
}

// arm makes the set of watches that of the layout. It reports whether a watch
// was added.
func (s *survey) arm() (added bool) {
	s.degraded = false
	if len(s.layout.dirs) == 0 {
		return false
	}
	if s.fsn == nil {
		fsn, err := s.open()
		if err != nil {
			s.fallBack(err.Error(), "cannot be notified of changed files", err)
			return false
		}
		s.fsn, s.closes = fsn, openCloses()
	}
	// What is gone or another directory by now goes first: the kernel has one
	// watch per directory, and would give the new one the old one's name. What
	// the kernel dropped by itself, as when a file system is unmounted, is no
	// longer on its list.
	live := make(map[string]bool, len(s.armed))
	for _, path := range s.fsn.WatchList() {
		live[path] = true
	}
	byID := make(map[identity]string, len(s.armed))
	wanted := maps.Clone(s.layout.files)
	for path, in := range s.layout.dirs {
		wanted[path] = in.id
	}
	for path, id := range s.armed {
		if now, ok := wanted[path]; !ok || now != id || !live[path] {
			_ = s.fsn.Remove(path) // an error only says that it is gone already
			s.closes.Remove(path)
			delete(s.armed, path)
			delete(s.remote, path)
			continue
		}
		byID[id] = path
	}
	s.alias = nil
	for path, id := range wanted {
		if _, ok := s.armed[path]; ok {
			continue
		}
		if first, ok := byID[id]; ok {
			// One directory under two paths, as a bind mount makes it, or one file
			// under two names.
			if s.alias == nil {
				s.alias = make(map[string][]string)
			}
			s.alias[first] = append(s.alias[first], path)
			continue
		}
		kind, err := hang.Call(s.try, path, func() (string, error) {
			if err := s.add(s.fsn, path); err != nil {
				return "", err
			}
			s.closes.Add(path)
			return s.fsType(path), nil
		})
		var silent *hang.Silent
		switch {
		case err == nil:
			s.armed[path], byID[id] = id, path
			added = true
			if kind != "" {
				s.remote[path] = true
				s.fallBack(kind, path+" is on a "+kind+" file system, which may change without notification", nil)
			}
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.ENOTDIR):
			// Gone meanwhile, or not for us to see: its parent tells when that changes.
		case errors.As(err, &silent):
			// It is looked at again when it answers.
		default:
			s.fallBack(err.Error(), "cannot watch "+path, err)
		}
	}
	s.degraded = s.degraded || len(s.remote) > 0
	return added
}

// fallBack notes that notifications alone cannot be trusted.
func (s *survey) fallBack(reason, what string, err error) {
	s.degraded = true
	s.limits = append(s.limits, fallback{reason, what, err})
}

// disarm gives up the watch on a directory.
func (w *Watcher) disarm(path string) {
	w.fsn.Remove(path) // an error only says that it is gone already
	w.closes.Remove(path)
	delete(w.armed, path)
	delete(w.remote, path)
}

// report says once for each reason that notifications alone cannot be trusted: one line
// for all that met the same limit.
func (w *Watcher) report(f fallback) {
	if w.reported[f.reason] {
		return
	}
	w.reported[f.reason] = true
	every := w.now.Rescan
	if every <= 0 {
		every = FallbackRescan
	}
	w.log.Warn(f.what+"; checking all files every "+every.String()+" instead", "err", f.err)
}
