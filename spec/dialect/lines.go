package dialect

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"supervisord/spec/value"
)

// The line pass reads Supervisor's dialect and writes it down again so that
// ini.v1 reads exactly what Supervisor does. In what it writes
//
//   - a section is [name], and stands as often as its header stood; in a long
//     one the header is repeated now and then, for ini.v1 looks at all keys of a
//     section for each new one;
//   - an option is .key=LINE value: the dot keeps quotes and dashes in a key
//     from meaning anything, and the number of the option's line keeps them from
//     it in a value, and is wanted anyway;
//   - the line breaks of a value are carriage returns, of which none is left
//     when a file has been decoded;
//   - comments, continued lines and blank lines are gone.
//
// Source: contract/config.md section 2.
type linePass struct {
	doc *Document
	out []byte // what ini.v1 is to read
	// headers has the index in doc.Sections of each header in out.
	headers []int
	options int // written since the last of them

	line    int            // number of the line at hand, from 1
	end     int            // bytes of text up to its end
	indent  int            // characters before the last header or option
	section int            // index in doc.Sections of the open one, -1 before the first
	option  string         // the open option's key, "" for none
	at      int            // its line
	value   []byte         // its value so far, \r for line breaks
	keys    map[string]int // lines of the keys under the open header
}

// lineBreak stands for the line breaks of a value on the way through ini.v1.
const lineBreak = '\r'

// run goes through a whole text. Errors are collected in the document.
func (p *linePass) run(text string) {
	p.section = -1
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		p.line++
		p.end += len(text) - len(rest)
		p.read(line, text[:len(text)-len(rest)])
		text = rest
	}
	p.close()
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
			p.value = append(p.value, lineBreak)
		}
		return
	}
	indent := indentOf(line)
	if p.option != "" && indent > p.indent {
		p.value = append(append(p.value, lineBreak), text...)
		p.noteTruncated(line, comment, text)
		p.noteContinued(text)
		return
	}
	p.indent = indent
	if name, after, ok := header(text); ok {
		p.open(name, after)
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
	p.close()
	if key == "" {
		p.bad(whole)
		return
	}
	if text[0] == '[' { // with a ] it would be a header
		p.doc.Unclosed = append(p.doc.Unclosed, Note{Section: p.doc.Sections[p.section].Name, Line: p.line, Text: text})
	}
	p.option, p.at = key, p.line
	p.value = append(p.value[:0], value...)
	p.noteTruncated(line, comment, text)
}

// open begins a section, or goes on with one that was begun before.
func (p *linePass) open(name, after string) {
	p.close()
	clear(p.keys)
	p.section = len(p.doc.Sections)
	p.doc.Sections = append(p.doc.Sections, Section{Name: name, Line: p.line, After: value.Strip(after)})
	p.writeHeader()
}

// maxOptions is how many options follow one header in what ini.v1 reads.
const maxOptions = 256

// writeHeader writes down the header of the open section.
func (p *linePass) writeHeader() {
	p.headers, p.options = append(p.headers, p.section), 0
	p.out = append(append(append(p.out, '['), p.doc.Sections[p.section].Name...), "]\n"...)
}

// close ends the open option and writes it down.
func (p *linePass) close() {
	if p.option == "" {
		return
	}
	if p.options == maxOptions {
		p.writeHeader()
	}
	p.options++
	if first, ok := p.keys[p.option]; ok {
		p.doc.Repeated = append(p.doc.Repeated, Repeat{p.doc.Sections[p.section].Name, p.option, first, p.at})
	}
	p.keys[p.option] = p.at
	p.out = append(append(append(p.out, '.'), p.option...), '=')
	p.out = append(strconv.AppendInt(p.out, int64(p.at), 10), ' ')
	p.out = append(append(p.out, strings.TrimRight(string(p.value), "\r")...), '\n')
	p.option = ""
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
	if !inQuotes && !strings.Contains(p.option, "password") {
		return
	}
	p.doc.Truncated = append(p.doc.Truncated, Note{p.doc.Sections[p.section].Name, p.option, p.line, line[comment:]})
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
// follows it has no meaning.
func header(text string) (name, after string, ok bool) {
	end := strings.LastIndexByte(text, ']')
	if end < 2 || text[0] != '[' {
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
