package cmd

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"supervisord/cmd/internal/oracle"
)

func init() { roles["fastcgi"] = fastcgi }

// fastcgi is a child that answers on the socket which is its standard input: who
// it is, and how long that socket's queue is if that can be known.
func fastcgi([]string) int {
	backlog := uint32(0)
	if info, err := unix.GetsockoptTCPInfo(0, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
		backlog = info.Sacked // of a socket that listens, it is the limit
	}
	l, err := net.FileListener(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return 1
		}
		fmt.Fprintf(c, "%d %d\n", os.Getpid(), backlog)
		c.Close()
	}
}

// visit asks whoever listens for its pid and its backlog.
func visit(network, address string) (pid, backlog int, err error) {
	c, err := net.DialTimeout(network, address, oracle.Deadline)
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(oracle.Deadline))
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil && err != io.EOF {
		return 0, 0, err
	}
	_, err = fmt.Sscan(line, &pid, &backlog)
	return pid, backlog, err
}

// TestFastCGI has programs that share a listening socket, under both daemons:
// owner, mode and backlog are as configured, each process serves it, it is there
// as long as one of them is, and the log tells when it comes and goes.
func TestFastCGI(t *testing.T) {
	t.Parallel()
	owner, uid, gid := nobody(t)
	for _, kind := range oracle.Kinds(t) {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			s := &eventRun{oracle.StartDaemon(t, kind, t.TempDir(), oracle.Prelude+`
[fcgi-program:file]
command={{.Self}} fastcgi
socket=unix://{{.Dir}}/%(program_name)s.sock
socket_mode=0640
socket_owner=`+owner+`
process_name=%(process_num)d
numprocs=2

[fcgi-program:port]
command={{.Self}} fastcgi
socket=tcp://127.0.0.1:{{.Port}}
socket_backlog=77
`), t}
			path := filepath.Join(s.Dir, "file.sock")
			for _, name := range []string{"file:0", "file:1", "port"} {
				s.until(name, "RUNNING")
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if st := info.Sys().(*syscall.Stat_t); st.Uid != uid || st.Gid != gid || info.Mode() != os.ModeSocket|0o640 {
				t.Errorf("%v of %d:%d, want 0640 of %d:%d", info.Mode(), st.Uid, st.Gid, uid, gid)
			}
			members := []int{s.pid("file:0"), s.pid("file:1")}
			served := make(map[int]bool)
			s.wait("both to serve", func() bool {
				pid, _, err := visit("unix", path)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Contains(members, pid) {
					t.Fatalf("%d serves, which is none of %v", pid, members)
				}
				served[pid] = true
				return len(served) == 2
			})
			port := net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port))
			if pid, backlog, err := visit("tcp", port); err != nil || pid != s.pid("port") || backlog != 77 {
				t.Errorf("%v: process %d with a backlog of %d answers on the port", err, pid, backlog)
			}
			if _, err := s.Call("supervisor.sendProcessStdin", "port", "x"); err == nil || !strings.Contains(err.Error(), "NO_FILE: port") {
				t.Errorf("sendProcessStdin: %v", err)
			}
			s.call("stopProcess", "file:0")
			if pid, _, err := visit("unix", path); err != nil || pid != members[1] {
				t.Errorf("with one process left, %d answers: %v", pid, err)
			}
			s.call("stopProcess", "file:1")
			s.call("stopProcess", "port")
			if _, _, err := visit("unix", path); err == nil {
				t.Errorf("the socket answers when all are stopped")
			}
			if _, _, err := visit("tcp", port); err == nil {
				t.Errorf("the port answers when all are stopped")
			}
			s.call("startProcess", "file:0")
			if pid, _, err := visit("unix", path); err != nil || pid != s.pid("file:0") {
				t.Errorf("after a new start %d answers: %v", pid, err)
			}
			url := "unix://" + path
			s.Stop()
			var lines []string
			for line := range strings.Lines(s.Log()) {
				if strings.HasSuffix(line, " socket "+url+"\n") {
					lines = append(lines, strings.Fields(line)[3])
				}
			}
			// Tried at the start, then made and closed twice.
			if got := strings.Join(lines, " "); got != "Creating Closing Creating Closing Creating Closing" {
				t.Errorf("the log says of the socket: %s", got)
			}
			if _, err := os.Lstat(path); kind == oracle.Ours && err == nil {
				t.Errorf("the socket is there when the daemon has gone") // differences.md row 18
			}
		})
	}
}

// TestFastCGIRestarts: a client that connects while a program's only process is
// being restarted, or waits to be tried again, is served by the next one; also in
// a [group]. The original refuses it (differences.md rows 18 and 19).
func TestFastCGIRestarts(t *testing.T) {
	t.Parallel()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+`
[group:g]
programs=web,plain

[program:plain]
command=/bin/sleep 1000

[fcgi-program:web]
command={{.Self}} fastcgi
socket=unix://{{.Dir}}/web.sock
startretries=1000
`), t}
	s.until("g:web", "RUNNING")
	path := filepath.Join(s.Dir, "web.sock")
	if _, _, err := visit("unix", path); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var asked atomic.Int64
	var clients sync.WaitGroup
	clients.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			c, err := net.Dial("unix", path)
			if err != nil {
				t.Errorf("refused: %v", err)
				return
			}
			asked.Add(1)
			c.SetDeadline(time.Now().Add(oracle.Deadline))
			c.Read(make([]byte, 1)) // wait for the answer, or for the end of who was to answer
			c.Close()
		}
	})
	for range 3 {
		pid := s.pid("g:web")
		syscall.Kill(pid, syscall.SIGKILL)
		before := asked.Load()
		s.wait("another process that serves", func() bool {
			now := s.pid("g:web")
			return now != 0 && now != pid && asked.Load() > before+1
		})
	}
	close(stop)
	clients.Wait()
	if n := strings.Count(s.Log(), "spawned: 'web'"); n < 4 {
		t.Errorf("web was started %d times", n)
	}
	t.Logf("%d connections, none refused", asked.Load())
}

// TestFastCGICannotBeMade: a socket that cannot be made ends a daemon that starts,
// with Supervisor's words.
func TestFastCGICannotBeMade(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "supervisord.conf")
	text := "[supervisord]\nlogfile=" + dir + "/log\npidfile=" + dir + "/pid\nchildlogdir=" + dir +
		"\n[fcgi-program:x]\ncommand=/bin/cat\nsocket=unix://" + dir + "/nope/x.sock\n"
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, kind := range oracle.Kinds(t) {
		out := oracle.Exec(t, kind, "supervisord", dir, "-n", "-c", config)
		want := "Could not create FastCGI socket unix://" + dir + "/nope/x.sock: [Errno 2] No such file or directory"
		if out.Exit == 0 || !strings.Contains(out.Stderr, want) {
			t.Errorf("%v: want %q in\n%v", kind, want, out)
		}
	}
}
