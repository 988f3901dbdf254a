package watch

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// TestMounts: what is mounted over a watched directory or one of its parents, or
// unmounted, is noticed without a rescan. It runs itself as a child in namespaces
// of its own, where it may mount.
func TestMounts(t *testing.T) {
	if os.Getenv("WATCH_NAMESPACE") != "1" {
		t.Parallel()
		cmd := exec.Command(os.Args[0], "-test.run=^TestMounts$", "-test.v")
		cmd.Env = append(os.Environ(), "WATCH_NAMESPACE=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		if errors.Is(err, syscall.EPERM) && os.Getenv("REQUIRE_SUPERVISOR") != "1" {
			t.Logf("not tried: this machine allows no namespaces: %v", err)
		} else if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	root := realTempDir(t)
	shell(t, root, "mkdir -p p/d other; echo 1 >p/d/a.ini")
	w := start(t, root, nil, "p/d/*.ini")
	drain(t, w)
	eachNoticed(t, w, root,
		"mount -t tmpfs none p/d", "echo 1 >p/d/a.ini", "umount p/d", "echo 2 >p/d/a.ini",
		"mount -t tmpfs none p", "mkdir p/d", "echo 1 >p/d/a.ini", "umount p",
		"mount --bind other p/d", "echo 1 >other/b.ini", "umount p/d",
	)
	shell(t, root, "mount -t tmpfs none other")
	quiet(t, w, "a mount elsewhere")
	shell(t, root, "umount other")

	// A single file over another, which has a notice in no directory here.
	shell(t, root, "mkdir far; echo 1 >far/file; echo 2 >far/new; echo 0 >p/d/b.ini; echo 0 >p/d/c.txt; ln -s ../../far/link.ini p/d/l.ini; echo 0 >far/link.ini")
	expect(t, w, "new files")
	drain(t, w)
	eachNoticed(t, w, root,
		"mount --bind far/file p/d/b.ini", "echo more >>far/file", "echo more >>p/d/b.ini",
		"mount --bind far/new p/d/b.ini", "umount p/d/b.ini", "echo more >>far/file", "umount p/d/b.ini", "echo more >>p/d/b.ini",
		"mount --bind far/file 'p/d/a.ini'", "umount p/d/a.ini",
		"mount --bind far/new far/link.ini", "umount far/link.ini", // where a link leads
	)
	shell(t, root, "mount --bind far/file p/d/c.txt")
	quiet(t, w, "a mount over a file that no pattern matches")
	shell(t, root, "umount p/d/c.txt; echo more >>far/file")
	quiet(t, w, "a file that is mounted no more")
}
