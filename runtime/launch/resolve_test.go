package launch

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Rows that end in "upstream" are those in which Supervisor does otherwise:
// differences.md section 3, rows 12 and 13.
func TestResolve(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"a/tool", "b", "c", "cwd/sub", "work/sub"} {
		if err := os.MkdirAll(filepath.Join(top, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{
		"a/data": 0o644, "b/tool": 0o755, "b/data": 0o755, "c/tool": 0o755, "c/plain": 0o644,
		"cwd/run": 0o755, "cwd/both": 0o755, "work/both": 0o755, "work/run2": 0o755, "work/flat": 0o644, "cwd/flat": 0o755,
	} {
		if err := os.WriteFile(filepath.Join(top, name), []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../b/tool", filepath.Join(top, "a/link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(top, "a/broken")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(top, "cwd"))

	rows := []struct {
		name, argv0, dir, path string
		want                   string // a path below top, or an error's text with $ for top
	}{
		{"in the first directory", "tool", "", "$/b:$/c", "b/tool"},
		{"in the second", "tool", "", "$/none:$/c", "c/tool"},
		{"a directory first: upstream stops", "tool", "", "$/a:$/b", "b/tool"},
		{"not executable first: upstream stops", "data", "", "$/a:$/b", "b/data"},
		{"a directory only", "tool", "", "$/a", "command at '$/a/tool' is a directory"},
		{"not executable only", "plain", "", "$/a:$/c", "command at '$/c/plain' is not executable"},
		{"the first that was found is blamed", "data", "", "$/a:$/none", "command at '$/a/data' is not executable"},
		{"nowhere", "none", "", "$/a:$/b", "can't find command 'none'"},
		{"through a link", "link", "", "$/a", "a/link"},
		{"through a broken link", "broken", "", "$/a", "can't find command 'broken'"},
		{"empty word", "", "", "$/b", "command at '$/b' is a directory"},
		{"absolute", "$/b/tool", "", "", "b/tool"},
		{"absolute, none", "$/b/none", "", "", "can't find command '$/b/none'"},
		{"absolute, directory", "$/b", "", "", "command at '$/b' is a directory"},
		{"absolute, not executable", "$/c/plain", "", "", "command at '$/c/plain' is not executable"},
		{"absolute, below a file", "$/b/tool/x", "", "", "can't find command '$/b/tool/x'"},
		{"relative to the daemon", "./run", "", "", "cwd/run"},
		{"relative to the daemon, run elsewhere: upstream fails", "./run", "$/work", "", "cwd/run"},
		{"relative to directory: upstream fails", "./run2", "$/work", "", "work/run2"},
		{"relative to both", "./both", "$/work", "", "work/both"},
		{"relative, bad in directory, good here", "./flat", "$/work", "", "cwd/flat"},
		{"relative, upwards", "../b/tool", "$/work", "", "b/tool"},
		{"relative, none", "./none", "$/work", "", "can't find command './none'"},
		{"relative, directory", "./sub", "$/work", "", "command at './sub' is a directory"},
		{"relative directory in PATH", "run2", "$/work", ".", "work/run2"},
		{"empty directory in PATH", "run", "", ":$/none", "cwd/run"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			in := func(s string) string { return strings.ReplaceAll(s, "$", top) }
			got, err := Resolve(in(row.argv0), in(row.dir), in(row.path))
			if err != nil {
				got = strings.ReplaceAll(err.Error(), top, "$")
			} else {
				got = strings.TrimPrefix(got, top+"/")
			}
			if got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
			var notFound *NotFound
			var notExecutable *NotExecutable
			if kind := errors.As(err, &notFound); kind != strings.HasPrefix(row.want, "can't find") {
				t.Errorf("is it a NotFound: %v", kind)
			}
			if kind := errors.As(err, &notExecutable); kind != strings.HasPrefix(row.want, "command at") {
				t.Errorf("is it a NotExecutable: %v", kind)
			}
		})
	}
	if got, err := Resolve("sh", "", ""); err != nil || got != "/bin/sh" {
		t.Errorf("without a PATH: %q, %v", got, err)
	}
}
