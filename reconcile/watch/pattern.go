package watch

import (
	"io/fs"
	"path/filepath"
	"strings"
)

// maxLinks bounds how many symbolic links are followed on one path, as the
// kernel does; what has more is a loop.
const maxLinks = 40

// tree is what resolving needs of a file system. The real one is disk.
type tree interface {
	// Lstat describes a path, not following a link in its last component.
	Lstat(path string) (fs.FileInfo, error)
	Readlink(path string) (string, error)
	ReadDir(path string) ([]fs.DirEntry, error)
	// Info describes an entry that ReadDir gave of dir, as Lstat would.
	Info(dir string, e fs.DirEntry) (fs.FileInfo, error)
	// Mounted is what is mounted at a path itself; "" for nothing.
	Mounted(path string) string
}

// layout is what a list of patterns means on a tree at one moment.
type layout struct {
	// dirs are the directories to watch, by real path: no component of a key is
	// a symbolic link.
	dirs map[string]*interest
	// files are to be watched themselves, by real path: those that can be written
	// under another name, without a notice in the directory here.
	files map[string]identity
	// mounts is what is mounted over files.
	mounts map[string]string
	sum    uint64 // fingerprint of everything the patterns depend on
}

// interest is what matters inside one directory.
type interest struct {
	id    identity
	names map[string]role // exact names: files, directories and links on the way
	globs []glob
}

// Matcher says what a pattern of one component of a path matches; nil for one
// without wildcards, which is a name.
type Matcher func(pattern string) (match func(name string) bool)

// glob is a pattern for one component.
type glob struct {
	pattern string
	match   func(name string) bool
	role    role
}

// role says what a name is on the way: a component in the middle or a link
// (through), or the file itself (last). A name can be both.
type role uint8

const (
	through role = 1 << iota
	last
)

// add notes that name matters.
func (in *interest) add(name string, r role) {
	if in.names == nil {
		in.names = make(map[string]role)
	}
	in.names[name] |= r
}

// addGlob notes that the names which a pattern matches matter.
func (in *interest) addGlob(pattern string, match func(string) bool, r role) {
	for i := range in.globs {
		if in.globs[i].pattern == pattern {
			in.globs[i].role |= r
			return
		}
	}
	in.globs = append(in.globs, glob{pattern, match, r})
}

// role is what name is in this directory, 0 when it does not matter. Names that
// ignore reports matter only where a path names them exactly: an editor's
// backup file is nothing, the link that a mounted volume flips is.
func (in *interest) role(name string, ignore func(string) bool) role {
	r := in.names[name]
	for _, g := range in.globs {
		if r&g.role != g.role && g.match(name) && (g.role&last == 0 || !ignore(name)) {
			r |= g.role
		}
	}
	return r
}

// resolver walks patterns down a tree.
type resolver struct {
	tree    tree
	matcher Matcher
	ignore  func(string) bool
	out     layout
	seen    map[visit]bool
	lists   map[string]listing
	marks   marks
}

// visit is one piece of work, done once however many patterns lead to it.
type visit struct{ dir, rest string }

type listing struct {
	entries []fs.DirEntry
	err     error
}

// resolve says what to watch for patterns, absolute paths that may hold wildcards
// in any component. It follows symbolic links one by one, so that each
// link and each directory it leads through is watched too. What does not exist
// yet is waited for in the nearest parent that does.
func resolve(t tree, patterns []string, matcher Matcher, ignore func(string) bool) layout {
	r := &resolver{
		tree: t, matcher: matcher, ignore: ignore,
		out:   layout{dirs: make(map[string]*interest), files: make(map[string]identity), mounts: make(map[string]string)},
		seen:  make(map[visit]bool),
		lists: make(map[string]listing),
	}
	for _, p := range patterns {
		r.walk("/", strings.TrimPrefix(filepath.Clean(p), "/"), 0)
	}
	r.out.sum = r.marks.sum
	return r.out
}

// walk continues from dir, a real path, along rest, the components still to go.
func (r *resolver) walk(dir, rest string, links int) {
	if r.seen[visit{dir, rest}] || links > maxLinks {
		return
	}
	r.seen[visit{dir, rest}] = true
	comp, rest, _ := strings.Cut(rest, "/")
	switch {
	case comp == "" || comp == ".":
		if rest != "" {
			r.walk(dir, rest, links)
		}
		return
	case comp == "..":
		r.walk(filepath.Dir(dir), rest, links)
		return
	}
	in := r.enter(dir)
	if in == nil {
		return
	}
	what := through
	if rest == "" {
		what = last
	}
	match := r.matcher(comp)
	if match == nil {
		in.add(comp, what)
		r.step(dir, comp, rest, links, nil)
		return
	}
	in.addGlob(comp, match, what)
	for _, e := range r.list(dir) {
		name := e.Name()
		if !match(name) || what == last && r.ignore(name) {
			continue
		}
		if what == through && !e.IsDir() && e.Type()&fs.ModeSymlink == 0 {
			continue
		}
		r.step(dir, name, rest, links, e)
	}
}

// enter is the interest of a directory, noted on first sight; nil when there is
// no directory at that path.
func (r *resolver) enter(dir string) *interest {
	if in, ok := r.out.dirs[dir]; ok {
		return in
	}
	info, err := r.tree.Lstat(dir)
	if err != nil || !info.IsDir() {
		r.marks.missing(dir, err)
		return nil
	}
	in := &interest{id: identify(info)}
	r.out.dirs[dir] = in
	r.marks.add(dir, info)
	return in
}

// step goes through one existing or missing name of a directory.
func (r *resolver) step(dir, name, rest string, links int, e fs.DirEntry) {
	path := filepath.Join(dir, name)
	var info fs.FileInfo
	var err error
	if e != nil {
		info, err = r.tree.Info(dir, e)
	} else {
		info, err = r.tree.Lstat(path)
	}
	if err != nil {
		r.marks.missing(path, err)
		return
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		// A link is a name on the way even when it is the last one: it may be
		// flipped, and leads to directories that must be watched.
		r.out.dirs[dir].add(name, through)
		target, err := r.tree.Readlink(path)
		if err != nil {
			r.marks.missing(path, err)
			return
		}
		r.marks.link(path, target)
		from := dir
		if filepath.IsAbs(target) {
			from = "/"
		}
		r.walk(from, join(strings.TrimPrefix(target, "/"), rest), links+1)
	case rest == "":
		r.marks.add(path, info)
		r.file(path, info)
	case info.IsDir():
		r.walk(path, rest, links)
	default:
		r.marks.add(path, info)
	}
}

// file notes what is at the end of a path.
func (r *resolver) file(path string, info fs.FileInfo) {
	mount := r.tree.Mounted(path)
	if mount != "" {
		r.out.mounts[path] = mount
		r.marks.mounted(path, mount)
	}
	if info.Mode().IsRegular() && (mount != "" || links(info) > 1) {
		r.out.files[path] = identify(info)
	}
}

// list reads a directory once per resolve.
func (r *resolver) list(dir string) []fs.DirEntry {
	l, ok := r.lists[dir]
	if !ok {
		l.entries, l.err = r.tree.ReadDir(dir)
		if l.err != nil {
			r.marks.missing(dir+"/", l.err)
		}
		r.lists[dir] = l
	}
	return l.entries
}

func join(a, b string) string {
	if b == "" {
		return a
	}
	return a + "/" + b
}
