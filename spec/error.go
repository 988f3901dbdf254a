package spec

import (
	"cmp"
	"fmt"
	"strings"
	"unicode"

	"supervisord/spec/value"
)

// Error is one mistake in the configuration.
type Error struct {
	File    string // "" when the mistake is not in a file
	Line    int    // from 1; 0 when no line can be named
	Section string
	Key     string
	// Text says what is wrong in Supervisor's own words, byte for byte, where
	// Supervisor reports it: it is what its clients and users see.
	Text string
	// Plain says the same in one line and without the place, if Text does
	// not; Report prefers it. May be empty.
	Plain string
	// Hint says what would be right, in our words. May be empty.
	Hint string
	// Logged is set for a warning that is Supervisor's own: Config.Warnings has it in
	// Supervisor's words.
	Logged bool
	// Guess is set for a warning that is only a guess, since it depends on facts
	// not known here: only --check shows it.
	Guess bool
	// Also is the path of another file that has the same section, in Config.Advice
	// that says so. The values of File go before those of Also. Empty in any other.
	Also string
}

// Error gives only Supervisor's text, as a fault or the first line on standard
// error carries it.
func (e *Error) Error() string { return e.Text }

// Report is the long form: FILE:LINE: [section] key: what is wrong (what would
// be right). Parts that are not known are left out. It is one line, whatever is
// in the files: characters that control a terminal are escaped.
func (e *Error) Report() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.Place() + " ")
	}
	if e.Section != "" {
		fmt.Fprintf(&b, "[%s] ", e.Section)
	}
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	b.WriteString(cmp.Or(e.Plain, e.withoutPlace()))
	if e.Hint != "" {
		fmt.Fprintf(&b, " (%s)", e.Hint)
	}
	return printable(b.String())
}

// withoutPlace is Text without the section, where Supervisor's own words name it
// as Report does.
func (e *Error) withoutPlace() string {
	text := strings.TrimSpace(e.Text)
	section := "[" + e.Section + "]"
	text = strings.TrimPrefix(text, section+" ")
	for _, end := range []string{" in " + section + " " + e.Key, " within " + section} {
		text = strings.TrimSuffix(text, end)
	}
	return text
}

// Place is what a report begins with, FILE:LINE: as far as they are known.
func (e *Error) Place() string {
	switch {
	case e.File == "":
		return ""
	case e.Line == 0:
		return printable(e.File) + ":"
	}
	return fmt.Sprintf("%s:%d:", printable(e.File), e.Line)
}

// printable escapes control characters as PyRepr does.
func printable(s string) string {
	if strings.IndexFunc(s, unicode.IsControl) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsControl(r) {
			b.WriteString(strings.Trim(value.PyRepr(string(r)), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
