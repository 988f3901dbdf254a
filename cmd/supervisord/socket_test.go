package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"supervisord/cmd/internal/host"
	"supervisord/runtime/needs"
)

// Where nothing else can be written to, the socket of a daemon without a configuration
// file is in the temporary directory or in shared memory; what another user has put there
// is refused.
func TestWhichSocket(t *testing.T) {
	needs.Root(t)
	f := &flags{watch: []string{"/srv"}}
	given := &flags{watch: f.watch, socket: "/some/where"}
	if got, err := given.whichSocket(); got != "/some/where" || err != nil {
		t.Errorf("with --socket it is %q, %v", got, err)
	}
	dir := t.TempDir()
	for _, dir := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(dir, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("TMPDIR", filepath.Join(dir, "tmp"))
	closed := filepath.Join(dir, "closed")
	for name, mode := range map[string]os.FileMode{"tmp": 0o777, "closed": 0o555} {
		if err := os.Mkdir(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("XDG_RUNTIME_DIR", closed)
	asUser(t, 54321, func() {
		socket, err := f.whichSocket()
		want := filepath.Join(dir, "tmp/supervisor-54321/supervisor.sock")
		if socket != want || err != nil {
			t.Fatalf("it is %q, %v, want %q", socket, err, want)
		}
		info, err := os.Stat(filepath.Dir(socket))
		if err != nil || info.Mode() != os.ModeDir|0o700 {
			t.Errorf("its directory is %v, %v", info.Mode(), err)
		}
		if usual := host.DefaultSockets(); usual[1] != want {
			t.Errorf("clients look at %q", usual)
		}
	})
	mine := filepath.Join(dir, "tmp/supervisor-54321")
	for _, row := range []struct {
		name string
		make func() error
	}{
		{"another user's directory", func() error { return errors.Join(os.Chown(mine, 1001, 1001), os.Chmod(mine, 0o755)) }},
		{"another user's link", func() error {
			return errors.Join(os.Remove(mine), os.Symlink(closed, mine), os.Lchown(mine, 1001, 1001))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if err := row.make(); err != nil {
				t.Fatal(err)
			}
			asUser(t, 54321, func() {
				if socket, err := f.whichSocket(); err == nil || !strings.Contains(err.Error(), "cannot use the directory "+mine) {
					t.Errorf("it is %q, %v", socket, err)
				}
			})
		})
	}
}

// asUser has the effective user be another while f runs.
func asUser(t *testing.T, uid int, f func()) {
	t.Helper()
	// Of every thread, as Go does it.
	if err := unix.Setreuid(-1, uid); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setreuid(-1, 0); err != nil {
			t.Fatal(err)
		}
	}()
	f()
}
