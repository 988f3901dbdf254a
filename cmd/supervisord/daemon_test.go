package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"supervisord/runtime/needs"
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

// TestMakePrivateBesideAnother: nor is one that another user has made, or has a hand
// in, at the default places; one of his own is made for him.
func TestMakePrivateBesideAnother(t *testing.T) {
	needs.Root(t)
	const mallory = 65534
	for _, r := range []struct {
		name string
		make func(dir, elsewhere string) error // mallory's doings, in a sticky directory
		uid  int                               // of the daemon
		used bool
	}{
		{"nothing", func(string, string) error { return nil }, 0, true},
		{"nothing, for him", func(string, string) error { return nil }, mallory, true},
		{"his directory", func(dir, _ string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Lchown(dir, mallory, mallory))
		}, 0, false},
		{"his directory, for him", func(dir, _ string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Lchown(dir, mallory, mallory))
		}, mallory, true},
		{"his link", func(dir, elsewhere string) error {
			return errors.Join(os.Symlink(elsewhere, dir), os.Lchown(dir, mallory, mallory))
		}, 0, false},
		{"his FIFO", func(dir, _ string) error {
			return errors.Join(syscall.Mkfifo(dir, 0o666), os.Lchown(dir, mallory, mallory))
		}, 0, false},
	} {
		t.Run(r.name, func(t *testing.T) {
			base := t.TempDir()
			sticky, elsewhere := filepath.Join(base, "tmp"), filepath.Join(base, "elsewhere")
			if err := errors.Join(os.Mkdir(sticky, 0o700), os.Chmod(sticky, 0o777|os.ModeSticky), os.Mkdir(elsewhere, 0o700)); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(sticky, "supervisor")
			if err := r.make(dir, elsewhere); err != nil {
				t.Fatal(err)
			}
			err := makePrivate(dir, r.uid, -1)
			if (err == nil) != r.used || err != nil && !strings.Contains(err.Error(), "belongs to uid 65534") {
				t.Errorf("it is used: %v", err)
			}
			info, err := os.Lstat(dir)
			if err != nil || r.used && (info.Mode().Perm() != 0o700 || int(info.Sys().(*syscall.Stat_t).Uid) != r.uid) {
				t.Errorf("%v, %v", info, err)
			}
		})
	}
}
