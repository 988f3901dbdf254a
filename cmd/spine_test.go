package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// watched is a configuration whose programs all come from conf.d.
const watched = oracle.Prelude + `
[include]
files=conf.d/*.ini

[reconcile]
statedir={{.Dir}}/state
`

// inForce is how soon a change must be, if the machine is not busy.
const inForce = time.Second

// TestDropAFile is the main job: files come, change and go in a watched
// directory, and the processes follow, while Debian's supervisorctl asks for the
// status all the time.
func TestDropAFile(t *testing.T) {
	oracle.Require(t)
	d := oracle.StartDaemon(t, oracle.Ours, t.TempDir(), watched)
	d.Write("conf.d/.keep", "")

	asked := make(chan int)
	stop := make(chan struct{})
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				asked <- n
				return
			default:
			}
			if out := d.Ctl(oracle.Debian, "status"); out.Exit == 0 && out.Stderr == "" {
				n++
			}
		}
	}()
	pids := func() map[string]int { return runningPIDs(t, d) }
	soonest := oracle.Deadline
	within := func(what string, cond func() bool) {
		t.Helper()
		begun := time.Now()
		if !oracle.Eventually(oracle.Deadline, cond) {
			t.Fatalf("%s: not in force within %v; log:\n%s", what, oracle.Deadline, d.Log())
		}
		took := time.Since(begun)
		soonest = min(soonest, took)
		t.Logf("%s: in force after %v", what, took.Round(time.Millisecond))
	}
	file := func(name, command, more string) {
		d.Write("conf.d/"+name+".ini", fmt.Sprintf("[program:%s]\ncommand=%s\n%s", name, command, more))
	}

	for _, name := range []string{"one", "two", "three"} {
		before := pids()
		file(name, "/bin/sleep 1000", "")
		within("a new file", func() bool { return pids()[name] != 0 })
		after := pids()
		delete(after, name)
		if !equalPIDs(before, after) {
			t.Fatalf("adding %s moved others: %v, then %v", name, before, after)
		}
	}

	before := pids()
	file("one", "/bin/sleep 2000", "")
	within("a changed command", func() bool { p := pids()["one"]; return p != 0 && p != before["one"] })
	if got := commandLine(t, pids()["one"]); got != "/bin/sleep 2000" {
		t.Errorf("one runs %q", got)
	}

	file("two", "/bin/sleep 1000", "stopwaitsecs=3\n")
	within("a changed stopwaitsecs", func() bool {
		return strings.Contains(d.Log(), "inplace two")
	})

	file("two", "/bin/sleep 1000", "; only a comment\nstopwaitsecs = 3\n")
	if err := os.Remove(filepath.Join(d.Dir, "conf.d/three.ini")); err != nil {
		t.Fatal(err)
	}
	within("a removed file", func() bool { return pids()["three"] == 0 && len(pids()) == 2 })

	if soonest > inForce {
		t.Errorf("no change was in force within %v, the soonest after %v", inForce, soonest)
	}

	after := pids()
	if after["two"] != before["two"] {
		t.Errorf("two has pid %d, had %d", after["two"], before["two"])
	}
	if after["one"] == before["one"] || len(after) != 2 {
		t.Errorf("in the end %v, before the edits %v", after, before)
	}
	close(stop)
	if n := <-asked; n < 1 {
		t.Errorf("status was answered %d times only", n)
	}
	if n := strings.Count(d.Log(), "spawned:"); n != 4 {
		t.Errorf("%d processes were started, want 4; log:\n%s", n, d.Log())
	}
}

// runningPIDs is the pid of every process that has one.
func runningPIDs(t testing.TB, d *oracle.Daemon) map[string]int {
	t.Helper()
	all, err := d.Call("supervisor.getAllProcessInfo")
	if err != nil {
		t.Fatal(err)
	}
	pids := make(map[string]int)
	for _, info := range all.([]any) {
		m := info.(map[string]any)
		if pid := m["pid"].(int); pid != 0 {
			pids[m["name"].(string)] = pid
		}
	}
	return pids
}

func equalPIDs(a, b map[string]int) bool {
	return fmt.Sprint(a) == fmt.Sprint(b) // maps print in the order of their keys
}

func commandLine(t testing.TB, pid int) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(strings.ReplaceAll(string(data), "\x00", " "), " ")
}

// TestTutorial runs the configuration of a common tutorial as it is, its paths
// aside, daemonized, with both clients.
func TestTutorial(t *testing.T) {
	t.Parallel()
	const config = `[unix_http_server]
file = {{.Sock}}
chmod = 0770
chown = root:root   ; comment

[supervisord]
logfile={{.Dir}}/supervisord.log ; main log file;
logfile_maxbytes=50MB
logfile_backups=10
loglevel=info
pidfile={{.Dir}}/supervisord.pid
childlogdir={{.Dir}}

[inet_http_server]
port=127.0.0.1:{{.Port}}
username=test
password=test

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{{.Sock}} ; use a unix:// URL  for a unix socket

[include]
files = config.d/*.ini
`
	for _, daemon := range oracle.Kinds(t) {
		t.Run(daemon.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			os.MkdirAll(filepath.Join(dir, "config.d"), 0o755)
			os.WriteFile(filepath.Join(dir, "config.d", "web.ini"), []byte("[program:web]\ncommand=/bin/sleep 1000\n"), 0o644)
			d := oracle.StartDetached(t, daemon, dir, config)
			oracle.WaitFor(t, "web", func() bool { return d.State("web") == "RUNNING" })
			for _, client := range []oracle.Kind{oracle.Ours, oracle.Debian} {
				if out := d.Ctl(client, "status"); out.Exit != 0 || !strings.HasPrefix(out.Stdout, "web                              RUNNING   pid ") {
					t.Errorf("%v client: %v", client, out)
				}
				url := fmt.Sprintf("http://127.0.0.1:%d", d.Port)
				if out := d.Ctl(client, "-s", url, "-u", "test", "-p", "test", "pid", "web"); out.Exit != 0 {
					t.Errorf("%v client over TCP: %v", client, out)
				}
				if out := d.Ctl(client, "-s", url, "-u", "test", "-p", "wrong", "status"); !strings.Contains(out.Stdout, "Server requires authentication") {
					t.Errorf("%v client with a wrong password: %v", client, out)
				}
			}
			if info, err := os.Stat(d.Sock); err != nil || info.Mode().Perm() != 0o770 {
				t.Errorf("socket: %v, %v", info.Mode(), err)
			}
		})
	}
}

// TestManyPrograms runs hundreds of programs, each from its file (a thousand with FULL_SIZE=1): all start, the
// daemon then sleeps, and it has no thread for each child. SPINE_IDLE sets how
// long it is watched; the figure of 15 s is in CI's log.
func TestManyPrograms(t *testing.T) {
	n := size(300, 1000)
	idle := 5 * time.Second
	if s := os.Getenv("SPINE_IDLE"); s != "" {
		var err error
		if idle, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	// Not below the directory in which all tests make theirs: the daemon would be
	// told of each.
	dir, err := os.MkdirTemp("/var/tmp", "many")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	os.MkdirAll(filepath.Join(dir, "conf.d"), 0o755)
	for i := range n {
		text := fmt.Sprintf("[program:p%04d]\ncommand=/bin/sleep 1000\nstdout_logfile=NONE\nstderr_logfile=NONE\n", i)
		os.WriteFile(filepath.Join(dir, "conf.d", fmt.Sprintf("p%04d.ini", i)), []byte(text), 0o644)
	}
	begun := time.Now()
	d := oracle.StartDaemon(t, oracle.Ours, dir, watched)
	oracle.WaitFor(t, "all programs", func() bool { return len(runningPIDs(t, d)) == n })
	t.Logf("%d programs have a process %v after the start", n, time.Since(begun).Round(time.Millisecond))
	oracle.WaitFor(t, "all RUNNING", func() bool { return strings.Count(d.Log(), "entered RUNNING") == n })

	if threads := threadCount(t, d.PID()); threads >= n/10 {
		t.Errorf("%d threads", threads)
	} else {
		t.Logf("%d threads", threads)
	}
	quiet := false
	for try := 0; try < 3 && !quiet; try++ { // a busy machine makes a look at the files dearer
		before := cpuTime(t, d.PID())
		time.Sleep(idle) // to be watched doing nothing
		used := cpuTime(t, d.PID()) - before
		t.Logf("%v of CPU in %v of idling", used, idle)
		quiet = used < 10*time.Millisecond
	}
	if !quiet {
		t.Errorf("that is not idle")
	}
	begun = time.Now()
	d.Stop()
	t.Logf("stopped in %v", time.Since(begun).Round(time.Millisecond))
}

var statusLine = regexp.MustCompile(`(?m)^Threads:\s+(\d+)$`)

func threadCount(t testing.TB, pid int) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	m := statusLine.FindSubmatch(data)
	if err != nil || m == nil {
		t.Fatalf("no thread count: %v", err)
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n
}

// cpuTime is how much processor time the threads of a process have used.
func cpuTime(t testing.TB, pid int) time.Duration {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		t.Fatalf("no threads: %v", err)
	}
	var sum time.Duration
	for _, file := range files {
		data, _ := os.ReadFile(file)
		ns, _, _ := strings.Cut(string(data), " ")
		n, err := strconv.ParseInt(ns, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		sum += time.Duration(n)
	}
	return sum
}
