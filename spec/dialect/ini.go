package dialect

import "gopkg.in/ini.v1"

// store holds the sections and options of one file in ini.v1, which keeps their
// order, and of a key that stands twice under one header the last value in the
// place of the first. Its own way of reading lines is not asked: it differs from
// Supervisor's about quotes, backquotes, dashes, comments, blank lines in values
// and keys before any section, stops at the first mistake, and counts no lines.
//
// A store belongs to one goroutine.
type store struct {
	file     *ini.File
	sections []*ini.Section    // of the open header, the last of them still to be filled
	options  map[string]option // under the open header
	key      *ini.Key          // of the open option
}

// option is one option that is stored.
type option struct {
	key  *ini.Key
	line int // of its last value
}

// maxOptions is how many options an ini.Section is given, which looks at all of
// them for each new one. A header with more has several.
const maxOptions = 256

func newStore() *store {
	// Sections are distinguished by their place, so that a header that stands
	// again keeps its own line and what damages it.
	file := ini.Empty(ini.LoadOptions{AllowNonUniqueSections: true})
	file.BlockMode = false
	return &store{file: file, options: map[string]option{}}
}

// newSection makes a section, which begin opens. ok is false for a name that no
// section can have, the empty one.
func (s *store) newSection(name string) (section *ini.Section, ok bool) {
	section, err := s.file.NewSection(name)
	return section, err == nil
}

// begin opens a section.
func (s *store) begin(section *ini.Section) {
	s.sections = append(s.sections[:0], section)
	clear(s.options)
}

// put opens an option of the open section, in place of one of the same name.
// first is the line of that, or 0. ok is false for a name that no option can have,
// the empty one.
func (s *store) put(name string, line int) (first int, ok bool) {
	if old, again := s.options[name]; again {
		s.key, s.options[name] = old.key, option{old.key, line}
		return old.line, true
	}
	section := s.sections[len(s.sections)-1]
	if n := len(s.options); n > 0 && n%maxOptions == 0 {
		if next, ok := s.newSection(section.Name()); ok {
			section, s.sections = next, append(s.sections, next)
		}
	}
	key, err := section.NewKey(name, "")
	if err != nil {
		return 0, false
	}
	s.key, s.options[name] = key, option{key, line}
	return 0, true
}

// get is the value of the open option so far.
func (s *store) get() string { return s.key.Value() }

// set gives the open option its value.
func (s *store) set(value string) { s.key.SetValue(value) }

// list is the options of the open section.
func (s *store) list() []Option {
	if len(s.options) == 0 {
		return nil
	}
	list := make([]Option, 0, len(s.options))
	for _, section := range s.sections {
		for _, key := range section.Keys() {
			list = append(list, Option{Name: key.Name(), Value: key.Value(), Line: s.options[key.Name()].line})
		}
	}
	return list
}
