package launch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// asUser has c, this binary, run as uid. It may not be able to reach the binary
// where it is, so it gets a copy.
func asUser(t *testing.T, c *exec.Cmd, uid uint32) {
	t.Helper()
	if os.Getuid() != 0 {
		return // we are somebody else
	}
	dir := must(os.MkdirTemp("", "launch"))
	t.Cleanup(func() { os.RemoveAll(dir) })
	check(os.Chmod(dir, 0o755))
	c.Path = filepath.Join(dir, "test")
	c.Args[0] = c.Path
	check(os.WriteFile(c.Path, must(os.ReadFile("/proc/self/exe")), 0o755))
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
}

func TestUser(t *testing.T) {
	if !root(t) {
		return
	}
	l := launcher(t)
	we := look(os.Getpid())
	rows := []struct {
		name             string
		alter            func(*Command)
		uid, gid, groups string
		caps             string
	}{
		{"user, group, groups", func(c *Command) { c.UID, c.GID, c.Groups = 65534, 65533, []int{7, 5, 65533} },
			"65534 65534 65534 65534", "65533 65533 65533 65533", "5 7 65533", "0000000000000000"},
		{"no groups", func(c *Command) { c.UID, c.GID = 65534, 65534 },
			"65534 65534 65534 65534", "65534 65534 65534 65534", "65534", "0000000000000000"},
		{"group unchanged", func(c *Command) { c.UID, c.GID, c.Groups = 65534, -1, []int{9} },
			"65534 65534 65534 65534", we.Status["Gid"], "0 9", "0000000000000000"},
		{"our own user", func(c *Command) { c.UID, c.GID, c.Groups = 0, 5, []int{9} },
			we.Status["Uid"], we.Status["Gid"], we.Status["Groups"], we.Status["CapEff"]},
		{"no user", func(c *Command) { c.UID, c.GID, c.Groups = -1, 5, []int{9} },
			we.Status["Uid"], we.Status["Gid"], we.Status["Groups"], we.Status["CapEff"]},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := cat()
			c.SetUser = true
			row.alter(&c)
			s := look(settled(t, l, c).PID).Status
			got := []string{s["Uid"], s["Gid"], s["Groups"], s["CapEff"]}
			if d := cmp.Diff([]string{row.uid, row.gid, row.groups, row.caps}, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// A program of another user can open its pipes by their names, as one of the daemon's own
// can, and nobody else can; a socket that it is given stays what it is.
func TestUserOpensItsPipes(t *testing.T) {
	if !root(t) {
		return
	}
	l := launcher(t)
	const script = "cat </dev/stdin >/dev/stdout; echo err >/dev/stderr"
	for name, uid := range map[string]int{"the daemon's user": 0, "another user": 65534} {
		t.Run(name, func(t *testing.T) {
			c := Command{Name: "sh", Path: "/bin/sh", Args: []string{"sh", "-c", script}, Umask: -1, SetUser: true, UID: uid, GID: uid}
			child := start(t, l, c)
			for _, f := range []*os.File{child.Stdin, child.Stdout, child.Stderr} {
				if st := must(f.Stat()).Sys().(*syscall.Stat_t); int(st.Uid) != uid || int(st.Gid) != uid || st.Mode&0o777 != 0o600 {
					t.Errorf("%s belongs to %d:%d, mode %o", f.Name(), st.Uid, st.Gid, st.Mode&0o777)
				}
			}
			must(child.Stdin.WriteString("in"))
			child.Stdin.Close()
			if got := string(must(io.ReadAll(child.Stdout))) + string(must(io.ReadAll(child.Stderr))); got != "inerr\n" {
				t.Errorf("it wrote %q", got)
			}
			awaitExit(t, child.PID)
		})
	}
}

// The directory and the program are met as the user, not as root.
func TestUserMeetsDirectoryAndProgram(t *testing.T) {
	if !root(t) {
		return
	}
	l := launcher(t)
	top := must(os.MkdirTemp("", "launch"))
	t.Cleanup(func() { os.RemoveAll(top) })
	check(os.Chmod(top, 0o755))
	private, program := filepath.Join(top, "private"), filepath.Join(top, "program")
	check(os.Mkdir(private, 0o700))
	check(os.WriteFile(program, []byte("#!/bin/sh\ntouch "+top+"/ran\n"), 0o700))

	rows := []struct {
		name  string
		alter func(*Command)
		stage Stage
		text  string
	}{
		{"directory", func(c *Command) { c.Dir, c.HasDir = private, true }, StageDir, "chdir to " + private + ": EACCES"},
		{"program", func(c *Command) { c.Path = program }, StageExec, "exec " + program + ": EACCES"},
		{"program, directory", func(c *Command) { c.Dir, c.HasDir, c.Path = top, true, program }, StageExec, "exec " + program + ": EACCES"},
		{"both", func(c *Command) { c.Dir, c.HasDir, c.Path = private, true, program }, StageDir, "chdir to " + private + ": EACCES"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := cat()
			c.SetUser, c.UID, c.GID = true, 65534, 65534
			row.alter(&c)
			_, err := l.Start(c)
			checkFailure(t, err, row.stage, "supervisor: couldn't "+row.text+"\nsupervisor: child process was not spawned\n")
		})
	}
	if _, err := os.Stat(top + "/ran"); !errors.Is(err, os.ErrNotExist) {
		t.Error("the program ran")
	}
}

// A daemon that may not change its user never runs the program as itself.
func TestSetuidThatFailsRunsNothing(t *testing.T) {
	if !root(t) {
		return
	}
	asNobody := func(c *exec.Cmd) { asUser(t, c, 65534) }
	want := "0: user: supervisor: couldn't setuid to 0: Can't drop privilege as nonroot user\n" +
		"supervisor: child process was not spawned\n" +
		"12345: user: supervisor: couldn't setuid to 12345: Can't drop privilege as nonroot user\n" +
		"supervisor: child process was not spawned\n" +
		"65534: ran\n"
	if d := cmp.Diff(want, playing(t, "nobody", asNobody)); d != "" {
		t.Error(d)
	}

	inNamespace := func(c *exec.Cmd) {
		c.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}},

			GidMappingsEnableSetgroups: true,
		}
	}
	want = "1 0: user: supervisor: couldn't setuid to 1: EINVAL\n" +
		"supervisor: child process was not spawned\n" +
		"1 1: user: supervisor: couldn't setuid to 1: Could not set groups of effective user\n" +
		"supervisor: child process was not spawned\n"
	if d := cmp.Diff(want, playing(t, "userns", inNamespace)); d != "" {
		t.Error(d)
	}
}

func playNobody([]string) {
	l := New()
	for _, uid := range []int{0, 12345, 65534} {
		fmt.Printf("%d: %s", uid, attemptAs(l, uid, 65534))
	}
}

// playUserNamespace is root of a namespace in which nobody else exists.
func playUserNamespace([]string) {
	l := New()
	for _, gid := range []int{0, 1} {
		fmt.Printf("1 %d: %s", gid, attemptAs(l, 1, gid))
	}
}

func attemptAs(l *Launcher, uid, gid int) string {
	c := Command{Name: "p", Path: "/bin/sh", Args: []string{"sh", "-c", "echo ran"}, Umask: -1, SetUser: true, UID: uid, GID: gid}
	child, err := l.Start(c)
	if err != nil {
		e := err.(*Error)
		return e.Stage.String() + ": " + string(e.ChildMessage())
	}
	return string(must(io.ReadAll(child.Stdout)))
}
