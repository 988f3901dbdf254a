package spec

import (
	"slices"
	"strings"

	"supervisord/runtime/lazy"
	"supervisord/spec/dialect"
	"supervisord/spec/value"
)

// Template returns the line and the text that show a file to be a template, from
// which the real file is yet to be made; line is 0 if there are none. Braces in a
// program's own options, and variables for a shell that a command runs, do not
// count.
func Template(content []byte) (line int, mark string) {
	doc := dialect.Parse(content, keysFor)
	for i, text := range strings.Split(string(content), "\n") {
		text = strings.TrimSpace(text)
		if text == "" || text[0] == ';' || text[0] == '#' {
			continue
		}
		if mark := templateMark().FindString(text); mark != "" {
			return i + 1, strings.TrimSpace(mark)
		}
	}
	for _, s := range doc.Sections {
		if mark := placeholder().FindString(s.Name); mark != "" {
			return s.Line, mark
		}
		for _, o := range s.Options {
			if mark := optionMark(o); mark != "" {
				return o.Line, mark
			}
		}
	}
	return 0, ""
}

var (
	// What Jinja, Django, Go, Helm, Mustache, ERB and EJS templates have.
	templateMark = lazy.Regexp(`\{\{[-~#/]?\s*[A-Za-z_][^}]*\}?\}?|\{\{[-~]?\s+[.$"][^}]*\}?\}?|\{%[-+]?\s*\w+.*|<%[=#-]*\s*[@$:\w].*`)
	// What shells, CMake, autoconf and installers replace.
	placeholder = lazy.Regexp(`\$\{[A-Za-z_][\w.:-]*\}|@[A-Za-z_]{2,}@`)
	percents    = lazy.Regexp(`(?:^|[^%])(%[A-Z][A-Z0-9_]+%)`)
)

// optionMark is what of a value is to be replaced, "" for nothing.
func optionMark(o dialect.Option) string {
	if m := percents().FindStringSubmatch(o.Value); m != nil {
		return m[1]
	}
	switch o.Name {
	case "environment":
		return ""
	case "command":
		found := value.ShellSyntax(o.Value)
		if i := slices.IndexFunc(found, placeholder().MatchString); i >= 0 {
			return found[i]
		}
		return ""
	}
	return placeholder().FindString(o.Value)
}
