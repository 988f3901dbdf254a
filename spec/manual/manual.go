// Package manual says what each key of a configuration means. Its words are those of
// the sample that echo_supervisord_conf prints; what a key takes, and what a change of
// it does, comes from the tables of package spec. supervisord --explain, supervisorctl
// help KEY, the manual pages and the language server show what is here.
//
// It imports spec, and nothing of the machine.
package manual

import (
	"cmp"
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"supervisord/spec"
	"supervisord/spec/value"
)

// Sample is a configuration that shows every section and every key, with its default
// and, after it, what it means.
//
//go:embed sample.conf
var Sample string

// Entry is one key of one kind of section.
type Entry struct {
	spec.Key
	Meaning string // a sentence
	Example string // a value, where the sample shows one and there is no default
}

// Section is one kind of section.
type Section struct {
	Kind    string // such as supervisord, or program:x
	Meaning string // sentences
	Keys    []Entry
}

// Sections is every kind of section that has keys, in the order of the sample. The caller
// changes nothing in it.
var Sections = sync.OnceValue(func() []Section {
	lines := sampleLines()
	var list []Section
	for _, k := range spec.Keys() {
		if len(list) == 0 || list[len(list)-1].Kind != k.Section {
			list = append(list, Section{Kind: k.Section, Meaning: sectionMeanings[k.Section]})
		}
		s := &list[len(list)-1]
		line := lines[k.Section+" "+k.Name]
		e := Entry{Key: k, Meaning: sentence(cmp.Or(line.comment, uncommented[k.Name]))}
		if k.Type == "size" {
			e.Default = size(k.Default)
		}
		if k.Default == "" {
			e.Example = cmp.Or(line.value, unsampled[k.Name])
		}
		s.Keys = append(s.Keys, e)
	}
	return list
})

// sectionMeanings is what each kind of section is for.
var sectionMeanings = map[string]string{
	"supervisord":      "The daemon itself.",
	"unix_http_server": "The unix socket on which the daemon answers supervisorctl. There may be several: add a colon and a word to the name of each.",
	"inet_http_server": "The TCP port on which the daemon serves the web page and XML-RPC. Everyone who can log in there can run programs as the daemon's user. Without this section there is no such port.",
	"supervisorctl":    "How supervisorctl finds the daemon and logs in.",
	"include":          "More files, read after the main one. If two files set the same key of a section, the later one wins.",
	"reconcile":        "How changes of the files are applied. Supervisor ignores this section.",
	"program:x":        "A program named x, which may have several processes.",
	"eventlistener:x":  "A program named x that receives events on its standard input, and answers on its standard output.",
	"fcgi-program:x":   "A FastCGI program named x, whose processes share one listening socket as their standard input.",
	"group:x":          "Programs that are started and stopped under one name, x.",
}

// sampleLine is what the sample says of a key.
type sampleLine struct{ value, comment string }

// sampleLines is that by section and key.
func sampleLines() map[string]sampleLine {
	header := regexp.MustCompile(`^;?\[(.*)\]`)
	key := regexp.MustCompile(`^;?([a-z_]+) ?= ?(.*?)(?:\s+; (.*))?\n?$`)
	lines := map[string]sampleLine{}
	section := ""
	for line := range strings.Lines(Sample) {
		if m := header.FindStringSubmatch(line); m != nil {
			section = spec.KindOf(m[1])
		} else if m := key.FindStringSubmatch(line); m != nil {
			name := section + " " + m[1]
			if _, known := lines[name]; !known {
				lines[name] = sampleLine{m[2], cmp.Or(m[3], uncommented[m[1]])}
			}
		}
	}
	return lines
}

// uncommented is what is to be said of keys whose line in the sample says nothing, or that
// have none.
var uncommented = map[string]string{
	"password": "the password for username; in a server's section it may be {SHA} followed by the SHA-1 of the password in hex",
	"files":    "patterns, separated by spaces, relative to the directory of the file",

	"readonly_password": "the password for readonly_username",

	"dependent_startup":                  "of the start-order plug-in: start it at boot once what it waits for is there; used if [supervisord] has dependent_startup=true",
	"dependent_startup_wait_for":         "of the start-order plug-in: what it waits for, and in which states",
	"dependent_startup_inherit_priority": "of the start-order plug-in: has no effect, since the order does not go by priorities",
}

// unsampled are examples of keys that the sample leaves out.
var unsampled = map[string]string{"dependent_startup_wait_for": "db:running migrate:exited,fatal"}

// sentence makes one of a phrase.
func sentence(phrase string) string {
	if phrase == "" {
		return ""
	}
	return strings.ToUpper(phrase[:1]) + phrase[1:] + "."
}

// size is a number of bytes as people write it.
func size(text string) string {
	n, err := strconv.ParseInt(text, 10, 64)
	for _, unit := range []struct {
		name  string
		bytes int64
	}{{"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}} {
		if err == nil && n != 0 && n%unit.bytes == 0 {
			return strconv.FormatInt(n/unit.bytes, 10) + unit.name
		}
	}
	return text
}

// Find is the entries that a person may mean: by a key's name, without its section, or
// after its section, as in program.user or [program:web] user. Where several sections say
// the same of a key, the first stands for all.
func Find(words string) []Entry {
	fields := strings.FieldsFunc(words, func(c rune) bool { return strings.ContainsRune("[] .=", c) })
	if len(fields) == 0 || len(fields) > 2 {
		return nil
	}
	key, section := fields[len(fields)-1], ""
	if len(fields) == 2 {
		section = fields[0]
	}
	var found []Entry
	for _, s := range Sections() {
		kind, _, _ := strings.Cut(s.Kind, ":")
		if wanted, _, _ := strings.Cut(section, ":"); wanted != "" && wanted != kind {
			continue
		}
		for _, e := range s.Keys {
			if e.Name == key && !slices.ContainsFunc(found, e.sameBut) {
				found = append(found, e)
			}
		}
	}
	return found
}

// sameBut reports whether two entries differ in nothing but their sections.
func (e Entry) sameBut(o Entry) bool {
	return e.Facts() == o.Facts() && e.Meaning == o.Meaning
}

// Nearest is the key or the section that a word was probably meant to be, "" for none.
func Nearest(word string) string {
	var names []string
	for _, s := range Sections() {
		for _, e := range s.Keys {
			names = append(names, e.Name)
		}
	}
	return value.Nearest(word, names)
}

// Facts is what there is to say of a key beside its meaning, a line each.
func (e Entry) Facts() string {
	var b strings.Builder
	fact := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-8s %s\n", name, text)
		}
	}
	fact("type", e.TypeText())
	fact("default", e.Default)
	fact("example", e.Example)
	fact("since", e.SinceText())
	fact("change", e.Effect)
	return b.String()
}

// TypeText is the type of the value and what is right.
func (e Entry) TypeText() string {
	text := e.Type
	if e.Unit != "" && e.Type != "size" {
		text += ", in " + e.Unit
	}
	switch {
	case e.Hint == "" || e.Type == "file" || e.Type == "log" || e.Type == "directory": // their hints are remedies
		return text
	case e.Type == e.Name: // a few words
		return e.Hint
	}
	return text + ": " + e.Hint
}

// SinceText says who has the key.
func (e Entry) SinceText() string {
	if e.Since == "" {
		return "this program; Supervisor ignores it"
	}
	return "Supervisor " + e.Since
}

// Explain is what --explain and help print of a key, "" if there is none of that name.
func Explain(words string) string {
	var b strings.Builder
	for i, e := range Find(words) {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "[%s] %s\n", e.Section, e.Name)
		for line := range strings.Lines(e.Meaning + "\n" + e.Facts()) {
			b.WriteString("    " + line)
		}
	}
	return b.String()
}
