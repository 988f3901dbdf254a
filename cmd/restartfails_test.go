package cmd

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// TestReloadIsRefused: a reload whose next life could not begin stops nothing, and says
// which key of which section is the reason.
func TestReloadIsRefused(t *testing.T) {
	t.Parallel()
	const config = `[unix_http_server]
file={{.Sock}}

[inet_http_server]
port=127.0.0.1:{{.Port}}

[supervisord]
logfile={{.Dir}}/supervisord.log
pidfile={{.Dir}}/supervisord.pid
childlogdir={{.Dir}}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{{.Sock}}

[program:p]
command=/bin/cat
`
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), config), t}
	s.until("p", "RUNNING")
	pid := s.pid("p")
	if err := os.Mkdir(s.Dir+"/directory", 0o755); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for name, row := range map[string]struct{ old, new, want string }{
		"certificate": {
			"port=127.0.0.1:{{.Port}}", "port=127.0.0.1:{{.Port}}\ncertfile={{.Dir}}/none\nkeyfile={{.Dir}}/none",
			"[inet_http_server] certfile: cannot use certfile and keyfile: open {{.Dir}}/none: no such file or directory",
		},
		"port": {
			"port=127.0.0.1:{{.Port}}", "port=" + taken.Addr().String(),
			"[inet_http_server] port: another program is listening on " + taken.Addr().String(),
		},
		"socket": {
			"file={{.Sock}}", "file={{.Dir}}/none/s",
			"[unix_http_server] file: cannot listen on {{.Dir}}/none/s: no such directory (create {{.Dir}}/none)",
		},
		"log": {
			"logfile={{.Dir}}/supervisord.log", "logfile={{.Dir}}/directory",
			`[supervisord] logfile: cannot open logfile "{{.Dir}}/directory"`,
		},
		"mistake": {"command=/bin/cat", "command=/bin/cat\nautostart=perhaps", "invalid value for autostart"},
	} {
		s.Write("supervisord.conf", strings.ReplaceAll(config, row.old, row.new))
		want := strings.ReplaceAll(row.want, "{{.Dir}}", s.Dir)
		if _, err := s.Call("supervisor.restart"); err == nil || !strings.Contains(err.Error(), "CANT_REREAD: ") ||
			name != "mistake" && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the client is told %v\nwant %s", name, err, want)
		}
		s.Signal(syscall.SIGHUP)
		refused += 2 // of the client and of the signal
		s.wait("the refusal", func() bool { return strings.Count(s.Log(), "ERRO restart refused, nothing was stopped: ") == refused })
		if name != "mistake" && !strings.Contains(s.Log(), ": "+want) {
			t.Errorf("%s: the log does not say %s", name, want)
		}
		if now := s.pid("p"); now != pid || s.State("p") != "RUNNING" {
			t.Fatalf("%s: p is %s with pid %d, had %d", name, s.State("p"), now, pid)
		}
	}
	s.Write("supervisord.conf", config)
	s.call("restart")
	s.wait("the restart", func() bool { return strings.Count(s.Log(), "supervisord started with pid") == 2 })
	s.until("p", "RUNNING")
	if left, _ := os.ReadDir(s.Dir + "/directory"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// holding is a daemon in the background that cannot restart before the test says so.
const holding = oracle.Prelude + `
[inet_http_server]
port=127.0.0.1:{{.Port}}

[program:p]
command=/bin/sh -c "trap '' TERM; echo ready; while ! test -e {{.Dir}}/go; do sleep 0.05; done"
stdout_logfile={{.Dir}}/p.out
stopwaitsecs=100
`

func startHolding(t *testing.T) *eventRun {
	s := &eventRun{oracle.StartDetached(t, oracle.Ours, t.TempDir(), holding), t}
	if status := s.Wait(); status != 0 { // from now on signals go to the daemon
		t.Fatalf("exit status %d", status)
	}
	s.wait("p", func() bool { return s.Read("p.out") != "" })
	return s
}

// TestRestartAlthoughFilesBroke: files that were good when a restart was asked for, and
// are not when everything has stopped, are in force as they were.
func TestRestartAlthoughFilesBroke(t *testing.T) {
	t.Parallel()
	s := startHolding(t)
	s.Signal(syscall.SIGHUP)
	s.logged("waiting for p to die")
	s.Write("supervisord.conf", strings.Replace(holding, "stopwaitsecs=100", "stopwaitsecs=many", 1))
	s.Write("go", "")
	s.logged("their content at that time is in force: ")
	s.wait("the restart", func() bool { return strings.Count(s.Log(), "supervisord started with pid") == 2 })
	if info, err := s.Call("supervisor.getProcessInfo", "p"); err != nil {
		t.Errorf("p: %v, %v", info, err)
	}
}

// TestRestartWithNewFiles: files that change, for good ones, while everything is being
// stopped are in force after the restart.
func TestRestartWithNewFiles(t *testing.T) {
	t.Parallel()
	s := startHolding(t)
	s.Signal(syscall.SIGHUP)
	s.logged("waiting for p to die")
	s.Write("supervisord.conf", strings.Replace(holding, "[program:p]", "[program:q]", 1))
	s.Write("go", "")
	s.wait("q", func() bool { return s.State("q") != "" })
	if state := s.State("p"); state != "" {
		t.Errorf("p is %s", state)
	}
}

// TestFailedRestartSaysWhy: a daemon in the background that does not come up again
// after a SIGHUP says why in its log. An address that its own socket is a part of can be
// taken by another until it has everything stopped.
func TestFailedRestartSaysWhy(t *testing.T) {
	t.Parallel()
	s := startHolding(t)
	s.Write("supervisord.conf", strings.Replace(holding, "port=127.0.0.1:", "port=*:", 1))
	s.Signal(syscall.SIGHUP)
	s.logged("waiting for p to die")
	other, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.2:%d", s.Port))
	if err != nil {
		t.Skipf("no second address: %v", err)
	}
	defer other.Close()
	s.Write("go", "")
	s.logged(fmt.Sprintf("CRIT cannot restart: [inet_http_server] port: another program is listening on :%d", s.Port))
}

// TestCheckBesideTheDaemon: what the daemon has that runs with a configuration is no
// obstacle to it; what another program has is one, with --here.
func TestCheckBesideTheDaemon(t *testing.T) {
	t.Parallel()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), holding), t}
	check := func() oracle.Output {
		return oracle.Exec(t, oracle.Ours, "supervisord", s.Dir, "--check", "--here", "-c", s.Config)
	}
	if out := check(); out.Exit != 0 || !strings.HasSuffix(out.Stdout, ": ok, 1 file, 1 group, 1 process\n") {
		t.Errorf("%v", out)
	}
	s.Write("go", "")
	if err := os.Rename(s.Dir+"/supervisord.pid", s.Dir+"/aside"); err != nil { // as if the daemon were another's
		t.Fatal(err)
	}
	defer os.Rename(s.Dir+"/aside", s.Dir+"/supervisord.pid")
	out := check()
	for _, want := range []string{
		"[unix_http_server] file: another program is listening on " + s.Sock,
		fmt.Sprintf("[inet_http_server] port: another program is listening on 127.0.0.1:%d", s.Port),
	} {
		if out.Exit != 2 || !strings.Contains(out.Stdout, want) {
			t.Errorf("%v\nwant %s", out, want)
		}
	}
}
