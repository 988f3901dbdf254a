package reconcile

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"supervisord/spec"
)

// list is what there is to say about each file and directory of a configuration
// as this view found it: cfg is the view's own, or where that cannot be used the
// one in force; gone are active groups that are no longer in any file, by the
// file they were in. A State that is empty is that of the groups from there.
func (v *view) list(cfg *spec.Config, gone map[string][]string) []FileState {
	var files []FileState
	known, warnings := make(map[string]bool), v.warnings(cfg)
	put := func(f FileState) {
		if known[f.Path] {
			return
		}
		known[f.Path] = true
		if state, reason := v.special(f.Path); state != "" {
			f.State, f.Reason = state, reason
		}
		f.Changed, f.Directory = v.changed[f.Path], f.Directory || v.held[f.Path] != nil
		f.Warnings = warnings[f.Path]
		files = append(files, f)
	}
	for _, f := range cfg.Files {
		put(FileState{Path: f.Path, Programs: slices.Concat(f.Groups, gone[f.Path])})
	}
	for _, e := range v.bad {
		if e.File != "" {
			put(FileState{Path: e.File, Programs: groupsFrom(cfg, e.File)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.untrusted)) {
		put(FileState{Path: name})
	}
	for _, name := range cfg.Unreadable {
		reason := "it cannot be read"
		if v.silent[name] {
			reason = "it does not answer"
		}
		put(FileState{Path: name, State: FileIgnored, Reason: reason})
	}
	for _, name := range cfg.Ignored {
		put(FileState{Path: name, State: FileIgnored, Reason: "a name like this is never read as configuration"})
	}
	lost := slices.Sorted(maps.Keys(gone))
	for _, name := range lost {
		put(FileState{Path: name, Programs: gone[name]})
	}
	for _, dir := range includeDirs(cfg) {
		f := FileState{Path: dir, Directory: true}
		for _, file := range cfg.Files {
			if path.Dir(file.Path) == dir {
				f.Programs = append(f.Programs, file.Groups...)
			}
		}
		for _, name := range lost {
			if path.Dir(name) == dir {
				f.Programs = append(f.Programs, gone[name]...)
			}
		}
		if v.changed[dir].IsZero() {
			f.State, f.Reason = FilePending, "it does not exist yet"
		}
		put(f)
	}
	for _, h := range v.holds { // of a new file that is not finished nothing else tells
		put(FileState{Path: h.Path})
	}
	return files
}

// groupsFrom are the groups that a file defines or adds to, which may be one that
// cannot be used and of which they stay as they are.
func groupsFrom(cfg *spec.Config, file string) (groups []string) {
	for i := range cfg.Groups {
		g := &cfg.Groups[i]
		if g.Origin.File == file || slices.ContainsFunc(g.Processes, func(p spec.Process) bool { return p.Origin.File == file }) {
			groups = append(groups, g.Name)
		}
	}
	return groups
}

// special is the state of a file or directory that is not simply in force.
func (v *view) special(name string) (state, reason string) {
	if problem := v.untrusted[name]; problem != "" && v.settings.Permissions == "enforce" {
		return FileIgnored, problem
	}
	for _, e := range v.bad {
		if e.File == name {
			return FileInvalid, e.Report()
		}
	}
	for _, h := range v.holds {
		switch {
		case h.Path != name:
		case h.rejected:
			return FileRejected, h.Reason
		case h.pinned:
			return FilePinned, h.Reason
		default:
			return FileHeld, h.Reason
		}
	}
	if d := v.held[path.Dir(name)]; d != nil {
		if _, _, known := d.content(path.Base(name)); known {
			return FileHeld, "its directory is held"
		}
	}
	return "", ""
}

// warnings are what is said of files that can be used, by their paths.
func (v *view) warnings(cfg *spec.Config) map[string][]string {
	list := make(map[string][]string)
	for _, a := range cfg.Advice {
		if a.File != "" && !a.Guess {
			name := path.Clean(a.File)
			list[name] = append(list[name], a.Report())
			if a.Also != "" {
				loser := spec.Error{File: a.Also, Section: a.Section, Text: fmt.Sprintf("the section is also in %s:%d", a.File, a.Line),
					Hint: "the two are merged key by key; the values there win"}
				list[a.Also] = append(list[a.Also], loser.Report())
			}
		}
	}
	if v.settings.Permissions != "enforce" {
		for name, problem := range v.untrusted {
			list[name] = append(list[name], (&spec.Error{File: name, Text: problem}).Report())
		}
	}
	return list
}

// includeDirs are the directories that files are taken from: those of the
// patterns without wildcards in them, and those of the files.
func includeDirs(cfg *spec.Config) []string {
	var dirs []string
	add := func(dir string) {
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	for _, p := range cfg.Includes {
		if dir := path.Dir(p); !hasWildcard(dir) {
			add(dir)
		}
	}
	for i, f := range cfg.Files {
		if i > 0 || cfg.Path == "" {
			add(path.Dir(f.Path))
		}
	}
	return dirs
}

// wanted reports whether a directory that is not there is missed: somebody has named it
// with --watch, or programs came from it. One of which a pattern has found nothing yet is
// no concern of anybody's.
func wanted(cfg *spec.Config, dir string) bool {
	for i, f := range cfg.Files {
		if i > 0 && path.Dir(f.Path) == dir {
			return true
		}
	}
	return cfg.Path == ""
}

func hasWildcard(s string) bool {
	return strings.ContainsAny(s, "*?[")
}
