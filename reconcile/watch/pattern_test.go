package watch

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shellPatterns is a Matcher of the patterns that the tests use.
func shellPatterns(pattern string) func(string) bool {
	if !strings.ContainsAny(pattern, "*?[") {
		return nil
	}
	return func(name string) bool {
		ok, _ := filepath.Match(pattern, name)
		return ok && (pattern[0] == '.' || name[0] != '.')
	}
}

// TestResolve says which directories are watched and which names in them
// matter. Paths are below a temporary directory, its own parents left out.
func TestResolve(t *testing.T) {
	rows := []struct {
		name     string
		make     []string // "dir/", "file", "link -> target"
		patterns []string
		want     []string // "dir: names"
	}{
		{
			name: "a plain directory", make: []string{"etc/conf.d/a.ini", "etc/conf.d/b.txt"},
			patterns: []string{"etc/conf.d/*.ini"},
			want:     []string{".: etc", "etc/conf.d: *.ini", "etc: conf.d"},
		},
		{
			name: "nothing there yet", make: []string{"etc/"},
			patterns: []string{"etc/not/yet/*.ini"},
			want:     []string{".: etc", "etc: not"},
		},
		{
			name: "a linked directory is watched with its link", make: []string{"v1/a.ini", "current -> v1"},
			patterns: []string{"current/*.ini"},
			want:     []string{".: current v1", "v1: *.ini"},
		},
		{
			name: "a mounted volume: file -> ..data/file, ..data -> ..1",
			make: []string{"c/..1/a.ini", "c/..data -> ..1", "c/a.ini -> ..data/a.ini"},

			patterns: []string{"c/*.ini"},
			want:     []string{".: c", "c/..1: a.ini", "c: *.ini ..1 ..data a.ini"},
		},
		{
			name: "an absolute link", make: []string{"real/x/a.ini", "in/l -> /ROOT/real/x"},
			patterns: []string{"in/l/a.ini"},
			want:     []string{".: in real", "in: l", "real/x: a.ini", "real: x"},
		},
		{
			name: "links that loop end", make: []string{"a -> b", "b -> a"},
			patterns: []string{"a/*.ini"},
			want:     []string{".: a b"},
		},
		{
			name: "a dangling link waits where its target would be", make: []string{"there/", "l -> there/gone/x"},
			patterns: []string{"l/*.ini"},
			want:     []string{".: l there", "there: gone"},
		},
		{
			name:     "wildcards in the middle",
			make:     []string{"apps/a/conf/x.ini", "apps/b/", "apps/README", "apps/.git/conf/x.ini"},
			patterns: []string{"apps/*/conf/*.ini"},
			want:     []string{".: apps", "apps/a/conf: *.ini", "apps/a: conf", "apps/b: conf", "apps: *"},
		},
		{
			name: "** is * in Supervisor's globs", make: []string{"d/e/f/x.ini"},
			patterns: []string{"d/**/*.ini", "d/*.ini", "d/*/*.conf"},
			want:     []string{".: d", "d/e: *.conf *.ini", "d: * ** *.ini"},
		},
		{
			name: "dots", make: []string{"d/e/x.ini"},
			patterns: []string{"d/./e/../e/x.ini"},
			want:     []string{".: d", "d/e: x.ini", "d: e"},
		},
		{
			name: "a file where a directory should be", make: []string{"d"},
			patterns: []string{"d/*.ini"},
			want:     []string{".: d"},
		},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			root := realTempDir(t)
			for _, m := range r.make {
				plant(t, root, strings.ReplaceAll(m, "/ROOT", root))
			}
			var patterns []string
			for _, p := range r.patterns {
				patterns = append(patterns, root+"/"+p)
			}
			l := resolve(disk{}, patterns, shellPatterns, func(string) bool { return false })
			var got []string
			for dir, in := range l.dirs {
				rel, err := filepath.Rel(root, dir)
				if err != nil || strings.HasPrefix(rel, "..") && !strings.HasPrefix(rel, "..1") {
					continue
				}
				words := slices.Collect(maps.Keys(in.names))
				for _, g := range in.globs {
					words = append(words, g.pattern)
				}
				slices.Sort(words)
				got = append(got, rel+": "+strings.Join(words, " "))
			}
			slices.Sort(got)
			slices.Sort(r.want)
			if d := cmp.Diff(r.want, got); d != "" {
				t.Errorf("patterns %q (-want +got):\n%s", r.patterns, d)
			}
		})
	}
}

// TestFingerprint: what must and what must not change it.
func TestFingerprint(t *testing.T) {
	root := realTempDir(t)
	plant(t, root, "d/a.ini")
	plant(t, root, "d/note.txt")
	sum := func() uint64 {
		return resolve(disk{}, []string{root + "/d/*.ini"}, shellPatterns, func(string) bool { return false }).sum
	}
	rows := []struct {
		name string
		do   func() error
		same bool
	}{
		{"nothing", func() error { return nil }, true},
		{"a file that no pattern matches", func() error { return os.WriteFile(root+"/d/note.txt", []byte("x"), 0o600) }, true},
		{"a new file that no pattern matches", func() error { return os.WriteFile(root+"/d/b.txt", nil, 0o600) }, true},
		{"content", func() error { return os.WriteFile(root+"/d/a.ini", []byte("x"), 0o600) }, false},
		{"the same size and the same modification time", func() error {
			info, err := os.Stat(root + "/d/a.ini")
			if err != nil {
				return err
			}
			if err := os.WriteFile(root+"/d/a.ini", []byte("y"), 0o600); err != nil {
				return err
			}
			return os.Chtimes(root+"/d/a.ini", info.ModTime(), info.ModTime())
		}, false},
		{"permission", func() error { return os.Chmod(root+"/d/a.ini", 0o644) }, false},
		{"a new file", func() error { return os.WriteFile(root+"/d/b.ini", nil, 0o600) }, false},
		{"two files swapped", func() error {
			for _, m := range [][2]string{{"a.ini", "t"}, {"b.ini", "a.ini"}, {"t", "b.ini"}} {
				if err := os.Rename(root+"/d/"+m[0], root+"/d/"+m[1]); err != nil {
					return err
				}
			}
			return nil
		}, false},
		{"removed", func() error { return os.Remove(root + "/d/b.ini") }, false},
		{"the directory is away", func() error { return os.Rename(root+"/d", root+"/e") }, false},
	}
	before := sum()
	for _, r := range rows {
		if err := r.do(); err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		after := sum()
		if (after == before) != r.same {
			t.Errorf("%s: fingerprint unchanged = %v, want %v", r.name, after == before, r.same)
		}
		before = after
	}
}

// realTempDir is a temporary directory whose path holds no symbolic link.
func realTempDir(t testing.TB) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// plant makes "dir/", "file" or "link -> target" below root.
func plant(t testing.TB, root, what string) {
	t.Helper()
	name, target, isLink := strings.Cut(what, " -> ")
	path := filepath.Join(root, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	switch {
	case err != nil:
	case isLink:
		err = os.Symlink(target, path)
	case strings.HasSuffix(name, "/"):
		err = os.MkdirAll(path, 0o755)
	default:
		err = os.WriteFile(path, []byte(name), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
