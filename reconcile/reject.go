package reconcile

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"supervisord/spec"
)

// How a look takes files whose content has failed for what they were.

// forgetRejected has the look start from what a file was before its content failed,
// wherever else that would stand in for it.
func (l *look) forgetRejected() {
	good, dirs := l.good, l.dirs
	for name, f := range l.failed {
		if !f.reverted() || f.Gone {
			continue
		}
		former := f.former()
		if good.files[name].hash == f.Hash {
			if good == l.good {
				good = &contents{maps.Clone(good.files)}
			}
			good.files[name] = goodFile{former, sha256.Sum256(former)}
		}
		dir, base := path.Split(name)
		dir = path.Clean(dir)
		if d := dirs[dir]; d != nil && d.files[base] != nil && sha256.Sum256(d.files[base]) == f.Hash {
			held := *d
			held.files = maps.Clone(d.files)
			held.files[base] = former
			dirs = maps.Clone(dirs)
			dirs[dir] = &held
		}
	}
	l.good, l.dirs = good, dirs
}

// keepRejected puts the former content in place of content that failed. It reports whether
// there was any. It also notes which files have other content by now.
func (l *look) keepRejected() bool {
	v := l.view
	if v.config == nil || len(l.failed) == 0 {
		return false
	}
	// One file that has other content by now ends the rejection of all that failed with it.
	over := make(map[string]bool)
	for i := range v.config.Files {
		file := &v.config.Files[i]
		if f := l.failed[file.Path]; f != nil && f.Action != spec.OnFailureHold && !f.Gone && file.Hash != f.Hash && !l.isHeld(file.Path) && !v.isBad(file.Path) {
			v.renewed[file.Path] = f
			for _, other := range f.Files {
				over[other] = true
			}
		}
	}
	again := false
	for i := range v.config.Files {
		file := &v.config.Files[i]
		if f := l.failed[file.Path]; f != nil && f.reverted() && !f.Gone && file.Hash == f.Hash && !over[file.Path] {
			l.options.Content[file.Path] = f.former()
			v.holds = append(v.holds, f.hold(file.Path))
			again = true
		}
	}
	return again
}

// putBack has files stand as they were that are gone, and that a person has taken back. One
// that is there by now counts as it is. What is not known of one leaves it as it was.
func (l *look) putBack() {
	for _, name := range slices.Sorted(maps.Keys(l.failed)) {
		f := l.failed[name]
		if !f.Gone {
			continue
		}
		dir, base := path.Split(name)
		dir = path.Clean(dir)
		held := l.view.held[dir]
		if held != nil && !held.partial {
			continue
		}
		if _, err := l.overlay.stat(name); err == nil {
			l.view.renewed[name] = f
			continue
		}
		d := &directory{path: dir, files: map[string][]byte{base: f.former()}, partial: true}
		if held != nil {
			maps.Copy(d.files, held.files)
		}
		l.view.held[dir], l.options.Content[name] = d, f.former()
		l.view.holds = append(l.view.holds, f.hold(name))
	}
}

// hold is what is told of a file whose former content is in force.
func (f *failedFile) hold(name string) hold {
	return hold{Path: name, Reason: f.rejection(), rejected: !f.Pinned, pinned: f.Pinned, names: strings.Join(f.Groups, " ")}
}

// former is the content that stands for what has failed: nothing where there was none.
func (f *failedFile) former() []byte { return append([]byte{}, f.Former...) }

// rejection is what is reported about a file whose former content is in force.
func (f *failedFile) rejection() string {
	switch {
	case f.Gone:
		return f.Reason + ": so it stays until the file comes, or unpin"
	case f.Pinned:
		return f.Reason + ": so it stays until the file changes, or unpin"
	}
	instead := "what ran before is in force"
	if !f.Had {
		instead = "the file is new, and its programs are stopped"
	}
	return fmt.Sprintf("%s; %s until the file changes, or update NAME tries it again", f.Reason, instead)
}

// isBad reports whether a file has a mistake.
func (v *view) isBad(name string) bool {
	for _, e := range v.bad {
		if e.File == name {
			return true
		}
	}
	return false
}
