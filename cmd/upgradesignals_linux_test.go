package cmd

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// TestUpgradeUnderSignals upgrades a daemon that gets one signal after the other. None ends
// it, and none has a program started anew. Afterwards each of them still does what it is for.
func TestUpgradeUnderSignals(t *testing.T) {
	t.Parallel()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+`
[program:quiet]
command=/bin/sleep 1000
numprocs=3
process_name=%(process_num)d
startsecs=0
[program:crash]
command=/bin/false
startretries=1000000
startsecs=0
autorestart=true
`), t}
	s.wait("every process", func() bool { return !slices.Contains(s.pids(), 0) })
	before := s.pids()
	ctx, stop := context.WithCancel(t.Context())
	var senders sync.WaitGroup
	defer func() { stop(); senders.Wait() }()
	for _, signals := range [][]syscall.Signal{{syscall.SIGUSR2}, {syscall.SIGUSR1, syscall.SIGPIPE, syscall.SIGCHLD, syscall.SIGWINCH}} {
		senders.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				s.Signal(signals[i%len(signals)])
				time.Sleep(time.Millisecond)
			}
		})
	}
	s.upgrades(10, before)
	stop()
	senders.Wait()
	crashed := s.pid("crash")
	s.wait("another start of what crashes", func() bool { pid := s.pid("crash"); return pid != 0 && pid != crashed })
	must(t, os.Remove(s.Dir+"/supervisord.log"))
	s.Signal(syscall.SIGUSR2)
	s.wait("the log to be opened again", func() bool { return strings.Contains(s.Log(), "supervisord logreopen") })
	s.Signal(syscall.SIGHUP)
	s.wait("the restart", func() bool { return strings.Contains(s.Log(), "received SIGHUP") })
	s.Stop()
	if exit := s.Wait(); exit != 0 {
		t.Errorf("the daemon has ended with the exit status %d", exit)
	}
}

// upgrades upgrades the daemon so many times, after each of which these must be its processes.
func (s *eventRun) upgrades(times int, pids []int) {
	s.t.Helper()
	for i := range times {
		if out := s.Ctl(oracle.Ours, "upgrade"); out.Exit != 0 {
			s.t.Fatalf("upgrade %d: %v", i, out)
		}
		if now := s.pids(); !slices.Equal(now, pids) {
			s.t.Fatalf("upgrade %d: the processes were %v and are %v", i, pids, now)
		}
	}
}

// TestUpgradeAmongClients upgrades a daemon whose clients come and go all the time, at any
// moment of a request: some end their connections properly, some reset them. Nothing comes
// of it, for the daemon, its programs or its log.
func TestUpgradeAmongClients(t *testing.T) {
	t.Parallel()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+counts+"[inet_http_server]\nport=127.0.0.1:{{.Port}}\n"), t}
	s.until("count", "RUNNING")
	before := s.pids()
	const call = "<methodCall><methodName>supervisor.getAllProcessInfo</methodName></methodCall>"
	requests := []string{
		"",
		"GET /logtail/count HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /mainlogtail HTTP/1.0\r\n\r\n",
		"GET /live HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n",
		fmt.Sprintf("POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s", len(call), call),
		"POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n<me",
	}
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	defer func() { stop(); clients.Wait() }()
	r := seeded(t)
	for range 6 {
		r := rand.New(rand.NewPCG(r.Uint64(), 0))
		clients.Go(func() {
			for ctx.Err() == nil {
				nc, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.Port))
				if err != nil {
					t.Errorf("a client is refused: %v", err)
					return
				}
				_, _ = io.WriteString(nc, requests[r.IntN(len(requests))])
				time.Sleep(rand.N(40 * time.Millisecond)) // to another moment of it
				if r.IntN(2) == 0 {
					_ = nc.(*net.TCPConn).SetLinger(0) // so that Close resets it
				}
				nc.Close()
			}
		})
	}
	s.upgrades(10, before)
	stop()
	clients.Wait()
	if log := s.Log(); strings.Contains(log, "panic") {
		t.Errorf("the log says\n%s", log)
	}
}

// TestUpgradeAndEnd: a SIGTERM during an upgrade is not lost. While the new program is
// tried, everything ends in order. Later the new program may not be able to catch it yet, so
// that it dies of it: then everything runs, and the next daemon finds and ends it.
func TestUpgradeAndEnd(t *testing.T) {
	t.Parallel()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+`
[reconcile]
statedir={{.Dir}}/state
[program:quiet]
command=/bin/sleep 1000
numprocs=3
process_name=%(process_num)d
startsecs=0
`), t}
	s.Write("slow", "#!/bin/sh\n: >{{.Dir}}/tried\nwhile [ ! -e {{.Dir}}/on ]; do sleep 0.01; done\nexec "+oracle.Command(t, oracle.Ours, "supervisord")+` "$@"`+"\n")
	orphaned := 0
	for i := range 10 {
		if i > 0 {
			s.Again()
		}
		s.wait("every process", func() bool { return !slices.Contains(s.pids(), 0) })
		pids := s.pids()[1:]
		asked := make(chan struct{})
		if i == 0 {
			go func() {
				defer close(asked)
				_, _ = s.Call("reconcile.reexec", s.Dir+"/slow") // the daemon may end before it answers
			}()
			s.wait("the trial", func() bool { _, err := os.Stat(s.Dir + "/tried"); return err == nil })
		} else {
			close(asked)
			if _, err := s.Call("reconcile.reexec"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(4*(i-1)) * time.Millisecond) // to another part of it
		}
		s.Signal(syscall.SIGTERM)
		if i == 0 {
			s.wait("the shutdown", func() bool { return strings.Contains(s.Log(), "received SIGTERM") })
			s.Write("on", "")
		}
		exit, alive := s.Wait(), 0
		<-asked
		for _, pid := range pids {
			if livesOn(pid) {
				alive++
			}
		}
		switch {
		case exit == 0 && alive == 0:
		case exit == -1 && alive == len(pids) && i > 0:
			orphaned++
			s.Again()
			s.wait("every process", func() bool { return !slices.Contains(s.pids(), 0) })
			for _, pid := range pids {
				if livesOn(pid) {
					t.Errorf("round %d: %d, which survived, runs beside its successor", i, pid)
				}
			}
			s.Stop()
		default:
			log := s.Log()
			t.Fatalf("round %d: the exit status is %d, and %d of %d programs are left\nend of the log:\n%s", i, exit, alive, len(pids), log[max(0, len(log)-logShown):])
		}
	}
	t.Logf("%d times the new program could not catch it yet", orphaned)
}

// livesOn reports whether a process is there and has not ended: one that has, and was not
// waited for yet, has no command line.
func livesOn(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && len(line) > 0
}
