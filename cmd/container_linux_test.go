package cmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
	"supervisord/runtime/needs"
)

// unknownUser is a user of whom no file of a container knows anything.
const unknownUser = 1_000_870_000

// container is one that a real runtime, crun, makes of our static programs: the daemon is
// process 1. Its root is read-only, has no file but our programs and, by bind mounts,
// those of the machine, and no place to write to but what a test mounts.
type container struct {
	t      *testing.T
	name   string
	bundle string
	output *lockedBuffer // standard output and standard error, unless a test has another
	stdout *os.File      // in place of output; nil for that
	cmd    *exec.Cmd     // of crun run; nil before start
	ended  chan struct{} // closed when it has ended
	spec   map[string]any
}

// lockedBuffer is written by a command and read meanwhile.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// requireRuntime leaves the test out where there is no crun, which REQUIRE_CRUN=1
// demands, or nobody who may run it.
func requireRuntime(t *testing.T) {
	t.Helper()
	needs.Root(t)
	if _, err := exec.LookPath("crun"); err != nil {
		if os.Getenv("REQUIRE_CRUN") == "1" {
			t.Fatal(err)
		}
		t.Skip("no OCI runtime, left out: ", err)
	}
}

// static builds our programs as they are put into images.
var static = sync.OnceValues(func() (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "static")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", dir+"/", "supervisord/cmd/supervisord", "supervisord/cmd/supervisorctl")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%v: %v\n%s", build, err, out)
	}
	programs := make(map[string][]byte)
	for _, name := range []string{"supervisord", "supervisorctl"} {
		if programs[name], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	return programs, nil
})

// newContainer makes a container of a user without any capability, unless that is root,
// who has those that container engines give him.
func newContainer(t *testing.T, uid int, args ...string) *container {
	t.Helper()
	requireRuntime(t)
	programs, err := static()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := &container{t: t, bundle: dir, output: new(lockedBuffer), ended: make(chan struct{}),
		name: "supervisord-test-" + strings.NewReplacer("/", "-", " ", "-", "#", "-", "'", "").Replace(t.Name())}
	root := filepath.Join(dir, "root")
	for _, d := range []string{"proc", "dev", "tmp", "conf"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range programs {
		if err := os.WriteFile(filepath.Join(root, name), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mounts := []any{
		mount("/proc", "proc", "proc"),
		mount("/dev", "tmpfs", "tmpfs", "nosuid", "mode=755"),
		mount("/dev/pts", "devpts", "devpts", "newinstance", "ptmxmode=0666", "mode=0620"),
	}
	for _, name := range []string{"/bin", "/lib", "/lib64", "/usr"} { // a shell, for the programs
		info, err := os.Lstat(name)
		if err != nil {
			continue
		}
		if info.Mode()&os.ModeSymlink != 0 {
			target, err := os.Readlink(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(target, root+name); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.Mkdir(root+name, 0o755); err != nil {
			t.Fatal(err)
		}
		mounts = append(mounts, mount(name, "bind", name, "bind", "ro"))
	}
	capabilities := []string{}
	if uid == 0 {
		capabilities = []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"}
	}
	all := make(map[string]any)
	for _, set := range []string{"bounding", "effective", "inheritable", "permitted", "ambient"} {
		all[set] = capabilities
	}
	c.spec = map[string]any{
		"ociVersion": "1.0.0",
		"process": map[string]any{
			"user": map[string]any{"uid": uid, "gid": uid}, "cwd": "/", "args": args,
			"env": []string{"PATH=/:/usr/bin:/bin"}, "capabilities": all, "noNewPrivileges": true,
		},
		"root":   map[string]any{"path": "root", "readonly": true},
		"mounts": mounts,
		"linux": map[string]any{"namespaces": []any{
			map[string]any{"type": "pid"}, map[string]any{"type": "mount"}, map[string]any{"type": "ipc"},
			map[string]any{"type": "uts"}, map[string]any{"type": "network"},
		}},
	}
	return c
}

// mount is one of a container.
func mount(at, kind, source string, options ...string) any {
	return map[string]any{"destination": at, "type": kind, "source": source, "options": options}
}

// scratch gives the container places that can be written to.
func (c *container) scratch(dirs ...string) *container {
	for _, dir := range dirs {
		if err := os.MkdirAll(filepath.Join(c.bundle, "root", dir), 0o755); err != nil {
			c.t.Fatal(err)
		}
		c.spec["mounts"] = append(c.spec["mounts"].([]any), mount(dir, "tmpfs", "tmpfs", "mode=1777"))
	}
	return c
}

// file makes a file of the image.
func (c *container) file(name, text string) *container {
	c.t.Helper()
	path := filepath.Join(c.bundle, "root", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		c.t.Fatal(err)
	}
	return c
}

// crun is one command of the runtime. Of all arrangements of cgroups it knows some alone,
// so it sees that of version 2, and uses none.
func (c *container) crun(before string, words ...string) *exec.Cmd {
	const script = `mount --make-rprivate /
[ -e /sys/fs/cgroup/cgroup.controllers ] || mount -t cgroup2 none /sys/fs/cgroup
`
	cmd := exec.Command("/bin/sh", append([]string{"-ec", before + script + `exec crun --cgroup-manager=disabled "$@"`, "sh",
		"--root", filepath.Join(c.bundle, "state")}, words...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	cmd.Stdin = strings.NewReader("") // a pipe: crun gives it to the container's user, and would so the machine's /dev/null
	return cmd
}

// start runs the container; before are commands of a shell that becomes the runtime.
func (c *container) start(before string) *container {
	c.t.Helper()
	config, err := json.Marshal(c.spec)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.bundle, "config.json"), config, 0o644); err != nil {
		c.t.Fatal(err)
	}
	c.cmd = c.crun(before, "run", "--bundle", c.bundle, c.name)
	c.cmd.Stdout, c.cmd.Stderr = c.output, c.output
	if c.stdout != nil {
		c.cmd.Stdout = c.stdout
	}
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func() { // waited for by stop
		c.cmd.Wait()
		close(c.ended)
	}()
	c.t.Cleanup(c.stop)
	return c
}

func (c *container) stop() {
	select {
	case <-c.ended:
		return
	default:
	}
	if out, err := c.crun("", "delete", "--force", c.name).CombinedOutput(); err != nil {
		c.t.Logf("crun delete: %v\n%s", err, out)
	}
	<-c.ended
}

// end waits for the end of the container and returns its exit status.
func (c *container) end() int {
	c.t.Helper()
	select {
	case <-c.ended:
	case <-time.After(oracle.Deadline):
		c.t.Fatalf("the container does not end:\n%s", c.output)
	}
	return c.cmd.ProcessState.ExitCode()
}

// tell sends a signal to process 1 in the container, as container engines do.
func (c *container) tell(signal string) {
	c.t.Helper()
	if out, err := c.crun("", "kill", c.name, signal).CombinedOutput(); err != nil {
		c.t.Fatalf("crun kill: %v\n%s\nthe container:\n%s", err, out, c.output)
	}
}

// exec runs a command in the container, as a user. Root may look everywhere, as engines
// let him.
func (c *container) exec(uid int, words ...string) (string, error) {
	args := []string{"exec", "--user", fmt.Sprintf("%d:%d", uid, uid), "--env", "PATH=/:/usr/bin:/bin"}
	if uid == 0 {
		args = append(args, "--cap", "CAP_DAC_OVERRIDE")
	}
	out, err := c.crun("", append(append(args, c.name), words...)...).CombinedOutput()
	return string(out), err
}

// says waits for a text in what the container writes.
func (c *container) says(text string) {
	c.t.Helper()
	if !oracle.Eventually(oracle.Deadline, func() bool { return strings.Contains(c.output.String(), text) }) {
		c.t.Fatalf("waited in vain for %q:\n%s", text, c.output)
	}
}

// inContainer is what the configuration of a container begins with.
const inContainer = `[supervisord]
nodaemon=true
logfile=/dev/null
logfile_maxbytes=0
pidfile=/tmp/supervisord.pid
`

// oneShot is a program that does something once.
func oneShot(name, script string, keys ...string) string {
	return "[program:" + name + "]\ncommand=/bin/sh -c '" + script + "'\nstartsecs=0\nautorestart=false\n" +
		"stdout_logfile=/dev/stdout\nstdout_logfile_maxbytes=0\nredirect_stderr=true\n" + strings.Join(keys, "\n") + "\n"
}

const server = "[program:server]\ncommand=/bin/sleep 1000\nstdout_logfile=NONE\nstderr_logfile=NONE\n"

// TestContainerStatus has a container end with the status of what has ended in it: as
// process 1, of a user whom nobody knows, without capabilities, on a root that cannot be
// written to.
func TestContainerStatus(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, config string
		status       int
		says         string
	}{
		{"on_exit", server + oneShot("job", "id -u; exit 7", "on_exit=shutdown"), 7, "job is EXITED (on_exit=shutdown): shutting down, to end with exit status 7"},
		{"on_exit, success", server + oneShot("job", "exit 0", "on_exit=shutdown"), 0, "to end with exit status 0"},
		{"on_exit, a signal", server + oneShot("job", "kill -SEGV $$", "on_exit=shutdown"), 139, "exited: job (terminated by SIGSEGV"},
		{"on_exit, no such program", server + oneShot("job", "", "command=/nope", "startretries=0", "on_exit=shutdown"), 127, "job is FATAL (on_exit=shutdown)"},
		{"on_exit, two of them", oneShot("a", "while ! [ -e /tmp/b ]; do sleep 0.1; done; exit 5", "on_exit=shutdown") + oneShot("b", "trap \"exit 6\" TERM; : >/tmp/b; while :; do sleep 0.1; done", "on_exit=shutdown"), 5, "stopped: b (exit status 6)"},
		{"exit_when=fatal", "exit_when=fatal\n" + server + oneShot("job", "exit 3", "startsecs=1", "startretries=0"), 3, "job is FATAL (exit_when=fatal)"},
		{"exit_when=idle", "exit_when=idle\n" + oneShot("a", "exit 0") + oneShot("b", "sleep 1"), 0, "every program has ended (exit_when=idle)"},
		{"exit_when=idle, one failed", "exit_when=idle\n" + oneShot("a", "exit 9") + oneShot("b", "sleep 1; exit 8"), 9, "a was the first to fail"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := newContainer(t, unknownUser, "/supervisord", "-c", "/conf/supervisord.conf").scratch("/tmp")
			config := inContainer + row.config
			if strings.Contains(row.config, "command=/nope") {
				config = strings.Replace(config, "command=/bin/sh -c ''\n", "", 1)
			}
			c.file("conf/supervisord.conf", config).start("")
			if got := c.end(); got != row.status {
				t.Errorf("the status is %d, want %d", got, row.status)
			}
			for _, text := range []string{row.says, "supervisord started with pid 1\n"} {
				if !strings.Contains(c.output.String(), text) {
					t.Errorf("it does not say %q", text)
				}
			}
			if t.Failed() {
				t.Logf("it says:\n%s", c.output)
			}
		})
	}
}

// TestContainerStops ends a container as engines do: SIGTERM and, ten seconds later,
// SIGKILL. shutdown_timeout is how to be sooner.
func TestContainerStops(t *testing.T) {
	t.Parallel()
	deaf := oneShot("deaf", "trap \"\" TERM; echo deaf; while :; do sleep 1; done", "stopwaitsecs=600", "priority=1000") +
		oneShot("late", "trap \"echo late; exit 0\" TERM; echo on time; while :; do sleep 0.1; done", "stopwaitsecs=600", "priority=1")
	for _, row := range []struct {
		name, config, ready string
		says                []string
	}{
		{"in order", server + oneShot("job", "echo job; while :; do sleep 1; done"), "job\n", []string{"stopped: server (terminated by SIGTERM)"}},
		{"in time", "shutdown_timeout=5\n" + deaf, "on time\n", []string{"shutdown_timeout leaves deaf no more time to stop", "killing 'deaf'", "late\n", "stopped: late (exit status 0)"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := newContainer(t, unknownUser, "/supervisord", "-c", "/conf/supervisord.conf").scratch("/tmp").
				file("conf/supervisord.conf", inContainer+row.config).start("")
			c.says(row.ready)
			if strings.Contains(row.config, "deaf") {
				c.says("deaf\n")
			}
			began := time.Now()
			c.tell("TERM")
			status, took := c.end(), time.Since(began)
			if limit := size(time.Minute, 6*time.Second); status != 0 || took > limit {
				t.Errorf("status %d after %v", status, took)
			}
			for _, text := range row.says {
				if !strings.Contains(c.output.String(), text) {
					t.Errorf("it does not say %q", text)
				}
			}
			if t.Failed() {
				t.Logf("it says:\n%s", c.output)
			}
		})
	}
}

// TestContainerWithoutConfiguration finds a place for the socket whatever can be written
// to, and supervisorctl finds it.
func TestContainerWithoutConfiguration(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		uid     int
		scratch []string
		args    []string // beside --watch
		socket  string
	}{
		{"root with /run", 0, []string{"/run", "/tmp"}, nil, "/run/supervisor/supervisor.sock"},
		{"root with /tmp", 0, []string{"/tmp"}, nil, "/tmp/supervisor-0/supervisor.sock"},
		{"an unknown user with /tmp", unknownUser, []string{"/tmp"}, nil, "/tmp/supervisor-1000870000/supervisor.sock"},
		{"an unknown user with /dev/shm", unknownUser, []string{"/dev/shm"}, nil, "/dev/shm/supervisor-1000870000/supervisor.sock"},
		{"an unknown user who names it", unknownUser, []string{"/var/sv"}, []string{"--socket", "/var/sv/s"}, "/var/sv/s"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := newContainer(t, row.uid, append([]string{"/supervisord", "--watch", "/conf"}, row.args...)...).scratch(row.scratch...).
				file("conf/server.ini", server).start("")
			c.says("socket   " + row.socket + "\n")
			ctl := []string{"/supervisorctl"}
			if row.args != nil {
				ctl = append(ctl, "-s", "unix://"+row.socket)
			}
			out, err := c.exec(row.uid, append(slices.Clone(ctl), "wait", "-t", "60", "server")...)
			if err != nil {
				t.Fatalf("supervisorctl wait: %v\n%s\nthe container:\n%s", err, out, c.output)
			}
			if out, err := c.exec(row.uid, append(slices.Clone(ctl), "status")...); err != nil || !strings.HasPrefix(out, "server                           RUNNING   pid ") {
				t.Errorf("supervisorctl status: %v\n%s", err, out)
			}
			c.tell("TERM")
			if status := c.end(); status != 0 {
				t.Errorf("the status is %d:\n%s", status, c.output)
			}
		})
	}
	t.Run("nowhere", func(t *testing.T) {
		t.Parallel()
		c := newContainer(t, unknownUser, "/supervisord", "--watch", "/conf").file("conf/server.ini", server).start("")
		if status := c.end(); status != 2 || !strings.Contains(c.output.String(), "Error: no directory for the socket: ") ||
			!strings.Contains(c.output.String(), "hint: name a socket with --socket PATH\n") {
			t.Errorf("the status is %d:\n%s", status, c.output)
		}
	})
}

// TestContainerRootFindsStranger: root, who looks at the daemon of another user, is told
// where that is, and no name is wanting.
func TestContainerRootFindsStranger(t *testing.T) {
	t.Parallel()
	c := newContainer(t, unknownUser, "/supervisord", "--watch", "/conf").scratch("/tmp").file("conf/server.ini", server).start("")
	c.says("success: server entered RUNNING state")
	out, err := c.exec(0, "/supervisorctl", "status")
	if err == nil || !strings.Contains(out, "http://localhost:9001 refused connection\n") {
		t.Errorf("supervisorctl status: %v\n%s", err, out)
	}
	out, _ = c.exec(0, "/usr/bin/script", "-qec", "/supervisorctl status", "/dev/null")
	if want := "use -s unix:///tmp/supervisor-1000870000/supervisor.sock."; !strings.Contains(out, want) {
		t.Errorf("at a terminal it does not say %q:\n%s", want, out)
	}
}

// TestContainerOutput: a standard output that is closed, that nobody reads any more, or
// that is full, ends neither the daemon nor what does not write to it.
func TestContainerOutput(t *testing.T) {
	t.Parallel()
	const config = inContainer + "shutdown_timeout=5\n" + `
[unix_http_server]
file=/tmp/s

[supervisorctl]
serverurl=unix:///tmp/s

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[program:talker]
command=/bin/sh -c 'while :; do echo a line that nobody reads; sleep 0.1; done'
stdout_logfile=/dev/stdout
stdout_logfile_maxbytes=0
redirect_stderr=true
startsecs=0
` + server
	for _, row := range []struct {
		name string
		init []string
		out  func(t *testing.T) *os.File
	}{
		{"closed", []string{"/bin/sh", "-c", "exec /supervisord -c /conf/supervisord.conf <&- >&- 2>&-"}, nil},
		{"read by nobody", nil, func(t *testing.T) *os.File {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
			return w
		}},
		{"full", nil, func(t *testing.T) *os.File {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { r.Close() })
			fill(t, w)
			return w
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			init := row.init
			if init == nil {
				init = []string{"/supervisord", "-c", "/conf/supervisord.conf"}
			}
			c := newContainer(t, unknownUser, init...).scratch("/tmp").file("conf/supervisord.conf", config)
			if row.out != nil {
				c.stdout = row.out(t)
				defer c.stdout.Close()
			}
			c.start("")
			if !oracle.Eventually(oracle.Deadline, func() bool {
				out, _ := c.exec(unknownUser, "/supervisorctl", "-c", "/conf/supervisord.conf", "status", "server")
				return strings.Contains(out, "RUNNING")
			}) {
				out, err := c.exec(unknownUser, "/supervisorctl", "-c", "/conf/supervisord.conf", "status")
				t.Fatalf("server does not run: %v\n%s\n%s", err, out, c.output)
			}
			began := time.Now()
			c.tell("TERM")
			if status, took := c.end(), time.Since(began); status != 0 || took > size(15*time.Second, 6*time.Second) {
				t.Errorf("status %d after %v:\n%s", status, took, c.output)
			}
		})
	}
}

// fill writes to a pipe until nothing goes into it.
func fill(t *testing.T, w *os.File) {
	t.Helper()
	raw, err := w.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Write(func(fd uintptr) bool {
		for n := 4096; n > 0; {
			if _, err := syscall.Write(int(fd), make([]byte, n)); err != nil {
				n /= 2
			}
		}
		syscall.SetNonblock(int(fd), false) // as the runtime of a container gives it
		return true
	})
}

// logLine is a line of the daemon's own log.
var logLine = regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ .*\n`)

// withoutLog is what the programs of a container have written to its standard output,
// where the daemon's own log goes as well, between their lines.
func withoutLog(output string) string { return logLine.ReplaceAllString(output, "") }

// TestContainerDevStdout: a program of another user that opens /dev/stdout and
// /dev/stderr by their names writes to its logs.
func TestContainerDevStdout(t *testing.T) {
	t.Parallel()
	c := newContainer(t, 0, "/supervisord", "-c", "/conf/supervisord.conf").scratch("/tmp").
		file("etc/passwd", "root:x:0:0::/:/bin/sh\napp:x:1234:1234::/:/bin/sh\n").file("etc/group", "app:x:1234:\n").
		file("conf/supervisord.conf", inContainer+"user=root\nexit_when=idle\n"+
			oneShot("job", "id -u; echo by its name >/dev/stdout; echo the other >/dev/stderr", "user=app")).start("")
	if status := c.end(); status != 0 || withoutLog(c.output.String()) != "1234\nby its name\nthe other\n" {
		t.Errorf("the status is %d:\n%s", status, c.output)
	}
}

// TestContainerEndDuringUpgrade: a SIGTERM while process 1 executes another program ends the
// container with everything in order. There are two or three milliseconds in which that
// program does not catch it yet: first the kernel drops it, as it does for process 1, so that
// the next one does what it should have done; then Go's runtime ends the program at once.
func TestContainerEndDuringUpgrade(t *testing.T) {
	t.Parallel()
	const atOnce = 2 // the status with which Go's runtime ends a program
	outcomes := make(map[string]int)
	for round := range 8 {
		c := newContainer(t, unknownUser, "/supervisord", "--watch", "/conf").scratch("/tmp").file("conf/server.ini", server).start("")
		c.says("success: server entered RUNNING state")
		asked := make(chan struct{})
		go func() {
			defer close(asked)
			_, _ = c.exec(unknownUser, "/supervisorctl", "--watch", "upgrade") // the container may end first
		}()
		c.says("upgrade to ") // so the trial is over
		time.Sleep(time.Duration(3*round) * time.Millisecond)
		c.tell("TERM")
		outcome := "in order"
		select {
		case <-c.ended:
		case <-time.After(size(5*time.Second, 3*time.Second)):
			outcome = "dropped"
			c.tell("TERM")
		}
		status, stopped := c.end(), strings.Contains(c.output.String(), "stopped: server (terminated by SIGTERM)")
		switch {
		case status == 0 && stopped:
		case status == atOnce && !stopped && outcome == "in order":
			outcome = "at once"
		default:
			t.Errorf("round %d: the status is %d:\n%s", round, status, c.output)
		}
		outcomes[outcome]++
		<-asked
	}
	t.Logf("of the SIGTERMs came to be: %v", outcomes)
	if outcomes["in order"] == 0 {
		t.Error("no container ended in order")
	}
}

// TestContainerOrphans: process 1 reaps what is left to it, and its own programs keep
// their status meanwhile.
func TestContainerOrphans(t *testing.T) {
	t.Parallel()
	const n = 200
	c := newContainer(t, unknownUser, "/supervisord", "-c", "/conf/supervisord.conf").scratch("/tmp").
		file("conf/supervisord.conf", inContainer+fmt.Sprintf("exit_when=idle\n"+
			oneShot("parent", "mkfifo /tmp/gate; i=0; while [ $i -lt %d ]; do (read line </tmp/gate; exit 3) & i=$((i+1)); done; echo $$ >/tmp/parent; exit 7")+
			oneShot("last", "until [ -s /tmp/parent ] && ! [ -e /proc/$(cat /tmp/parent) ]; do sleep 0.1; done; exec 3<>/tmp/gate; yes | head -n %[1]d >&3; "+
				"until [ $(grep -l \"^PPid:.1$\" /proc/[0-9]*/status 2>/dev/null | wc -l) = 1 ]; do sleep 0.1; done; echo no zombies"), n)).start("")
	status := c.end()
	text := c.output.String()
	if got := strings.Count(text, "(exit status 3)"); status != 7 || got != n || !strings.Contains(text, "exited: parent (exit status 7; not expected)") ||
		!strings.Contains(text, "no zombies\n") {
		t.Errorf("the status is %d, %d of %d orphans were reaped:\n%s", status, got, n, text[max(0, len(text)-logShown):])
	}
}

// TestContainerFewProcesses: where more is to be started than there may be processes, the
// daemon lives, says so, answers, and goes on when there is room.
func TestContainerFewProcesses(t *testing.T) {
	t.Parallel()
	const config = inContainer + `minprocs=1

[unix_http_server]
file=/tmp/s

[supervisorctl]
serverurl=unix:///tmp/s

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[program:many]
command=/bin/sleep 1000
process_name=%(process_num)02d
numprocs=40
startretries=0
stdout_logfile=NONE
stderr_logfile=NONE

[program:late]
command=/bin/sleep 1000
autostart=false
stdout_logfile=NONE
stderr_logfile=NONE
`
	c := newContainer(t, unknownUser+1, "/supervisord", "-c", "/conf/supervisord.conf").scratch("/tmp").file("conf/supervisord.conf", config)
	c.start(c.fewProcesses(36))
	c.says("spawnerr: Too many processes in process table to spawn '")
	ctl := func(words ...string) string {
		out, _ := c.exec(unknownUser+1, append([]string{"/supervisorctl", "-c", "/conf/supervisord.conf"}, words...)...)
		return out
	}
	c.says("success: ")
	if !oracle.Eventually(oracle.Deadline, func() bool { return !strings.Contains(ctl("status"), "STARTING") }) {
		t.Fatalf("status:\n%s", ctl("status"))
	}
	all := ctl("status")
	running, fatal := strings.Count(all, " RUNNING "), strings.Count(all, " FATAL ")
	if running == 0 || fatal == 0 || running+fatal != 40 {
		t.Errorf("status:\n%s", all)
	}
	t.Logf("%d run, for %d there was no room", running, fatal)
	ctl("stop", "many:*")
	if out := ctl("start", "late"); out != "late: started\n" {
		t.Errorf("with room again: %s", out)
	}
	c.tell("TERM")
	if status := c.end(); status != 0 {
		t.Errorf("the status is %d:\n%s", status, c.output)
	}
}

// fewProcesses has the container have n threads at the most: by a cgroup where one can be
// made, else by the user's limit. It returns what is to be done before its start.
func (c *container) fewProcesses(n int) (before string) {
	c.t.Helper()
	for _, top := range []string{"/sys/fs/cgroup/pids", "/sys/fs/cgroup"} {
		dir := filepath.Join(top, c.name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			continue
		}
		c.t.Cleanup(func() { os.Remove(dir) })
		if os.WriteFile(filepath.Join(dir, "pids.max"), []byte(fmt.Sprint(n)), 0) == nil {
			return "echo $$ >" + dir + "/cgroup.procs\n"
		}
	}
	c.spec["process"].(map[string]any)["rlimits"] = []any{map[string]any{"type": "RLIMIT_NPROC", "soft": n, "hard": n}}
	return ""
}

// TestContainerUpgrade: process 1 goes on as another program, and so does what it runs, also
// where its user has no name and nothing can be written to but the temporary directory.
func TestContainerUpgrade(t *testing.T) {
	t.Parallel()
	for name, uid := range map[string]int{"root": 0, "unknown": unknownUser} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newContainer(t, uid, "/supervisord", "--watch", "/conf").scratch("/tmp").file("conf/server.ini", server).start("")
			c.says("success: server entered RUNNING state")
			before, err := c.exec(uid, "/supervisorctl", "--watch", "pid", "server")
			if err != nil {
				t.Fatalf("%v: %s\n%s", err, before, c.output)
			}
			for range 3 {
				if out, err := c.exec(uid, "/supervisorctl", "--watch", "upgrade"); err != nil || !strings.HasPrefix(out, "upgraded supervisord (pid 1) ") {
					t.Fatalf("%v: %s\n%s", err, out, c.output)
				}
			}
			if after, err := c.exec(uid, "/supervisorctl", "--watch", "pid", "server"); err != nil || after != before {
				t.Errorf("%v: the program was %s and is %s", err, before, after)
			}
			c.tell("TERM")
			if status := c.end(); status != 0 {
				t.Errorf("the status is %d:\n%s", status, c.output)
			}
		})
	}
}
