package logfile_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/logfile"
)

func TestCreateAuto(t *testing.T) {
	dir := t.TempDir()
	seen := map[string]bool{}
	for range 20 {
		path, err := logfile.CreateAuto(dir, "web", "stdout", "supervisor")
		if err != nil {
			t.Fatal(err)
		}
		if want := `^web-stdout---supervisor-[a-z0-9_]{8}\.log$`; !regexp.MustCompile(want).MatchString(filepath.Base(path)) {
			t.Errorf("created %s, want a match of %s", path, want)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o600 || info.Size() != 0 {
			t.Errorf("%s: mode %v, %d bytes, want 0600, 0", path, info.Mode(), info.Size())
		}
		seen[path] = true
	}
	if len(seen) != 20 {
		t.Errorf("20 names, %d different", len(seen))
	}
	if path, err := logfile.CreateAuto(filepath.Join(dir, "no"), "web", "stdout", "supervisor"); err == nil {
		t.Errorf("created %s in a missing directory", path)
	}
}

func TestCleanAuto(t *testing.T) {
	dir := t.TempDir()
	doomed := []string{
		"web-stdout---my.id-abcdefgh.log", "web-stdout---my.id-abcdefgh.log.1", "web-stdout---my.id-abcdefgh.log.1234",
		"a---b-stderr---my.id-x.log", "web-stdout---my.id-x.log.gz", // the match is of the beginning alone
	}
	kept := []string{
		"web-stdout---my_id-abcdefgh.log", "web-stdout---other-abcdefgh.log", "---my.id-abcdefgh.log",
		"web-stdout---my.id-a b.log", "web-stdout---my.id-.log", "web.log",
	}
	for _, name := range append(slices.Clone(doomed), kept...) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stubborn := filepath.Join(dir, "d-stdout---my.id-x.log")
	if err := os.Mkdir(stubborn, 0o700); err != nil {
		t.Fatal(err)
	}
	failed, err := logfile.CleanAuto(dir, "my.id")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{stubborn}, failed); diff != "" {
		t.Errorf("failed (-want +got):\n%s", diff)
	}
	if err := os.Remove(stubborn); err != nil {
		t.Fatal(err)
	}
	var left []string
	for name := range files(t, dir) {
		left = append(left, name)
	}
	slices.Sort(left)
	slices.Sort(kept)
	if diff := cmp.Diff(kept, left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if _, err := logfile.CleanAuto(filepath.Join(dir, "no"), "x"); err == nil {
		t.Error("cleaned a missing directory")
	}
}
