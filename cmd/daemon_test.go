package cmd

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// TestShutdownLeavesNothing ends a daemon whose programs do not want to end:
// nothing of them is left, the exit status is 0, and pidfile and socket are gone.
// What does not belong to a process group that is stopped is not left either,
// since each program here is a group of its own.
func TestShutdownLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+`
[program:stubborn]
command=/bin/sh -c 'trap "" TERM; echo ready; while :; do sleep 0.1; done'
stopwaitsecs=1
killasgroup=true
stdout_logfile={{.Dir}}/stubborn.out

[program:tree]
command=/bin/sh -c 'sleep 1000 & sleep 1000 & (trap "" TERM; exec sleep 1000) & echo ready; wait'
stopasgroup=true
stopwaitsecs=1
stdout_logfile={{.Dir}}/tree.out

[program:plain]
command=/bin/cat

[program:retrying]
command=/bin/sh -c 'exit 1'
startretries=1000

[program:idle]
command=/bin/cat
autostart=false
`), t}
			s.until("plain", "RUNNING")
			s.wait("the stubborn", func() bool { return s.Read("stubborn.out") != "" && s.Read("tree.out") != "" })
			begun := time.Now()
			s.Signal(sig)
			if code := s.Wait(); code != 0 {
				t.Errorf("exit status %d", code)
			}
			t.Logf("ended after %v", time.Since(begun).Round(time.Millisecond))
			for _, path := range []string{filepath.Join(s.Dir, "supervisord.pid"), s.Sock} {
				if _, err := os.Lstat(path); err == nil {
					t.Errorf("%s is still there", path)
				}
			}
			name := map[syscall.Signal]string{syscall.SIGTERM: "SIGTERM", syscall.SIGINT: "SIGINT", syscall.SIGQUIT: "SIGQUIT"}[sig]
			for _, text := range []string{"WARN received " + name + " indicating exit request", "WARN killing 'stubborn' (", "WARN stopped: tree ("} {
				if !strings.Contains(s.Log(), text) {
					t.Errorf("the log does not say %q:\n%s", text, s.Log())
				}
			}
		}) // and nothing is left running, which the harness looks at
	}
}

// TestDetached compares what a daemon is that has left its terminal.
func TestDetached(t *testing.T) {
	t.Parallel()
	for _, kind := range oracle.Kinds(t) {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "work"), 0o755); err != nil {
				t.Fatal(err)
			}
			s := &eventRun{oracle.StartDetached(t, kind, dir, strings.Replace(oracle.Prelude, "[supervisord]",
				"[supervisord]\ndirectory={{.Dir}}/work\numask=027\n", 1)+`
[program:p]
command=/bin/sh -c 'umask; pwd; exec cat'
stdout_logfile={{.Dir}}/p.out
`), t}
			s.until("p", "RUNNING")
			s.wait("its output", func() bool { return strings.Count(s.Read("p.out"), "\n") == 2 })
			if got, want := s.Read("p.out"), "0027\n"+s.Dir+"/work\n"; got != want {
				t.Errorf("the child says %q, want %q", got, want)
			}
			pid := s.PID()
			for fd := range 3 {
				if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd)); err != nil || to != "/dev/null" {
					t.Errorf("descriptor %d of the daemon is %s, %v", fd, to, err)
				}
			}
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			if err != nil {
				t.Fatal(err)
			}
			fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:])) // from the state on
			if fields[3] != strconv.Itoa(pid) || fields[4] != "0" {
				t.Errorf("the daemon %d has session %s and terminal %s", pid, fields[3], fields[4])
			}
			if to, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); to != s.Dir+"/work" {
				t.Errorf("the daemon is in %s", to)
			}
			if info, err := os.Stat(filepath.Join(dir, "supervisord.pid")); err != nil || info.Mode() != 0o640 {
				t.Errorf("pidfile: %v, %v", info.Mode(), err)
			}
			for _, text := range []string{"INFO daemonizing the supervisord process", "INFO set current directory: '" + s.Dir + "/work'",
				"INFO supervisord started with pid " + strconv.Itoa(pid)} {
				if !strings.Contains(s.Log(), text) {
					t.Errorf("the log does not say %q", text)
				}
			}
			if s.Stdout() != "" {
				t.Errorf("it has printed %q", s.Stdout())
			}
		})
	}
}

// TestRelativeConfig: a daemon that was given a relative path, and has changed its
// directory since, finds its files again.
func TestRelativeConfig(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, sub := range []string{"work", "conf.d"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := &eventRun{oracle.StartDetachedIn(t, oracle.Ours, dir,
		strings.Replace(oracle.Prelude, "[supervisord]", "[supervisord]\ndirectory={{.Dir}}/work", 1)+`
[include]
files=conf.d/*.conf

[reconcile]
statedir={{.Dir}}/state
`, oracle.Surroundings{Through: []string{"/bin/sh", "-c", `cd "${3%/*}" && exec "$1" -c "${3##*/}"`, "sh"}}), t}
	s.Write("conf.d/p.conf", "[program:p]\ncommand=/bin/cat\n")
	s.until("p", "RUNNING")
	s.Signal(syscall.SIGHUP)
	s.wait("the restart", func() bool { return strings.Count(s.Log(), "supervisord started with pid") == 2 })
	s.until("p", "RUNNING")
	if out := s.Ctl(oracle.Ours, "update"); out.Exit != 0 || out.Stdout != "" {
		t.Errorf("update: %v", out)
	}
	var files []struct{ Path, State string }
	out := s.Ctl(oracle.Ours, "files", "-o", "json")
	if err := json.Unmarshal([]byte(out.Stdout), &files); err != nil {
		t.Fatalf("%v: %v", err, out)
	}
	count := make(map[string]int)
	for _, f := range files {
		count[filepath.Base(f.Path)+" "+f.State]++
	}
	if want := map[string]int{"supervisord.conf applied": 1, "p.conf applied": 1, "conf.d applied": 1}; !maps.Equal(count, want) {
		t.Errorf("files: %v", out.Stdout)
	}
}

// TestPidfileWhenDetached: whoever has started a daemon finds its pidfile, and
// is answered. The original may write it a little later.
func TestPidfileWhenDetached(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	conf := filepath.Join(dir, "c.conf")
	if err := os.WriteFile(conf, []byte("[supervisord]\nlogfile="+dir+"/log\npidfile="+dir+"/pid\nchildlogdir="+dir+
		"\n[reconcile]\nstatedir="+dir+"/state\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 20 { // the daemon may be quick enough by chance
		if out, err := exec.Command(oracle.Command(t, oracle.Ours, "supervisord"), "-c", conf).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		text, err := os.ReadFile(filepath.Join(dir, "pid"))
		if err != nil {
			t.Fatal(err) // and a daemon is left, which has no programs
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		oracle.WaitFor(t, "the daemon's end", func() bool { // or until whoever reaps orphans here does so
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			return err != nil || strings.Contains(string(stat), ") Z ")
		})
	}
}

// TestDetachedKeepsDescriptors: what a daemon was started with beyond the standard
// streams it keeps when it leaves its terminal, such as the lock of flock(1), and
// /dev/fd/N means it; its children get nothing of that.
func TestDetachedKeepsDescriptors(t *testing.T) {
	t.Parallel()
	for _, kind := range oracle.Kinds(t) {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "lock")
			file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
				t.Fatal(err)
			}
			s := &eventRun{oracle.StartDetachedIn(t, kind, dir, oracle.Prelude+`
[program:p]
command=/bin/sh -c 'echo to 3; exec cat'
stdout_logfile=/dev/fd/3
stdout_logfile_maxbytes=0
`, oracle.Surroundings{Files: []*os.File{file}}), t}
			file.Close()
			s.until("p", "RUNNING")
			s.wait("its output", func() bool { return s.Read("lock") == "to 3\n" })
			locked := func() bool {
				file, err := os.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				defer file.Close()
				return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == syscall.EWOULDBLOCK
			}
			if !locked() {
				t.Error("the daemon has let go of the lock")
			}
			fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.pid("p")))
			if err != nil || len(fds) != 3 {
				t.Errorf("the child has %v, %v; want three descriptors", fds, err)
			}
			s.Signal(syscall.SIGTERM)
			s.wait("the end of the lock", func() bool { return !locked() })
		})
	}
}

// TestMistakesBeforeDetaching: whoever starts a daemon that cannot begin is told,
// in the same words by both, with exit status 2.
func TestMistakesBeforeDetaching(t *testing.T) {
	t.Parallel()
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	tooMany := max(files.Max, 1<<20) + 1 // more than the kernel has, so that root cannot have them either
	rows := []struct {
		name, config, want string
		differs            bool // the original words or does it otherwise; want is ours
	}{
		{"minfds", fmt.Sprintf("minfds=%d\n", tooMany), fmt.Sprintf(`Error: The minimum number of file descriptors required to run this process is %d as per the "minfds" command-line argument or config file setting. The current environment will only allow you to open %d file descriptors.  Either raise the number of usable file descriptors in your environment (see README.rst) or lower the minfds setting in the config file to allow the process to start.`, tooMany, files.Cur), true},
		{"log", "logfile={{.Dir}}/nope/log\n", "Error: The directory named as part of the path {{.Dir}}/nope/log does not exist", false},
		{"user", "user=nosuch\n", "Error: Invalid user name nosuch", false},
		{"port", "[inet_http_server]\nport=192.0.2.1:1\n", "Error: Cannot open an HTTP server: socket.error reported errno.EADDRNOTAVAIL (99)", false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			for _, kind := range oracle.Kinds(t) {
				dir := t.TempDir()
				fill := strings.NewReplacer("{{.Dir}}", dir)
				text := "[supervisord]\npidfile=" + dir + "/pid\nchildlogdir=" + dir + "\n" + fill.Replace(row.config)
				if !strings.Contains(text, "logfile=") {
					text = strings.Replace(text, "[supervisord]\n", "[supervisord]\nlogfile="+dir+"/log\n", 1)
				}
				config := filepath.Join(dir, "supervisord.conf")
				if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				out := oracle.Exec(t, kind, "supervisord", dir, "-c", config)
				if out.Exit != 2 {
					t.Errorf("%v: exit status %d", kind, out.Exit)
				}
				if want := fill.Replace(row.want); !(row.differs && kind == oracle.Debian) && !strings.Contains(out.Stderr, want) {
					t.Errorf("%v says\n%swant\n%s", kind, out.Stderr, want)
				}
				if _, err := os.Stat(filepath.Join(dir, "pid")); err == nil {
					t.Errorf("%v left a pidfile", kind)
				}
			}
		})
	}
}

// TestHangup: with a configuration that is good everything begins anew under it, in
// the same process; with a bad one nothing is stopped.
func TestHangup(t *testing.T) {
	t.Parallel()
	const program = "\n[program:%s]\ncommand=/bin/cat\n"
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+fmt.Sprintf(program, "one")+"[reconcile]\nautoupdate=false\n"), t}
	s.until("one", "RUNNING")
	daemon, one := s.PID(), s.pid("one")

	s.Write("supervisord.conf", oracle.Prelude+"\n[program:one]\ncommand=/bin/cat\nautostart=perhaps\n")
	s.Signal(syscall.SIGHUP)
	s.logged("ERRO restart refused, nothing was stopped: ")
	if s.State("one") != "RUNNING" || s.pid("one") != one {
		t.Errorf("one is %s", s.State("one"))
	}

	s.Write("supervisord.conf", oracle.Prelude+fmt.Sprintf(program, "two"))
	s.Signal(syscall.SIGHUP)
	s.until("two", "RUNNING")
	if got := s.State("one"); got != "" || s.PID() != daemon {
		t.Errorf("one is %q, the daemon has pid %d, had %d", got, s.PID(), daemon)
	}
	for _, text := range []string{"WARN received SIGHUP indicating restart request", "stopped: one (terminated by SIGTERM)"} {
		if !strings.Contains(s.Log(), text) {
			t.Errorf("the log does not say %q", text)
		}
	}
}

// TestSignalsDuringRestart sends signals while the daemon restarts, over and over:
// one that comes between two lives is neither lost nor deadly.
func TestSignalsDuringRestart(t *testing.T) {
	t.Parallel()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+"\n[program:p]\ncommand=/bin/cat\nstartsecs=0\n"), t}
	for end := time.Now().Add(size(2*time.Second, 30*time.Second)); time.Now().Before(end); {
		for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR2, syscall.SIGUSR1, syscall.SIGPIPE, syscall.SIGCHLD} {
			s.Signal(sig)
		}
	}
	s.wait("several restarts", func() bool { return strings.Count(wholeLog(t, s.Dir), "supervisord started with pid") > 2 })
	s.Signal(syscall.SIGHUP)
	s.Signal(syscall.SIGTERM) // whatever it is doing, this ends it
	if code := s.Wait(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	t.Logf("%d restarts", strings.Count(wholeLog(t, s.Dir), "supervisord started with pid"))
}

// TestRepliesUnderWayAtTheEnd: a client that is taking its reply when the daemon ends
// gets all of it.
func TestRepliesUnderWayAtTheEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := strings.Repeat("a line of an earlier life\n", 80_000) // more than a socket holds
	if err := os.WriteFile(filepath.Join(dir, "supervisord.log"), []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	d := oracle.StartDaemon(t, oracle.Ours, dir, oracle.Prelude)
	answer, err := d.HTTPClient().Post("http://daemon/RPC2", "text/xml", strings.NewReader(
		"<?xml version='1.0'?><methodCall><methodName>supervisor.readLog</methodName><params>"+
			"<param><value><int>0</int></value></param><param><value><int>0</int></value></param></params></methodCall>"))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := d.Call("supervisor.shutdown"); err != nil {
		t.Error(err)
	}
	oracle.WaitFor(t, "the end of everything but the replies", func() bool { return d.Read("supervisord.pid") == "" })
	text, err := io.ReadAll(answer.Body)
	if err != nil || !strings.HasSuffix(string(text), "</methodResponse>\n") && !strings.HasSuffix(string(text), "</methodResponse>") {
		t.Errorf("%d bytes of the log's %d came: %v", len(text), len(old), err)
	}
	if code := d.Wait(); code != 0 {
		t.Errorf("exit status %d", code)
	}
}

// TestSecondInstance starts a daemon on the configuration of one that runs: it
// refuses in Supervisor's words, and the first one keeps its logs, socket, pidfile
// and processes.
func TestSecondInstance(t *testing.T) {
	t.Parallel()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+"\n[program:p]\ncommand=/bin/sh -c 'echo hello; exec cat'\n"), t}
	s.until("p", "RUNNING")
	autos := func() string {
		files, err := filepath.Glob(filepath.Join(s.Dir, "p-std*.log"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(files, "\n")
	}
	before, pid := autos(), s.pid("p")
	for _, args := range [][]string{{"-n"}, nil} {
		out := oracle.Exec(t, oracle.Ours, "supervisord", s.Dir, append(args, "-c", s.Config)...)
		want := "Error: Another program is already listening on a port that one of our HTTP servers is configured to use.  Shut this program down first before starting supervisord.\n"
		if out.Exit != 2 || !strings.HasPrefix(out.Stderr, want) {
			t.Errorf("%v: %v", args, out)
		}
	}
	if after := autos(); after != before || before == "" {
		t.Errorf("the logs were\n%s\nand are\n%s", before, after)
	}
	if got := s.Read("supervisord.pid"); got != fmt.Sprintf("%d\n", s.PID()) {
		t.Errorf("the pidfile says %q", got)
	}
	if now := s.pid("p"); now != pid {
		t.Errorf("p has pid %d, had %d", now, pid)
	}
}

// nobody is a user and a group that exist, with their numbers.
func nobody(t testing.TB) (name string, uid, gid uint32) {
	t.Helper()
	find := func() (*user.User, *user.Group, error) {
		u, err := user.Current()
		if os.Getuid() == 0 {
			u, err = user.Lookup("nobody")
		}
		if err != nil {
			return nil, nil, err
		}
		g, err := user.LookupGroupId(u.Gid)
		return u, g, err
	}
	u, g, err := find()
	if err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.Atoi(u.Uid)
	m, _ := strconv.Atoi(g.Gid)
	return u.Username + ":" + g.Name, uint32(n), uint32(m)
}

// TestDaemonUser lets the daemon of root become an ordinary user for good.
func TestDaemonUser(t *testing.T) {
	t.Parallel()
	owner, uid, _ := nobody(t)
	name, _, _ := strings.Cut(owner, ":")
	for _, kind := range oracle.Kinds(t) {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, d := range []string{dir, filepath.Dir(dir)} {
				if err := os.Chmod(d, 0o777); err != nil {
					t.Fatal(err)
				}
			}
			s := &eventRun{oracle.StartDaemon(t, kind, dir, strings.Replace(oracle.Prelude, "[supervisord]", "[supervisord]\nuser="+name, 1)+`
[program:p]
command=/bin/sh -c 'id -u; id -G; exec cat'
stdout_logfile={{.Dir}}/p.out
`), t}
			s.until("p", "RUNNING")
			s.wait("its output", func() bool { return strings.Count(s.Read("p.out"), "\n") == 2 })
			groups, err := exec.Command("/usr/bin/id", "-G", name).Output()
			if err != nil {
				t.Fatal(err)
			}
			if got, want := s.Read("p.out"), fmt.Sprintf("%d\n%s", uid, groups); got != want {
				t.Errorf("the child is %q, want %q", got, want)
			}
			s.logged(fmt.Sprintf("INFO Set uid to user %d succeeded", uid))
			tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", s.PID()))
			if err != nil || len(tasks) == 0 {
				t.Fatal("no threads")
			}
			for _, file := range tasks {
				text, err := os.ReadFile(file)
				if err == nil && !strings.Contains(string(text), fmt.Sprintf("Uid:\t%d\t%[1]d\t%[1]d\t%[1]d\n", uid)) {
					t.Errorf("%s is another user's:\n%s", file, text)
				}
			}
			if info, err := os.Stat(s.Sock); err != nil || info.Sys().(*syscall.Stat_t).Uid != uid {
				t.Errorf("the socket is of another user: %v", err)
			}
		})
	}
}

// TestFoundOnPath: a program that a shell finds on PATH looks for its configuration
// beside the folder where it stands, and names itself by its whole path.
func TestFoundOnPath(t *testing.T) {
	t.Parallel()
	for _, kind := range oracle.Kinds(t) {
		for _, name := range []string{"supervisord", "supervisorctl"} {
			t.Run(kind.String()+"/"+name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				for _, sub := range []string{"bin", "etc", "empty"} {
					if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.Symlink(oracle.Command(t, kind, name), filepath.Join(dir, "bin", name)); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, "etc/supervisord.conf"), []byte("[neither]\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				cmd := exec.Command("/bin/sh", "-c", name)
				cmd.Dir = filepath.Join(dir, "empty")
				cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
				out, err := cmd.CombinedOutput()
				want := "Error: .ini file does not include " + name + " section\nFor help, use " + filepath.Join(dir, "bin", name) + " -h\n"
				if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), want) {
					t.Errorf("it says %q (%v), want %q", out, err, want)
				}
			})
		}
	}
}
