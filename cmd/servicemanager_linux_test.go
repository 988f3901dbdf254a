package cmd

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// notifySocket is a service manager that records what it is told.
type notifySocket struct {
	address string

	mu   sync.Mutex
	told []notice
}

// notice is one message and who has sent it.
type notice struct {
	text string
	pid  int
}

// newNotifySocket listens at a path or, if abstract, under a name.
func newNotifySocket(t *testing.T, abstract bool) *notifySocket {
	t.Helper()
	n := &notifySocket{address: "@" + rand.Text()}
	if !abstract {
		dir, err := os.MkdirTemp("", "nt")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		n.address = filepath.Join(dir, "notify")
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: n.address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := c.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			if err := syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_PASSCRED, 1); err != nil {
				t.Error(err)
			}
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { c.Close(); <-ended })
	go func() {
		defer close(ended)
		text, control := make([]byte, 5000), make([]byte, 200)
		for {
			m, k, _, _, err := c.ReadMsgUnix(text, control)
			if err != nil {
				return
			}
			var pid int
			if list, err := syscall.ParseSocketControlMessage(control[:k]); err == nil && len(list) == 1 {
				if cred, err := syscall.ParseUnixCredentials(&list[0]); err == nil {
					pid = int(cred.Pid)
				}
			}
			n.mu.Lock()
			n.told = append(n.told, notice{string(text[:m]), pid})
			n.mu.Unlock()
		}
	}()
	return n
}

// since is what it was told from a place on.
func (n *notifySocket) since(at int) []notice {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.told[at:])
}

// await waits for messages with those beginnings, in that order, whatever is between
// them, and returns the place after the last.
func (n *notifySocket) await(t *testing.T, at int, beginnings ...string) int {
	t.Helper()
	for _, b := range beginnings {
		found := oracle.Eventually(oracle.Deadline, func() bool {
			for i, m := range n.since(at) {
				if strings.HasPrefix(m.text, b) {
					at += i + 1
					return true
				}
			}
			return false
		})
		if !found {
			t.Fatalf("waited in vain for %s; it was told %v", b, n.since(0))
		}
	}
	return at
}

// through is a shell that sets variables for a daemon, which has the shell's pid.
func through(variables ...string) []string {
	script := ""
	for _, v := range variables {
		script += "export " + v + "; "
	}
	return []string{"/bin/sh", "-c", script + `exec "$@"`, "sh"}
}

// TestServiceManager: what a service manager is told of a daemon's start, of reloads,
// refused ones too, and of its end; that its watchdog is fed; and that programs see
// nothing of it, unless they are given it.
func TestServiceManager(t *testing.T) {
	t.Parallel()
	for _, abstract := range []bool{false, true} {
		t.Run(fmt.Sprintf("abstract=%v", abstract), func(t *testing.T) {
			t.Parallel()
			n := newNotifySocket(t, abstract)
			config := oracle.Prelude + `
[program:p]
command=/bin/sh -c 'env > {{.Dir}}/p.env; exec cat'

[program:given]
command=/bin/sh -c 'env > {{.Dir}}/given.env; exec cat'
environment=NOTIFY_SOCKET="%(ENV_NOTIFY_SOCKET)s"

[reconcile]
autoupdate=false
statedir={{.Dir}}/state
`
			s := &eventRun{oracle.StartIn(t, oracle.Ours, t.TempDir(), config, oracle.Surroundings{Through: through(
				"NOTIFY_SOCKET="+n.address, "WATCHDOG_USEC=300000", "WATCHDOG_PID=$$", "LISTEN_PID=1", "LISTEN_FDS=1")}), t}
			at := n.await(t, 0, "READY=1", "STATUS=", "STATUS=2 processes: 2 RUNNING", "WATCHDOG=1", "WATCHDOG=1")
			for _, m := range n.since(0) {
				if m.pid != s.PID() {
					t.Errorf("%q comes from %d, the daemon is %d", m.text, m.pid, s.PID())
				}
			}
			env := s.Read("p.env")
			for _, v := range []string{"NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID=", "_SUPERVISORD"} {
				if strings.Contains(env, v) {
					t.Errorf("a program sees %s:\n%s", v, env)
				}
			}
			if !strings.Contains(env, "LISTEN_FDS=1\n") {
				t.Errorf("what was not for the daemon is gone:\n%s", env)
			}
			if env := s.Read("given.env"); !strings.Contains(env, "NOTIFY_SOCKET="+n.address+"\n") {
				t.Errorf("the program that was given it has\n%s", env)
			}

			s.Signal(syscall.SIGHUP)
			at = n.await(t, at, "RELOADING=1\nMONOTONIC_USEC=", "EXTEND_TIMEOUT_USEC=", "READY=1", "STATUS=2 processes: 2 RUNNING")
			if out := s.Ctl(oracle.Ours, "reload"); out.Exit != 0 {
				t.Fatal(out)
			}
			at = n.await(t, at, "RELOADING=1\nMONOTONIC_USEC=", "READY=1", "STATUS=2 processes: 2 RUNNING")

			s.Write("supervisord.conf", config+"[program:q]\n")
			s.Signal(syscall.SIGHUP)
			at = n.await(t, at, "RELOADING=1\nMONOTONIC_USEC=", "READY=1", "STATUS=reload refused, nothing was stopped: ")

			s.Write("supervisord.conf", config)
			s.Signal(syscall.SIGTERM)
			at = n.await(t, at, "STOPPING=1", "EXTEND_TIMEOUT_USEC=")
			if code := s.Wait(); code != 0 {
				t.Errorf("exit status %d", code)
			}
			for _, m := range n.since(at) {
				if strings.HasPrefix(m.text, "READY") || strings.HasPrefix(m.text, "RELOADING") {
					t.Errorf("it takes its end back: %q", m.text)
				}
			}
		})
	}
}

// TestServiceManagerOfADetachedDaemon: the process that was started says who the daemon
// is, while the manager still listens to it, and the daemon speaks afterwards.
func TestServiceManagerOfADetachedDaemon(t *testing.T) {
	t.Parallel()
	n := newNotifySocket(t, false)
	s := &eventRun{oracle.StartDetachedIn(t, oracle.Ours, t.TempDir(), oracle.Prelude+`
[program:p]
command=/bin/sh -c 'env > {{.Dir}}/p.env; exec cat'
`, oracle.Surroundings{Through: through("NOTIFY_SOCKET="+n.address, "WATCHDOG_USEC=300000", "WATCHDOG_PID=$$")}), t}
	main := fmt.Sprintf("MAINPID=%d", s.PID())
	n.await(t, 0, main, "READY=1", "STATUS=1 process: RUNNING", "WATCHDOG=1")
	told := n.since(0)
	if told[0].text != main || told[0].pid == s.PID() {
		t.Errorf("it begins with %v; the daemon is %d", told[0], s.PID())
	}
	for _, m := range told[1:] {
		if m.pid != s.PID() {
			t.Errorf("%v is not the daemon's, which is %d", m, s.PID())
		}
	}
	if env := s.Read("p.env"); strings.Contains(env, "NOTIFY_SOCKET=") || strings.Contains(env, "WATCHDOG_") || strings.Contains(env, "_SUPERVISORD") {
		t.Errorf("a program sees\n%s", env)
	}
}

// TestServiceManagerThatIsNoHelp: one that has gone, or does not read, costs a line in
// the log and nothing else.
func TestServiceManagerThatIsNoHelp(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "nt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	full := filepath.Join(dir, "full")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: full}); err != nil {
		t.Fatal(err)
	}
	filler, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(filler) })
	for err = nil; err == nil; {
		err = syscall.Sendto(filler, []byte("x"), 0, &syscall.SockaddrUnix{Name: full})
	}
	for name, row := range map[string]struct{ address, says string }{
		"gone": {dir + "/gone", "WARN cannot notify the service manager at " + dir + "/gone: sendto: no such file or directory"},
		"full": {full, ""},
		"none": {"nonsense", "WARN NOTIFY_SOCKET=nonsense is ignored: it is neither an absolute path nor @ and a name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &eventRun{oracle.StartIn(t, oracle.Ours, t.TempDir(), oracle.Prelude+"[program:p]\ncommand=/bin/cat\n",
				oracle.Surroundings{Through: through("NOTIFY_SOCKET="+row.address, "WATCHDOG_USEC=60000000")}), t}
			s.until("p", "RUNNING")
			s.Signal(syscall.SIGHUP)
			s.wait("the reload", func() bool { return strings.Count(s.Log(), "supervisord started with pid") == 2 })
			s.until("p", "RUNNING")
			s.Signal(syscall.SIGTERM)
			if code := s.Wait(); code != 0 {
				t.Errorf("exit status %d", code)
			}
			if row.says != "" && strings.Count(s.Log(), row.says) != 1 {
				t.Errorf("the log does not say once %q:\n%s", row.says, s.Log())
			}
			if row.says == "" && strings.Contains(s.Log(), "service manager") {
				t.Errorf("the log says\n%s", s.Log())
			}
		})
	}
}

// TestGivenSockets: a socket that a service manager has opened is that of the server at
// its address, over reloads, with the mode that it has, and is there afterwards; others
// are told and closed; and programs see nothing of them.
func TestGivenSockets(t *testing.T) {
	t.Parallel()
	const daemon = `
[supervisord]
logfile={{.Dir}}/supervisord.log
pidfile={{.Dir}}/supervisord.pid
childlogdir={{.Dir}}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]

[program:p]
command=/bin/sh -c 'env > {{.Dir}}/p.env; ls -l /proc/$$/fd > {{.Dir}}/p.fds; exec cat'
`
	for _, row := range []struct {
		network, address string
		config           string // the test reaches the daemon at {{.Sock}}
		detached         bool
		says             string
	}{
		{
			network: "unix", address: "/given",
			config: "[unix_http_server]\nfile=GIVEN\nchmod=0770\n# {{.Sock}}\n",
			says: "WARN descriptor 3 (ctl), which the service manager opened: GIVEN has mode 0666, which lets more users connect than " +
				"[unix_http_server] chmod=0770 (set SocketMode=0770 in the socket unit)",
		},
		{network: "tcp4", address: "127.0.0.1:0", detached: true, config: "[inet_http_server]\nport=GIVEN\n[unix_http_server]\nfile={{.Sock}}\n"},
	} {
		t.Run(row.network, func(t *testing.T) {
			t.Parallel()
			dir, err := os.MkdirTemp("", "gs")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			var files []*os.File
			listen := func(network, address string) string {
				l, err := net.Listen(network, address)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { l.Close() })
				f, err := l.(interface{ File() (*os.File, error) }).File()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { f.Close() })
				files = append(files, f)
				if network == "unix" {
					if err := os.Chmod(address, 0o666); err != nil {
						t.Fatal(err)
					}
				}
				return l.Addr().String()
			}
			if row.network == "unix" {
				row.address = dir + row.address
			}
			given := listen(row.network, row.address)
			listen("unix", dir+"/other")
			in := through("LISTEN_PID=$$", "LISTEN_FDS=2", "LISTEN_FDNAMES=ctl:stray")
			if row.network == "unix" {
				in[2] = `ln -s ` + given + ` $(sed -n "s/^# //p" "$3"); ` + in[2]
			}
			start := oracle.StartIn
			if row.detached {
				start = oracle.StartDetachedIn
			}
			s := &eventRun{start(t, oracle.Ours, t.TempDir(), strings.ReplaceAll(row.config, "GIVEN", given)+daemon,
				oracle.Surroundings{Files: files, Through: in}), t}
			url := "http://" + given
			if row.network == "unix" {
				url = "unix://" + given
			}
			for life := 1; life <= 2; life++ {
				s.wait("a life", func() bool { return strings.Count(s.Log(), "supervisord started with pid") == life })
				if got, want := s.Ctl(oracle.Ours, "-s", url, "pid"), fmt.Sprintln(s.PID()); got.Stdout != want {
					t.Fatalf("in life %d: %v; want %s", life, got, want)
				}
				s.until("p", "RUNNING")
				if life == 1 {
					s.Signal(syscall.SIGHUP)
				}
			}
			if env := s.Read("p.env"); env == "" || strings.Contains(env, "LISTEN_") {
				t.Errorf("a program sees\n%s", env)
			}
			if fds := s.Read("p.fds"); fds == "" || strings.Contains(fds, "socket:") {
				t.Errorf("a program has\n%s", fds)
			}
			for _, text := range []string{
				strings.ReplaceAll(row.says, "GIVEN", given),
				"WARN descriptor 4 (stray), which the service manager opened, is closed: it listens on " + dir + "/other, and no server of the configuration does ([",
			} {
				if text != "" && strings.Count(s.Log(), text) != 1 {
					t.Errorf("the log does not say once %q:\n%s", text, s.Log())
				}
			}
			s.Stop()
			if conn, err := net.Dial(row.network, given); err != nil { // who has made it still listens
				t.Error(err)
			} else {
				conn.Close()
			}
		})
	}
}
