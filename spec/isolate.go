package spec

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
)

// Earlier is what LoadIsolated falls back on. The zero value has nothing, as on
// a first start.
type Earlier struct {
	// Content is asked for the last good content of a file, by its path.
	Content func(file string) (content []byte, ok bool)
	// InForce is what is in force.
	InForce *Config
}

func (e *Earlier) content(file string) ([]byte, bool) {
	if e.Content == nil {
		return nil, false
	}
	return e.Content(file)
}

// byPath are the files that are in force, whether they could be used then or not; none of
// nil.
func (c *Config) byPath() map[string]*File {
	if c == nil {
		return nil
	}
	files := make(map[string]*File, len(c.Files)+len(c.LeftOut))
	for _, list := range [][]File{c.LeftOut, c.Files} { // what was read goes before what was not
		for i := range slices.Backward(list) { // and the first before a second
			files[list[i].Path] = &list[i]
		}
	}
	return files
}

// LoadIsolated is Load with each included file isolated: an invalid file is
// replaced by its last good content, or left out if there is none or that is
// invalid, too, until the rest is valid. bad are the mistakes in the files that
// were set aside; Config.LeftOut are the files left out.
//
// What is left out stays in force as it is, since it is unknown whether it is
// gone: the groups, and the processes of members of other groups. A program that
// only a group in such a file names does not become a group of its own.
//
// A mistake in the main file, or one that stays whatever is left out, is the
// error, as of Load.
//
// Source: reconciler.md, on_invalid; When it does not act.
func LoadIsolated(h Host, path string, o Options, earlier Earlier) (cfg *Config, bad []*Error, err error) {
	o.Content = maps.Clone(o.Content)
	if o.Content == nil {
		o.Content = map[string][]byte{}
	}
	iso := isolation{options: o, earlier: earlier, replaced: map[string]bool{}, absent: map[string]bool{}, sections: map[string][]FileSection{}}
	for {
		l := newLoad(h, path, o)
		l.absent, l.aside, l.inForce = iso.absent, iso.aside, earlier.InForce
		cfg, err = l.run()
		var mistakes *LoadError
		if !errors.As(err, &mistakes) {
			if cfg != nil {
				iso.complete(cfg, l)
			}
			return cfg, iso.bad, err
		}
		if !iso.setAside(l.sources, mistakes.All()) {
			return nil, iso.bad, err
		}
	}
}

// isolation is what one LoadIsolated has set aside.
type isolation struct {
	options  Options
	earlier  Earlier
	replaced map[string]bool          // files that have their last good content
	absent   map[string]bool          // names of programs in the files left out
	aside    []*source                // the files left out
	sections map[string][]FileSection // what was read in them
	bad      []*Error
}

// setAside replaces or leaves out every included file with a mistake. It reports
// whether there was one.
func (iso *isolation) setAside(sources []*source, mistakes []*Error) bool {
	in := make(map[string][]*Error)
	for _, e := range mistakes {
		in[e.File] = append(in[e.File], e)
	}
	progress := false
	for _, from := range sources {
		found := in[from.shown]
		if from.sameFile(sources[0]) || len(found) == 0 {
			continue
		}
		progress = true
		delete(in, from.shown) // two patterns may match it
		if !iso.replaced[from.path] {
			iso.bad = append(iso.bad, found...)
		}
		iso.replace(from)
	}
	return progress
}

// replace gives a file its last good content, or leaves it out.
func (iso *isolation) replace(from *source) {
	iso.sections[from.path] = append(iso.sections[from.path], from.sections...)
	if !iso.replaced[from.path] {
		iso.replaced[from.path] = true
		if content, ok := iso.earlier.content(from.path); ok && !bytes.Equal(content, iso.options.Content[from.path]) {
			iso.options.Content[from.path] = bytes.Clone(content)
			if iso.options.Content[from.path] == nil {
				iso.options.Content[from.path] = []byte{}
			}
			return
		}
	}
	iso.options.Content[from.path] = nil
	iso.aside = append(iso.aside, from)
	for _, s := range from.doc.Sections {
		for _, prefix := range []string{programPrefix, fastCGIPrefix} {
			if name, ok := strings.CutPrefix(s.Name, prefix); ok {
				iso.absent[name] = true
			}
		}
	}
}

// complete adds to what could be used what was left out, as it is in force.
func (iso *isolation) complete(cfg *Config, l *load) {
	before := iso.earlier.InForce.byPath()
	stands := iso.stands(cfg, before)
	for _, from := range iso.aside {
		f := File{Path: from.path, Hash: from.hash, Sections: iso.sections[from.path]}
		if was := before[from.path]; was != nil && iso.isHeld(from.path) { // what has yielded goes on yielding
			f.Sections = slices.DeleteFunc(slices.Clone(f.Sections), func(s FileSection) bool {
				return stands[s.Name] && !was.has(s.Name)
			})
		}
		if was := before[from.path]; was != nil {
			f.Sections = append(slices.Clip(f.Sections), was.Sections...)
		}
		cfg.LeftOut = append(cfg.LeftOut, f)
	}
	cfg.Withheld = l.withheld
	if iso.earlier.InForce == nil {
		return
	}
	unknown := iso.unknownSections(cfg, before)
	for _, e := range cfg.Withheld {
		unknown[e.Section] = true
	}
	at := make(map[string]int, len(cfg.Groups))
	for i := range cfg.Groups {
		at[cfg.Groups[i].Name] = i
	}
	for _, g := range iso.earlier.InForce.Groups {
		if !unknown[g.Origin.Section] {
			continue
		}
		i, there := at[g.Name]
		switch {
		case !there:
			cfg.Groups, cfg.Kept = append(cfg.Groups, g), append(cfg.Kept, g.Name)
		case cfg.Groups[i].Origin.Section == g.Origin.Section: // else another section has its name now
			cfg.Groups[i] = g
		}
	}
	cfg.sortGroups()
}

// isHeld is Options.Held.
func (iso *isolation) isHeld(path string) bool {
	return iso.options.Held != nil && iso.options.Held(path)
}

// stands are the sections to which those of held files yield: what is not held has, and what
// of held files is in force; left out or not.
func (iso *isolation) stands(cfg *Config, before map[string]*File) map[string]bool {
	stands := make(map[string]bool)
	note := func(path string, sections []FileSection) {
		for _, s := range sections {
			if !iso.isHeld(path) || before[path].has(s.Name) {
				stands[s.Name] = true
			}
		}
	}
	for i := range cfg.Files {
		note(cfg.Files[i].Path, cfg.Files[i].Sections)
	}
	for _, from := range iso.aside {
		note(from.path, iso.sections[from.path])
	}
	return stands
}

// unknownSections are the sections of files left out, unless another file, which is not held,
// says now what it did not say before: a live definition goes before one that nobody can see.
func (iso *isolation) unknownSections(cfg *Config, before map[string]*File) map[string]bool {
	unknown := make(map[string]bool)
	for _, f := range cfg.LeftOut {
		for _, s := range f.Sections {
			unknown[s.Name] = true
		}
	}
	for _, f := range cfg.Files {
		if iso.isHeld(f.Path) {
			continue
		}
		for _, name := range news(before[f.Path], f.Sections) {
			delete(unknown, name)
		}
	}
	return unknown
}

// news are the names of those sections that a file says now and did not say before.
func news(was *File, sections []FileSection) (names []string) {
	for _, s := range sections {
		if was == nil || !slices.Contains(was.Sections, s) {
			names = append(names, s.Name)
		}
	}
	return names
}
