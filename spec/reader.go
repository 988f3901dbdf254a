package spec

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"supervisord/spec/value"
)

// reader takes typed values out of one section. A value that is wrong is noted,
// and the default is given in its place, so that one reading finds every mistake.
type reader struct {
	notes
	section *section
	host    *recordingHost
	names   *value.Names
	// textual is set when the main file has an [include] section: %(here)s then
	// is replaced by the directory of the file that the value stands in.
	textual bool
	// inProcess is set for values of processes: their errors name section and file.
	inProcess bool
	badName   bool    // the name in the header has been found wrong
	census    *census // notes what is asked for; nil where nobody wants to know
}

// get reads a key as a kind, or gives def where the section has no such key.
func get[T any](r *reader, key string, def T, as kind[T]) T {
	if r.census != nil {
		r.census.note(aspects(key, as, def))
	}
	e := r.section.find(key)
	if e == nil {
		return def
	}
	text, ok := r.expand(e, r.section.name+"."+key)
	if !ok {
		return def
	}
	return convert(r, e, text, def, as)
}

// convert reads the expanded text of an entry as a kind.
func convert[T any](r *reader, e *entry, text string, def T, as kind[T]) T {
	v, err := as.parse(r.host, text)
	if err != nil {
		wrong := &Error{File: e.from.shown, Line: e.line, Section: r.section.name, Key: e.name, Text: err.Error(), Hint: as.hint}
		switch {
		case as.hint != "" && e.name != "environment" && isQuoted(text):
			wrong.Hint += ", without quotes"
		case strings.ContainsAny(text, ";#") && !slices.Contains(freeText, e.name):
			wrong.Hint = strings.TrimPrefix(wrong.Hint+"; "+gluedHint, "; ")
		case value.ShellVariable(text) != "" && !slices.Contains(freeText, e.name):
			wrong.Hint = value.ShellVariable(text) + " is not expanded: " + variableHint
		}
		wrong.Hint = hintOf(err, wrong.Hint)
		if plain, ok := err.(interface{ Plain() string }); ok {
			wrong.Plain = plain.Plain()
		}
		r.note(wrong)
		return def
	}
	return v
}

// hintOf is the hint of an error that has its own, else the usual one.
func hintOf(err error, usual string) string {
	if own, ok := err.(interface{ Hint() string }); ok {
		return own.Hint()
	}
	return usual
}

// isQuoted recognises a value in quotes, which have no meaning but in command= and
// environment=.
func isQuoted(text string) bool {
	return len(text) > 1 && (text[0] == '"' || text[0] == '\'') && text[0] == text[len(text)-1]
}

// text reads a key that any text is right for. ok is false without it, and where
// it cannot be expanded, which has been noted.
func (r *reader) text(key string) (value string, ok bool) {
	r.census.note(Key{Name: key})
	e := r.section.find(key)
	if e == nil {
		return "", false
	}
	return r.expand(e, r.section.name+"."+key)
}

// expand replaces the %(name)s of an entry. subject is what an error calls it.
func (r *reader) expand(e *entry, subject string) (text string, ok bool) {
	text = r.unexpanded(e)
	expanded, err := value.Expand(text, r.names, subject)
	if failed := (*value.ExpandError)(nil); errors.As(err, &failed) {
		r.note(&Error{
			File: e.from.shown, Line: e.line, Section: r.section.name, Key: e.name,
			Text: failed.Error(), Plain: failed.Plain(isSecret(e.name)), Hint: failed.Hint(),
		})
		return "", false
	}
	return expanded, true
}

// isSecret reports whether the values of a key are not to be shown.
func isSecret(key string) bool { return key == "environment" || strings.Contains(key, "password") }

// unexpanded is the text of an entry as far as it counts before expansion.
func (r *reader) unexpanded(e *entry) string {
	if r.textual {
		return replaceHere(e.text, e.from.here)
	}
	return e.text
}

// replaceHere replaces %(here)s by a directory, in a text that is still to be
// expanded.
//
// Source: contract/config.md section 3. Differs: %%(here)s stays what it is
// everywhere else, a percent sign and a word (differences.md row 40).
func replaceHere(text, dir string) string {
	const here = "%(here)s"
	if !strings.Contains(text, here) {
		return text
	}
	dir = strings.ReplaceAll(dir, "%", "%%")
	var b strings.Builder
	for text != "" {
		i := strings.IndexByte(text, '%')
		if i < 0 {
			break
		}
		b.WriteString(text[:i])
		text = text[i:]
		switch {
		case strings.HasPrefix(text, here):
			b.WriteString(dir)
			text = text[len(here):]
		case strings.HasPrefix(text, "%%"):
			b.WriteString("%%")
			text = text[2:]
		default:
			b.WriteByte('%')
			text = text[1:]
		}
	}
	return b.String() + text
}

// wrong notes a mistake in the value of an entry. text is Supervisor's.
func (r *reader) wrong(e *entry, text, hint string) {
	r.note(&Error{File: e.from.shown, Line: e.line, Section: r.section.name, Key: e.name, Text: text, Hint: hint})
}

// missing notes that a key is not there, unless a line of the section could not
// be read: then it is probably that one.
func (r *reader) missing(key, text, hint string) {
	if r.section.damaged {
		return
	}
	if e := r.misspelt(key); e != nil {
		hint = fmt.Sprintf("did you mean %s, where line %d says %s?", key, e.line, e.name)
	}
	r.note(&Error{
		File: r.section.from.shown, Line: r.section.origin.Line, Section: r.section.name,
		Key: key, Text: text, Hint: hint,
	})
}

// misspelt is the entry that may be meant to be key, nil for none.
func (r *reader) misspelt(key string) *entry {
	known := keysFor(r.section.name)
	for i := range r.section.entries {
		e := &r.section.entries[i]
		if e.from == r.section.from && !slices.Contains(known, e.name) && value.Nearest(e.name, known) == key {
			return e
		}
	}
	return nil
}

// header notes a mistake in the header of the section.
func (r *reader) header(text, hint string) {
	r.note(&Error{File: r.section.from.shown, Line: r.section.origin.Line, Section: r.section.name, Text: text, Hint: hint})
}

func (r *reader) note(e *Error) {
	if r.inProcess {
		e.Plain = cmp.Or(e.Plain, e.Text)
		e.Text = fmt.Sprintf("%s in section %s (file: %s)", e.Text, value.PyRepr(r.section.name), value.PyRepr(r.section.from.shown))
	}
	r.errs = append(r.errs, e)
}

// at is where the entry of a key stands, or the header without one.
func (r *reader) at(key string) (file string, line int) {
	if e := r.section.find(key); e != nil {
		return e.from.shown, e.line
	}
	return r.section.from.shown, r.section.origin.Line
}

// name is the name in the header. A wrong one is noted once.
func (r *reader) name() string {
	name, err := value.ParseName(r.section.id())
	if err == nil {
		return name
	}
	if !r.badName {
		r.badName = true
		r.header(err.Error(), asName.hint)
	}
	return value.Strip(r.section.id())
}

// report notes a mistake that a value has only together with others; it stands
// at the key, or at the header where the key is not given.
func (r *reader) report(key, text, hint string) {
	file, line := r.at(key)
	r.note(&Error{File: file, Line: line, Section: r.section.name, Key: key, Text: text, Hint: hint})
}

// warn notes something of which Supervisor warns: in its words for its log, and in
// ours with the place.
func (r *reader) warn(key, theirs, ours, hint string) {
	r.warnings = append(r.warnings, theirs)
	r.advise(key, ours, hint)
	r.advice[len(r.advice)-1].Logged = true
}

// advise notes something that is no mistake to Supervisor.
func (r *reader) advise(key, text, hint string) {
	file, line := r.at(key)
	r.advice = append(r.advice, &Error{File: file, Line: line, Section: r.section.name, Key: key, Text: text, Hint: hint})
}
