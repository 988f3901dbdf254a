package dialect

import "strings"

// Document is one file, read but not judged. It is never changed once made, so
// equal files may share one.
type Document struct {
	Sections []Section // in file order; a header that stands twice is there twice

	// What is probably not meant as it is read.
	Truncated []Note   // a comment ends the value in quotes, or a password; its text
	Continued []Note   // an option or a header that is indented, and so continues with a value
	Unclosed  []Note   // an option that begins with a bracket which nothing closes
	Repeated  []Repeat // a key that stands twice under one header, with different values

	keys         Keys
	bad          []badLine // neither a header nor an option
	beforeHeader *badLine  // the first line that stands before any header
	notUTF8      *badUTF8  // where reading ended
}

// Keys are the keys that a section of that name knows; nil for an unknown
// section. What a line was probably meant to be is judged by them; nothing else
// is.
type Keys func(section string) []string

// Section is what follows one header.
type Section struct {
	Name    string
	Line    int
	After   string // what follows the bracket on the header's line
	Options []Option
	Damaged bool // a line of it could not be read
}

// Option is one key and its value, whose lines are joined by \n. Of a key that
// stands twice under one header there is only the last value, in place of the
// first.
type Option struct {
	Name, Value string
	Line        int
}

// Note is a line that is probably not meant as it is read.
type Note struct {
	Section, Key string // of the option that the line belongs to; Key may be empty
	Line         int
	Text         string
}

// Repeat is a key that stands twice under one header, with different values.
type Repeat struct {
	Section, Key string
	First, Line  int // the last counts
}

// badLine is a line that could not be read.
type badLine struct {
	line    int
	section string
	text    string // with its line end
	end     int    // bytes of the file up to its end; beforeHeader only
}

// Parse reads the bytes of one file in Supervisor's dialect. It never fails:
// what cannot be read is in the document.
func Parse(content []byte, keys Keys) *Document {
	doc := &Document{keys: keys}
	text, bad := decode(content)
	doc.notUTF8 = bad
	if bad != nil {
		// The unfinished line is not one that the author wrote.
		text = text[:strings.LastIndexByte(text, '\n')+1]
	}
	pass := linePass{doc: doc, store: newStore(), section: -1}
	pass.run(text)
	if n := len(doc.Sections); bad != nil && n > 0 {
		doc.Sections[n-1].Damaged = true
	}
	return doc
}
