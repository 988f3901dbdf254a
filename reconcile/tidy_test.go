package reconcile

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"supervisord/runtime/trust"
)

// TestTidy: what has long been out of use is removed, and nothing else.
func TestTidy(t *testing.T) {
	base := filepath.Join(t.TempDir(), "state")
	user := ""
	if os.Geteuid() != 0 {
		user = "-" + itoa(os.Geteuid())
	}
	now := time.Now()
	long := now.Add(-UnusedAfter - time.Hour)
	age := func(path string, at time.Time) {
		t.Helper()
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	state := func(name string, files ...string) string {
		t.Helper()
		dir := filepath.Join(base, name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if err := os.WriteFile(filepath.Join(dir, f), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			age(filepath.Join(dir, f), long)
		}
		age(dir, long)
		return dir
	}
	own := state("0000000000000000"+user, "lock", "history.json")
	gone := []string{
		state("0000000000000001"+user, "lock", "history.json", "files.json", "last-crash.log", "running.json.XYZ.tmp"),
		state("0000000000000002"+user+".1", "crash.log"),
		state("0000000000000003" + user),
	}
	fresh := state("0000000000000004"+user, "lock", "files.json")
	age(filepath.Join(fresh, "files.json"), now.Add(-UnusedAfter+time.Hour))
	locked := state("0000000000000005"+user, "lock")
	lock, err := lockIn(trust.Dir{Path: locked, UID: os.Geteuid()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	age(locked, long)
	running := state("0000000000000006"+user, "lock", "running.json")
	kept := []string{
		own, fresh, locked, running,
		state("0000000000000007"+user, "lock", "something"),
		state("0000000000000008-4242", "lock"),
		state("notours", "lock"),
		state("000000000000000"+user, "lock"),
	}
	link := filepath.Join(base, "0000000000000009"+user)
	if err := os.Symlink(fresh, link); err != nil {
		t.Fatal(err)
	}
	got := Tidy(trust.Dir{Path: own, UID: os.Geteuid()}, now, func(d trust.Dir) bool { return d.Path == running })
	slices.Sort(got)
	if !slices.Equal(got, gone) {
		t.Errorf("removed %q, want %q", got, gone)
	}
	for _, dir := range gone {
		if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	for _, dir := range append(kept, link) {
		if _, err := os.Lstat(dir); err != nil {
			t.Error(err)
		}
	}
	if files, _ := os.ReadDir(running); len(files) != 2 {
		t.Errorf("%v is left of one whose processes may run", files)
	}
}

// TestTidyIsBounded: one Tidy removes some, and the next goes on.
func TestTidyIsBounded(t *testing.T) {
	base := filepath.Join(t.TempDir(), "state")
	user := ""
	if os.Geteuid() != 0 {
		user = "-" + itoa(os.Geteuid())
	}
	for i := range 2*tidyAtOnce + 1 {
		if err := os.MkdirAll(filepath.Join(base, "00000000000000"+itoa(10+i)+user), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	own := trust.Dir{Path: filepath.Join(base, "0000000000000010"+user), UID: os.Geteuid()}
	later := time.Now().Add(UnusedAfter + time.Hour)
	var counts []int
	for range 4 {
		counts = append(counts, len(Tidy(own, later, func(trust.Dir) bool { return false })))
	}
	if want := []int{tidyAtOnce, tidyAtOnce, 0, 0}; !slices.Equal(counts, want) {
		t.Errorf("removed %v, want %v", counts, want)
	}
}
