package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"supervisord/reconcile"
	"supervisord/rpc"
	"supervisord/runtime/lazy"
	"supervisord/runtime/logfile"
	"supervisord/spec"
	"supervisord/spec/value"
)

// check is --check: it reads everything, starts nothing, and tells every mistake
// and every warning. What the machine lacks is a warning, since it need not be the one
// where the daemon will run; with --here it is a mistake. The result is the exit status: 2 if there is a mistake,
// else 0.
//
// Source: reconciler.md, Configuration.
func check(w io.Writer, h spec.Host, path string, o spec.Options, f flags) int {
	v := runCheck(h, path, o, f)
	if v.config != nil && len(f.watch) == 0 { // what that needs it makes itself
		wrong, mild := machine{h, f.here}.lacks(v.config)
		v.lacking(wrong, f.here)
		v.lacking(mild, false)
	}
	v.dropWrongGuesses(h)
	v.gatherTemplates(h)
	v.sort()
	if f.json {
		v.printJSON(w, f.showSecrets)
	} else {
		v.print(w, stylesFor(w))
	}
	if len(v.errors) > 0 {
		return 2
	}
	return 0
}

// checkResult is what a check found. Both lists are by file, line, section and
// key.
type checkResult struct {
	name     string       // of what was read
	config   *spec.Config // nil if it cannot be used
	errors   []*spec.Error
	warnings []*spec.Error
}

func runCheck(h spec.Host, path string, o spec.Options, f flags) checkResult {
	v := checkResult{name: path}
	if len(f.watch) > 0 {
		v.name = strings.Join(f.watch, " ")
	}
	var err error
	if v.config, err = spec.Load(h, path, o); err != nil {
		v.errors, v.warnings = loadErrors(err)
		v.elsewhere(h, path, o, f.here)
	} else {
		v.warnings = slices.Clone(v.config.Advice)
	}
	if v.config != nil {
		v.warnings = append(v.warnings, permissionWarnings(h, v.config)...)
		if w := exposedLog(&v.config.Daemon); w != nil {
			w.File = path
			v.warnings = append(v.warnings, w)
		}
	}
	return v
}

// elsewhere makes warnings of those mistakes that only this machine makes one of: a user,
// a directory or a variable that it has not got, and the one where the daemon will run
// may have. Where it will run here they stay mistakes, and the configuration serves to
// find what else is wrong.
func (v *checkResult) elsewhere(h spec.Host, path string, o spec.Options, isHere bool) {
	o.Cache = nil // it is of this machine
	here := v.errors
	anywhere := anyMachine{h, map[string]string{}, false}
	var config *spec.Config
	var err error
	anywhere.imagine(func() (errs []*spec.Error) {
		if config, err = spec.Load(anywhere, path, o); err != nil {
			errs, _ = loadErrors(err)
		}
		return errs
	})
	unknown := slices.DeleteFunc(slices.Clone(here), func(e *spec.Error) bool { return !unknownVariable().MatchString(e.Plain) })
	if isHere {
		v.config = config
		return
	}
	if err != nil {
		v.errors, _ = loadErrors(err)
		v.errors = slices.DeleteFunc(v.errors, func(e *spec.Error) bool { // what comes of the 1
			return !strings.Contains(e.Plain, "not known here") && slices.ContainsFunc(unknown, func(u *spec.Error) bool { return samePlace(u, e) })
		})
		if len(v.errors) == 0 {
			v.errors = here
		}
	} else {
		v.config, v.errors = config, nil
	}
	for _, e := range here {
		if !slices.ContainsFunc(v.errors, func(o *spec.Error) bool {
			return *o == *e || samePlace(o, e) && slices.Contains(unknown, e)
		}) {
			v.warnings = append(v.warnings, e)
		}
	}
}

func samePlace(a, b *spec.Error) bool { return a.File == b.File && a.Line == b.Line && a.Key == b.Key }

// unknownVariable is how a mistake names a variable that the environment has not got.
var unknownVariable = lazy.Regexp(`%\(ENV_(\w+)\)s`)

// dropWrongGuesses leaves out what nginx's own configuration shows not to be so.
func (v *checkResult) dropWrongGuesses(h spec.Host) {
	if v.config == nil {
		return
	}
	foreground := map[string]bool{} // by section
	for _, g := range v.config.Groups {
		for _, p := range g.Processes {
			words, err := value.Split(p.Command)
			if err != nil || len(words) == 0 || filepath.Base(words[0]) != "nginx" {
				continue
			}
			file := "/etc/nginx/nginx.conf"
			if i := slices.Index(words, "-c"); i > 0 && i+1 < len(words) {
				file = words[i+1]
			}
			text, err := h.ReadFile(file)
			foreground[p.Origin.Section] = err == nil && daemonOff().Match(text)
		}
	}
	v.warnings = slices.DeleteFunc(v.warnings, func(e *spec.Error) bool { return e.Guess && foreground[e.Section] })
}

var daemonOff = lazy.Regexp(`(?m)^\s*daemon\s+off\s*;`)

// gatherTemplates says of each file that is a template nothing but that: what is made
// of it may be right.
func (v *checkResult) gatherTemplates(h spec.Host) {
	marks := map[string]*spec.Error{}
	mark := func(name string) *spec.Error {
		if _, known := marks[name]; !known && name != "" {
			marks[name] = nil
			if content, err := h.ReadFile(name); err == nil {
				if line, text := spec.Template(content); line > 0 {
					marks[name] = &spec.Error{File: name, Line: line, Text: "this looks like a template: " + text, Hint: "check the file that is made from it"}
				}
			}
		}
		return marks[name]
	}
	gather := func(list []*spec.Error) (rest []*spec.Error) {
		for _, e := range list {
			m := mark(e.File)
			if m == nil {
				m = e
			}
			if !slices.Contains(rest, m) {
				rest = append(rest, m)
			}
		}
		return rest
	}
	v.errors, v.warnings = gather(v.errors), gather(v.warnings)
	v.warnings = slices.DeleteFunc(v.warnings, func(e *spec.Error) bool { return slices.Contains(v.errors, e) })
}

// lacking adds what a machine has not got, unless a mistake there has been found already.
func (v *checkResult) lacking(list []*spec.Error, wrong bool) {
	list = slices.DeleteFunc(list, func(e *spec.Error) bool {
		return slices.ContainsFunc(v.errors, func(o *spec.Error) bool { return samePlace(o, e) })
	})
	if wrong {
		v.errors = append(v.errors, list...)
	} else {
		v.warnings = append(v.warnings, list...)
	}
}

func (v *checkResult) sort() {
	slices.SortStableFunc(v.errors, byPlace)
	slices.SortStableFunc(v.warnings, byPlace)
}

// permissionWarnings are about files that others than root can change, where the
// daemon is run by root.
func permissionWarnings(h spec.Host, cfg *spec.Config) []*spec.Error {
	if h.UID() != 0 || cfg.Reconcile.Permissions == "ignore" {
		return nil
	}
	var warnings []*spec.Error
	check := reconcile.NewPermissionCheck()
	for _, f := range cfg.Files {
		if problem := check.Problem(f.Path); problem != "" {
			warnings = append(warnings, &spec.Error{File: f.Path, Text: problem, Hint: "only root should be able to change it"})
		}
	}
	return warnings
}

// exposedLog is a warning about an activity log that is there already, which others
// can read, and to which what children write will go; nil if it is not so. A new one
// is made with mode 0600.
func exposedLog(c *spec.Daemon) *spec.Error {
	if !echoes(c) {
		return nil
	}
	info, err := os.Stat(c.LogFile)
	if err != nil || !info.Mode().IsRegular() || info.Mode()&0o044 == 0 || logfile.SameAsStdout(c.LogFile) {
		return nil
	}
	return &spec.Error{
		Section: "supervisord", Key: "logfile",
		Text: fmt.Sprintf("with loglevel=%s the output of programs also goes to %s, which others can read (mode %04o)", c.LogLevel, c.LogFile, info.Mode().Perm()),
		Hint: "chmod 600 " + c.LogFile,
	}
}

// loadErrors are all mistakes in an error of spec.Load, and the warnings beside
// them.
func loadErrors(err error) (errs, advice []*spec.Error) {
	if load := (*spec.LoadError)(nil); errors.As(err, &load) {
		return load.All(), load.Advice()
	}
	return []*spec.Error{{Text: err.Error()}}, nil
}

func byPlace(a, b *spec.Error) int {
	return cmp.Or(
		cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
		cmp.Compare(a.Section, b.Section), cmp.Compare(a.Key, b.Key),
	)
}

// printErrors tells why the daemon does not start: Supervisor's own two lines,
// then every mistake with its place, and the warnings, one of which may well be
// the reason: a key that is missing because it is misspelt.
func printErrors(w io.Writer, argv0 string, err error) {
	fmt.Fprintf(w, "Error: %v\nFor help, use %s -h\n", err, argv0)
	if load := (*spec.LoadError)(nil); errors.As(err, &load) {
		checkResult{errors: load.All(), warnings: load.Advice()}.printLines(w, styles{})
	} else if m := mistakeIn(err); m != nil {
		fmt.Fprintln(w, m.Report())
	}
}

// mistakeIn is what an error about one key says of it, nil for any other error.
func mistakeIn(err error) *spec.Error {
	var server *rpc.ServerError
	var mistake *spec.Error
	switch {
	case errors.As(err, &server):
		return server.Mistake
	case errors.As(err, &mistake):
		return mistake
	}
	return nil
}

// placed is an error about one key with the place of that in the files.
func placed(err error, cfg *spec.Config) error {
	if m := mistakeIn(err); m != nil && m.File == "" {
		m.File, m.Line = cfg.PlaceOf(m.Section, m.Key)
	}
	return err
}

// styles are what is put around words to colour them; all empty where there is
// no terminal.
type styles struct {
	terminal                          bool
	place, warning, good, bad, normal string
}

// stylesFor are the styles for an output: none unless it is a terminal whose
// user wants colours.
func stylesFor(w io.Writer) styles {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return styles{}
	}
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return styles{terminal: true}
	}
	return styles{true, "\x1b[1m", "\x1b[33m", "\x1b[32m", "\x1b[31m", "\x1b[0m"}
}

// print tells a person: a line for each mistake and warning, and one that sums
// up.
func (v checkResult) print(w io.Writer, s styles) {
	v.printLines(w, s)
	colour := s.good
	if len(v.errors) > 0 {
		colour = s.bad
	}
	fmt.Fprintln(w, colour+v.summary()+s.normal)
}

// printLines prints mistakes and warnings by their place. Each line is
// FILE:LINE: [section] key: what is wrong (what would be right), with the word
// warning after the place of what is only that; on a terminal the places are as
// wide as the widest, within reason.
func (v checkResult) printLines(w io.Writer, s styles) {
	type line struct {
		*spec.Error
		mark string
	}
	var lines []line
	for _, e := range v.errors {
		lines = append(lines, line{e, ""})
	}
	for _, e := range v.warnings {
		lines = append(lines, line{e, s.warning + "warning:" + s.normal + " "})
	}
	slices.SortStableFunc(lines, func(a, b line) int { return byPlace(a.Error, b.Error) })
	width := 0
	for _, l := range lines {
		if n := utf8.RuneCountInString(l.Place()); s.terminal && n <= 40 {
			width = max(width, n)
		}
	}
	for _, l := range lines {
		place := l.Place()
		text := strings.TrimPrefix(strings.TrimPrefix(l.Report(), place), " ")
		if place != "" {
			pad := max(width-utf8.RuneCountInString(place), 0)
			place = s.place + place + s.normal + strings.Repeat(" ", pad+1)
		}
		fmt.Fprintln(w, place+l.mark+text)
	}
}

// summary is the last line.
func (v checkResult) summary() string {
	var counts []string
	if len(v.errors) > 0 {
		counts = append(counts, plural(len(v.errors), "error"))
	} else {
		processes := 0
		for _, g := range v.config.Groups {
			processes += len(g.Processes)
		}
		counts = append(counts, "ok", plural(len(v.config.Files), "file"),
			plural(len(v.config.Groups), "group"), plural(processes, "process"))
	}
	if len(v.warnings) > 0 {
		counts = append(counts, plural(len(v.warnings), "warning"))
	}
	return v.name + ": " + strings.Join(counts, ", ")
}

func plural(n int, word string) string {
	switch {
	case n == 1:
		return "1 " + word
	case strings.HasSuffix(word, "s"):
		return fmt.Sprintf("%d %ses", n, word)
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// finding is one mistake or warning as JSON. A place that is not known is "" or
// 0.
type finding struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Section string `json:"section"`
	Key     string `json:"key"`
	Text    string `json:"text"`
	Hint    string `json:"hint"`
}

func findings(errs []*spec.Error) []finding {
	list := make([]finding, len(errs))
	for i, e := range errs {
		list[i] = finding{e.File, e.Line, e.Section, e.Key, cmp.Or(e.Plain, e.Text), e.Hint}
	}
	return list
}

// printJSON tells a machine: one object with ok, errors, warnings and config,
// which is the whole desired state, or null if there is none.
func (v checkResult) printJSON(w io.Writer, showSecrets bool) {
	out := struct {
		OK       bool           `json:"ok"`
		Errors   []finding      `json:"errors"`
		Warnings []finding      `json:"warnings"`
		Config   map[string]any `json:"config"`
	}{OK: len(v.errors) == 0, Errors: findings(v.errors), Warnings: findings(v.warnings)}
	if out.OK {
		out.Config = spec.Normal(v.config, showSecrets)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	encoder.Encode(out) // plain values; an error can only be a closed output
}
