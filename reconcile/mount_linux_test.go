package reconcile

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// TestMount runs TestInNamespace as a child in user, mount and network
// namespaces of its own, where it may mount.
func TestMount(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0], "-test.run=^TestInNamespace$", "-test.v")
	cmd.Env = append(os.Environ(), "RECONCILE_NAMESPACE=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) && os.Getenv("REQUIRE_SUPERVISOR") != "1" {
		t.Logf("not tried: this machine allows no namespaces: %v", err)
		return
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestInNamespace: a file system that is mounted over the include directory and
// goes again, without a rescan. What stood there before stays as it is while
// something else hides it, and so does what was mounted once it is lost.
func TestInNamespace(t *testing.T) {
	if os.Getenv("RECONCILE_NAMESPACE") != "1" {
		return // only as TestMount's child
	}
	w := newFixture(t, "", map[string]string{"other.ini": ini("o")})
	w.write("main.conf", "[supervisord]\n[include]\nfiles = conf.d/*.ini *.ini\n[reconcile]\nstatedir="+w.root+"/state\n"+quick)
	w.sh("mount -t tmpfs none conf.d; printf '[program:a]\ncommand=/bin/a\n' >conf.d/a.ini")
	t.Cleanup(func() { w.sh("for d in conf.d bound elsewhere; do ! mountpoint -q $d || umount -l $d; done") })
	w.start()
	w.becomes("a, o")
	a := w.table.pidOf("a", "a")

	w.sh("umount conf.d")
	w.phase(Held)
	w.write("other.ini", ini("o", "command=/bin/n"))
	w.becomes("a, o=n")

	w.stillAfter("an empty file system in the place of the lost one",
		func() { w.sh("mount -t tmpfs none conf.d") },
		func() {
			w.write("marker.ini", "[program:marker]\n")
			w.eventually("the marker is read", func() bool { return w.file("marker.ini").State == FileInvalid })
		},
		func() {
			w.sh("rm marker.ini")
			w.eventually("the marker's end is read", func() bool { return w.file("marker.ini").State == "" })
		})
	w.write("conf.d/a.ini", ini("a"))
	w.phase(Synced)
	if w.table.pidOf("a", "a") != a {
		t.Error("what was out of sight was restarted")
	}

	// A mount over a directory that never had anything is nothing to wait for.
	w.sh("umount conf.d; rmdir conf.d; mkdir empty; mv empty conf.d")
	w.phase(Held)
	if _, err := w.rec.Apply(t.Context(), nil, ""); err != nil {
		t.Fatal(err)
	}
	w.becomes("o=n")
	w.sh("mount -t tmpfs none conf.d; printf '[program:b]\ncommand=/bin/b\n' >conf.d/b.ini")
	w.becomes("b, o=n")

	// Something mounted over a parent hides everything.
	w.write("deep/er/c.ini", ini("c"))
	w.write("main.conf", "[supervisord]\n[include]\nfiles = conf.d/*.ini *.ini deep/er/*.ini\n[reconcile]\nstatedir="+w.root+"/state\n"+quick)
	w.becomes("b, c, o=n")
	w.sh("mount -t tmpfs none deep")
	w.phase(Held)
	w.sh("umount deep")
	w.phase(Synced)

	// The same file system mounted elsewhere: its device says nothing.
	w.sh("mkdir real; printf '[program:r]\ncommand=/bin/r\n' >real/r.ini; printf '[program:s]\ncommand=/bin/s\n' >real/s.ini; mkdir bound")
	w.sh("mount --bind real bound")
	w.write("main.conf", "[supervisord]\n[include]\nfiles = bound/*.ini\n[reconcile]\nstatedir="+w.root+"/state\nmax_removals=100%\n"+quick)
	w.becomes("r, s")
	w.sh("umount bound")
	w.phase(Held)
	w.becomes("r, s")
	w.sh("mkdir other; printf '[program:r]\ncommand=/bin/n\n' >other/r.ini; mount --bind other bound")
	w.becomes("r=n, s") // what is there counts, what it lacks is held
	w.phase(Held)
	w.sh("mkdir elsewhere; mount --make-private bound; mount --move bound elsewhere || umount bound; mount --bind real bound")
	w.becomes("r, s")
	w.phase(Synced)
	// Single files. One that is mounted over another is live, and what was in it stays
	// when it is lost, whatever stands below it.
	w.sh("umount bound; printf '; nothing here\n' >real/f.ini; printf '[program:low]\ncommand=/bin/low\n' >real/g.ini")
	w.sh("mkdir far; printf '[program:f]\ncommand=/bin/f\n' >far/f; printf '[program:g]\ncommand=/bin/g\n[program:low]\ncommand=/bin/up\n' >far/g")
	t.Cleanup(func() { w.sh("for f in real/f.ini real/g.ini; do while mountpoint -q $f; do umount -l $f; done; done") })
	w.write("main.conf", "[supervisord]\n[include]\nfiles = real/*.ini\n[reconcile]\nstatedir="+w.root+"/state\nmax_removals=100%\n"+quick)
	w.becomes("low, r, s")
	w.sh("mount --bind far/f real/f.ini; mount --bind far/g real/g.ini")
	w.becomes("f, g, low=up, r, s")
	w.phase(Synced)
	f := w.table.pidOf("f", "f")
	w.sh("printf '[program:f]\ncommand=/bin/f\n[program:f2]\ncommand=/bin/f2\n' >far/f") // by its other name
	w.becomes("f, f2, g, low=up, r, s")
	w.sh("umount real/f.ini")
	w.phase(Held)
	if got := w.file("real/f.ini"); got.State != FileHeld {
		t.Errorf("files say %+v", got)
	}
	w.write("real/r.ini", ini("r", "command=/bin/n")) // everything else goes on
	w.becomes("f, f2, g, low=up, r=n, s")
	w.sh("mount --bind far/f real/f.ini")
	w.phase(Synced)
	if w.table.pidOf("f", "f") != f {
		t.Error("what was out of sight was restarted")
	}
	w.sh("umount real/g.ini") // what stands there says less
	w.phase(Held)
	w.becomes("f, f2, g, low=up, r=n, s")
	if _, err := w.rec.Apply(t.Context(), nil, ""); err != nil {
		t.Fatal(err)
	}
	w.becomes("f, f2, low, r=n, s")
	w.phase(Synced)

	// One that says as much as what it hides, or more, is live at once, and so is the
	// file below it afterwards.
	w.sh("printf '[program:s]\ncommand=/bin/other\n' >far/s; mount --bind far/s real/s.ini")
	w.becomes("f, f2, low, r=n, s=other")
	w.sh("umount real/s.ini")
	w.becomes("f, f2, low, r=n, s")
	w.phase(Synced)
}
