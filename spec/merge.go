package spec

import (
	"slices"
	"strings"
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

	hash [32]byte
	doc  *document
}

// sameFile reports whether two sources are of one file: the main file is another
// source where it includes itself.
func (s *source) sameFile(t *source) bool { return s.path == t.path }

// part is what one header of one file adds to a section.
type part struct {
	doc  *docSection
	from *source
}

// entry is one option of a section: its last value, and where that stands.
type entry struct {
	name, text string
	line       int
	from       *source
}

// override is a value that a later header or file replaced.
type override struct {
	old, new entry
}

// section is everything that the files say under one header. It is never changed
// once made, and the same object for as long as its parts are the same, so that
// its address stands for its content.
type section struct {
	name    string
	origin  Origin
	from    *source // the file in which it first appeared
	entries []entry // in order of first appearance, [DEFAULT]'s at the end
	damaged bool    // a line of it could not be read

	parts     []part // its own, then [DEFAULT]'s
	own       int    // number of its own parts
	overrides []override
}

// find is the entry of a key, or nil.
func (s *section) find(key string) *entry {
	for i := range s.entries {
		if s.entries[i].name == key {
			return &s.entries[i]
		}
	}
	return nil
}

// id is what stands after the first colon of the header.
func (s *section) id() string {
	_, id, _ := strings.Cut(s.name, ":")
	return id
}

// defaultSection holds values for every section.
const defaultSection = "DEFAULT"

// merge puts the sections of all files together, in the order of their first
// appearance. A section whose parts are those of one in known is that one.
//
// Source: contract/config.md section 7.
func merge(sources []*source, known map[string]*section) []*section {
	var parts [][]part
	var defaults []part
	index := make(map[string]int, len(known)+16)
	for _, from := range sources {
		for i := range from.doc.sections {
			sec := &from.doc.sections[i]
			p := part{sec, from}
			if sec.name == defaultSection {
				defaults = append(defaults, p)
				continue
			}
			at, ok := index[sec.name]
			if !ok {
				at = len(parts)
				index[sec.name] = at
				parts = append(parts, nil)
			}
			parts[at] = append(parts[at], p)
		}
	}
	sections := make([]*section, len(parts))
	for i, own := range parts {
		all := append(own, defaults...)
		if old := known[own[0].doc.name]; old != nil && old.own == len(own) && slices.Equal(old.parts, all) {
			sections[i] = old
			continue
		}
		sections[i] = newSection(all, len(own))
	}
	return sections
}

// newSection merges the first own of parts, later values over earlier ones, and
// lets the others give what is still missing.
func newSection(parts []part, own int) *section {
	first := parts[0]
	s := &section{
		name:   first.doc.name,
		origin: Origin{File: first.from.path, Section: first.doc.name, Line: first.doc.line},
		from:   first.from,
		parts:  parts,
		own:    own,
	}
	for _, p := range parts[:own] {
		s.damaged = s.damaged || p.doc.damaged
		s.entries = slices.Grow(s.entries, len(p.doc.keys))
		for _, key := range p.doc.keys {
			s.put(key, p.from)
		}
	}
	fallback := &section{}
	for _, p := range parts[own:] {
		for _, key := range p.doc.keys {
			fallback.put(key, p.from)
		}
	}
	for _, e := range fallback.entries {
		if s.find(e.name) == nil {
			s.entries = append(s.entries, e)
		}
	}
	return s
}

// put sets a key's value. A key keeps its first place.
func (s *section) put(key docKey, from *source) {
	e := entry{name: key.name, text: key.value, line: key.line, from: from}
	old := s.find(key.name)
	if old == nil {
		s.entries = append(s.entries, e)
		return
	}
	if !old.from.builtin && (old.line != e.line || !old.from.sameFile(from)) {
		s.overrides = append(s.overrides, override{*old, e})
	}
	*old = e
}
