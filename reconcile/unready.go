package reconcile

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"time"

	"supervisord/runtime/hang"
	"supervisord/spec"
)

// The rules by which a look takes files for what they were: those that are not ready to
// be read as they are.

// missedTries is how often a look reads files again that it missed.
const missedTries = 3

// keepMissed sees the directories again that lack a file which was in them: whoever takes a
// directory away while the look is under way has deleted none of its files, even if it
// is back by now. It reports whether to read again: what is seen now is to be held, or has
// a file that was not read. What was not there again and again is taken for gone from a
// directory that stands, and waits for settle_removals as any such file does.
func (l *look) keepMissed() bool {
	v := l.view
	if v.config == nil { // nothing is removed
		return false
	}
	read := make(map[string]bool)
	for _, list := range [][]spec.File{v.config.Files, v.config.LeftOut} {
		for i := range list {
			read[list[i].Path] = true
		}
	}
	for _, name := range v.config.Unreadable {
		read[name] = true
	}
	now := time.Now()
	again := false
	for name, d := range l.dirs {
		if h := v.held[name]; l.next[name] == nil || h != nil && !h.partial {
			continue
		}
		missed := slices.DeleteFunc(slices.Collect(maps.Keys(d.files)), func(base string) bool { return read[path.Join(name, base)] })
		if len(missed) == 0 {
			continue
		}
		delete(v.held, name)
		v.holds = slices.DeleteFunc(v.holds, func(h hold) bool { return h.Path == name })
		seen := l.see(d)
		if l.holdDirectory(name, seen, now) || slices.ContainsFunc(missed, func(base string) bool { return seen.names[base] }) {
			again = true
		}
	}
	return again
}

// keepBusy puts the last good content in place of files that are still being
// written to, by their real paths; one that has none is left out. It reports
// whether there were any.
func (l *look) keepBusy() bool {
	if len(l.busy) == 0 {
		return false
	}
	v := l.view
	var names []string
	if l.path != "" {
		names = append(names, l.main)
	}
	for _, e := range v.bad {
		names = append(names, e.File)
	}
	if v.config != nil {
		for _, f := range v.config.Files {
			names = append(names, f.Path)
		}
	}
	again := false
	for _, name := range names {
		if _, done := l.options.Content[name]; done || !slices.Contains(l.busy, l.realPath(l.overlay.root(name), name)) {
			continue
		}
		k, known := l.good.files[name]
		l.options.Content[name] = k.content
		reason := name + " is still being written to: what it said before stays in force"
		if !known {
			reason = name + " is still being written to"
		}
		v.holds = append(v.holds, hold{Path: name, Reason: reason, kind: "files that are still being written to"})
		again = true
	}
	return again
}

// openLimit is how long a file that somebody has open for writing is waited for.
const openLimit = 30 * time.Second

// keepOpen puts the last good content in place of changed files that somebody
// has open for writing, until they are closed; one that has none is left out. A
// person does not wait, and neither does the start. It reports whether to read again:
// there were any, or one was closed between its reading and now.
func (l *look) keepOpen() bool {
	now := time.Now()
	v := l.view
	if l.explicit || l.inForce == nil {
		return false
	}
	var names []string
	for _, e := range v.bad {
		names = append(names, e.File)
	}
	if v.config != nil {
		for _, f := range v.config.Files {
			if l.good.files[f.Path].hash != f.Hash {
				names = append(names, f.Path)
			}
		}
	}
	if v.open == nil {
		v.open = make(map[string]time.Time)
	}
	again := false
	for _, name := range names {
		if _, done := l.options.Content[name]; done {
			continue
		}
		if open, err := hang.Call(l.try, l.overlay.root(name), func() (bool, error) { return openForWriting(name), nil }); err != nil || !open {
			again = again || l.changedSince(name)
			continue
		}
		since, waiting := l.open[name]
		if !waiting {
			since = now
		}
		v.open[name] = since
		if now.Sub(since) >= openLimit {
			v.notes = append(v.notes, fmt.Sprintf("%s has been open for writing for %v: it is read as it is", name, openLimit))
			continue
		}
		l.options.Content[name] = l.good.files[name].content
		v.holds = append(v.holds, hold{
			Path: name, Reason: name + " is open for writing: it is read when it is closed", kind: "files that are open for writing",
		})
		v.lookAgain(now.Add(max(v.settings.Settle, openLook)))
		again = true
	}
	return again
}

// openTries is how often a look reads files again that somebody is writing.
const openTries = 3

// changedSince reports whether a file says something else than when it was read.
func (l *look) changedSince(name string) bool {
	was, ok := l.overlay.read[name]
	if !ok {
		return false
	}
	is, err := l.overlay.readFile(name)
	return err == nil && !bytes.Equal(was, is)
}

// beingWritten is a file that is not read because somebody has it open for writing; ""
// for none.
func (v *view) beingWritten(now time.Time) string {
	for _, name := range slices.Sorted(maps.Keys(v.open)) {
		if now.Sub(v.open[name]) < openLimit {
			return name
		}
	}
	return ""
}

// openLook is the shortest time between two checks of whether such a file is closed.
const openLook = 100 * time.Millisecond

// realPath is a path without symbolic links; "" where it leads nowhere. root is
// what falls silent if it does not answer.
func (l *look) realPath(root, name string) string {
	real, _ := hang.Call(l.try, root, func() (string, error) { return filepath.EvalSymlinks(name) })
	return real
}

// keepUnreadable puts the last good content in place of files that are there and
// cannot be read. A person's question asks only after those that do not answer. It
// reports whether there were any.
func (l *look) keepUnreadable() bool {
	v := l.view
	if v.config == nil {
		return false
	}
	again := false
	for _, name := range v.config.Unreadable {
		good, ok := l.good.files[name]
		if !ok || l.dirs[path.Dir(name)] == nil || l.explicit && !v.silent[name] {
			continue
		}
		l.options.Content[name] = good.content
		reason, kind := "is there but cannot be read", "files that are there but cannot be read"
		if v.silent[name] {
			reason, kind = "does not answer", "files that do not answer"
		}
		v.holds = append(v.holds, hold{Path: name, Reason: name + " " + reason + ": its programs stay as they are", kind: kind})
		again = true
	}
	return again
}

// keepUnmounted puts the last good content in place of files over which something
// else is mounted than before, or nothing, and that lack a group which was in them: as
// with directories, it is not known whether that comes back. It reports whether there
// were any.
func (l *look) keepUnmounted() bool {
	v := l.view
	if v.config == nil || l.inForce == nil || l.explicit {
		return false
	}
	there := make(map[string]bool)
	for i := range v.config.Groups {
		there[v.config.Groups[i].Name] = true
	}
	lacks := func(file string) bool {
		return slices.ContainsFunc(l.had()[file], func(g string) bool { return !there[g] })
	}
	l.unmounted = make(map[string]string)
	again := false
	for dir, d := range l.dirs {
		if h := v.held[dir]; h != nil && !h.partial {
			continue
		}
		now := l.mountedIn(dir)
		names := maps.Clone(now)
		maps.Copy(names, d.mounted)
		for base := range names {
			name := path.Join(dir, base)
			content, ok := d.files[base]
			_, done := l.options.Content[name]
			if !ok || done || now[base] == d.mounted[base] || !lacks(name) {
				continue
			}
			if _, err := l.overlay.stat(name); err != nil {
				continue // deleted
			}
			l.options.Content[name] = content
			l.unmounted[name] = d.mounted[base]
			v.holds = append(v.holds, hold{
				Path: name, Reason: "a different file is mounted at " + name + ", or none any more: its programs stay as they are until it is back, or somebody runs update",
				kind: "files that are no longer mounted",
			})
			again = true
		}
	}
	return again
}

// groupsByFile are the groups in force that each file defines or adds to. Of a file that
// cannot be used now they are those that it was the first to define.
func groupsByFile(cfg *spec.Config) map[string][]string {
	groups := make(map[string][]string, len(cfg.Files)+len(cfg.LeftOut))
	for _, f := range cfg.LeftOut {
		for i := range cfg.Groups {
			g := &cfg.Groups[i]
			if origin(g) == f.Path || slices.ContainsFunc(g.Processes, func(p spec.Process) bool { return p.Origin.File == f.Path }) {
				groups[f.Path] = append(groups[f.Path], g.Name)
			}
		}
	}
	for _, f := range cfg.Files {
		groups[f.Path] = f.Groups
	}
	return groups
}

// keepEmptied puts the last good content in place of files that had programs and
// are blank now, as a template leaves them that failed to render. One in which
// everything is commented out says what it means. It reports whether there were any.
func (l *look) keepEmptied() bool {
	v := l.view
	if v.config == nil || l.inForce == nil || l.explicit {
		return false
	}
	again := false
	for i, f := range v.config.Files {
		good, ok := l.good.files[f.Path]
		if len(f.Groups) > 0 || len(l.had()[f.Path]) == 0 || !ok || i == 0 && l.path != "" {
			continue
		}
		if content, err := l.overlay.readFile(f.Path); err != nil || len(bytes.TrimSpace(content)) > 0 {
			continue
		}
		l.options.Content[f.Path] = good.content
		v.holds = append(v.holds, hold{
			Path: f.Path, Reason: f.Path + " is empty: its programs stay as they are until it is filled or deleted, or somebody runs update",
			kind: "files that are empty",
		})
		again = true
	}
	return again
}
