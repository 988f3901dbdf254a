package dialect

import (
	"slices"
	"strings"
	"unicode/utf8"

	"supervisord/spec/value"
)

// linePass says of each line of a file what it is, and fills a document.
//
// Source: contract/config.md section 2.
type linePass struct {
	doc   *Document
	store *store // of the options under the open header

	line    int     // number of the line at hand, from 1
	end     int     // bytes of text up to its end
	indent  int     // characters before the last header or option
	section int     // index in doc.Sections of the open one, -1 before the first
	option  string  // the open option's key, "" for none
	value   []byte  // its value so far
	again   *Repeat // where it stood before under the same header, nil if it did not
	before  string  // what it was there
}

// run goes through a whole text. Errors are collected in the document.
func (p *linePass) run(text string) {
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		p.line++
		p.end += len(text) - len(rest)
		p.read(line, text[:len(text)-len(rest)])
		text = rest
	}
	p.endSection()
}

// read takes one line; whole is the same with its end, as messages show it.
func (p *linePass) read(line, whole string) {
	comment := commentStart(line)
	kept := line
	if comment >= 0 {
		kept = line[:comment]
	}
	text := value.Strip(kept)
	if text == "" {
		if comment < 0 && p.option != "" {
			p.value = append(p.value, '\n')
		}
		return
	}
	indent := indentOf(line)
	if p.option != "" && indent > p.indent {
		p.value = append(append(p.value, '\n'), text...)
		p.noteTruncated(line, comment, text)
		p.noteContinued(text)
		return
	}
	p.indent = indent
	if name, after, ok := header(text); ok && p.open(name, after) {
		return
	}
	if p.section < 0 {
		p.noHeader(whole)
		return
	}
	key, value, ok := splitOption(text)
	if !ok {
		p.bad(whole)
		return
	}
	p.endOption()
	first, ok := p.store.put(key, p.line)
	if !ok {
		p.bad(whole)
		return
	}
	if first > 0 {
		p.again, p.before = &Repeat{p.doc.Sections[p.section].Name, key, first, p.line}, p.store.get()
	}
	if text[0] == '[' { // with a ] it would be a header
		p.doc.Unclosed = append(p.doc.Unclosed, Note{Section: p.doc.Sections[p.section].Name, Line: p.line, Text: text})
	}
	p.option = key
	p.value = append(p.value[:0], value...)
	p.noteTruncated(line, comment, text)
}

// open begins a section. It reports false for a name that no section can have.
func (p *linePass) open(name, after string) bool {
	section, ok := p.store.newSection(name)
	if !ok {
		return false
	}
	p.endSection()
	p.store.begin(section)
	p.section = len(p.doc.Sections)
	p.doc.Sections = append(p.doc.Sections, Section{Name: name, Line: p.line, After: value.Strip(after)})
	return true
}

// endSection gives the open section its options.
func (p *linePass) endSection() {
	p.endOption()
	if p.section >= 0 {
		p.doc.Sections[p.section].Options = p.store.list()
	}
}

// endOption gives the open option its value.
func (p *linePass) endOption() {
	if p.option == "" {
		return
	}
	value := strings.TrimRight(string(p.value), "\n")
	if p.again != nil && value != p.before {
		p.doc.Repeated = append(p.doc.Repeated, *p.again)
	}
	p.store.set(value)
	p.option, p.again = "", nil
}

// bad notes a line that is neither a header nor an option.
func (p *linePass) bad(whole string) {
	p.doc.Sections[p.section].Damaged = true
	p.doc.bad = append(p.doc.bad, badLine{line: p.line, section: p.doc.Sections[p.section].Name, text: whole})
}

// noHeader notes the first line that stands before any header. Supervisor reads
// no further; we do, for the mistakes that follow.
func (p *linePass) noHeader(whole string) {
	if p.doc.beforeHeader == nil {
		p.doc.beforeHeader = &badLine{line: p.line, text: whole, end: p.end}
	}
	if text, ok := strings.CutPrefix(whole, byteOrderMark); ok {
		if name, after, ok := header(value.Strip(text)); ok {
			p.open(name, after)
		}
	}
}

const byteOrderMark = "\ufeff"

// noteTruncated remembers a comment that seems to cut a value by accident: inside
// quotes, or in a password.
func (p *linePass) noteTruncated(line string, comment int, text string) {
	if comment < 0 {
		return
	}
	inQuotes := strings.Count(text, `"`)%2 == 1 || strings.Count(text, `'`)%2 == 1
	if !inQuotes && !(strings.Contains(p.option, "password") && mayBeMeant(line, comment)) {
		return
	}
	p.doc.Truncated = append(p.doc.Truncated, Note{p.doc.Sections[p.section].Name, p.option, p.line, line[comment:]})
}

// mayBeMeant reports whether what begins a comment may be meant as a part of the value:
// one space stands before it, and none behind.
func mayBeMeant(line string, comment int) bool {
	before, behind := line[:comment], line[comment+1:]
	return value.Strip(before)+" " == strings.TrimLeft(before, " \t") && behind != "" && indentOf(behind) == 0
}

// noteContinued remembers a continued line that seems to be meant as an option of
// the section, or as a header. In environment= any name may stand before a sign.
func (p *linePass) noteContinued(text string) {
	section := p.doc.Sections[p.section].Name
	name, _, isHeader := header(text)
	key, _, _ := splitOption(text)
	meant := isHeader && p.doc.keys(name) != nil ||
		p.option != "environment" && strings.HasPrefix(text, key) && slices.Contains(p.doc.keys(section), key)
	if meant {
		if !isHeader {
			text = key + "…" // its value may be secret
		}
		p.doc.Continued = append(p.doc.Continued, Note{section, p.option, p.line, text})
	}
}

// commentStart is where the comment of a line begins: at the first ; or # that
// is at its beginning or follows white space. -1 if there is none.
//
// Differs: Supervisor searches by rounds, so that one ; inside a word hides
// another that begins a comment (contract/differences.md row 50).
func commentStart(line string) int {
	for i := 0; i < len(line); i++ {
		if c := line[i]; c != ';' && c != '#' {
			continue
		}
		if i == 0 {
			return 0
		}
		if r, _ := utf8.DecodeLastRuneInString(line[:i]); value.IsSpace(r) {
			return i
		}
	}
	return -1
}

// indentOf counts the characters before the first that is not white space.
func indentOf(line string) int {
	n := 0
	for _, r := range line {
		if !value.IsSpace(r) {
			break
		}
		n++
	}
	return n
}

// header reads [name]: the name reaches to the last bracket of the line, and what
// follows it has no meaning. It may be empty, and the line is no header then.
func header(text string) (name, after string, ok bool) {
	end := strings.LastIndexByte(text, ']')
	if end < 0 || text[0] != '[' {
		return "", "", false
	}
	return text[1:end], text[end+1:], true
}

// splitOption reads key=value or key:value, whichever sign comes first.
func splitOption(text string) (key, val string, ok bool) {
	i := strings.IndexAny(text, "=:")
	if i < 0 {
		return "", "", false
	}
	return strings.ToLower(value.Strip(text[:i])), value.Strip(text[i+1:]), true
}
