package cmd

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"supervisord/cmd/internal/oracle"
)

// ordinary is the number of a user that owns nothing and runs nothing, so that
// limits per user can be tried on it.
const ordinary = 54321

// asOrdinary runs a daemon as an ordinary user, if the tests run as root.
func asOrdinary(t testing.TB, dir string) oracle.Surroundings {
	t.Helper()
	if os.Getuid() != 0 {
		return oracle.Surroundings{}
	}
	for _, dir := range []string{dir, filepath.Dir(dir)} { // t.TempDir makes both
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	return oracle.Surroundings{Attr: &syscall.SysProcAttr{
		Setpgid: true, Credential: &syscall.Credential{Uid: ordinary, Gid: ordinary},
	}}
}

// limit sets the soft limit of a daemon that asOrdinary started, and returns what
// sets it to the hard one. Only the same user may.
func limit(t testing.TB, in oracle.Surroundings, pid int, resource string, n uint64) (restore func()) {
	t.Helper()
	set := func(n string) {
		t.Helper()
		c := exec.Command("/usr/bin/prlimit", fmt.Sprintf("--pid=%d", pid), "--"+resource+"="+n+":")
		c.SysProcAttr = in.Attr
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", c, err, out)
		}
	}
	set(strconv.FormatUint(n, 10))
	return func() {
		t.Helper()
		resources := map[string]int{"nofile": unix.RLIMIT_NOFILE, "nproc": unix.RLIMIT_NPROC}
		var ours unix.Rlimit
		if err := unix.Getrlimit(resources[resource], &ours); err != nil {
			t.Fatal(err)
		}
		set(strconv.FormatUint(ours.Max, 10))
	}
}

// descriptors lists what is open in a process, without the directory's own.
func descriptors(t testing.TB, pid int) []string {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestScarcity takes from a running daemon what a start needs: descriptors, then
// processes. The start fails with Supervisor's text and is tried again; what runs
// already goes on, the daemon answers, and it recovers by itself.
func TestScarcity(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name     string
		resource string
		left     func(t testing.TB, pid int) uint64
		text     string
	}{
		{"descriptors", "nofile", func(t testing.TB, pid int) uint64 { return uint64(len(descriptors(t, pid)) + 3) },
			"too many open files to spawn 'late'"},
		{"processes", "nproc", func(testing.TB, int) uint64 { return 1 },
			"Too many processes in process table to spawn 'late'"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			in := asOrdinary(t, dir)
			s := &eventRun{oracle.StartIn(t, oracle.Ours, dir, oracle.Prelude+`
[program:early]
command=/bin/sleep 1000

[program:late]
command=/bin/sleep 1000
autostart=false
startretries=100
`, in), t}
			s.until("early", "RUNNING")
			early := s.pid("early")
			open := len(descriptors(t, s.PID()))
			restore := limit(t, in, s.PID(), row.resource, row.left(t, s.PID()))
			if _, err := s.Call("supervisor.startProcess", "late"); err == nil || !strings.Contains(err.Error(), "SPAWN_ERROR") {
				t.Errorf("startProcess: %v", err)
			}
			s.logged("spawnerr: " + row.text)
			if out := s.Ctl(oracle.Ours, "status", "late"); !strings.HasPrefix(out.Stdout, "late                             BACKOFF   "+row.text) {
				t.Errorf("status: %v", out)
			}
			s.wait("a second attempt", func() bool { return strings.Count(s.Log(), "spawnerr: "+row.text) > 1 })
			if s.State("early") != "RUNNING" || s.pid("early") != early {
				t.Errorf("early is %s", s.State("early"))
			}
			restore()
			s.until("late", "RUNNING")
			s.call("stopProcess", "late")
			s.wait("no descriptor to be left of it", func() bool { return len(descriptors(t, s.PID())) <= open+1 })
		})
	}
}

// TestFewDescriptors has a daemon for whose programs the descriptors are too few
// from the start, in both daemons: some run, the others are tried and given up.
func TestFewDescriptors(t *testing.T) {
	t.Parallel()
	for _, kind := range oracle.Kinds(t) {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			s := &eventRun{oracle.StartIn(t, kind, t.TempDir(), strings.Replace(oracle.Prelude, "[supervisord]", "[supervisord]\nminfds=10", 1)+`
[program:p]
command=/bin/sleep 1000
process_name=%(process_num)02d
numprocs=20
startretries=0
`, oracle.Surroundings{Through: []string{"/usr/bin/prlimit", "--nofile=40:40"}}), t}
			s.logged("gave up: ")
			s.logged("success: ")
			for line := range strings.Lines(s.Log()) {
				_, text, spawnerr := strings.Cut(line, "spawnerr: ")
				if spawnerr && !strings.HasPrefix(text, "too many open files to spawn '") {
					t.Errorf("the log says %q", text)
				}
			}
			s.logged("spawnerr: too many open files to spawn '")
			t.Logf("%d run", strings.Count(s.Log(), "spawned: "))
		})
	}
}

// TestStrangersLeaveRoom opens more connections than the daemon has descriptors, none
// of which ever asks for anything. Clients are answered and programs started.
func TestStrangersLeaveRoom(t *testing.T) {
	t.Parallel()
	s := &eventRun{oracle.StartIn(t, oracle.Ours, t.TempDir(), strings.Replace(oracle.Prelude, "[supervisord]", "[supervisord]\nminfds=200", 1)+
		"[program:p]\ncommand=/bin/sleep 1000\nautostart=false\nstartsecs=0\n",
		oracle.Surroundings{Through: []string{"/usr/bin/prlimit", "--nofile=200:200"}}), t}
	for i := range 300 {
		conn, err := net.Dial("unix", s.Sock)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET / HT"); err != nil && !errors.Is(err, syscall.EPIPE) {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	start := time.Now()
	s.call("startProcess", "p")
	if took := time.Since(start); took > 25*time.Second { // less than what a header may take
		t.Errorf("it took %v", took)
	}
	s.until("p", "RUNNING")
}

// TestFailedSetuid never runs a program as another user than it is to be: not when
// the daemon is an ordinary user, nor when root was not given the means. Both
// daemons say why in the program's own log, and the program counts as one that
// exited too quickly.
func TestFailedSetuid(t *testing.T) {
	t.Parallel()
	const config = `
[program:other]
command=/bin/sh -c 'id >>{{.Dir}}/ran'
user=%s
startretries=1
startsecs=60
stderr_logfile={{.Dir}}/other.err
`
	type row struct {
		name, user string
		in         func(t testing.TB, dir string) oracle.Surroundings
		text       string // "" when the two daemons do not agree
	}
	rows := []row{
		{"ordinary", "root", asOrdinary, "supervisor: couldn't setuid to 0: Can't drop privilege as nonroot user\n"},
	}
	if os.Getuid() == 0 { // an ordinary user cannot be root without means
		without := func(capability string) func(testing.TB, string) oracle.Surroundings {
			return func(testing.TB, string) oracle.Surroundings {
				return oracle.Surroundings{Through: []string{"/usr/bin/setpriv", "--bounding-set=-" + capability, "--inh-caps=-" + capability}}
			}
		}
		rows = append(rows,
			row{"no-setuid", "nobody", without("setuid"), ""}, // the original says nothing
			row{"no-setgid", "nobody", without("setgid"), "supervisor: couldn't setuid to 65534: Could not set groups of effective user\n"})
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			for _, kind := range oracle.Kinds(t) {
				t.Run(kind.String(), func(t *testing.T) {
					t.Parallel()
					dir := t.TempDir()
					s := &eventRun{oracle.StartIn(t, kind, dir, oracle.Prelude+fmt.Sprintf(config, row.user), row.in(t, dir)), t}
					s.until("other", "FATAL")
					if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
						t.Errorf("the program ran: %s", s.Read("ran"))
					}
					if got, want := s.Read("other.err"), strings.Repeat(row.text+"supervisor: child process was not spawned\n", 2); row.text != "" && got != want {
						t.Errorf("its log says %q, want %q", got, want)
					}
					s.logged("exited: other (exit status 127; not expected)")
					if out := s.Ctl(oracle.Ours, "status"); !strings.Contains(out.Stdout, "FATAL     Exited too quickly (process log may have details)") {
						t.Errorf("status: %v", out)
					}
				})
			}
		})
	}
}
