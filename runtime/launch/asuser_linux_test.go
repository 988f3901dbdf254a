package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAsUser: what a user may not do cannot be done in their name, what they may can, and
// nothing of it is left with the rest of the process.
func TestAsUser(t *testing.T) {
	if !root(t) {
		return
	}
	const nobody, shared = 65534, 65500
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		check(os.Chmod(d, 0o755))
	}
	ours, theirs, groups := filepath.Join(dir, "ours"), filepath.Join(dir, "theirs"), filepath.Join(dir, "groups")
	check(os.Mkdir(ours, 0o700))
	check(os.Mkdir(theirs, 0o700))
	check(os.Chown(theirs, nobody, nobody))
	check(os.Mkdir(groups, 0o770))
	check(os.Chmod(groups, 0o770))
	check(os.Chown(groups, 0, shared))
	dumpable := must(unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0))

	create := func(dir string) error {
		return AsUser(nobody, nobody, []int{shared}, func() error {
			f, err := os.OpenFile(filepath.Join(dir, "new"), os.O_CREATE|os.O_WRONLY, 0o600)
			if err == nil {
				err = f.Close()
			}
			return err
		})
	}
	if err := create(ours); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("in our directory: %v", err)
	}
	for _, dir := range []string{theirs, groups} {
		if err := create(dir); err != nil {
			t.Errorf("in %s: %v", dir, err)
			continue
		}
		if st := must(os.Stat(filepath.Join(dir, "new"))).Sys().(*syscall.Stat_t); st.Uid != nobody || st.Gid != nobody {
			t.Errorf("what was made in %s is of %d:%d", dir, st.Uid, st.Gid)
		}
	}
	for _, e := range must(os.ReadDir("/proc/self/task")) {
		status, err := os.ReadFile("/proc/self/task/" + e.Name() + "/status")
		if err != nil { // it has ended
			continue
		}
		for _, want := range []string{"\nUid:\t0\t0\t0\t0\n", fmt.Sprintf("\nGid:\t%[1]d\t%[1]d\t%[1]d\t%[1]d\n", os.Getgid())} {
			if !strings.Contains(string(status), want) {
				t.Errorf("thread %s is left as\n%s", e.Name(), status)
			}
		}
	}
	if now := must(unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)); now != dumpable {
		t.Errorf("dumpable was %d, is %d", dumpable, now)
	}
}
