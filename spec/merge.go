package spec

import (
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"supervisord/spec/dialect"
)

// source is one file of a load. It is never changed once made.
type source struct {
	path  string // absolute
	shown string // as Supervisor's messages name it
	here  string // directory that %(here)s in it means
	main  bool
	// builtin is set for what the daemon brings itself; nothing is checked
	// against the machine and nothing is advised.
	builtin bool

	hash     [32]byte
	doc      *dialect.Document
	sections []FileSection
}

// fileSections are the sections of a file that define programs, groups and
// listeners, each name once.
func fileSections(doc *dialect.Document) []FileSection {
	var list []FileSection
	var text []byte
	index := make(map[string]int)
	for i := range doc.Sections {
		s := &doc.Sections[i]
		if !definesGroup(s.Name) {
			continue
		}
		at, known := index[s.Name]
		if !known {
			at = len(list)
			index[s.Name] = at
			list = append(list, FileSection{Name: s.Name})
		}
		text = strconv.AppendBool(strconv.AppendUint(text[:0], list[at].Print, 10), s.Damaged)
		for _, o := range s.Options {
			text = append(append(append(append(text, 0), o.Name...), 0), o.Value...)
		}
		h := fnv.New64a()
		h.Write(text)
		list[at].Print = h.Sum64()
	}
	return list
}

// sameFile reports whether two sources are of one file: the main file is another
// source where it includes itself, and may have another path there, such as /etc/./x.
func (s *source) sameFile(t *source) bool {
	return s.path == t.path || s.main != t.main && cleanPath(s.path) == cleanPath(t.path)
}

// part is what one header of one file adds to a section.
type part struct {
	doc  *dialect.Section
	from *source
}

// entry is one option of a section: its last value, and where that stands.
type entry struct {
	name, text string
	line       int
	from       *source
}

// override is a value that a later header or file replaced by another.
type override struct {
	old, new entry
}

// section is everything that the files say under one header. It is never changed
// once made, and the same object for as long as its parts are the same, so that
// equal pointers mean equal content.
type section struct {
	name    string
	origin  Origin
	from    *source // the file in which it first appeared
	entries []entry // its own, in order of first appearance
	damaged bool    // a line of it could not be read
	// defaults is [DEFAULT], which gives what the section does not say itself;
	// nil where there is none. All sections share it.
	defaults *section

	parts     []part
	overrides []override
	index     map[string]int // of entries by name; nil while there are few
}

// scanLimit is the number of entries up to which looking at one after the other
// is faster than an index.
const scanLimit = 64

// find is the entry of a key, or nil.
func (s *section) find(key string) *entry {
	if i := s.position(key); i >= 0 {
		return &s.entries[i]
	}
	if s.defaults != nil {
		return s.defaults.find(key)
	}
	return nil
}

// position is where in its own entries a key stands; -1 if it does not.
func (s *section) position(key string) int {
	if s.index == nil {
		return slices.IndexFunc(s.entries, func(e entry) bool { return e.name == key })
	}
	if i, ok := s.index[key]; ok {
		return i
	}
	return -1
}

// inherited are the entries that the section has of [DEFAULT].
func (s *section) inherited() []entry {
	if s.defaults == nil {
		return nil
	}
	var list []entry
	for _, e := range s.defaults.entries {
		if s.position(e.name) < 0 {
			list = append(list, e)
		}
	}
	return list
}

// id is what stands after the first colon of the header.
func (s *section) id() string {
	_, id, _ := strings.Cut(s.name, ":")
	return id
}

// defaultSection holds values for every section.
const defaultSection = "DEFAULT"

// merge puts the sections of all files together, in the order of their first
// appearance. A section whose parts are those of one in known is that one;
// [DEFAULT] is in known under its name. What skip says is left out; nil leaves out
// nothing.
//
// Source: contract/config.md section 7.
func merge(sources []*source, known map[string]*section, skip func(from *source, section string) bool) []*section {
	var parts [][]part
	var common []part
	index := make(map[string]int, len(known)+16)
	for _, from := range sources {
		for i := range from.doc.Sections {
			sec := &from.doc.Sections[i]
			if skip != nil && skip(from, sec.Name) {
				continue
			}
			p := part{sec, from}
			if sec.Name == defaultSection {
				common = append(common, p)
				continue
			}
			at, ok := index[sec.Name]
			if !ok {
				at = len(parts)
				index[sec.Name] = at
				parts = append(parts, nil)
			}
			parts[at] = append(parts[at], p)
		}
	}
	var defaults *section
	if len(common) > 0 {
		defaults = mergeParts(common, nil, known)
	}
	sections := make([]*section, len(parts))
	for i, own := range parts {
		sections[i] = mergeParts(own, defaults, known)
	}
	return sections
}

// yielding says which sections of held files are left out, since another file has them
// now. Once they are, they stay out for as long as it does, also while it is held itself.
// They are not among those of the held file in Config.Files.
func (l *load) yielding() (skip func(from *source, section string) bool) {
	if l.options.Held == nil {
		return nil
	}
	held := make(map[*source]bool)
	for _, from := range l.sources {
		if l.options.Held(from.path) {
			held[from] = true
		}
	}
	if len(held) == 0 {
		return nil
	}
	before := l.options.InForce.byPath()
	stands, isNew := make(map[string]bool), make(map[string]bool)
	for _, from := range l.sources {
		was := before[from.path]
		for _, s := range from.sections {
			if !held[from] || was.has(s.Name) {
				stands[s.Name] = true
			}
		}
		if !held[from] {
			for _, name := range news(was, from.sections) {
				isNew[name] = true
			}
		}
	}
	skip = func(from *source, section string) bool {
		return held[from] && stands[section] && (isNew[section] || !before[from.path].has(section))
	}
	for from := range held {
		for i := range l.cfg.Files {
			if f := &l.cfg.Files[i]; f.Path == from.path {
				f.Sections = slices.DeleteFunc(slices.Clone(f.Sections), func(s FileSection) bool { return skip(from, s.Name) })
			}
		}
	}
	return skip
}

// sectionNamed is the section of that name, or nil.
func sectionNamed(sources []*source, name string) *section {
	for _, s := range merge(sources, nil, nil) {
		if s.name == name {
			return s
		}
	}
	return nil
}

// mergeParts makes the section of some parts, later values over earlier ones,
// unless it is known.
func mergeParts(parts []part, defaults *section, known map[string]*section) *section {
	first := parts[0]
	if old := known[first.doc.Name]; old != nil && old.defaults == defaults && slices.Equal(old.parts, parts) {
		return old
	}
	s := &section{
		name:     first.doc.Name,
		origin:   Origin{File: first.from.path, Section: first.doc.Name, Line: first.doc.Line},
		from:     first.from,
		parts:    parts,
		defaults: defaults,
	}
	for _, p := range parts {
		s.damaged = s.damaged || p.doc.Damaged
		s.entries = slices.Grow(s.entries, len(p.doc.Options))
		for _, o := range p.doc.Options {
			s.put(o, p.from)
		}
	}
	return s
}

// put sets a key's value. A key keeps its first place.
func (s *section) put(o dialect.Option, from *source) {
	e := entry{name: o.Name, text: o.Value, line: o.Line, from: from}
	i := s.position(o.Name)
	if i < 0 {
		s.entries = append(s.entries, e)
		s.indexLast()
		return
	}
	old := s.entries[i]
	if !old.from.builtin && old.text != e.text && (old.line != e.line || !old.from.sameFile(from)) {
		s.overrides = append(s.overrides, override{old, e})
	}
	s.entries[i] = e
}

// indexLast adds the last entry to the index, which begins when there are many.
func (s *section) indexLast() {
	n := len(s.entries)
	switch {
	case s.index != nil:
		s.index[s.entries[n-1].name] = n - 1
	case n > scanLimit:
		s.index = make(map[string]int, 2*n)
		for i, e := range s.entries {
			s.index[e.name] = i
		}
	}
}
