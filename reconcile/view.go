package reconcile

import (
	"errors"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
	renewed  map[string]*failedFile // files whose content has failed, and that have other content now
	notes    []string               // warnings about single files
	withheld []*spec.Error          // programs that are not run for now
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
	// revision is which these files are, "" for none, and revisionFiles where that was looked for.
	revision      string
	revisionFiles []string
	moving        bool                 // Git is changing that checkout just now
	changed       map[string]time.Time // when what is listed by path was last modified
	places        []Directory          // the directories that files are taken from
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
	inForce  *spec.Config           // nil at the start
	failed   map[string]*failedFile // contents that have failed, by path
	revision string                 // of the view before
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
	had       func() map[string][]string   // groupsByFile of what is in force, found once
	view      *view
}

func (l *look) run() *view {
	l.forgetRejected()
	l.next = maps.Clone(l.dirs)
	l.had = sync.OnceValue(func() map[string][]string { return groupsByFile(l.inForce) })
	l.view = &view{
		seq: l.seq, settings: l.settings, patterns: l.patterns, untrusted: make(map[string]string),
		held: make(map[string]*directory), unsettled: make(map[string]bool), renewed: make(map[string]*failedFile),
	}
	v := l.view
	l.overlay = newOverlay(l.host, l.try, l.main, v.held)
	v.silent = l.overlay.silent
	if l.path != "" {
		info, err := l.overlay.Stat(l.main)
		v.given = err == nil && !info.Mode().IsRegular() && !info.IsDir()
	}
	l.holdDirectories(time.Now())
	l.putBack()
	l.read()
	for _, rule := range []struct {
		tries int
		found func() bool // something that is not to be read as it is
	}{
		{missedTries, l.keepMissed}, {1, l.keepBusy}, {openTries, l.keepOpen}, {1, l.keepUnreadable}, {1, l.keepUnmounted}, {1, l.keepEmptied}, {1, l.keepRejected}, {1, l.checkPermissions},
	} {
		for i := 0; i < rule.tries && rule.found(); i++ {
			l.read()
		}
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

// holdDirectories takes directories that are inaccessible for what they were.
func (l *look) holdDirectories(now time.Time) {
	for name, d := range l.dirs {
		l.holdDirectory(name, l.see(d), now)
	}
	slices.SortFunc(l.view.holds, func(a, b hold) int { return strings.Compare(a.Path, b.Path) })
}

// holdDirectory takes one directory, which is not held, for what it was if it is to be by what
// is seen of it. It reports whether it is.
func (l *look) holdDirectory(name string, seen sight, now time.Time) bool {
	v := l.view
	next, held, reason := l.hold(l.dirs[name], seen, now)
	if next == nil {
		delete(l.next, name)
		return false
	}
	l.next[name] = next
	if held != nil {
		v.held[name] = held
		v.holds = append(v.holds, hold{Path: name, Reason: reason})
	}
	if next.lost && !next.since.IsZero() {
		v.lookAgain(next.since.Add(returnTime))
	}
	return held != nil
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

// lookAgain asks for another look at that time, or earlier.
func (v *view) lookAgain(at time.Time) {
	if v.retryAt.IsZero() || at.Before(v.retryAt) {
		v.retryAt = at
	}
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
			e := &spec.Error{File: f.Path, Text: problem, Hint: "permissions=enforce requires that only root can write to it"}
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
		v.places = append(v.places, Directory{Path: dir, Real: real, Awaited: real == "" && wanted(cfg, dir)})
		v.unsettled[dir] = busy[real]
	}
	l.readRevision(v.places)
}
