package launch

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

var systemRoles = map[string]func([]string){
	"bequeath":    bequeath,
	"heir":        playHeir,
	"daemonizing": playDaemonizing,
	"nobody":      playNobody,
	"filled":      playFilled,
	"crowded":     playCrowded,
	"userns":      playUserNamespace,
	"pid1":        playPID1,
	"reaper":      playSubreaper,
	"limited":     playLimited,
	"dropped":     playDropped,
}

// checkPID sees that a child that failed has told its pid.
func checkPID(t *testing.T, e *Error) {
	t.Helper()
	if e.PID == 0 {
		t.Error("the failed child's pid is not known")
	}
}

// root tells whether the test runs as root. Where it must (REQUIRE_ROOT=1),
// anything else is a failure.
func root(t testing.TB) bool {
	t.Helper()
	if os.Getuid() == 0 {
		return true
	}
	if os.Getenv("REQUIRE_ROOT") == "1" {
		t.Fatal("must be root")
	}
	t.Log("not root: left out")
	return false
}

// playing runs this binary as role, a daemon of its own, and returns what it
// printed. A role fails by printing to standard error or its exit status.
func playing(t *testing.T, role string, alter func(*exec.Cmd), args ...string) string {
	t.Helper()
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), "PLAY="+role)
	if alter != nil {
		alter(c)
	}
	var errs strings.Builder
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil || errs.Len() > 0 {
		t.Fatalf("%s: %v\n%s%s", role, err, out, errs.String())
	}
	return string(out)
}

// must ends a role that cannot go on.
func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// facts are what the kernel says of a process.
type facts struct {
	FDs                    []string // number and kind
	Status                 map[string]string
	Limits                 string
	Dir                    string
	Environ, Cmdline       string
	PGID, SID, Nice, OOM   string
	CPUs, Namespaces, Root string
}

// look asks the kernel about a process, which must be there.
func look(pid int) facts {
	proc := fmt.Sprintf("/proc/%d/", pid)
	read := func(name string) string {
		return string(must(os.ReadFile(proc + name)))
	}
	f := facts{Status: map[string]string{}, Limits: read("limits"),
		Environ: read("environ"), Cmdline: read("cmdline"), OOM: read("oom_score_adj")}
	for _, e := range must(os.ReadDir(proc + "fd")) {
		target, _ := os.Readlink(proc + "fd/" + e.Name())
		kind, _, _ := strings.Cut(target, ":")
		f.FDs = append(f.FDs, e.Name()+" "+kind)
	}
	for line := range strings.Lines(read("status")) {
		name, value, _ := strings.Cut(line, ":")
		f.Status[name] = strings.Join(strings.Fields(value), " ")
	}
	f.CPUs = f.Status["Cpus_allowed"]
	f.Dir, _ = os.Readlink(proc + "cwd")
	f.Root, _ = os.Readlink(proc + "root")
	line := read("stat")
	fields := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
	f.PGID, f.SID, f.Nice = fields[2], fields[3], fields[16]
	return f
}

func TestChildIsGivenNothingElse(t *testing.T) {
	l := launcher(t)
	dir := t.TempDir()
	c := cat()
	c.Args = []string{"cat with a name", "-"}
	c.Env = []string{"A=1", "B=two words", "EMPTY="}
	c.Dir, c.HasDir = dir, true
	child := settled(t, l, c)
	we, it := look(os.Getpid()), look(child.PID)

	pid := strconv.Itoa(child.PID)
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	rows := []struct{ what, got, want string }{
		{"descriptors", strings.Join(it.FDs, ", "), "0 pipe, 1 pipe, 2 pipe"},
		{"group", it.PGID, pid},
		{"session", it.SID, we.SID},
		{"blocked", it.Status["SigBlk"], "0000000000000000"},
		{"ignored", it.Status["SigIgn"], "0000000000000000"},
		{"pending", it.Status["SigPnd"], "0000000000000000"},
		{"umask", it.Status["Umask"], we.Status["Umask"]},
		{"directory", it.Dir, real},
		{"root", it.Root, we.Root},
		{"environment", it.Environ, "A=1\x00B=two words\x00EMPTY=\x00"},
		{"words", it.Cmdline, "cat with a name\x00-\x00"},
		{"nice", it.Nice, we.Nice},
		{"out of memory score", it.OOM, we.OOM},
		{"processors", it.CPUs, we.CPUs},
		{"users", it.Status["Uid"], we.Status["Uid"]},
		{"groups", it.Status["Groups"], we.Status["Groups"]},
		{"capabilities", it.Status["CapEff"], we.Status["CapEff"]},
		{"no new privileges", it.Status["NoNewPrivs"], we.Status["NoNewPrivs"]},
	}
	for _, row := range rows {
		if row.got != row.want {
			t.Errorf("%s: got %q, want %q", row.what, row.got, row.want)
		}
	}
	for _, f := range []*os.File{child.Stdin, child.Stdout, child.Stderr} {
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s is not closed on exec: %v", f.Name(), err)
		}
	}
}

// A daemon started in the worst of ways: with signals blocked and ignored and
// descriptors open. Its children see none of it.
func TestBadInheritanceEndsHere(t *testing.T) {
	if got := playing(t, "heir", func(c *exec.Cmd) {
		null, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { null.Close() })
		c.ExtraFiles = []*os.File{null, nil, null}
	}); got != "0 pipe, 1 pipe, 2 pipe blocked 0000000000000000 ignored 0000000000000000\n" {
		t.Error(got)
	}
}

// playHeir first makes itself an unfortunate daemon, and then is it.
func playHeir(args []string) {
	if len(args) == 0 {
		sh := "trap '' HUP INT QUIT PIPE TERM USR1 XFSZ TSTP TTIN TTOU CHLD; exec \"$0\" again"
		goruntime.LockOSThread()
		blocked := unix.Sigset_t{}
		for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGUSR2, unix.SIGCHLD, unix.SIGALRM} {
			blocked.Val[0] |= 1 << (sig - 1)
		}
		check(unix.PthreadSigmask(unix.SIG_BLOCK, &blocked, nil))
		for _, fd := range []int{3, 5} {
			must(unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0))
		}
		check(syscall.Exec("/bin/sh", []string{"sh", "-c", sh, os.Args[0]}, os.Environ()))
	}
	check(CloseOnExecAll())
	DefaultSignals()
	l := New()
	child := must(l.Start(cat()))
	must(child.Stdin.WriteString("x"))
	must(io.ReadFull(child.Stdout, make([]byte, 1)))
	f := look(child.PID)
	fmt.Println(strings.Join(f.FDs, ", "), "blocked", f.Status["SigBlk"], "ignored", f.Status["SigIgn"])
	check(Signal(child.PID, syscall.SIGKILL))
}

// Many starts at once, each with an umask of its own, and none meets another's;
// nor does the daemon, unless it could not get threads of its own kind.
func TestUmaskIsTheChildsAlone(t *testing.T) {
	own := syscall.Umask(0o22)
	defer syscall.Umask(own)
	for _, kind := range []string{"own threads", "shared"} {
		t.Run(kind, func(t *testing.T) {
			l := launcher(t)
			if kind == "shared" {
				l.forker.unshare = func() error { return unix.EPERM }
			}
			var all sync.WaitGroup
			for i := range 64 {
				all.Go(func() {
					c := cat()
					want := "0022"
					if i%4 != 0 {
						c.Umask = i
						want = fmt.Sprintf("%04o", i)
					}
					child, err := l.Start(c)
					if err != nil {
						t.Error(err)
						return
					}
					defer closeAll(child)
					if got := look(child.PID).Status["Umask"]; got != want {
						t.Errorf("umask %s, want %s", got, want)
					}
				})
				if kind == "own threads" {
					path := filepath.Join(t.TempDir(), "file")
					if err := os.WriteFile(path, nil, 0o666); err != nil {
						t.Fatal(err)
					}
					if info, err := os.Stat(path); err != nil || info.Mode() != 0o644 {
						t.Errorf("our own file has mode %v, %v", info.Mode(), err)
					}
				}
			}
			all.Wait()
			reapAll(t, 64)
			if now := syscall.Umask(0o22); now != 0o22 {
				t.Errorf("our umask has become %04o", now)
			}
		})
	}
}

// reapAll reaps n children.
func reapAll(t testing.TB, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d more have ended", n), func() bool {
		n -= len(Reap(1000))
		return n <= 0
	})
}

// A signal sent as soon as Start has returned is the program's, not ours.
func TestSignalRightAfterStart(t *testing.T) {
	l := launcher(t)
	for range 50 {
		child := start(t, l, cat())
		if err := Signal(child.PID, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if how := Describe(awaitExit(t, child.PID)); how != "terminated by SIGTERM" {
			t.Fatal(how)
		}
	}
}
