package main

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"supervisord/reconcile"
	"supervisord/spec"
)

// comparison is what --check --against found out: what an update from one tree of files,
// the base, to the other, the head, would do. No daemon is asked.
type comparison struct {
	// mistakes are those of the head, and follows their consequences, a line for each file.
	mistakes []*spec.Error
	follows  []string
	// baseMistakes are those of the base: what runs for such a file is not known.
	baseMistakes []*spec.Error
	review       *reconcile.Review // nil where nothing can be applied
	// assumed are the variables that must be a number, or the like, and are taken for 1.
	assumed []string
}

// status is 0 for nothing to do, 1 for something, 2 for a mistake.
func (c *comparison) status() int {
	switch {
	case len(c.mistakes)+len(c.baseMistakes) > 0:
		return 2
	case c.review == nil || !c.review.Empty():
		return 1
	}
	return 0
}

// fileTree is one of two trees that are compared.
type fileTree struct {
	host    spec.Host
	main    string // absolute, on the host
	options spec.Options
	shown   string // what is below this directory is shown by the rest of its path
	moved   bool   // it is a checkout, which may be anywhere
}

// against compares the configuration that the flags name with that of --against.
func against(h spec.Host, path string, o spec.Options, f flags) (comparison, error) {
	head, base, err := trees(h, path, o, f)
	if err != nil {
		return comparison{}, err
	}
	var c comparison
	nowhere := anyMachine{h, map[string]string{}, true}
	head.host, base.host = head.on(nowhere), base.on(nowhere)
	var old, new loaded
	nowhere.imagine(func() []*spec.Error {
		old = base.load(nil, fileTree{})
		new = head.load(old.config, base)
		return slices.Concat(old.mistakes, new.mistakes)
	})
	c.baseMistakes, c.mistakes = base.placed(old.mistakes), head.placed(new.mistakes)
	c.follows = new.follows(old.config, head)
	for _, name := range slices.Sorted(maps.Keys(nowhere.variables)) {
		if nowhere.variables[name] == "1" {
			c.assumed = append(c.assumed, "ENV_"+name)
		}
	}
	if old.config != nil && new.config != nil {
		r := reconcile.ReviewOf(old.config, new.config)
		for i := range r.Actions {
			head.shorten(&r.Actions[i])
		}
		c.review = &r
	}
	return c, nil
}

// trees finds out where the two trees are, and as which paths they are read.
func trees(h spec.Host, path string, o spec.Options, f flags) (head, base fileTree, err error) {
	o.Cache, o.Content = nil, nil
	main := path
	if path == "" {
		main = f.watch[0]
	}
	head.main, base.main = absolute(h, main), absolute(h, f.against)
	head, base = head.below(h, f.root), base.below(h, f.againstRoot)
	head.options, base.options = o, o
	info, err := base.host.Stat(base.main)
	switch {
	case err != nil:
		return head, base, fmt.Errorf("--against %s: %w", f.against, errors.Unwrap(err))
	case !info.IsDir() && !info.Mode().IsRegular():
		return head, base, fmt.Errorf("--against %s: it is not a regular file", f.against)
	case info.IsDir() != (path == ""):
		return head, base, fmt.Errorf("--against %s: it takes a file where -c does, and a directory where --watch does", f.against)
	}
	if f.root == "" && f.againstRoot == "" {
		at, from := samePlaces(head.main, base.main)
		base.main = strings.TrimSuffix(at, "/") + strings.TrimPrefix(base.main, strings.TrimSuffix(from, "/"))
		head.shown, base.shown, head.moved = at, at, at != from
		base.host = spec.Mounted{Host: h, At: at, From: from}
	}
	if path == "" {
		head.options.Watch, base.options.Watch = []string{head.main}, []string{base.main}
		head.main, base.main = "", ""
	}
	return head, base, nil
}

// absolute is a path from the root of the machine.
func absolute(h spec.Host, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(h.Getwd(), path)
}

// below is the tree that has the directory root in place of the machine's; its main file
// may be named either way.
func (t fileTree) below(h spec.Host, root string) fileTree {
	t.host = h
	if root == "" {
		return t
	}
	root = absolute(h, root)
	t.host, t.shown = spec.Mounted{Host: h, At: "/", From: root}, "/"
	if rest, ok := spec.Below(root, t.main); ok {
		t.main = rest
	}
	return t
}

// samePlaces are the directories in which two main files have the same place: /a and /b for
// /a/etc/main.conf and /b/etc/main.conf; else the directories that they are in.
func samePlaces(head, base string) (string, string) {
	same := func() bool { return head != "/" && base != "/" && filepath.Base(head) == filepath.Base(base) }
	if !same() {
		return filepath.Dir(head), filepath.Dir(base)
	}
	for same() {
		head, base = filepath.Dir(head), filepath.Dir(base)
	}
	return head, base
}

// on is the host of the tree with another machine below it.
func (t fileTree) on(m anyMachine) spec.Host {
	if mounted, ok := t.host.(spec.Mounted); ok {
		mounted.Host = m
		return mounted
	}
	return m
}

// loaded is what a tree says.
type loaded struct {
	config   *spec.Config // nil if nothing may be made of it
	mistakes []*spec.Error
	strict   string // the key because of which a mistake holds everything; "" if it does not
}

// load reads the tree as a daemon would that has inForce, from the files of another tree.
func (t fileTree) load(inForce *spec.Config, before fileTree) (l loaded) {
	earlier := spec.Earlier{InForce: inForce}
	if inForce != nil {
		good := make(map[string]bool)
		for _, f := range inForce.Files {
			good[f.Path] = true
		}
		earlier.Content = func(file string) ([]byte, bool) {
			if !good[file] {
				return nil, false
			}
			content, err := before.host.ReadFile(file)
			return content, err == nil
		}
	}
	config, bad, err := spec.LoadIsolated(t.host, t.main, t.options, earlier)
	l.mistakes = bad
	if err != nil {
		all, _ := loadErrors(err)
		l.mistakes = append(all, bad...)
		return l
	}
	switch {
	case len(bad) == 0, inForce == nil: // of what ran before, what can be known is known
		l.config = config
	case config.Reconcile.Strict:
		l.strict = "on_invalid=strict"
	case !config.Reconcile.Autoupdate:
		l.strict = "autoupdate=false"
	default:
		l.config = config
	}
	return l
}

// follows gives the consequences of mistakes: nothing is applied, or files stay as they
// were.
func (l *loaded) follows(before *spec.Config, t fileTree) (lines []string) {
	switch {
	case len(l.mistakes) == 0:
		return nil
	case l.strict != "":
		return []string{"nothing is applied until this is fixed (" + l.strict + ")"}
	case l.config == nil:
		return []string{"nothing is applied until this is fixed"}
	}
	had := make(map[string][]string)
	if before != nil {
		for _, f := range before.Files {
			had[f.Path] = f.Groups
		}
	}
	var told []string
	for _, e := range l.mistakes {
		if slices.Contains(told, e.File) {
			continue
		}
		told = append(told, e.File)
		groups, was := had[e.File]
		switch {
		case !was:
			lines = append(lines, t.short(e.File)+" is left out until it is fixed: it is new")
		case len(groups) == 0:
			lines = append(lines, t.short(e.File)+" stays as it was")
		default:
			lines = append(lines, t.short(e.File)+" stays as it was: "+strings.Join(groups, ", "))
		}
	}
	return lines
}

// short is a path as it is shown.
func (t fileTree) short(path string) string {
	if rest, ok := spec.Below(t.shown, path); ok && t.shown != "" && rest != "" {
		return rest[1:]
	}
	return path
}

// shorten makes an action one that is the same wherever the tree is, and on which machine:
// what is in the checkout begins with a dot, and an unknown user has no number.
func (t fileTree) shorten(a *reconcile.Action) {
	a.File = t.short(a.File)
	for i := range a.Changes {
		c := &a.Changes[i]
		for _, value := range []*string{&c.Old, &c.New} {
			if t.moved && t.shown != "/" {
				*value = strings.ReplaceAll(*value, t.shown+"/", "./")
			}
			if name, _, ok := strings.Cut(*value, " (uid "); ok && c.Key == "user" {
				*value = strings.TrimSuffix(*value, fmt.Sprintf(" (uid %d, gid %[1]d)", inventedID(name)))
			}
		}
	}
}

// placed are mistakes with their files as they are shown, by place.
func (t fileTree) placed(mistakes []*spec.Error) []*spec.Error {
	list := make([]*spec.Error, len(mistakes))
	for i, e := range mistakes {
		shown := *e
		shown.File = t.short(e.File)
		for _, text := range []*string{&shown.Text, &shown.Plain} {
			*text = strings.ReplaceAll(*text, e.File, shown.File)
		}
		list[i] = &shown
	}
	slices.SortStableFunc(list, byPlace)
	return list
}
