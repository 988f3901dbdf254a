package spec

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"supervisord/spec/value"
)

// Glob lists the files that an absolute pattern matches, sorted by byte order of
// their names. * ? and [...] match within one part of a path and never a
// leading dot; ** is *. A pattern without them is the file of that name, if it
// is there.
//
// Source: contract/config.md section 7.
func Glob(h Host, pattern string) []string {
	if !hasMagic(pattern) {
		if exists(h, pattern) {
			return []string{pattern}
		}
		return nil
	}
	dir, base := value.DirName(pattern), pattern[strings.LastIndexByte(pattern, '/')+1:]
	dirs := []string{dir}
	if hasMagic(dir) {
		dirs = slices.DeleteFunc(Glob(h, dir), func(name string) bool { return !value.IsDir(h, name) })
	}
	var found []string
	for _, dir := range dirs {
		if !strings.HasSuffix(dir, "/") {
			dir += "/"
		}
		if !hasMagic(base) {
			if name := dir + base; base == "" && value.IsDir(h, name) || base != "" && exists(h, name) {
				found = append(found, name)
			}
			continue
		}
		entries, err := h.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if Match(base, e.Name()) {
				found = append(found, dir+e.Name())
			}
		}
	}
	slices.Sort(found)
	return found
}

// Matcher returns a function that matches names against a pattern without slashes;
// nil if the pattern has no wildcards and is a plain name. It gives other packages
// the rules of [include].
func Matcher(pattern string) (match func(name string) bool) {
	if !hasMagic(pattern) {
		return nil
	}
	return func(name string) bool { return Match(pattern, name) }
}

// Match reports whether a name matches a pattern, neither of which holds a slash.
// A name that begins with a dot is matched only by a pattern that does.
func Match(pattern, name string) bool {
	if strings.HasPrefix(name, ".") && !strings.HasPrefix(pattern, ".") {
		return false
	}
	return matchHere(pattern, name)
}

// matchHere compares from the left. It goes back to the last * only, which is
// enough, and takes no more than the product of the lengths.
func matchHere(pattern, name string) bool {
	starPattern, starName := "", ""
	star := false
	for name != "" || pattern != "" {
		if pattern != "" && pattern[0] == '*' {
			star, starPattern, starName = true, pattern[1:], name
			pattern = pattern[1:]
			continue
		}
		if name != "" && pattern != "" {
			if p, n, ok := matchOne(pattern, name); ok {
				pattern, name = pattern[p:], name[n:]
				continue
			}
		}
		if !star || starName == "" {
			return false
		}
		_, n := utf8.DecodeRuneInString(starName)
		starName = starName[n:]
		pattern, name = starPattern, starName
	}
	return true
}

// matchOne compares the first character of a name with the first element of a
// pattern, and gives their lengths.
func matchOne(pattern, name string) (p, n int, ok bool) {
	r, n := utf8.DecodeRuneInString(name)
	switch pattern[0] {
	case '?':
		return 1, n, true
	case '[':
		if in, size := matchSet(pattern, r); size > 0 {
			return size, n, in
		}
	}
	want, p := utf8.DecodeRuneInString(pattern)
	return p, n, want == r && pattern[:p] == name[:n]
}

// matchSet reads the [...] at the beginning of a pattern. Its size is 0 when the
// bracket is never closed, and so is an ordinary character.
func matchSet(pattern string, r rune) (in bool, size int) {
	body := pattern[1:]
	negated := strings.HasPrefix(body, "!")
	if negated {
		body = body[1:]
	}
	end := -1
	if len(body) > 1 { // a bracket in the first place is a member
		if end = strings.IndexByte(body[1:], ']'); end >= 0 {
			end++
		}
	}
	if end < 0 {
		return false, 0
	}
	size = len(pattern) - len(body) + end + 1
	members := []rune(body[:end])
	for i := 0; i < len(members); i++ {
		if i+2 < len(members) && members[i+1] == '-' {
			in = in || members[i] <= r && r <= members[i+2]
			i += 2
			continue
		}
		in = in || members[i] == r
	}
	return in != negated, size
}

// magic are the characters with a meaning in patterns.
const magic = "*?["

func hasMagic(pattern string) bool { return strings.ContainsAny(pattern, magic) }

// listedDir is the directory whose names are compared first with a pattern; ""
// for one without wildcards.
func listedDir(pattern string) string {
	i := strings.IndexAny(pattern, magic)
	if i < 0 {
		return ""
	}
	return value.DirName(pattern[:i])
}

// exists reports whether a name is in its directory, even as a link to nothing.
func exists(h Host, name string) bool {
	if _, err := h.Stat(name); err == nil {
		return true
	}
	entries, err := h.ReadDir(path.Dir(name))
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == path.Base(name) })
}

// Ignored reports whether a file is left out although an include pattern matches
// it: editors, package managers, synchronisers and network file systems leave such
// names beside the real ones. A pattern whose last part begins with a dot asks for dotfiles,
// and one without wildcards for exactly that file.
//
// Source: reconciler.md, When it does not act.
func Ignored(pattern, name string) bool {
	wanted, base := path.Base(pattern), path.Base(name)
	switch {
	case !hasMagic(wanted):
		return false
	case hasAnyPrefix(base, ".nfs", "..data"):
		return true
	case strings.HasPrefix(base, ".") && !strings.HasPrefix(wanted, "."):
		return true
	case len(base) > 1 && strings.HasPrefix(base, "#") && strings.HasSuffix(base, "#"):
		return true
	case slices.ContainsFunc(leftoverMarks, func(mark string) bool { return strings.Contains(base, mark) }):
		return true
	}
	return slices.ContainsFunc(leftoverSuffixes, func(suffix string) bool { return strings.HasSuffix(base, suffix) })
}

// leftoverMarks are in the names of what package managers leave, and of the second
// version that a file has when two machines have changed it.
var leftoverMarks = []string{
	".dpkg-", ".ucf-", "sync-conflict", ".conflict", "conflicted copy", "(Conflicted copy", "(SFConflict ", "_conflict-20",
}

// leftoverSuffixes end the names of backups, swap files, half-written files, and what
// package managers, patches and synchronisers leave.
var leftoverSuffixes = []string{
	"~", ".swp", ".swx", ".tmp", ".bak", ".old", ".orig", ".rej", ".save", ".SAVE", ".dist", ".disabled", ".partial",
	".rpmsave", ".rpmnew", ".rpmorig", ".pacsave", ".pacnew", ".apk-new", ".augsave", ".augnew", "..path1", "..path2",
}
