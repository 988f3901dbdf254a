package reconcile

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"syscall"
	"time"

	"supervisord/spec"
)

// goodFile is the last good content of a file.
type goodFile struct {
	content []byte
	hash    [sha256.Size]byte
}

// returnTime is how long a directory that was out of sight and came back with
// only some of its files is given for the others.
const returnTime = time.Minute

// hold says what of a directory is to be taken for what it was, and why; nil
// for nothing. A directory that was out of sight is trusted again when it has
// its files again: an empty mount point, or a file system that is just being
// filled, looks like one from which everything was deleted.
func (s *source) hold(d *directory, now time.Time) (held *directory, reason string) {
	names, reason := s.lost(d)
	if reason != "" {
		d.lost, d.missing = true, 0
		return d, reason + ": its programs stay as they are"
	}
	if !d.lost {
		return nil, ""
	}
	missing := make(map[string][]byte)
	for name, content := range d.files {
		if !names[name] {
			missing[name] = content
		}
	}
	switch n := len(missing); {
	case n == 0:
		d.lost, d.missing = false, 0
		return nil, ""
	case n == len(d.files):
		return d, fmt.Sprintf("the directory %s was out of sight and came back without any of its files: its programs stay as they are until they are back, or somebody runs update", d.path)
	case n != d.missing:
		d.missing, d.since = n, now
	case now.Sub(d.since) >= returnTime:
		d.lost, d.missing = false, 0
		return nil, ""
	}
	return &directory{path: d.path, files: missing, partial: true},
		fmt.Sprintf("the directory %s was out of sight and came back without %s: their programs stay as they are for a minute, in case they come", d.path, plural(len(missing), "file"))
}

// lost says why a directory is not what it was: gone, out of sight, or another
// file system stands there that does not have its files. Otherwise names are
// what is in it.
func (s *source) lost(d *directory) (names map[string]bool, reason string) {
	info, err := s.host.Stat(d.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Sprintf("the directory %s is gone", d.path)
	case err != nil:
		return nil, fmt.Sprintf("the directory %s cannot be seen (%v)", d.path, plainError(err))
	case !info.IsDir():
		return nil, fmt.Sprintf("%s is no directory any more", d.path)
	}
	entries, err := s.host.ReadDir(d.path)
	if err != nil {
		return nil, fmt.Sprintf("the directory %s cannot be read (%v)", d.path, plainError(err))
	}
	names = make(map[string]bool, len(entries))
	for _, e := range entries {
		names[e.Name()] = true
	}
	if device(info) == d.dev {
		return names, ""
	}
	for name := range d.files {
		if !names[name] {
			return nil, fmt.Sprintf("the directory %s is on another device than before, without %s", d.path, name)
		}
	}
	return names, ""
}

// commit stores what a load read as the last good content, which stands in for
// files and directories that cannot be read.
func (s *source) commit(v *view, o *overlay, held map[string]*directory) {
	if v.config == nil {
		return
	}
	good := make(map[string]goodFile, len(v.config.Files))
	for _, e := range v.bad {
		if k, ok := s.good[e.File]; ok {
			good[e.File] = k
		}
	}
	dirs := make(map[string]*directory)
	for name, h := range held {
		if !h.partial {
			dirs[name] = h
		}
	}
	for i, f := range v.config.Files {
		k, ok := s.content(o, f)
		if !ok {
			continue
		}
		good[f.Path] = k
		if i == 0 && s.path != "" {
			continue // the main file is not one of a directory of files
		}
		dir := path.Dir(f.Path)
		if h := held[dir]; h != nil && !h.partial {
			continue
		}
		d := dirs[dir]
		if d == nil {
			d = &directory{path: dir, files: make(map[string][]byte)}
			if old := s.dirs[dir]; old != nil && held[dir] != nil {
				d.lost, d.missing, d.since = old.lost, old.missing, old.since
			}
			if info, err := s.host.Stat(dir); err == nil {
				d.dev = device(info)
			}
			dirs[dir] = d
		}
		d.files[path.Base(f.Path)] = k.content
	}
	same := maps.EqualFunc(s.good, good, func(a, b goodFile) bool { return a.hash == b.hash })
	s.changed = s.changed || !same
	s.good, s.dirs = good, dirs
}

// content is what a load read from a file. The load may know the file from
// before, and then so do we; or it saw it change from wrong to right without
// reading it again, since the mistake was not in the file.
func (s *source) content(o *overlay, f spec.File) (k goodFile, ok bool) {
	if k, ok := s.good[f.Path]; ok && k.hash == f.Hash {
		return k, true
	}
	if content, ok := o.read[f.Path]; ok && sha256.Sum256(content) == f.Hash {
		return goodFile{content, f.Hash}, true
	}
	if content, err := s.host.ReadFile(f.Path); err == nil && sha256.Sum256(content) == f.Hash {
		return goodFile{content, f.Hash}, true
	}
	k, ok = s.good[f.Path]
	return k, ok
}

// unsaved is the last good content of each file, if it is another than at the
// last call.
func (s *source) unsaved() (all map[string][]byte, changed bool) {
	<-s.turn
	defer func() { s.turn <- struct{}{} }()
	if !s.changed {
		return nil, false
	}
	s.changed = false
	all = make(map[string][]byte, len(s.good))
	for name, k := range s.good {
		all[name] = k.content
	}
	return all, true
}

// restore takes over the last good contents of an earlier life of the daemon.
func (s *source) restore(all map[string][]byte) {
	for name, content := range all {
		if _, ok := s.good[name]; !ok {
			s.good[name] = goodFile{content, sha256.Sum256(content)}
		}
	}
}

// device is the number of the device that a file is on.
func device(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Dev)
	}
	return 0
}

// plainError is what went wrong, without the operation and the path.
func plainError(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
