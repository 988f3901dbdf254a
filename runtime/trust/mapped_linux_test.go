package trust

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"supervisord/runtime/needs"
)

// mapRoot makes this goroutine's thread one whose files are mallory's, and which may
// do on a disk what he may: what a file server does to root. The effective user is
// still root.
func mapRoot(t *testing.T) {
	needs.Root(t)
	runtime.LockOSThread() // for good: the thread ends with the test
	if err := unix.Setfsuid(mallory); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Setfsuid(0) }) // for what the test has made
}

// TestMappedRoot: where what we make belongs to another user, his files are as good
// as ours, and nothing else of his is; nor are the files of a third.
func TestMappedRoot(t *testing.T) {
	for _, r := range []struct {
		name, world string
		want        string // as in TestOpenFile, of a first and a second time
	}{
		{"new", "d/:1777", ""},
		{"new, in a directory without a sticky bit", "d/:777", ""},
		{"a file", "d/:1777 d/log=x@", ""},
		{"a file by a link of root's", "d/:1777 d/real=x@ d/log->real", ""},
		{"a link", "d/:1777 d/real=x@ d/log->{}/d/real@", "the link {}/d/log belongs to uid 65534"},
		{"a FIFO", "d/:1777 d/log|@", "the FIFO {}/d/log belongs to uid 65534"},
		{"a file with a second name", "d/:1777 d/real=x@ d/log<>d/real", "the file {}/d/log has a second name"},
		{"a file of a third user", "d/:1777 d/log=x!", "the file {}/d/log belongs to uid 65533"},
	} {
		t.Run(r.name, func(t *testing.T) {
			defer syscall.Umask(syscall.Umask(0))
			root := tree(t)
			must := func(err error) {
				if err != nil {
					t.Fatal(err)
				}
			}
			must(errors.Join(os.Chmod(root, 0o755), os.Chmod(root+"/..", 0o755)))
			line, third := strings.CutSuffix(r.world, "!")
			needs.Root(t)
			world(t, root, line)
			if third {
				must(syscall.Chmod(root+"/d/log", 0o666))
				must(os.Lchown(root+"/d/log", mallory-1, mallory-1))
			}
			before := namesIn(t, root+"/d")
			mapRoot(t)
			for range 2 {
				f, err := OpenFile(root+"/d/log", os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
				got := ""
				if err == nil {
					f.Close()
				} else {
					got = errors.Unwrap(err).Error()
				}
				if want := strings.ReplaceAll(r.want, "{}", root); !strings.HasPrefix(got, want) || want == "" && got != "" {
					t.Fatalf("got %q, want %q", got, want)
				}
			}
			if after := namesIn(t, root+"/d"); r.name[:3] != "new" && !slices.Equal(before, after) {
				t.Errorf("what is there was %v and is %v", before, after)
			}
		})
	}
}

func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestMappedDir: no directory there is one of our own, and none is left.
func TestMappedDir(t *testing.T) {
	needs.Root(t)
	defer syscall.Umask(syscall.Umask(0))
	root := tree(t)
	if err := errors.Join(os.Chmod(root, 0o755), os.Chmod(root+"/..", 0o755)); err != nil {
		t.Fatal(err)
	}
	world(t, root, "s/:1777")
	mapRoot(t)
	for _, path := range []string{"/s/id", "/s/a/b"} {
		made, refused, err := MakeDir(Dir{root + path, 0}, -1)
		if want := "the file system gives what is made in " + root + "/s to uid 65534"; err == nil || !strings.Contains(err.Error(), want) || refused != nil {
			t.Errorf("%v, %v, %v; want %q", made, refused, err, want)
		}
	}
	if left := namesIn(t, root+"/s"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
