package cmd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"supervisord/cmd/internal/oracle"
)

func init() { roles["ill-begun"] = illBegun }

// illBegun becomes the command of its arguments in the way that careless parents
// start daemons: with signals blocked and ignored, further descriptors open, and
// limits, niceness and OOM score of its own.
func illBegun(args []string) int {
	runtime.LockOSThread() // the thread that calls exec is the one whose mask counts
	var all unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	strays := []string{"/dev/null", "/etc/passwd", "/proc/self/status", "/"}
	for _, path := range strays {
		if _, err := syscall.Open(path, syscall.O_RDONLY, 0); err != nil {
			return 3
		}
	}
	if err := unix.Dup2(0, 500); err != nil {
		return 3
	}
	steps := []error{
		unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1100, Max: 1200}),
		unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 0, Max: 4096}),
		unix.Setrlimit(unix.RLIMIT_STACK, &unix.Rlimit{Cur: 4 << 20, Max: 8 << 20}),
		unix.Setpriority(unix.PRIO_PROCESS, 0, 5),
		os.WriteFile("/proc/self/oom_score_adj", []byte("321"), 0),
		unix.PthreadSigmask(unix.SIG_SETMASK, &all, nil),
	}
	for _, err := range steps {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 3
		}
	}
	fmt.Fprintln(os.Stderr, syscall.Exec(args[0], args, os.Environ()))
	return 3
}

// childKinds are all the ways in which a child's descriptors are made.
const childKinds = `
[program:plain]
command=/bin/sleep 1000

[program:redirected]
command=/bin/sleep 1000
redirect_stderr=true

[program:silent]
command=/bin/sleep 1000
stdout_logfile=NONE
stderr_logfile=NONE

[program:elsewhere]
command=/bin/sleep 1000
directory=/
umask=077

[program:captured]
command=/bin/sleep 1000
stdout_capture_maxbytes=1MB
stdout_logfile=/dev/fd/1
stdout_logfile_maxbytes=0

[program:%s]
command=/bin/sleep 1000
user=%[1]s

[fcgi-program:fastcgi]
command=/bin/sleep 1000
socket=unix://{{.Dir}}/fcgi.sock

[eventlistener:listener]
command=/bin/sleep 1000
events=TICK_5
`

// TestChildrenAreClean starts each kind of child from a daemon that was itself
// begun carelessly. A child has its three descriptors and no other, no signal
// ignored, blocked or caught, and limits, niceness and OOM score as the daemon was
// given them.
func TestChildrenAreClean(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	user := "root"
	if os.Getuid() != 0 {
		user = strconv.Itoa(os.Getuid())
	} else if exec.Command("/usr/bin/id", "nobody").Run() == nil {
		user = "nobody"
	}
	dir := t.TempDir()
	in := oracle.Surroundings{Through: []string{"/bin/sh", "-c", `trap "" HUP INT PIPE XFSZ USR1 CHLD TSTP; exec nohup "$@"`, "sh", self, "ill-begun"}}
	s := &eventRun{oracle.StartIn(t, oracle.Ours, dir, oracle.Prelude+fmt.Sprintf(childKinds, user), in), t}
	if own := descriptors(t, s.PID()); !slices.Contains(own, "500") {
		t.Fatalf("the daemon was not begun carelessly, it has %v", own)
	}
	names := []string{"plain", "redirected", "silent", "elsewhere", "captured", user, "fastcgi", "listener"}
	for _, name := range names {
		s.until(name, "RUNNING")
		pid := s.pid(name)
		proc := func(file string) string {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		fds := descriptors(t, pid)
		slices.Sort(fds)
		if got := strings.Join(fds, ","); got != "0,1,2" {
			t.Errorf("%s has the descriptors %s", name, got)
		}
		for _, fd := range fds {
			target, _ := os.Readlink(filepath.Join(fmt.Sprintf("/proc/%d/fd", pid), fd))
			want := "pipe:"
			if name == "fastcgi" && fd == "0" {
				want = "socket:"
			}
			if !strings.HasPrefix(target, want) {
				t.Errorf("%s: descriptor %s is %s, want a %s", name, fd, target, want)
			}
			flags := regexp.MustCompile(`(?m)^flags:\s+0(\d+)`).FindStringSubmatch(proc("fdinfo/" + fd))
			if n, err := strconv.ParseInt(flags[1], 8, 64); err != nil || n&unix.O_NONBLOCK != 0 {
				t.Errorf("%s: descriptor %s has the flags %s", name, fd, flags[1])
			}
		}
		status := proc("status")
		for _, mask := range []string{"SigIgn", "SigBlk", "SigCgt"} {
			if !strings.Contains(status, mask+":\t0000000000000000\n") {
				t.Errorf("%s: %s is not empty in:\n%s", name, mask, regexp.MustCompile(`(?m)^Sig.*$`).FindAllString(status, -1))
			}
		}
		umask := "0022"
		if name == "elsewhere" {
			umask = "0077"
		}
		if !strings.Contains(status, "Umask:\t"+umask) {
			t.Errorf("%s has not the umask %s", name, umask)
		}
		limits := proc("limits")
		for _, want := range []string{`Max open files +1100 +1200 `, `Max core file size +0 +4096 `, `Max stack size +4194304 +8388608 `} {
			if !regexp.MustCompile(want).MatchString(limits) {
				t.Errorf("%s: its limits have no %q:\n%s", name, want, limits)
			}
		}
		if got := strings.TrimSpace(proc("oom_score_adj")); got != "321" {
			t.Errorf("%s has the OOM score %s", name, got)
		}
		if stat := strings.Fields(proc("stat")); stat[18] != "5" {
			t.Errorf("%s has the niceness %s", name, stat[18])
		}
	}
}
