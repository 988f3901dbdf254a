package spec

import (
	"slices"

	"supervisord/spec/dialect"
	"supervisord/spec/value"
)

// How a section, or a file, differs between two contents.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
)

// SectionDiff is how one section of a file differs between two contents of it.
type SectionDiff struct {
	Section string
	Change  string  // Added, Removed or Changed
	Fields  []Field // of a changed one: the keys, with their values as they stand in the file
}

// CompareContents says what differs between two contents of a file, section by section, in
// the order of the new one, what is gone last. Nothing is expanded, and Restart says nothing.
// Of variables it tells their names; of passwords, of what may have one in it, and of keys
// that are unknown here, that they differ. Two contents that differ in comments or order
// alone give nothing.
func CompareContents(old, new []byte) (list []SectionDiff) {
	was, before := sectionTexts(old)
	is, after := sectionTexts(new)
	for _, name := range after {
		switch former, had := was[name]; {
		case !had:
			list = append(list, SectionDiff{Section: name, Change: Added})
		default:
			if fields := compareTexts(name, former, is[name]); len(fields) > 0 {
				list = append(list, SectionDiff{name, Changed, fields})
			}
		}
	}
	for _, name := range before {
		if _, still := is[name]; !still {
			list = append(list, SectionDiff{Section: name, Change: Removed})
		}
	}
	return list
}

// sectionText is a section as it stands in a file.
type sectionText struct {
	keys   []string // in file order
	values map[string]string
}

// sectionTexts are the sections of a file by name, with those of one name taken together,
// and their names in file order.
func sectionTexts(content []byte) (sections map[string]*sectionText, names []string) {
	sections = make(map[string]*sectionText)
	for _, s := range dialect.Parse(content, keysFor).Sections {
		text := sections[s.Name]
		if text == nil {
			text = &sectionText{values: make(map[string]string)}
			sections[s.Name], names = text, append(names, s.Name)
		}
		for _, o := range s.Options {
			if _, twice := text.values[o.Name]; !twice {
				text.keys = append(text.keys, o.Name)
			}
			text.values[o.Name] = o.Value
		}
	}
	return sections, names
}

// compareTexts is what differs between two texts of a section.
func compareTexts(section string, old, new *sectionText) (fields []Field) {
	known := keysFor(section)
	for _, key := range slices.Concat(new.keys, slices.DeleteFunc(slices.Clone(old.keys), func(key string) bool { _, still := new.values[key]; return still })) {
		was, had := old.values[key]
		is, has := new.values[key]
		switch {
		case had && has && was == is:
		case key == "environment":
			fields = append(fields, compareEnvTexts(was, is)...)
		case !slices.Contains(known, key), isSecret(key), slices.Contains(mayHoldSecrets, key):
			fields = append(fields, Field{Key: key})
		default:
			fields = append(fields, Field{Key: key, Old: was, New: is})
		}
	}
	return fields
}

// mayHoldSecrets are keys, beside secret ones, whose values may have a password in them.
var mayHoldSecrets = []string{"serverurl", "report_url", "report_command"}

// compareEnvTexts tells of variables; as a whole where one cannot be read.
func compareEnvTexts(old, new string) []Field {
	was, err := value.ParseEnv(old)
	is, err2 := value.ParseEnv(new)
	fields := compareEnv(was, is)
	if err != nil || err2 != nil || len(fields) == 0 {
		return []Field{{Key: "environment"}}
	}
	for i := range fields {
		fields[i].Restart = false
	}
	return fields
}
