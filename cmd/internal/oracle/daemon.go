package oracle

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Prelude is the part of a configuration that most tests share: a unix socket
// server, the daemon's files in the test's directory, and the client's section.
const Prelude = `[unix_http_server]
file={{.Sock}}

[supervisord]
logfile={{.Dir}}/supervisord.log
pidfile={{.Dir}}/supervisord.pid
childlogdir={{.Dir}}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{{.Sock}}

`

// Deadline is how long a test waits for what has to come. Only a failure reaches
// it, so it is far longer than anything takes on the busiest machine.
const Deadline = 2 * time.Minute

// Polls come often at first, for what comes at once, and then seldom enough not to
// be a load on the daemon that they ask.
const (
	firstPoll = 2 * time.Millisecond
	lastPoll  = 50 * time.Millisecond
)

// marker is the environment variable by which every descendant of a daemon
// under test is known, whoever its parent is by then.
const marker = "SUPERVISOR_ORACLE_MARK"

// Daemon is one supervisord under test. Its methods may be called from the
// goroutines of the test that started it.
type Daemon struct {
	Kind   Kind
	Dir    string // {{.Dir}}: the test's directory, symbolic links resolved
	Sock   string // {{.Sock}}: path of the unix socket, short enough for one
	Port   int    // {{.Port}}: a TCP port of 127.0.0.1 that was free
	Config string // path of the configuration file, in Dir

	t       testing.TB
	mark    string
	network string // what the configuration listens on
	out     string // files that hold the standard streams
	err     string
	line    []string // its command line
	in      Surroundings
	cmd     *exec.Cmd
	exited  chan struct{} // closed when the started process has ended
	ended   *sync.Once
}

// StartDaemon writes config to dir, runs a supervisord of that kind on it in
// the foreground and returns once it answers. {{.Dir}}, {{.Sock}} and {{.Port}}
// are replaced in config and in args, and {{.Self}} is the test binary, for tests
// in which it plays the child. The configuration must have a server on the socket
// or the port. When the test ends the daemon is shut down, and anything
// that it leaves running fails the test.
func StartDaemon(t testing.TB, kind Kind, dir, config string, args ...string) *Daemon {
	t.Helper()
	return StartIn(t, kind, dir, config, Surroundings{}, args...)
}

// StartDetached is StartDaemon without -n: the daemon leaves the terminal, and
// the configuration must name a pidfile {{.Dir}}/supervisord.pid.
func StartDetached(t testing.TB, kind Kind, dir, config string, args ...string) *Daemon {
	t.Helper()
	return StartDetachedIn(t, kind, dir, config, Surroundings{}, args...)
}

// Surroundings are what a daemon finds when it begins.
type Surroundings struct {
	// Through is a command that executes the one which its further arguments are,
	// such as nohup or sh -c 'ulimit -n 64; exec "$@"' sh; nil for none.
	Through []string
	// Files are its further descriptors, from 3 up.
	Files []*os.File
	// Attr is how its process is made; nil is a process group of its own.
	Attr *syscall.SysProcAttr
}

// StartIn is StartDaemon in surroundings of the test's choice.
func StartIn(t testing.TB, kind Kind, dir, config string, in Surroundings, args ...string) *Daemon {
	t.Helper()
	return start(t, kind, dir, config, nil, in, append([]string{"-n"}, args...))
}

// StartDetachedIn is StartDetached in surroundings of the test's choice.
func StartDetachedIn(t testing.TB, kind Kind, dir, config string, in Surroundings, args ...string) *Daemon {
	t.Helper()
	return start(t, kind, dir, config, nil, in, args)
}

// BeginDaemon is StartDaemon, but returns as soon as the process has begun.
func BeginDaemon(t testing.TB, kind Kind, dir, config string, args ...string) *Daemon {
	t.Helper()
	return begin(t, kind, dir, config, nil, Surroundings{}, append([]string{"-n"}, args...))
}

// start is all but the last of these.
func start(t testing.TB, kind Kind, dir, config string, files map[string]string, in Surroundings, args []string) *Daemon {
	t.Helper()
	d := begin(t, kind, dir, config, files, in, args)
	d.untilAnswers(len(args) == 0 || args[0] != "-n")
	return d
}

// begin is start without the wait; files are written before the daemon begins.
func begin(t testing.TB, kind Kind, dir, config string, files map[string]string, in Surroundings, args []string) *Daemon {
	t.Helper()
	d := prepare(t, kind, dir, config)
	for name, text := range files {
		d.Write(name, text)
	}
	d.in = in
	Command(t, kind, "supervisorctl") // built now, so that no test measures how long that takes
	d.line = append(slices.Clone(in.Through), Command(t, kind, "supervisord"), "-c", d.Config)
	for _, arg := range args {
		d.line = append(d.line, d.fill(arg))
	}
	t.Cleanup(func() { d.Stop(); d.checkNothingLeft() })
	d.begin()
	return d
}

// prepare makes everything that a daemon needs but its process.
func prepare(t testing.TB, kind Kind, dir, config string) *Daemon {
	t.Helper()
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	short, err := os.MkdirTemp("", "sv") // t.TempDir may be longer than a socket's path can be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(short) })
	if err := os.Chmod(short, 0o777); err != nil { // a daemon may be another user's
		t.Fatal(err)
	}
	d := &Daemon{
		Kind: kind, Dir: dir, Sock: filepath.Join(short, "s"), Port: freePort(t),
		Config: filepath.Join(dir, "supervisord.conf"),
		t:      t, mark: rand.Text(), out: filepath.Join(short, "stdout"), err: filepath.Join(short, "stderr"),
	}
	switch {
	case strings.Contains(config, "{{.Sock}}"):
		d.network = "unix"
	case strings.Contains(config, "{{.Port}}"):
		d.network = "tcp"
	default:
		t.Fatal("oracle: the configuration has no server on {{.Sock}} or {{.Port}}")
	}
	d.Write("supervisord.conf", config)
	return d
}

// fill replaces the fields that texts of a test may use.
func (d *Daemon) fill(s string) string {
	self, err := os.Executable()
	if err != nil {
		d.t.Fatal(err)
	}
	return strings.NewReplacer("{{.Dir}}", d.Dir, "{{.Sock}}", d.Sock, "{{.Port}}", strconv.Itoa(d.Port), "{{.Self}}", self).Replace(s)
}

// Write puts a file into Dir, making directories on the way; text may use the
// fields of a configuration. The file appears whole, by a rename. One that
// begins with #! can be executed.
func (d *Daemon) Write(name, text string) {
	d.t.Helper()
	path := filepath.Join(d.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		d.t.Fatal(err)
	}
	fresh := filepath.Join(d.Dir, ".oracle-fresh")
	mode := os.FileMode(0o644)
	if strings.HasPrefix(text, "#!") {
		mode = 0o755
	}
	if err := writeFile(fresh, []byte(d.fill(text)), mode); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Rename(fresh, path); err != nil {
		d.t.Fatal(err)
	}
}

// environ is what a daemon and a client start with: the same for every test.
func (d *Daemon) environ() []string { return append(environ(d.Dir), marker+"="+d.mark) }

func environ(home string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LANG=C.UTF-8", "TZ=UTC", "TERM=dumb"}
}

// Stdout is what the daemon has written to standard output so far.
func (d *Daemon) Stdout() string { return read(d.out) }

// Stderr is what the daemon has written to standard error so far.
func (d *Daemon) Stderr() string { return read(d.err) }

// Log is the activity log {{.Dir}}/supervisord.log so far.
func (d *Daemon) Log() string { return d.Read("supervisord.log") }

// Read is the content of a file in Dir, "" when there is none.
func (d *Daemon) Read(name string) string { return read(filepath.Join(d.Dir, name)) }

// Ctl runs a supervisorctl of the given kind on the daemon's configuration file.
func (d *Daemon) Ctl(client Kind, args ...string) Output {
	d.t.Helper()
	return d.CtlInput(client, "", args...)
}

// CtlInput is Ctl with a text on standard input.
func (d *Daemon) CtlInput(client Kind, stdin string, args ...string) Output {
	d.t.Helper()
	filled := []string{"-c", d.Config}
	for _, arg := range args {
		filled = append(filled, d.fill(arg))
	}
	return RunClient(d.t, client, d.Dir, d.environ(), stdin, filled...)
}

// HTTPClient reaches the daemon's server; any host in a URL is the daemon.
func (d *Daemon) HTTPClient() *http.Client {
	return &http.Client{
		Timeout: Deadline,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				address := d.Sock
				if d.network == "tcp" {
					address = net.JoinHostPort("127.0.0.1", strconv.Itoa(d.Port))
				}
				return new(net.Dialer).DialContext(ctx, d.network, address)
			},
		},
	}
}

// RunClient runs a supervisorctl in dir with that environment and a text on standard
// input.
func RunClient(t testing.TB, kind Kind, dir string, env []string, stdin string, args ...string) Output {
	t.Helper()
	if kind == Debian {
		return runForked(t, dir, env, stdin, args...)
	}
	return execute(t, dir, env, stdin, Command(t, kind, "supervisorctl"), args...)
}

// Output is what a command left behind.
type Output struct {
	Stdout, Stderr string
	Exit           int // -1 for death by signal
}

// String shows all three for people and transcripts.
func (o Output) String() string {
	s := o.Stdout
	if o.Stderr != "" {
		s += "stderr:\n" + o.Stderr
	}
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "\\ no newline at end\n"
	}
	if o.Exit != 0 {
		s += fmt.Sprintf("exit %d\n", o.Exit)
	}
	return s
}

// Exec runs a command of the given kind (supervisord, supervisorctl, pidproxy,
// echo_supervisord_conf) in dir, for those that end by themselves: wrong options,
// broken configurations.
func Exec(t testing.TB, kind Kind, name, dir string, args ...string) Output {
	t.Helper()
	return execute(t, dir, environ(dir), "", Command(t, kind, name), args...)
}

func execute(t testing.TB, dir string, env []string, stdin, path string, args ...string) Output {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Deadline) // also used while cleaning up
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Env = dir, env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	cmd.WaitDelay = Deadline / 4 // for the rest of its output, once it has ended
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("%s %q: %v\nstdout:\n%s\nstderr:\n%s", path, args, err, &stdout, &stderr)
	}
	return Output{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// WaitFor fails the test unless cond becomes true within Deadline; what says what
// is waited for.
func WaitFor(t testing.TB, what string, cond func() bool) {
	t.Helper()
	if !Eventually(Deadline, cond) {
		t.Fatalf("waited %v in vain for: %s", Deadline, what)
	}
}

// Eventually polls cond until it is true or the time is over, and reports which; the last
// look is at the end of that time. It spends at most a fifth of the time in cond, so that to
// wait costs little when a look is dear, as one at all processes is, and less the busier the
// machine is.
func Eventually(within time.Duration, cond func() bool) bool {
	pause := firstPoll
	for deadline := time.Now().Add(within); ; pause = min(pause*5/4, lastPoll) {
		begun := time.Now()
		if cond() {
			return true
		}
		now := time.Now()
		if !now.Before(deadline) {
			return false
		}
		time.Sleep(min(max(pause, 4*now.Sub(begun)), deadline.Sub(now)))
	}
}

// Script is the context of a script under test. It has many steps, and so five times
// Deadline. It is over before the limit of the whole run, which leaves time to say where it was.
func Script(t testing.TB) (context.Context, context.CancelFunc) {
	t.Helper()
	long := 5 * Deadline
	if run, is := t.(interface{ Deadline() (time.Time, bool) }); is {
		if limit, limited := run.Deadline(); limited {
			left := time.Until(limit)
			long = min(long, left-min(Deadline/4, left/4))
		}
	}
	return context.WithTimeout(t.Context(), long)
}

// ports is where the search for a free port begins. The kernel gives higher ones to
// connections and to whoever asks for any, so one that is free stays free.
var ports atomic.Int32

func init() { ports.Store(20_000 + mathrand.Int32N(10_000)) }

// freePort is a TCP port of 127.0.0.1 that no other test of this process is given.
func freePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := int(ports.Add(1))
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("oracle: no TCP port is free")
	return 0
}

func create(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func read(path string) string {
	text, _ := os.ReadFile(path) // a missing file reads as nothing written yet
	return string(text)
}
