package reconcile

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"supervisord/runtime/hang"
	"supervisord/spec"
)

// view is what the files said at one moment. It is never changed once made.
type view struct {
	// seq numbers the looks: of two views, the one with the higher is newer.
	seq int
	// config is what is desired: the files with every bad one replaced by its
	// last good content. nil when nothing may be made of them: a bad main file,
	// or a bad file where that holds everything.
	config *spec.Config
	// err is every mistake in the files as they are, as Supervisor would report
	// it; nil when there is none.
	err error
	bad []*spec.Error // the mistakes that were set aside; all, where config is nil, the main file's first
	// seen are the files that were read although the main file is bad; nil where it is
	// not, and all that it includes were looked at.
	seen map[string]bool
	// holds are directories and files that could not be seen and are taken for
	// what they were.
	holds    []hold
	notes    []string      // warnings about single files
	withheld []*spec.Error // programs that are not run for now
	// untrusted is who else can write a file, by its path.
	untrusted map[string]string
	// settings are those of the main file, or of its last good content.
	settings spec.Reconcile
	held     map[string]*directory
	silent   map[string]bool // files that do not answer
	given    bool            // the main file is none that can change, such as a pipe, which was read once
	// unsettled are directories in which files were still being written to, so that
	// a part of what belongs together may be there already and another may not.
	unsettled map[string]bool
	patterns  []string             // what to watch; those of the view before where config is nil
	retryAt   time.Time            // when another look may see something else; zero for never
	open      map[string]time.Time // files that somebody has open for writing, and since when we wait
	changed   map[string]time.Time // when what is listed by path was last modified
	places    []Directory          // the directories that files are taken from
	// good and dirs are what the next look starts from, once this view is taken.
	good *contents
	dirs map[string]*directory
}

// question is what a look starts from. Nothing in it is changed once made.
type question struct {
	seq int
	// explicit: a person asks. Then what is not there is gone; otherwise what
	// cannot be seen is taken for what it was.
	explicit bool
	// busy are files that are being written to, by their real paths: their last
	// good content stands for what is in them.
	busy     []string
	open     map[string]time.Time // of the view before
	good     *contents
	dirs     map[string]*directory
	settings spec.Reconcile
	inForce  *spec.Config // nil at the start
	patterns []string
}

// reader reads the configuration. One goroutine at a time may use it.
type reader struct {
	host    spec.Host
	path    string
	options spec.Options
	disks   *hang.Disks
}

func newReader(h spec.Host, path string, o spec.Options) *reader {
	if o.Cache == nil {
		o.Cache = new(spec.Cache)
	}
	return &reader{host: h, path: path, options: o, disks: hang.New(0, 0)}
}

// main is the main file.
func (r *reader) main() string {
	if filepath.IsAbs(r.path) {
		return filepath.Clean(r.path)
	}
	return filepath.Join(r.host.Getwd(), r.path)
}

// look reads everything. A directory that does not answer delays it for a moment
// and is held. It is nil when stop was closed first.
func (r *reader) look(stop <-chan struct{}, q question) *view {
	type answer struct {
		view  *view
		cache *spec.Cache
	}
	options := r.options
	a, ok := hang.Do(r.disks, stop, func(try *hang.Try) answer {
		options := options
		if try.Again() {
			options.Cache = new(spec.Cache) // the other one belongs to whoever was left behind
		}
		options.Content = maps.Clone(options.Content)
		if options.Content == nil {
			options.Content = make(map[string][]byte)
		}
		l := &look{question: q, host: r.host, path: r.path, main: r.main(), options: options, given: maps.Clone(options.Content), try: try}
		l.options.Held, l.options.InForce = l.isHeld, q.inForce
		return answer{l.run(), options.Cache}
	})
	if !ok {
		return nil
	}
	r.options.Cache = a.cache
	return a.view
}

// look is one reading of all files, on a goroutine of its own.
type look struct {
	question
	host    spec.Host
	path    string // as it was given
	main    string // absolute
	options spec.Options
	given   map[string][]byte // Content as it was given
	try     *hang.Try

	overlay   *overlay
	next      map[string]*directory        // dirs as this look has found them
	mounts    map[string]map[string]string // see mountedIn; nil until asked for
	unmounted map[string]string            // what was mounted over files that are held for it
	view      *view
}

func (l *look) run() *view {
	l.next = maps.Clone(l.dirs)
	l.view = &view{
		seq: l.seq, settings: l.settings, patterns: l.patterns, untrusted: make(map[string]string),
		held: make(map[string]*directory), unsettled: make(map[string]bool),
	}
	v := l.view
	l.overlay = newOverlay(l.host, l.try, l.main, v.held)
	v.silent = l.overlay.silent
	if l.path != "" {
		info, err := l.overlay.Stat(l.main)
		v.given = err == nil && !info.Mode().IsRegular() && !info.IsDir()
	}
	l.holdDirectories(time.Now())
	l.read()
	if l.keepBusy() {
		l.read()
	}
	for i := 0; i < openTries && l.keepOpen(time.Now()); i++ {
		l.read()
	}
	if l.keepUnreadable() {
		l.read()
	}
	if l.keepUnmounted() {
		l.read()
	}
	if l.keepEmptied() {
		l.read()
	}
	if l.checkPermissions() {
		l.read()
	}
	if cfg := v.config; cfg != nil {
		v.patterns = nil
		if cfg.Path != "" && !v.given {
			v.patterns = append(v.patterns, path.Join(cfg.Here, path.Base(cfg.Path)))
		}
		v.patterns = append(v.patterns, cfg.Includes...)
	}
	if h, ok := l.host.(interface{ RetryAt() time.Time }); ok {
		if at := h.RetryAt(); !at.IsZero() { // accounts that nobody could be asked for
			v.lookAgain(at)
		}
	}
	l.remember()
	l.describe()
	return v
}

// holdDirectories takes directories that are out of sight for what they were.
func (l *look) holdDirectories(now time.Time) {
	v := l.view
	for name, d := range l.dirs {
		next, held, reason := l.hold(d, now)
		if next == nil {
			delete(l.next, name)
			continue
		}
		l.next[name] = next
		if held != nil {
			v.held[name] = held
			v.holds = append(v.holds, hold{Path: name, Reason: reason})
		}
		if next.lost && next.missing > 0 {
			v.lookAgain(next.since.Add(returnTime))
		}
	}
	slices.SortFunc(v.holds, func(a, b hold) int { return strings.Compare(a.Path, b.Path) })
}

// isHeld reports whether a file stands for what it was when it was last seen.
func (l *look) isHeld(name string) bool {
	content, replaced := l.options.Content[name]
	if _, given := l.given[name]; replaced && !given {
		return content != nil
	}
	d, held := l.overlay.held[path.Dir(name)]
	if !held {
		return false
	}
	_, held, _ = d.content(path.Base(name))
	return held
}

// read fills in what the files say.
func (l *look) read() {
	v := l.view
	cfg, err := spec.Load(l.overlay, l.path, l.options)
	v.config, v.err, v.bad, v.seen, v.withheld = cfg, err, nil, nil, nil
	if err == nil {
		v.settings = cfg.Reconcile
		return
	}
	cfg, bad, err := spec.LoadIsolated(l.overlay, l.path, l.options, spec.Earlier{InForce: l.earlier(), Content: l.lastGood})
	if err != nil {
		all, files := mistakes(err)
		v.bad, v.seen = append(all, bad...), make(map[string]bool)
		for _, f := range files {
			v.seen[f.Path] = true
		}
		return
	}
	v.bad, v.settings, v.withheld = bad, cfg.Reconcile, cfg.Withheld
	if !cfg.Reconcile.Strict && cfg.Reconcile.Autoupdate {
		v.config = cfg
	}
}

// lastGood is the last good content of a file.
func (l *look) lastGood(file string) (content []byte, ok bool) {
	k, ok := l.good.files[file]
	return k.content, ok
}

// earlier is what is in force. At the start that is what the last good contents say,
// whether the files are still there or not; nil where there are none.
func (l *look) earlier() *spec.Config {
	if l.inForce != nil || len(l.good.files) == 0 {
		return l.inForce
	}
	dirs := make(map[string]*directory)
	for name, k := range l.good.files {
		dir := path.Dir(name)
		if dirs[dir] == nil {
			dirs[dir] = &directory{path: dir, files: make(map[string][]byte)}
		}
		dirs[dir].files[path.Base(name)] = k.content
	}
	options := l.options
	options.Cache, options.Held = nil, nil
	cfg, _, _ := spec.LoadIsolated(newOverlay(l.host, l.try, l.main, dirs), l.path, options, spec.Earlier{})
	return cfg
}

// mistakes lists what is wrong by an error of spec.Load, and the files that were read.
func mistakes(err error) ([]*spec.Error, []spec.File) {
	var all *spec.LoadError
	if errors.As(err, &all) {
		return all.All(), all.Files()
	}
	return []*spec.Error{{Text: err.Error()}}, nil
}

// keepBusy puts the last good content in the place of files that are still being
// written to, by their real paths; one that has none is left out. It reports
// whether there were any.
func (l *look) keepBusy() bool {
	if len(l.busy) == 0 {
		return false
	}
	v := l.view
	var names []string
	if l.path != "" {
		names = append(names, l.main)
	}
	for _, e := range v.bad {
		names = append(names, e.File)
	}
	if v.config != nil {
		for _, f := range v.config.Files {
			names = append(names, f.Path)
		}
	}
	again := false
	for _, name := range names {
		if _, done := l.options.Content[name]; done || !slices.Contains(l.busy, l.realPath(l.overlay.root(name), name)) {
			continue
		}
		k, known := l.good.files[name]
		l.options.Content[name] = k.content
		reason := name + " is still being written to: what it said before stays in force"
		if !known {
			reason = name + " is still being written to"
		}
		v.holds = append(v.holds, hold{Path: name, Reason: reason, kind: "files that are still being written to"})
		again = true
	}
	return again
}

// openLimit is how long a file that somebody has open for writing is waited for.
const openLimit = 30 * time.Second

// keepOpen puts the last good content in the place of changed files that somebody
// has open for writing, until they are closed; one that has none is left out. A
// person does not wait, and neither does the start. It reports whether to read again:
// there were any, or one was closed between its reading and now.
func (l *look) keepOpen(now time.Time) bool {
	v := l.view
	if l.explicit || l.inForce == nil {
		return false
	}
	var names []string
	for _, e := range v.bad {
		names = append(names, e.File)
	}
	if v.config != nil {
		for _, f := range v.config.Files {
			if l.good.files[f.Path].hash != f.Hash {
				names = append(names, f.Path)
			}
		}
	}
	if v.open == nil {
		v.open = make(map[string]time.Time)
	}
	again := false
	for _, name := range names {
		if _, done := l.options.Content[name]; done {
			continue
		}
		if open, err := hang.Call(l.try, l.overlay.root(name), func() (bool, error) { return openForWriting(name), nil }); err != nil || !open {
			again = again || l.changedSince(name)
			continue
		}
		since, waiting := l.open[name]
		if !waiting {
			since = now
		}
		v.open[name] = since
		if now.Sub(since) >= openLimit {
			v.notes = append(v.notes, fmt.Sprintf("%s has been open for writing for %v: it is read as it is", name, openLimit))
			continue
		}
		l.options.Content[name] = l.good.files[name].content
		v.holds = append(v.holds, hold{
			Path: name, Reason: name + " is open for writing: it is read when it is closed", kind: "files that are open for writing",
		})
		v.lookAgain(now.Add(max(v.settings.Settle, openLook)))
		again = true
	}
	return again
}

// openTries is how often a look reads files again that somebody is writing.
const openTries = 3

// changedSince reports whether a file says something else than when it was read.
func (l *look) changedSince(name string) bool {
	was, ok := l.overlay.read[name]
	if !ok {
		return false
	}
	is, err := l.overlay.readFile(name)
	return err == nil && !bytes.Equal(was, is)
}

// beingWritten is a file that is not read because somebody has it open for writing; ""
// for none.
func (v *view) beingWritten(now time.Time) string {
	for _, name := range slices.Sorted(maps.Keys(v.open)) {
		if now.Sub(v.open[name]) < openLimit {
			return name
		}
	}
	return ""
}

// openLook is how often at the most it is seen whether such a file is closed.
const openLook = 100 * time.Millisecond

// lookAgain asks for another look at that time, or earlier.
func (v *view) lookAgain(at time.Time) {
	if v.retryAt.IsZero() || at.Before(v.retryAt) {
		v.retryAt = at
	}
}

// realPath is a path without symbolic links; "" where it leads nowhere. root is
// what falls silent if it does not answer.
func (l *look) realPath(root, name string) string {
	real, _ := hang.Call(l.try, root, func() (string, error) { return filepath.EvalSymlinks(name) })
	return real
}

// keepUnreadable puts the last good content in the place of files that are there and
// cannot be read. A person's question asks only after those that do not answer. It
// reports whether there were any.
func (l *look) keepUnreadable() bool {
	v := l.view
	if v.config == nil {
		return false
	}
	again := false
	for _, name := range v.config.Unreadable {
		good, ok := l.good.files[name]
		if !ok || l.dirs[path.Dir(name)] == nil || l.explicit && !v.silent[name] {
			continue
		}
		l.options.Content[name] = good.content
		reason, kind := "is there but cannot be read", "files that are there but cannot be read"
		if v.silent[name] {
			reason, kind = "does not answer", "files that do not answer"
		}
		v.holds = append(v.holds, hold{Path: name, Reason: name + " " + reason + ": its programs stay as they are", kind: kind})
		again = true
	}
	return again
}

// keepUnmounted puts the last good content in the place of files over which something
// else is mounted than before, or nothing, and that lack a group which was in them: as
// with directories, it is not known whether that comes back. It reports whether there
// were any.
func (l *look) keepUnmounted() bool {
	v := l.view
	if v.config == nil || l.inForce == nil || l.explicit {
		return false
	}
	there := make(map[string]bool)
	for i := range v.config.Groups {
		there[v.config.Groups[i].Name] = true
	}
	lacks := func(file string) bool {
		for _, f := range l.inForce.Files {
			if f.Path == file {
				return slices.ContainsFunc(f.Groups, func(g string) bool { return !there[g] })
			}
		}
		return false
	}
	l.unmounted = make(map[string]string)
	again := false
	for dir, d := range l.dirs {
		if h := v.held[dir]; h != nil && !h.partial {
			continue
		}
		now := l.mountedIn(dir)
		names := maps.Clone(now)
		maps.Copy(names, d.mounted)
		for base := range names {
			name := path.Join(dir, base)
			content, ok := d.files[base]
			_, done := l.options.Content[name]
			if !ok || done || now[base] == d.mounted[base] || !lacks(name) {
				continue
			}
			if _, err := l.overlay.stat(name); err != nil {
				continue // deleted
			}
			l.options.Content[name] = content
			l.unmounted[name] = d.mounted[base]
			v.holds = append(v.holds, hold{
				Path: name, Reason: "another file than before is mounted at " + name + ", or none any more: its programs stay as they are until it is back, or somebody runs update",
				kind: "files that are mounted no more",
			})
			again = true
		}
	}
	return again
}

// keepEmptied puts the last good content in the place of files that had programs and
// are blank now, as a template leaves them that failed to render. One in which
// everything is commented out says what it means. It reports whether there were any.
func (l *look) keepEmptied() bool {
	v := l.view
	if v.config == nil || l.inForce == nil || l.explicit {
		return false
	}
	had := make(map[string]bool)
	for _, f := range l.inForce.Files {
		had[f.Path] = len(f.Groups) > 0
	}
	again := false
	for i, f := range v.config.Files {
		good, ok := l.good.files[f.Path]
		if len(f.Groups) > 0 || !had[f.Path] || !ok || i == 0 && l.path != "" {
			continue
		}
		if content, err := l.overlay.readFile(f.Path); err != nil || len(bytes.TrimSpace(content)) > 0 {
			continue
		}
		l.options.Content[f.Path] = good.content
		v.holds = append(v.holds, hold{
			Path: f.Path, Reason: f.Path + " is empty: its programs stay as they are until it is filled or deleted, or somebody runs update",
			kind: "files that are empty",
		})
		again = true
	}
	return again
}

// checkPermissions looks at who could have written the files. It reports whether one
// must not be used.
func (l *look) checkPermissions() bool {
	v := l.view
	if v.config == nil || l.host.UID() != 0 || v.settings.Permissions == "ignore" {
		return false
	}
	check := l.permissionCheck()
	again := false
	for i, f := range v.config.Files {
		if i == 0 && v.given && l.inForce != nil {
			continue // what has its name now is not what was read
		}
		problem := check.Problem(f.Path)
		if problem == "" {
			continue
		}
		v.untrusted[f.Path] = problem
		if v.settings.Permissions != "enforce" {
			continue
		}
		if i == 0 && l.path != "" {
			e := &spec.Error{File: f.Path, Text: problem, Hint: "permissions=enforce asks that only root can write it"}
			v.bad = append([]*spec.Error{e}, v.bad...)
			v.config, v.err = nil, e
			return false
		}
		// What was trusted stays in force; what never was is left out.
		l.options.Content[f.Path] = l.good.files[f.Path].content
		again = true
	}
	return again
}

// describe notes what Files and State tell of each file and directory, so that
// neither has to look.
func (l *look) describe() {
	v := l.view
	cfg := v.config
	if cfg == nil {
		cfg = l.inForce
	}
	v.changed = make(map[string]time.Time)
	if cfg == nil {
		return
	}
	busy := make(map[string]bool)
	for _, name := range l.busy {
		busy[path.Dir(name)] = true
	}
	note := func(name string) {
		if at, ok := l.overlay.changed(name); ok {
			v.changed[name] = at
		}
	}
	for _, f := range cfg.Files {
		note(f.Path)
	}
	for _, e := range v.bad {
		note(e.File)
	}
	for _, list := range [][]string{cfg.Unreadable, cfg.Ignored, slices.Collect(maps.Keys(v.untrusted))} {
		for _, name := range list {
			note(name)
		}
	}
	for _, h := range v.holds {
		note(h.Path)
	}
	for _, dir := range includeDirs(cfg) {
		note(dir)
		real := l.realPath(dir, dir)
		v.places = append(v.places, Directory{Path: dir, Real: real})
		v.unsettled[dir] = busy[real]
	}
}
