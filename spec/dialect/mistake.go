package dialect

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"supervisord/spec/value"
)

// Mistake is a line that could not be read.
type Mistake struct {
	Line    int // from 1
	Section string
	Text    string // what is wrong, in Supervisor's words
	Plain   string // the same in one line and without the place; may be empty
	Hint    string // what would be right
}

// MayHideSections reports whether the file may have sections that could not be
// read, so that nothing is known to be missing from it.
func (d *Document) MayHideSections() bool {
	return d.notUTF8 != nil ||
		d.beforeHeader != nil && strings.HasPrefix(value.Strip(d.beforeHeader.text), "[") ||
		slices.ContainsFunc(d.bad, func(b badLine) bool { return strings.HasPrefix(value.Strip(b.text), "[") })
}

// Mistakes are the mistakes that kept a document from being read, the one at which
// Supervisor stops first. file is its name as messages give it.
//
// Source: contract/config.md section 2.
func (d *Document) Mistakes(file string) []Mistake {
	var errs []Mistake
	if h := d.beforeHeader; h != nil {
		errs = append(errs, Mistake{
			Line: h.line, Hint: noHeaderHint(value.Strip(h.text)),
			Plain: "the line " + value.PyRepr(d.withoutValue(value.Strip(h.text))) + " stands before any section header",
			Text:  fmt.Sprintf("File contains no section headers.\nfile: %s, line: %d\n%s", value.PyRepr(file), h.line, value.PyRepr(h.text)),
		})
	}
	if b := d.notUTF8; b != nil {
		bad := Mistake{Line: b.line, Text: b.text, Hint: "save the file as UTF-8"}
		if len(errs) > 0 && d.beforeHeader.end <= b.chunk {
			errs = append(errs, bad)
		} else {
			errs = append([]Mistake{bad}, errs...)
		}
	}
	return append(errs, d.badLines(file)...)
}

// badLines gives one error for each line that is neither a header nor an option.
// Each carries Supervisor's message, which lists them all.
func (d *Document) badLines(file string) []Mistake {
	if len(d.bad) == 0 {
		return nil
	}
	var all strings.Builder
	fmt.Fprintf(&all, "Source contains parsing errors: %s", value.PyRepr(file))
	for _, b := range d.bad {
		fmt.Fprintf(&all, "\n\t[line %2d]: %s", b.line, value.PyRepr(b.text))
	}
	errs := make([]Mistake, len(d.bad))
	for i, b := range d.bad {
		line := value.Strip(b.text)
		errs[i] = Mistake{
			Line: b.line, Section: b.section, Text: all.String(),
			Plain: "the line " + value.PyRepr(line) + " is neither a header nor an option",
			Hint:  badLineHint(line),
		}
	}
	return errs
}

// withoutValue is a line as a report shows it: the value of an option may be secret.
func (d *Document) withoutValue(line string) string {
	i := strings.IndexAny(line, "=:")
	isHeader := strings.HasPrefix(strings.TrimPrefix(line, byteOrderMark), "[") || d.keys(strings.TrimSuffix(line, "]")) != nil
	if i < 0 || isHeader || isTemplate(line) || isConflictMarker(line) {
		return line
	}
	return line[:i+1] + "…"
}

// noHeaderHint is about a line before any header.
func noHeaderHint(line string) string {
	if strings.HasPrefix(line, byteOrderMark) {
		return "save the file as UTF-8 without a byte-order mark"
	}
	return cmp.Or(lineHint(line), "begin the file with a section such as [program:name]")
}

// badLineHint is about a line that is neither a header nor an option.
func badLineHint(line string) string {
	return cmp.Or(lineHint(line), "write key=value; a line that continues a value must be indented")
}

// lineHint recognises what a line that cannot be read was to be; "" if it does
// not.
func lineHint(line string) string {
	switch {
	case isConflictMarker(line):
		return "git or another tool left a conflict in the file; keep one side and remove the markers"
	case isTemplate(line):
		return "the file looks like a template that was not rendered"
	case strings.HasPrefix(line, "[") || strings.HasSuffix(line, "]"):
		return "a header is [name], with both brackets on one line"
	case strings.HasPrefix(line, "=") || strings.HasPrefix(line, ":"):
		return "put the name of the key before the sign"
	case strings.HasPrefix(line, "//") || strings.HasPrefix(line, "--"):
		return "a comment begins with ; or #"
	}
	return ""
}

// isConflictMarker recognises the lines that a merge puts around what it cannot
// decide.
func isConflictMarker(line string) bool {
	return line == "=======" || slices.ContainsFunc([]string{"<<<<<<< ", "||||||| ", ">>>>>>> "},
		func(marker string) bool { return strings.HasPrefix(line, marker) })
}

// isTemplate recognises lines of Jinja and its relatives.
func isTemplate(line string) bool {
	return strings.HasPrefix(line, "{%") || strings.HasPrefix(line, "{{") ||
		strings.HasPrefix(line, "{#") || strings.HasPrefix(line, "<%")
}
