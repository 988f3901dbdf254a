package lsp

import (
	"slices"
	"strings"
	"unicode/utf8"

	"supervisord/runtime/lazy"
	"supervisord/spec"
	"supervisord/spec/manual"
)

// place is what stands where the cursor is.
type place struct {
	section string // the name in the last header before it; "" for none
	kind    string // of the section, such as program:x; "" for none
	line    string
	at      int    // the cursor, as an index into line
	key     string // before the sign of equality, or all of the line where there is none
	inValue bool   // the cursor is in the value of key
	header  bool   // the line is a header
}

var headerLine = lazy.Regexp(`^\[([^\]]*)\]?`)

// placeAt finds it. line counts from 0, character in UTF-16, as the protocol does.
func placeAt(text string, line, character int) place {
	lines := strings.Split(text, "\n")
	if line < 0 || line >= len(lines) {
		return place{}
	}
	p := place{line: strings.TrimSuffix(lines[line], "\r")}
	p.at = byteAt(p.line, character)
	continued := false // continues with the value of a key above it
	for i, text := range lines[:line+1] {
		switch m := headerLine().FindStringSubmatch(text); {
		case m != nil && i < line:
			p.section, p.key = m[1], ""
		case m != nil:
			p.header, p.key = true, m[1]
			return p
		case strings.HasPrefix(text, ";") || strings.HasPrefix(text, "#"):
			if i == line {
				return place{line: p.line}
			}
		case text != "" && (text[0] == ' ' || text[0] == '\t') && p.key != "":
			continued = i == line
		default:
			p.key = strings.TrimSpace(keyOf(text))
		}
	}
	p.kind = spec.KindOf(p.section)
	p.inValue = continued || p.at > strings.IndexAny(p.line, "=:") && strings.ContainsAny(p.line, "=:")
	return p
}

// keyOf is what stands before the sign of equality.
func keyOf(line string) string {
	if i := strings.IndexAny(line, "=:"); i >= 0 {
		return line[:i]
	}
	return line
}

// byteAt is the index of a character that is counted in UTF-16.
func byteAt(line string, character int) int {
	for i, r := range line {
		if character <= 0 {
			return i
		}
		if character--; r > 0xffff {
			character--
		}
	}
	return len(line)
}

// width is the length of a text in UTF-16.
func width(text string) (n int) {
	for _, r := range text {
		if n++; r > 0xffff {
			n++
		}
	}
	return n
}

// word is the one around the cursor, up to spaces and commas.
func (p place) word() string {
	separates := func(r rune) bool { return strings.ContainsRune(" \t,=;", r) }
	begin := strings.LastIndexFunc(p.line[:p.at], separates) + 1
	end := strings.IndexFunc(p.line[p.at:], separates)
	if end < 0 {
		end = len(p.line) - p.at
	}
	return p.line[begin : p.at+end]
}

// entry is what the manual says of a key of a section, nil for none.
func entry(kind, key string) *manual.Entry {
	for _, s := range manual.Sections() {
		if s.Kind == kind {
			if j := slices.IndexFunc(s.Keys, func(e manual.Entry) bool { return e.Name == key }); j >= 0 {
				return &s.Keys[j]
			}
		}
	}
	return nil
}

// explain is what there is to say of a place, as Markdown; "" for nothing.
func (p place) explain() string {
	if p.header {
		for _, s := range manual.Sections() {
			if s.Kind == spec.KindOf(p.key) {
				return s.Meaning
			}
		}
		return ""
	}
	e := entry(p.kind, p.key)
	if e == nil {
		return ""
	}
	return e.Meaning + "\n\n```\n" + e.Facts() + "```"
}

// item is something that may be completed.
type item struct {
	Label         string `json:"label"`
	Kind          int    `json:"kind"`
	Detail        string `json:"detail,omitempty"`
	Documentation string `json:"documentation,omitempty"`
	InsertText    string `json:"insertText,omitempty"`
}

// Kinds of item.
const (
	kindModule   = 9
	kindProperty = 10
	kindValue    = 12
)

// complete is what may stand at a place of a text.
func (p place) complete(text string) []item {
	list := []item{}
	switch e := entry(p.kind, p.key); {
	case strings.HasPrefix(p.line, "["):
		for _, kind := range spec.SectionKinds() {
			name, named := strings.CutSuffix(kind, ":x")
			insert := name + "]"
			if named {
				insert = name + ":"
			}
			list = append(list, item{Label: kind, Kind: kindModule, InsertText: insert})
		}
	case p.inValue && e != nil && p.kind == "group:x" && p.key == "programs":
		for _, name := range programsIn(text) {
			list = append(list, item{Label: name, Kind: kindValue})
		}
	case p.inValue && e != nil:
		for _, word := range e.Words {
			list = append(list, item{Label: word, Kind: kindValue})
		}
	case p.inValue:
	default:
		for _, s := range manual.Sections() {
			if s.Kind != p.kind {
				continue
			}
			for _, e := range s.Keys {
				list = append(list, item{Label: e.Name, Kind: kindProperty, Detail: e.TypeText(), Documentation: e.Meaning, InsertText: e.Name + "="})
			}
		}
	}
	return list
}

var programHeader = lazy.Regexp(`(?m)^\[(?:fcgi-)?program:([^\]]+)\]`)

// programsIn are the programs of a text that a group may name.
func programsIn(text string) (names []string) {
	for _, m := range programHeader().FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}

// programLine is the line, from 0, of the header of a program; ok is false without it.
func programLine(text, name string) (line int, ok bool) {
	for _, prefix := range []string{"[program:", "[fcgi-program:"} {
		if at := strings.Index("\n"+text, "\n"+prefix+name+"]"); at >= 0 {
			return strings.Count(text[:at], "\n"), true
		}
	}
	return 0, false
}

// valid makes a text that may have been cut within a character whole.
func valid(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	return strings.ToValidUTF8(text, "\ufffd")
}
