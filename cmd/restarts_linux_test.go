package cmd

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"supervisord/cmd/internal/oracle"
)

// TestHangUpAtAnyMoment sends SIGHUP all the time, so also between two lives of
// the daemon, where nobody but the process itself is there to take it.
func TestHangUpAtAnyMoment(t *testing.T) {
	t.Parallel()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+
		"[program:p]\ncommand=/bin/sleep 1000\nstartsecs=0\n"), t}
	pid := s.PID()
	begun := func() int { return strings.Count(s.Log(), "supervisord started with pid") }
	const lives = 5
	for since := time.Now(); begun() <= lives; s.Signal(syscall.SIGHUP) {
		if time.Since(since) > oracle.Deadline {
			t.Fatalf("%d lives\n%s%s", begun(), s.Log(), s.Stderr())
		}
	}
	s.until("p", "RUNNING")
	if now := s.PID(); now != pid {
		t.Errorf("process %d has become %d", pid, now)
	}
}

// TestRestartsLeaveNothing restarts the daemon while clients of every kind are
// connected: one that is idle, one in the middle of a header and of a body, one
// that waits, one that follows a log and one that does not read its reply. No
// descriptor of a life is left in the next, and the connections end.
func TestRestartsLeaveNothing(t *testing.T) {
	t.Parallel()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+`
[program:p]
command=/bin/sh -c 'head -c 3000000 /dev/zero; exec sleep 1000'
startsecs=0
[program:slow]
command=/bin/sleep 1000
startsecs=1000
autostart=false
`), t}
	count := func() int { return len(descriptors(t, s.PID())) }
	s.until("p", "RUNNING")
	before := count()
	for life := range 4 {
		s.wait("all output", func() bool {
			v, err := s.Call("supervisor.tailProcessStdoutLog", "p", 0, 0)
			return err == nil && fmt.Sprint(v.([]any)[1]) == "3000000"
		})
		call := func(text string) string {
			return fmt.Sprintf("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
		}
		var conns []net.Conn
		for _, request := range []string{
			"",
			"GET / HTTP/1.1\r\nHo",
			"POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n<method",
			call("<methodCall><methodName>supervisor.startProcess</methodName><params><param><value>slow</value></param></params></methodCall>"),
			"GET /mainlogtail HTTP/1.1\r\nHost: h\r\n\r\n",
			call("<methodCall><methodName>supervisor.readProcessStdoutLog</methodName><params><param><value>p</value></param>" +
				"<param><value><int>0</int></value></param><param><value><int>0</int></value></param></params></methodCall>"),
		} {
			conn, err := net.Dial("unix", s.Sock)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatal(err)
			}
			conns = append(conns, conn)
		}
		s.until("slow", "STARTING")
		s.Signal(syscall.SIGHUP)
		for i, conn := range conns {
			conn.SetReadDeadline(time.Now().Add(oracle.Deadline))
			if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("life %d, client %d: %v", life, i, err)
			}
		}
		s.until("p", "RUNNING")
	}
	if !oracle.Eventually(oracle.Deadline, func() bool { return count() <= before }) {
		t.Errorf("%d descriptors before, %d after: %v", before, count(), descriptors(t, s.PID()))
	}
}

// TestRestartWithoutPort: a restart after which the daemon could not go on is refused,
// and says why where it can be read.
func TestRestartWithoutPort(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude), t}
	s.Write("supervisord.conf", oracle.Prelude+"[inet_http_server]\nport="+taken.Addr().String()+"\n")
	s.Signal(syscall.SIGHUP)
	s.logged(": [inet_http_server] port: another program is listening on " + taken.Addr().String())
}

// TestRestartWithoutFastCGI: a group that only the process table can know to be
// impossible costs the others nothing.
func TestRestartWithoutFastCGI(t *testing.T) {
	t.Parallel()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude), t}
	s.Write("supervisord.conf", oracle.Prelude+"[fcgi-program:f]\ncommand=/bin/sleep 1000\nsocket=unix:///nope/nope.sock\n[program:p]\ncommand=/bin/sleep 1000\n")
	s.Signal(syscall.SIGHUP)
	s.logged("WARN reconcile: cannot add group f: f: Could not create FastCGI socket unix:///nope/nope.sock")
	s.until("p", "RUNNING")
}

// TestStuckStandardOutput: a reader who has stopped reading what listeners print,
// as a container's log collector may, keeps the daemon neither from restarting nor
// from ending.
func TestStuckStandardOutput(t *testing.T) {
	t.Parallel()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	if _, err := unix.FcntlInt(writer.Fd(), unix.F_SETPIPE_SZ, os.Getpagesize()); err != nil { // it is full the sooner
		t.Fatal(err)
	}
	s := &eventRun{oracle.StartIn(t, oracle.Ours, t.TempDir(), oracle.Prelude+
		"[eventlistener:l]\ncommand={{.Self}} echo\nevents=PROCESS_LOG\nresult_handler=supervisor_stdout:event_handler\nbuffer_size=100\n"+
		"[program:p]\ncommand={{.Self}} steady\nstdout_events_enabled=true\nstdout_logfile=NONE\nstopasgroup=true\n",
		oracle.Surroundings{Through: []string{"/bin/sh", "-c", `exec "$@" >&3`, "sh"}, Files: []*os.File{writer}}), t}
	s.logged("nothing reads standard output")
	s.Signal(syscall.SIGHUP)
	s.wait("a second life", func() bool { return strings.Count(s.Log(), "supervisord started with pid") == 2 })
	s.until("p", "RUNNING")
	s.Signal(syscall.SIGTERM)
	if status := s.Wait(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}
