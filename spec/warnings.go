package spec

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"supervisord/spec/value"
)

// This file makes Config.Advice: warnings about what Supervisor accepts without a
// word although it is probably a mistake.
//
// Source: contract/differences.md rows 38, 42, 43; reconciler.md, --check.

// adviseSections checks everything that is no part of a group: unknown sections,
// values that replace each other, values cut by a comment.
func (b *builder) adviseSections() {
	for _, s := range b.sections {
		r := b.reader(s)
		if !hasAnyPrefix(s.name, programPrefix, listenerPrefix, fastCGIPrefix) {
			b.adviseSection(r, b.errs)
		}
		if wrong, hint := b.suspectSection(s.name); wrong != "" {
			r.advise("", wrong, hint)
		}
		b.add(notes{advice: r.advice})
	}
	main := b.load.sources[0]
	for _, from := range b.load.sources {
		// A main file that its own pattern matches is read twice, which is said where it
		// changes a value.
		if from.main || !from.sameFile(main) {
			b.adviseFile(from)
		}
	}
	b.adviseServers()
	b.adviseCtl()
	b.adviseLogs()
}

func hasAnyPrefix(name string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// adviseFile looks at the lines of one file.
func (b *builder) adviseFile(from *source) {
	if from.builtin {
		return
	}
	for _, c := range from.doc.Truncated {
		if isSecret(c.Key) {
			c.Text = c.Text[:1] + "…"
		}
		b.advice = append(b.advice, &Error{
			File: from.shown, Line: c.Line, Section: c.Section, Key: c.Key,
			Text: "the value ends before " + value.PyRepr(c.Text) + ", where a comment begins",
			Hint: "a ; or # after a space begins a comment, even in quotes; remove the space before it",
		})
	}
	for _, c := range from.doc.Continued {
		b.advice = append(b.advice, &Error{
			File: from.shown, Line: c.Line, Section: c.Section, Key: c.Key,
			Text: "the line " + value.PyRepr(c.Text) + " is indented and so continues the value",
			Hint: "remove the space before it",
		})
	}
	for _, k := range from.doc.Repeated {
		if strings.HasPrefix(k.Key, "[") {
			continue // headers that are not closed
		}
		b.advice = append(b.advice, replaces(from, k.Line, k.Section, k.Key, from, k.First))
	}
	for _, u := range from.doc.Unclosed {
		if strings.HasPrefix(u.Section, rpcPrefix) {
			continue // said as of any option there
		}
		b.advice = append(b.advice, &Error{
			File: from.shown, Line: u.Line, Section: u.Section,
			Text: "the line " + value.PyRepr(u.Text) + " is read as an option of this section", Hint: unclosedHint,
		})
	}
	for _, s := range from.doc.Sections {
		if s.After != "" && s.After[0] != ';' && s.After[0] != '#' {
			b.advice = append(b.advice, &Error{
				File: from.shown, Line: s.Line, Section: s.Name,
				Text: "the text " + value.PyRepr(s.After) + " after the header is ignored",
				Hint: "begin a new line after ]",
			})
		}
		if !from.main && s.Name == "include" {
			b.advice = append(b.advice, &Error{
				File: from.shown, Line: s.Line, Section: s.Name,
				Text: "an [include] in an included file is ignored", Hint: "include the files from the main file",
			})
		}
	}
}

// unclosedHint is about an option whose line begins with a bracket.
const unclosedHint = "looks like a section header without its ]"

// headerHint recognises an option that was to be a header.
func (e *entry) headerHint() string {
	switch {
	case strings.HasPrefix(e.name, "["):
		return unclosedHint
	case strings.HasSuffix(e.text, "]") && (keysFor(e.name+":") != nil || e.name+":" == rpcPrefix):
		return "looks like a section header without its ["
	}
	return ""
}

// adviseSection looks at the keys of one section. errs are the mistakes in it, which
// may be others', too.
func (b *builder) adviseSection(r *reader, errs []*Error) {
	for _, o := range r.section.overrides {
		if r.section.name == "include" {
			break // only the main file's counts, which is said of the other
		}
		r.advice = append(r.advice, replaces(o.new.from, o.new.line, r.section.name, o.new.name, o.old.from, o.old.line))
	}
	r.advice = append(r.advice, r.section.again()...)
	known := keysFor(r.section.name)
	if known == nil {
		return
	}
	for _, e := range r.section.entries {
		switch {
		case strings.HasPrefix(e.name, "["):
		case slices.Contains(known, e.name):
			if !slices.ContainsFunc(errs, func(o *Error) bool { return o.Section == r.section.name && o.Key == e.name }) {
				r.adviseGlued(&e)
			}
		default:
			wrong, hint := r.unknownKey(&e, known)
			r.advise(e.name, wrong, hint)
		}
	}
}

// unknownKey says what is to be thought of a key that a section does not know.
func (r *reader) unknownKey(e *entry, known []string) (wrong, hint string) {
	const unknown = "the key is unknown and has no effect"
	if hint := e.headerHint(); hint != "" {
		return unknown, hint
	}
	if section, twin := placeOf(e.name, r.section.name); section != "" {
		if twin != "" {
			hint = "did you mean " + twin + "?"
		}
		return "the key has no effect here: it belongs to " + section, hint
	}
	if near := value.Nearest(e.name, known); near != "" {
		return unknown, "did you mean " + near + "?"
	}
	return unknown, ""
}

// placeOf is the kind of section that knows a key which one of another kind does not,
// "" if none does; twin is the key that says the same there, "" if none does.
func placeOf(key, section string) (kind, twin string) {
	if hasAnyPrefix(section, programPrefix, listenerPrefix, fastCGIPrefix) {
		twin = map[string]string{
			"logfile": "stdout_logfile", "logfile_maxbytes": "stdout_logfile_maxbytes", "logfile_backups": "stdout_logfile_backups",
		}[key]
	}
	for _, kind := range []string{
		programPrefix + "x", "supervisord", listenerPrefix + "x", fastCGIPrefix + "x", inetPrefix, unixPrefix, "supervisorctl",
		groupPrefix + "x", "reconcile", "include",
	} {
		if slices.Contains(keysFor(kind), key) {
			return "[" + kind + "]", twin
		}
	}
	return "", ""
}

// freeText are keys whose values may well have a ; or a # in them.
var freeText = []string{"command", "environment", "password", "username", "prompt", "identifier"}

// adviseGlued looks for a comment that is a part of the value, for lack of a space
// before it, and for variables as a shell has them.
func (r *reader) adviseGlued(e *entry) {
	if slices.Contains(freeText, e.name) {
		return
	}
	if text := strings.IndexByte(e.text, ';'); text > 0 {
		r.advise(e.name, value.PyRepr(e.text[text:])+" is a part of the value", gluedHint)
	}
	if name := value.ShellVariable(e.text); name != "" {
		r.advise(e.name, name+" is not expanded", variableHint)
	}
	if e.name == "depends_on" && value.ForeignDependsOn(e.text) {
		r.advise(e.name, "with commas it is not understood and has no effect, as in Supervisor", "separate names by spaces: db migrate:done")
	}
}

const variableHint = "%(ENV_X)s is the variable X of supervisord's environment"

const gluedHint = "a comment has a space before its ; or #"

// replaces says that one value takes the place of another.
func replaces(from *source, line int, section, key string, old *source, oldLine int) *Error {
	return &Error{
		File: from.shown, Line: line, Section: section, Key: key,
		Text: fmt.Sprintf("replaces the value from %s:%d", old.shown, oldLine), Hint: "the later value wins",
	}
}

// again says of each place but the first that a section is there once more. A file
// may well have some sections in pieces, but not what defines a group.
func (s *section) again() []*Error {
	var list []*Error
	var first *part
	for i := range s.parts {
		p := &s.parts[i]
		switch {
		case p.from.builtin || s.name == "include":
			continue
		case slices.ContainsFunc(s.parts[i+1:], p.samePlace): // in a main file that includes itself
			continue
		case first == nil:
			first = p
			continue
		case p.from.sameFile(first.from) && !definesGroup(s.name):
			continue
		}
		e := &Error{
			File: p.from.shown, Line: p.doc.Line, Section: s.name,
			Text: fmt.Sprintf("the section is also in %s:%d", first.from.shown, first.doc.Line),
			Hint: "the two are merged key by key; the values here win",
		}
		if !p.from.sameFile(first.from) {
			e.Also = first.from.path
		}
		list = append(list, e)
	}
	return list
}

func (p *part) samePlace(q part) bool {
	return p.doc.Line == q.doc.Line && p.from.sameFile(q.from)
}

func definesGroup(section string) bool {
	return hasAnyPrefix(section, programPrefix, listenerPrefix, fastCGIPrefix, groupPrefix)
}

// suspectSection gives a warning for a section name that neither Supervisor nor we
// know but that resembles a known one. Both results are empty for any other name:
// it may belong to another program.
func (b *builder) suspectSection(name string) (wrong, hint string) {
	switch {
	case strings.HasPrefix(name, ctlPrefix):
		return "the section has no effect", "supervisorctl has only its own commands; Python objects cannot be loaded"
	case keysFor(name) != nil || strings.HasPrefix(name, rpcPrefix):
		return "", ""
	}
	kinds := []string{"program", "eventlistener", "fcgi-program", "group", "rpcinterface", "ctlplugin"}
	i := strings.IndexAny(name, ":=. /-_")
	word := strings.ToLower(value.Strip(name))
	rest := ""
	if i > 0 {
		word, rest = strings.ToLower(value.Strip(name[:i])), value.Strip(name[i+1:])
	}
	if near := value.Nearest(word, kinds); near != "" && rest != "" {
		return "the section has no effect", "did you mean [" + near + ":" + rest + "]?"
	}
	if near := value.Nearest(strings.ToLower(value.Strip(name)), slices.Concat(singleSections, kinds)); near != "" && b.byName[near] == nil {
		if slices.Contains(kinds, near) {
			near += ":NAME"
		}
		return "the section has no effect", "did you mean [" + near + "]?"
	}
	return "", ""
}

// adviseEnvironment says where an environment value means something else than
// it seems to.
func (b *builder) adviseEnvironment(r *reader, text string) {
	for _, advice := range value.EnvAdvice(text) {
		r.advise("environment", advice, `put the value in double quotes: KEY="value"`)
	}
}

// adviseProgram checks numbers out of range that Supervisor accepts.
func (b *builder) adviseProgram(r *reader, p *program) {
	for _, n := range []struct {
		key   string
		value int
	}{
		{"startsecs", p.StartSecs}, {"startretries", p.StartRetries}, {"stopwaitsecs", p.StopWaitSecs},
		{"numprocs", p.numprocs},
	} {
		if n.value < 0 {
			r.advise(n.key, "the number is negative and counts as 0", "")
		}
	}
	if p.numprocs > maxProcs {
		r.report("numprocs", fmt.Sprintf("numprocs is above %d", maxProcs), "a smaller number")
	}
	if p.numprocs == 0 {
		r.advise("numprocs", "no process is created from this section", "remove numprocs, or the section")
	}
}

// adviseCommand says when there is no file to execute for a command. It looks
// where the daemon will.
func (b *builder) adviseCommand(r *reader, p *Process) {
	words, err := value.Split(p.Command)
	if err != nil {
		r.advise("command", fmt.Sprintf("can't parse command %s: %v", value.PyRepr(p.Command), err), "close the quotes")
		return
	}
	if len(words) == 0 {
		r.advise("command", "command is empty", "")
		return
	}
	r.adviseShell(p.Command, words)
	r.adviseBackground(words)
	if !slices.ContainsFunc(b.candidates(r, p, words[0]), func(name string) bool { return isExecutable(r.host, name) }) {
		r.advise("command", "there is no executable "+words[0], executableHint(words[0]))
	}
}

// candidates are the files that the first word of a command may mean.
func (b *builder) candidates(r *reader, p *Process, word string) []string {
	cwd := r.host.Getwd()
	switch {
	case path.IsAbs(word):
		return []string{word}
	case strings.Contains(word, "/"):
		return []string{joinPath(joinPath(cwd, p.Directory), word), joinPath(cwd, word)}
	}
	var list []string
	for _, dir := range strings.Split(cmp.Or(b.context.env["PATH"], "/bin:/usr/bin"), ":") {
		list = append(list, joinPath(joinPath(cwd, dir), word))
	}
	return list
}

func executableHint(word string) string {
	if strings.Contains(word, "=") {
		return "variables belong in environment="
	}
	if slices.Contains([]string{"cd", "export", "source", ".", "ulimit", "exec", "set", "umask", "eval"}, word) {
		return "no shell runs the command; use directory= or environment=, or bash -c"
	}
	return "check the path and its permissions"
}

func isExecutable(h Host, name string) bool {
	info, err := h.Stat(name)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
