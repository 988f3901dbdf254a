package logfile_test

import (
	"os"
	"path/filepath"
	"regexp"
	goruntime "runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/logfile"
)

func TestCreateAuto(t *testing.T) {
	dir := t.TempDir()
	seen := map[string]bool{}
	for range 20 {
		path, err := logfile.CreateAuto(dir, "web", "stdout", "supervisor", "abcd")
		if err != nil {
			t.Fatal(err)
		}
		if want := `^web-stdout---supervisor-abcd[a-z0-9_]{4}\.log$`; !regexp.MustCompile(want).MatchString(filepath.Base(path)) {
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
	if path, err := logfile.CreateAuto(filepath.Join(dir, "no"), "web", "stdout", "supervisor", "abcd"); err == nil {
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

// What a daemon that lives has open is not cleaned up, nor what else belongs to it;
// as soon as it has let go, all of it is.
func TestCleanAutoSparesWhatIsInUse(t *testing.T) {
	dir := t.TempDir()
	mark, other := logfile.NewAutoMark(), logfile.NewAutoMark()
	create := func(process, mark string) string {
		t.Helper()
		path, err := logfile.CreateAuto(dir, process, "stdout", "id", mark)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	ours := []string{create("open", mark), create("stopped", mark)}
	w := opened(t, logfile.Options{Path: ours[0], Mode: 0o600, Auto: true, MaxBytes: 4, Backups: 2})
	clean := func(want ...string) {
		t.Helper()
		leftover := create("other", other)
		if failed, err := logfile.CleanAuto(dir, "id"); err != nil || failed != nil {
			t.Fatalf("%q, %v", failed, err)
		}
		got, _ := filepath.Glob(filepath.Join(dir, "*"))
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("left, of %s too (-want +got):\n%s", leftover, diff)
		}
	}
	clean(ours...)
	write(t, w, "rotated")
	ours = append(ours, ours[0]+".1")
	clean(ours...)
	if err := w.Hold(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	clean(ours...)
	if err := w.Hold(); err != nil {
		t.Fatal(err)
	}
	w.Release()
	w.Release()
	clean([]string(nil)...)

	// One that somebody else writes, of whom we know nothing.
	theirs := create("theirs", other)
	f, err := os.OpenFile(theirs, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if goruntime.GOOS == "linux" {
		if _, err := logfile.CleanAuto(dir, "id"); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(theirs); err != nil {
			t.Errorf("%v, although it is being written", err)
		}
	}
}

// A Hold and the Opens of a log are independent of each other.
func TestHold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	w := logfile.New(logfile.Options{Path: path})
	w.Close()
	if err := w.Hold(); err != nil {
		t.Fatal(err)
	}
	w.Close() // nobody's
	write(t, w, "held ")
	open(t, w)
	w.Release()
	write(t, w, "open")
	w.Close()
	write(t, w, "late")
	wantFiles(t, filepath.Dir(path), map[string]string{"log": "held open"})
}
