package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMakePrivate: a directory that another user may have prepared is not taken.
func TestMakePrivate(t *testing.T) {
	base := t.TempDir()
	prepare := func(name string, mode os.FileMode) string {
		dir := filepath.Join(base, name)
		if err := os.Mkdir(dir, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	link := filepath.Join(base, "link")
	if err := os.Symlink(prepare("target", 0o700), link); err != nil {
		t.Fatal(err)
	}
	for dir, private := range map[string]bool{
		filepath.Join(base, "new/one"): true,
		prepare("ours", 0o700):         true,
		prepare("seen", 0o755):         true,
		prepare("open", 0o777):         false,
		prepare("group", 0o775):        false,
		link:                           false,
	} {
		if err := makePrivate(dir, os.Geteuid(), -1); (err == nil) != private {
			t.Errorf("%s: %v", dir, err)
		}
	}
}
