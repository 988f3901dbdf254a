package reconcile

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"strings"
	"syscall"
	"time"

	"supervisord/runtime/hang"
	"supervisord/runtime/trust"
	"supervisord/spec"
)

// goodFile is the last good content of a file.
type goodFile struct {
	content []byte
	hash    [sha256.Size]byte
}

// contents are the last good contents of all files, by path. It is never changed
// once made: two are the same if their pointers are.
type contents struct {
	files map[string]goodFile
}

func newContents(all map[string][]byte) *contents {
	c := &contents{make(map[string]goodFile, len(all))}
	for name, content := range all {
		c.files[name] = goodFile{content, sha256.Sum256(content)}
	}
	return c
}

// raw is what newContents makes contents of.
func (c *contents) raw() map[string][]byte {
	all := make(map[string][]byte, len(c.files))
	for name, k := range c.files {
		all[name] = k.content
	}
	return all
}

// returnTime is how long a directory that was inaccessible and came back with
// only some of its files is given for the others.
const returnTime = time.Minute

// hold says what of a directory is to be taken for what it was by what is seen of it, and
// why; nil for nothing. A directory that was inaccessible is trusted again when it has
// its files again: an empty mount point, or a file system that is just being
// filled, looks like one from which everything was deleted. What has come back and goes
// again was deleted. To a person's question
// only what does not answer is as it was. next is what is known of the directory
// from now on; nil for one that is gone like a file that was deleted.
func (l *look) hold(d *directory, seen sight, now time.Time) (next, held *directory, reason string) {
	found := *d
	switch {
	case seen.reason != "" && (seen.silent || !l.explicit && !seen.deleted):
		found.lost, found.awaited, found.back, found.since = true, nil, false, time.Time{}
		return &found, d, seen.reason + ": its programs stay as they are"
	case seen.deleted:
		return nil, nil, ""
	case l.explicit:
		return d, nil, ""
	}
	missing, awaited := make(map[string][]byte), make(map[string]bool)
	for name, content := range d.files {
		if !seen.names[name] && d.isAwaited(name) {
			missing[name], awaited[name] = content, true
		}
	}
	part := &directory{path: d.path, files: missing, partial: true}
	if seen.mount != d.mount && len(missing) > 0 {
		// What is mounted there now is not what the files were in. They are not
		// deleted, and it is not known whether they come back.
		found.lost, found.awaited, found.since = true, awaited, time.Time{}
		return &found, part, fmt.Sprintf("a different file system is mounted at %s, without %s: their programs stay as they are until they are back, or somebody runs update",
			d.path, plural(len(missing), "file"))
	}
	found.mount = seen.mount
	if !d.lost {
		return &found, nil, ""
	}
	n := len(missing)
	found.back = d.back || n < len(d.files)
	switch {
	case n == 0 || found.back && !d.since.IsZero() && n == len(d.awaited) && now.Sub(d.since) >= returnTime:
		found.lost, found.awaited, found.back, found.since = false, nil, false, time.Time{}
		return &found, nil, ""
	case !found.back:
		return d, part, fmt.Sprintf("the directory %s was inaccessible and came back without any of its files: its programs stay as they are until they are back, or somebody runs update", d.path)
	case d.since.IsZero() || n != len(d.awaited):
		found.awaited, found.since = awaited, now
	}
	return &found, part,
		fmt.Sprintf("the directory %s was inaccessible and came back without %s: their programs stay as they are for a minute, in case they come back", d.path, plural(n, "file"))
}

// sight is what is seen of a directory.
type sight struct {
	reason  string // why it is not what it was; "" when it is there
	silent  bool   // it does not answer
	deleted bool   // it is gone as a deleted file is
	names   map[string]bool
	mount   mountID
}

// see looks at a directory.
func (l *look) see(d *directory) sight {
	info, err := l.overlay.stat(d.path)
	var none *hang.Silent
	switch {
	case errors.As(err, &none):
		return sight{reason: fmt.Sprintf("the directory %s does not answer", d.path), silent: true}
	case errors.Is(err, fs.ErrNotExist):
		return sight{reason: fmt.Sprintf("the directory %s is gone", d.path), deleted: l.deleted(d)}
	case err != nil:
		return sight{reason: fmt.Sprintf("the directory %s cannot be accessed (%v)", d.path, plainError(err))}
	case !info.IsDir():
		return sight{reason: fmt.Sprintf("%s is no longer a directory", d.path)}
	}
	entries, err := l.overlay.readDir(d.path)
	switch {
	case errors.As(err, &none):
		return sight{reason: fmt.Sprintf("the directory %s does not answer", d.path), silent: true}
	case err != nil:
		return sight{reason: fmt.Sprintf("the directory %s cannot be read (%v)", d.path, plainError(err))}
	}
	s := sight{names: make(map[string]bool, len(entries)), mount: l.mountOf(d.path, info)}
	for _, e := range entries {
		s.names[e.Name()] = true
	}
	return s
}

// deleted reports whether a directory that is gone was one of those that a wildcard
// matched, as a file is: what the pattern names before its first wildcard stands,
// and so does the file system that the directory was on. A directory that no pattern
// leads to any more is gone in the same way.
func (l *look) deleted(d *directory) bool {
	for _, p := range l.patterns {
		fixed := fixedPart(p)
		if fixed == d.path || strings.HasPrefix(fixed, d.path+"/") {
			return false
		}
		if !strings.HasPrefix(d.path, strings.TrimSuffix(fixed, "/")+"/") {
			continue
		}
		if info, err := l.overlay.stat(fixed); err != nil || !info.IsDir() {
			return false
		}
	}
	for dir := path.Dir(d.path); ; dir = path.Dir(dir) {
		info, err := l.overlay.stat(dir)
		if err == nil {
			return l.mountOf(dir, info) == d.mount
		}
		if !errors.Is(err, fs.ErrNotExist) || dir == path.Dir(dir) {
			return false
		}
	}
}

// fixedPart is the directory that a pattern names before its first wildcard.
func fixedPart(pattern string) string {
	dir := path.Dir(pattern)
	for hasWildcard(dir) {
		dir = path.Dir(dir)
	}
	return dir
}

// mountOf identifies the mount that a file or directory is on.
func (l *look) mountOf(name string, info fs.FileInfo) mountID {
	m := mountID{dev: device(info)}
	m.id, _ = hang.Call(l.try, name, func() (uint64, error) { return trust.MountNumber(name) })
	return m
}

// mountedIn is what is mounted over single files of a directory, by name.
func (l *look) mountedIn(dir string) map[string]string {
	if l.mounts == nil {
		l.mounts = make(map[string]map[string]string)
		for at, mount := range hang.Mounts() {
			in := path.Dir(at)
			if l.mounts[in] == nil {
				l.mounts[in] = make(map[string]string)
			}
			l.mounts[in][path.Base(at)] = mount
		}
	}
	mounted := maps.Clone(l.mounts[l.realPath(dir, dir)])
	if mounted == nil {
		mounted = make(map[string]string)
	}
	return mounted
}

// mountID identifies a mount: one device may be mounted at several places.
type mountID struct{ dev, id uint64 }

// remember puts together what the next look starts from: the last good contents,
// which stand in for files that cannot be read, and the directories they are in.
func (l *look) remember() {
	v := l.view
	v.good, v.dirs = l.good, l.next
	if v.config == nil {
		return
	}
	good := &contents{make(map[string]goodFile, len(v.config.Files))}
	for _, e := range v.bad {
		if k, ok := l.good.files[e.File]; ok {
			good.files[e.File] = k
		}
	}
	for _, g := range v.config.Groups { // of those that are kept although their files are gone
		for _, p := range g.Processes {
			if k, ok := l.good.files[p.Origin.File]; ok {
				good.files[p.Origin.File] = k
			}
		}
	}
	dirs := make(map[string]*directory)
	for name, h := range v.held {
		if !h.partial {
			dirs[name] = l.next[name]
		}
	}
	in := func(file string, k goodFile) {
		dir := path.Dir(file)
		h := v.held[dir]
		if h != nil && !h.partial {
			return
		}
		d := dirs[dir]
		if d == nil {
			d = &directory{path: dir, files: make(map[string][]byte), mounted: l.mountedIn(dir)}
			if info, err := l.overlay.stat(dir); err == nil {
				d.mount = l.mountOf(dir, info)
			}
			if now := l.next[dir]; now != nil && h != nil {
				d.lost, d.awaited, d.back, d.since, d.mount = now.lost, now.awaited, now.back, now.since, now.mount
			}
			dirs[dir] = d
		}
		base := path.Base(file)
		d.files[base] = k.content
		if before, ok := l.unmounted[file]; ok {
			d.mounted[base] = before
		}
	}
	for _, f := range v.config.LeftOut { // what cannot be used now may be inaccessible next
		if k, ok := good.files[f.Path]; ok {
			in(f.Path, k)
		}
	}
	for i, f := range v.config.Files {
		k, ok := l.content(f)
		if !ok {
			continue
		}
		good.files[f.Path] = k
		if i > 0 || l.path == "" { // the main file is not one of a directory of files
			in(f.Path, k)
		}
	}
	v.dirs = dirs
	if !maps.EqualFunc(l.good.files, good.files, func(a, b goodFile) bool { return a.hash == b.hash }) {
		v.good = good
	}
}

// content is what a look read from a file. Loading may know the file from
// before, and then so do we; or it saw it change from wrong to right without
// reading it again, since the mistake was not in the file.
func (l *look) content(f spec.File) (k goodFile, ok bool) {
	if k, ok := l.good.files[f.Path]; ok && k.hash == f.Hash {
		return k, true
	}
	if content, ok := l.options.Content[f.Path]; ok && content != nil && sha256.Sum256(content) == f.Hash {
		return goodFile{content, f.Hash}, true
	}
	if content, ok := l.overlay.read[f.Path]; ok && sha256.Sum256(content) == f.Hash {
		return goodFile{content, f.Hash}, true
	}
	if content, err := l.overlay.readFile(f.Path); err == nil && sha256.Sum256(content) == f.Hash {
		return goodFile{content, f.Hash}, true
	}
	k, ok = l.good.files[f.Path]
	return k, ok
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
