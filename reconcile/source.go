package reconcile

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"supervisord/spec"
)

// view is what the files said at one moment. It is never changed once made.
type view struct {
	// config is what is desired: the files with every bad one replaced by its
	// last good content. nil when nothing may be made of them: a bad main file,
	// or a bad file where that holds everything.
	config *spec.Config
	// err is every mistake in the files as they are, as Supervisor would report
	// it; nil when there is none.
	err error
	bad []*spec.Error // the mistakes that were set aside; all of err where config is nil
	// holds are directories and files that could not be seen and are taken for
	// what they were.
	holds []hold
	// untrusted is who else can write a file, by its path.
	untrusted map[string]string
	// settings are those of the files, even where config is nil.
	settings spec.Reconcile
	held     map[string]*directory
	// unsettled: files were still being written to, so that a part of what belongs
	// together may be there already and another may not.
	unsettled bool
	readAhead *overlay  // of a view that was read ahead, until it is accepted
	patterns  []string  // what to watch
	retryAt   time.Time // when another look may see something else; zero for never
	// seq numbers the loads: of two views, the one with the higher is newer.
	seq int
}

// source reads the configuration and keeps the last good content of each file.
type source struct {
	host    spec.Host
	path    string
	options spec.Options
	// statedir is where state is kept if the files name no place.
	statedir string
	turn     chan struct{} // capacity one: a token for whoever loads; guards all below

	good  map[string]goodFile   // last good content of each file
	dirs  map[string]*directory // what was last seen of each directory
	loads int
	// changed is set while good is another than what was stored.
	changed bool
}

func newSource(h spec.Host, path string, o spec.Options) *source {
	if o.Cache == nil {
		o.Cache = new(spec.Cache)
	}
	s := &source{
		host: h, path: path, options: o, turn: make(chan struct{}, 1),
		good: make(map[string]goodFile), dirs: make(map[string]*directory),
	}
	s.turn <- struct{}{}
	return s
}

// The ways to load.
type loading int

const (
	// forAutoupdate: what cannot be seen is taken for what it was.
	forAutoupdate loading = iota
	// forReading answers a person's question: what is not there is gone. The last
	// good content stays as it was.
	forReading
	// forUpdate is an update that a person asked for: as forReading, and it becomes
	// the last good content.
	forUpdate
	// forReadAhead is as forAutoupdate, and becomes the last good content once the
	// view is accepted.
	forReadAhead
)

// load reads everything. Of busy files, which are given by their real paths, the
// last good content stands for what is in them.
func (s *source) load(how loading, busy ...string) *view {
	<-s.turn
	defer func() { s.turn <- struct{}{} }()
	held := make(map[string]*directory)
	s.loads++
	v := &view{untrusted: make(map[string]string), seq: s.loads, held: held, unsettled: len(busy) > 0}
	if how == forAutoupdate || how == forReadAhead {
		for name, d := range s.dirs {
			if h, reason := s.hold(d, time.Now()); h != nil {
				held[name] = h
				v.holds = append(v.holds, hold{Path: name, Reason: reason})
			}
			if d.lost && d.missing > 0 && (v.retryAt.IsZero() || d.since.Add(returnTime).Before(v.retryAt)) {
				v.retryAt = d.since.Add(returnTime)
			}
		}
		slices.SortFunc(v.holds, func(a, b hold) int { return strings.Compare(a.Path, b.Path) })
	}
	o := newOverlay(s.host, held)
	options := s.options
	options.Content = maps.Clone(s.options.Content)
	if options.Content == nil {
		options.Content = make(map[string][]byte)
	}
	s.read(v, o, options)
	if s.keepBusy(v, options.Content, busy) {
		s.read(v, o, options)
	}
	if (how == forAutoupdate || how == forReadAhead) && s.keepUnreadable(v, options.Content) {
		s.read(v, o, options)
	}
	if s.checkPermissions(v, options.Content) {
		s.read(v, o, options)
	}
	if cfg := v.config; cfg != nil {
		if cfg.Path != "" {
			v.patterns = append(v.patterns, path.Join(cfg.Here, path.Base(cfg.Path)))
		}
		v.patterns = append(v.patterns, cfg.Includes...)
	}
	switch how {
	case forReadAhead:
		v.readAhead = o
	case forAutoupdate, forUpdate:
		s.commit(v, o, held)
	}
	return v
}

// accept commits a view that was read ahead, and reports whether it is still
// the newest.
func (s *source) accept(v *view) bool {
	<-s.turn
	defer func() { s.turn <- struct{}{} }()
	if v.seq != s.loads {
		return false
	}
	s.commit(v, v.readAhead, v.held)
	v.readAhead = nil
	return true
}

// read fills in what the files say.
func (s *source) read(v *view, o *overlay, options spec.Options) {
	cfg, err := spec.Load(o, s.path, options)
	v.config, v.err, v.bad = cfg, err, nil
	if err == nil {
		v.settings = cfg.Reconcile
		return
	}
	cfg, bad, err := spec.LoadIsolated(o, s.path, options, func(file string) ([]byte, bool) {
		k, ok := s.good[file]
		return k.content, ok
	})
	if err != nil {
		v.bad = mistakes(err)
		return
	}
	v.bad, v.settings = bad, cfg.Reconcile
	if !cfg.Reconcile.Strict && cfg.Reconcile.Autoupdate {
		v.config = cfg
	}
}

// mistakes lists what is wrong by an error of spec.Load.
func mistakes(err error) []*spec.Error {
	var all *spec.LoadError
	if errors.As(err, &all) {
		return all.All()
	}
	return []*spec.Error{{Text: err.Error()}}
}

// main is the main file.
func (s *source) main() string {
	if filepath.IsAbs(s.path) {
		return filepath.Clean(s.path)
	}
	return filepath.Join(s.host.Getwd(), s.path)
}

// keepBusy puts the last good content in the place of files that are still being
// written to, by their real paths; one that has none is left out. It reports
// whether there were any.
func (s *source) keepBusy(v *view, content map[string][]byte, busy []string) bool {
	if len(busy) == 0 {
		return false
	}
	var names []string
	if s.path != "" {
		names = append(names, s.main())
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
		real, err := filepath.EvalSymlinks(name)
		if _, done := content[name]; done || err != nil || !slices.Contains(busy, real) {
			continue
		}
		k, known := s.good[name]
		content[name] = k.content
		reason := name + " is still being written to: what it said before stays in force"
		if !known {
			reason = name + " is still being written to"
		}
		v.holds = append(v.holds, hold{Path: name, Reason: reason})
		again = true
	}
	return again
}

// keepUnreadable puts the last good content in the place of files that are there and
// cannot be read. It reports whether there were any.
func (s *source) keepUnreadable(v *view, content map[string][]byte) bool {
	if v.config == nil {
		return false
	}
	again := false
	for _, name := range v.config.Unreadable {
		good, ok := s.good[name]
		if !ok || s.dirs[path.Dir(name)] == nil {
			continue
		}
		content[name] = good.content
		v.holds = append(v.holds, hold{Path: name, Reason: fmt.Sprintf("%s is there but cannot be read: its programs stay as they are", name)})
		again = true
	}
	return again
}

// checkPermissions looks at who could have written the files. It reports whether one
// must not be used.
func (s *source) checkPermissions(v *view, content map[string][]byte) bool {
	if v.config == nil || s.host.UID() != 0 || v.settings.Permissions == "ignore" {
		return false
	}
	check := NewPermissionCheck()
	again := false
	for i, f := range v.config.Files {
		problem := check.Problem(f.Path)
		if problem == "" {
			continue
		}
		v.untrusted[f.Path] = problem
		if v.settings.Permissions != "enforce" {
			continue
		}
		if i == 0 && s.path != "" {
			v.bad = []*spec.Error{{File: f.Path, Text: problem, Hint: "permissions=enforce asks that only root can write it"}}
			v.config, v.err = nil, v.bad[0]
			return false
		}
		// What was trusted stays in force; what never was is left out.
		content[f.Path] = s.good[f.Path].content
		again = true
	}
	return again
}
