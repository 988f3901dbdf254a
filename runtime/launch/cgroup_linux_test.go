package launch

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"supervisord/runtime/bound"
)

func TestOwnCgroup(t *testing.T) {
	const unified = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
	const hybrid = "30 23 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n" +
		"31 23 0:27 / /sys/fs/cgroup/uni\\040fied rw - cgroup2 cgroup2 rw\n"
	const inside = "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
	rows := []struct{ name, own, mounts, want string }{
		{"systemd", "0::/system.slice/x.service\n", unified, "/sys/fs/cgroup/system.slice/x.service"},
		{"at the top", "0::/\n", unified, "/sys/fs/cgroup"},
		{"hybrid", "2:cpu:/y\n1:name=systemd:/x\n0::/z\n", hybrid, "/sys/fs/cgroup/uni fied/z"},
		{"part of the hierarchy", "0::/docker/abc/d\n", inside, "/sys/fs/cgroup/d"},
		{"another part", "0::/docker/abcd\n", inside, ""},
		{"above", "0::/docker\n", inside, ""},
		{"outside the namespace", "0::/../x\n", unified, ""},
		{"version 1 only", "2:cpu:/y\n", hybrid, ""},
		{"not mounted", "0::/x\n", "30 23 0:26 / /sys rw - sysfs sysfs rw\n", ""},
		{"nonsense", "0::/x\n", "a - cgroup2\n - cgroup2 x\n\n", ""},
		{"nothing", "", "", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got, err := ownCgroup(row.own, row.mounts)
			if got != row.want || (err == nil) != (row.want != "") {
				t.Errorf("got %q, %v, want %q", got, err, row.want)
			}
		})
	}
}

func FuzzOwnCgroup(f *testing.F) {
	f.Add("0::/x/y\n", "30 23 0:26 /x /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
	f.Add("0::/\n", "1 2 3 / / - cgroup2 ")
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, own, mounts string) {
		defer b.Input(t)()
		if path, err := ownCgroup(own, mounts); (path == "") != (err != nil) {
			t.Errorf("%q, %v", path, err)
		}
	})
}

func TestEscape(t *testing.T) {
	names := []string{"web", "web:api_00", "a/b", "..", "ä b", "%", "a%2Fb", "", "a\x00"}
	seen := map[string]string{}
	for _, name := range names {
		got := escape(name)
		if strings.ContainsAny(got, "/\x00 ") {
			t.Errorf("%q becomes %q", name, got)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%q and %q both become %q", name, other, got)
		}
		seen[got] = name
	}
}

// cgroups finds a place for cgroups, or nil where the machine has none
// (REQUIRE_CGROUP2=1 makes that a failure).
func cgroups(t *testing.T) *Cgroups {
	t.Helper()
	c, err := FindCgroups()
	if err != nil {
		if os.Getenv("REQUIRE_CGROUP2") == "1" {
			t.Fatal(err)
		}
		t.Log("no cgroups, left out:", err)
		return nil
	}
	return c
}

// A child is started in its cgroup; whatever it does, it and its descendants are
// found there and end there.
func TestCgroup(t *testing.T) {
	g := cgroups(t)
	if g == nil {
		return
	}
	path, err := g.Create("test: a/" + fmt.Sprint(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Kill(path); _ = g.Remove(path) })
	if again, err := g.Create("test: a/" + fmt.Sprint(os.Getpid())); err != nil || again != path {
		t.Errorf("a second time: %q, %v", again, err)
	}

	c := self("daemonizing")
	c.Cgroup = path
	child := start(t, launcher(t), c)
	line, err := bufio.NewReader(child.Stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	escaped := atoi(line[:len(line)-1])
	if status := awaitExit(t, child.PID); status != 0 {
		t.Fatal(Describe(status))
	}
	if s, err := readStat(escaped); err != nil || s.Group == child.PID {
		t.Errorf("it did not leave its group: %v, %v", s, err)
	}
	if got, err := g.Members(path); err != nil || !slices.Equal(got, []int{escaped}) {
		t.Errorf("members: got %v, %v, want %d", got, err, escaped)
	}
	if err := g.Remove(path); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("removed with a member: %v", err)
	}
	// The stubborn one takes no notice of TERM, and is not told at all when its
	// group is left out.
	s, err := readStat(escaped)
	if err := errors.Join(err, g.Signal(path, syscall.SIGTERM, 0), g.Signal(path, syscall.SIGKILL, s.Group)); err != nil {
		t.Error(err)
	}
	if got, err := g.Members(path); err != nil || !slices.Equal(got, []int{escaped}) {
		t.Errorf("members after signals: got %v, %v, want %d", got, err, escaped)
	}
	if err := g.Kill(path); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nobody is left", func() bool {
		got, err := g.Members(path)
		return err == nil && len(got) == 0
	})
	eventually(t, "it can be removed", func() bool { return g.Remove(path) == nil })
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	// All of it is harmless once it is gone.
	if got, err := g.Members(path); err != nil || len(got) != 0 {
		t.Errorf("members of none: %v, %v", got, err)
	}
	if err := errors.Join(g.Kill(path), g.Remove(path)); err != nil {
		t.Error(err)
	}
}

// Cgroups below the cgroup, as a program may make them, are part of it.
func TestCgroupsBelow(t *testing.T) {
	g := cgroups(t)
	if g == nil {
		return
	}
	path, err := g.Create(fmt.Sprint("below-", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Kill(path); _ = g.Remove(path) })
	inner := filepath.Join(path, "x", "y")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	c := cat()
	c.Cgroup = inner
	child := start(t, launcher(t), c)
	if got, err := g.Members(path); err != nil || !slices.Equal(got, []int{child.PID}) {
		t.Errorf("got %v, %v, want %d", got, err, child.PID)
	}
	if err := g.Signal(path, syscall.SIGKILL, 0); err != nil {
		t.Fatal(err)
	}
	if how := Describe(awaitExit(t, child.PID)); how != "terminated by SIGKILL" {
		t.Error(how)
	}
	eventually(t, "it can be removed", func() bool { return g.Remove(path) == nil })
}

// A failed start in a cgroup has its stage and a pid, and Reap sees nothing of
// it, however it races.
func TestCgroupFailures(t *testing.T) {
	l := launcher(t)
	c := cat()
	c.Cgroup = filepath.Join(t.TempDir(), "none")
	if _, err := l.Start(c); err == nil || err.(*Error).SpawnErr() != "unknown error during fork for 'cat': ENOENT" {
		t.Errorf("without the cgroup: %v", err)
	}
	c.Cgroup = t.TempDir()
	if _, err := l.Start(c); err == nil || err.(*Error).SpawnErr() != "unknown error during fork for 'cat': EBADF" {
		t.Errorf("in what is none: %v", err)
	}

	g := cgroups(t)
	if g == nil {
		return
	}
	path, err := g.Create(fmt.Sprint("fails-", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Remove(path) })
	c.Cgroup, c.Path = path, "/none"
	var all sync.WaitGroup
	stop := make(chan struct{})
	all.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				for _, e := range Reap(10) {
					if e.Status != 0 { // not one that an earlier test has left
						t.Errorf("reaped %d, %s", e.PID, Describe(e.Status))
					}
				}
			}
		}
	})
	for range 200 {
		_, err := l.Start(c)
		checkFailure(t, err, StageExec, "supervisor: couldn't exec /none: ENOENT\nsupervisor: child process was not spawned\n")
	}
	close(stop)
	all.Wait()
}

// playDaemonizing leaves behind a process in a session of its own.
func playDaemonizing([]string) {
	r, w, err := os.Pipe()
	check(err)
	pid := must(syscall.ForkExec(os.Args[0], os.Args[:1], &syscall.ProcAttr{
		Env: []string{"PLAY=stubborn"}, Files: []uintptr{0, w.Fd(), 2}, Sys: &syscall.SysProcAttr{Setsid: true},
	}))
	must(r.Read(make([]byte, 100)))
	fmt.Println(pid)
}

// Kill works on kernels without cgroup.kill, which do not let a file be made in a
// cgroup either.
func TestKillWithoutCgroupKill(t *testing.T) {
	child := start(t, launcher(t), cat())
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), fmt.Appendln(nil, child.PID), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &Cgroups{}
	if err := c.Kill(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "cgroup.kill")); err == nil {
		t.Error("the file was made")
	}
	if status := awaitExit(t, child.PID); status.Signal() != syscall.SIGKILL {
		t.Errorf("it ended with %s", Describe(status))
	}
}
