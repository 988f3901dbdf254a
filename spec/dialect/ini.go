package dialect

import (
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/ini.v1"
)

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

// store gives the sections of a document what the line pass wrote down for them.
func (p *linePass) store() {
	file, err := ini.LoadSources(asWritten, p.out)
	if err != nil {
		panic(fmt.Sprintf("spec: ini.v1 cannot read what the line pass wrote: %v", err))
	}
	sections := file.Sections()[1:] // the first is the one before any header
	for i := 0; i < len(sections); {
		at, keys := p.headers[i], keysOf(sections[i])
		repeated := false
		for i++; i < len(sections) && p.headers[i] == at; i++ {
			keys, repeated = append(keys, keysOf(sections[i])...), true
		}
		if repeated {
			keys = lastValues(keys)
		}
		p.doc.Sections[at].Options = keys
	}
}

// lastValues leaves one of several options of a name: the last value, in the
// place of the first.
func lastValues(keys []Option) []Option {
	place := make(map[string]int, len(keys))
	list := keys[:0]
	for _, k := range keys {
		if i, ok := place[k.Name]; ok {
			list[i] = k
			continue
		}
		place[k.Name] = len(list)
		list = append(list, k)
	}
	return list
}

// keysOf undoes the line pass for the options of one section.
func keysOf(section *ini.Section) []Option {
	keys := section.Keys()
	if len(keys) == 0 {
		return nil
	}
	list := make([]Option, len(keys))
	for i, key := range keys {
		number, value, _ := strings.Cut(key.Value(), " ")
		line, err := strconv.Atoi(number)
		if err != nil {
			panic(fmt.Sprintf("spec: ini.v1 changed an option's line number: %v", err))
		}
		if strings.IndexByte(value, lineBreak) >= 0 {
			value = strings.ReplaceAll(value, string(lineBreak), "\n")
		}
		list[i] = Option{Name: key.Name()[1:], Value: value, Line: line}
	}
	return list
}
