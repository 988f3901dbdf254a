package spec

import (
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/ini.v1"
)

// document is one configuration file, read but not judged. It is never changed
// once made, so equal files share one.
type document struct {
	sections []docSection // in file order; a header that stands twice is there twice

	bad          []badLine // neither a header nor an option
	beforeHeader *badLine  // the first line that stands before any header
	notUTF8      *badUTF8  // where reading ended

	// What is probably not meant as it is read.
	truncated []lineNote    // a comment ends the value in quotes, or a password; its text
	continued []lineNote    // an option or a header that is indented, and so goes on with a value
	unclosed  []lineNote    // an option that begins with a bracket which nothing closes
	repeated  []repeatedKey // a key that stands twice under one header
}

// docSection is what follows one header.
type docSection struct {
	name    string
	line    int
	after   string // what follows the bracket on the header's line
	keys    []docKey
	damaged bool // a line of it is bad
}

// docKey is one option. Of a key that stands twice under one header there is
// only the last value, in the place of the first.
type docKey struct {
	name, value string
	line        int
}

// badLine is a line that could not be read.
type badLine struct {
	line    int
	section string
	text    string // with its line end
	end     int    // bytes of the file up to its end; beforeHeader only
}

// lineNote is a line that is probably not meant as it is read.
type lineNote struct {
	section, key string // of the option that the line belongs to
	line         int
	text         string
}

// repeatedKey is a key that stands twice under one header.
type repeatedKey struct {
	section, key string
	first, line  int // the last counts
}

// asWritten makes ini.v1 take each line as it stands.
var asWritten = ini.LoadOptions{
	IgnoreContinuation:      true,
	IgnoreInlineComment:     true,
	PreserveSurroundedQuote: true,
	KeyValueDelimiters:      "=",
	// Sections are told apart by their place, so that a header that stands
	// again keeps its own line and what damages it.
	AllowNonUniqueSections: true,
	ChildSectionDelimiter:  "\n",
}

// parse reads the bytes of one file in Supervisor's dialect. It never fails:
// what cannot be read is in the document.
func parse(content []byte) *document {
	doc := &document{}
	text, bad := decode(content)
	doc.notUTF8 = bad
	if bad != nil {
		// The unfinished line is not one that the author wrote.
		text = text[:strings.LastIndexByte(text, '\n')+1]
	}
	pass := linePass{doc: doc, out: make([]byte, 0, len(text)+64), keys: map[string]int{}}
	pass.run(text)
	if len(doc.sections) == 0 {
		return doc
	}
	if bad != nil {
		doc.sections[len(doc.sections)-1].damaged = true
	}
	file, err := ini.LoadSources(asWritten, pass.out)
	if err != nil {
		panic(fmt.Sprintf("spec: ini.v1 cannot read what the line pass wrote: %v", err))
	}
	sections := file.Sections()[1:] // the first is the one before any header
	for i := 0; i < len(sections); {
		at, keys := pass.headers[i], keysOf(sections[i])
		repeated := false
		for i++; i < len(sections) && pass.headers[i] == at; i++ {
			keys, repeated = append(keys, keysOf(sections[i])...), true
		}
		if repeated {
			keys = lastValues(keys)
		}
		doc.sections[at].keys = keys
	}
	return doc
}

// lastValues leaves one of several options of a name: the last value, in the
// place of the first.
func lastValues(keys []docKey) []docKey {
	place := make(map[string]int, len(keys))
	list := keys[:0]
	for _, k := range keys {
		if i, ok := place[k.name]; ok {
			list[i] = k
			continue
		}
		place[k.name] = len(list)
		list = append(list, k)
	}
	return list
}

// keysOf undoes the line pass for the options of one section.
func keysOf(section *ini.Section) []docKey {
	keys := section.Keys()
	if len(keys) == 0 {
		return nil
	}
	list := make([]docKey, len(keys))
	for i, key := range keys {
		number, value, _ := strings.Cut(key.Value(), " ")
		line, err := strconv.Atoi(number)
		if err != nil {
			panic(fmt.Sprintf("spec: ini.v1 changed an option's line number: %v", err))
		}
		if strings.IndexByte(value, lineBreak) >= 0 {
			value = strings.ReplaceAll(value, string(lineBreak), "\n")
		}
		list[i] = docKey{name: key.Name()[1:], value: value, line: line}
	}
	return list
}
