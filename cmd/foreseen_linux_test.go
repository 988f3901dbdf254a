package cmd

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// TestReloadForeseesEveryAddress: a reload that asks for every address of a port of which
// the daemon has one is refused while another program has another one, and not when that
// has gone. A refused reload leaves no log behind.
func TestReloadForeseesEveryAddress(t *testing.T) {
	t.Parallel()
	const server = oracle.Prelude + "[inet_http_server]\nport=%s:{{.Port}}\nusername=u\npassword=p\n"
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), fmt.Sprintf(server, "127.0.0.1")), t}
	other, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.2:%d", s.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for i, host := range []string{"*", "0.0.0.0"} {
		text := strings.Replace(fmt.Sprintf(server, host), "supervisord.log", "other.log", 1)
		s.Write("supervisord.conf", text)
		s.Signal(syscall.SIGHUP)
		s.wait("the refusal", func() bool {
			return strings.Count(s.Log(), "ERRO restart refused, nothing was stopped: "+s.Config) == i+1
		})
		if _, err := os.Lstat(filepath.Join(s.Dir, "other.log")); err == nil {
			t.Errorf("%s: the log of the life that never began is there", host)
		}
	}
	if want := fmt.Sprintf("[inet_http_server] port: another program is listening on :%d (", s.Port); !strings.Contains(s.Log(), want) {
		t.Errorf("%q is missing in\n%s", want, s.Log())
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	s.Signal(syscall.SIGHUP)
	s.wait("the next life", func() bool { return strings.Contains(s.Read("other.log"), "supervisord started with pid") })
}

// TestCheckHereBesideTheDaemon: what the daemon has that runs with a configuration is no
// obstacle to it; what another program has is one, also while that daemon runs.
func TestCheckHereBesideTheDaemon(t *testing.T) {
	t.Parallel()
	const config = oracle.Prelude + "[inet_http_server]\nport=127.0.0.1:{{.Port}}\n"
	d := oracle.StartDaemon(t, oracle.Ours, t.TempDir(), config)
	if out := oracle.Exec(t, oracle.Ours, "supervisord", d.Dir, "--check", "--here", "-c", d.Config); out.Exit != 0 {
		t.Errorf("of what it runs with: %+v", out)
	}
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	unix, err := net.Listen("unix", d.Sock+"2")
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	d.Write("supervisord.conf", strings.Replace(config, "{{.Sock}}", "{{.Sock}}2", 2)+"[inet_http_server:2]\nport="+tcp.Addr().String()+"\n")
	out := oracle.Exec(t, oracle.Ours, "supervisord", d.Dir, "--check", "--here", "-c", d.Config)
	for _, want := range []string{
		"[unix_http_server] file: another program is listening on " + d.Sock + "2",
		"[inet_http_server:2] port: another program is listening on " + tcp.Addr().String(),
	} {
		if out.Exit != 2 || !strings.Contains(out.Stdout, want) || strings.Contains(out.Stdout, fmt.Sprint("127.0.0.1:", d.Port)) {
			t.Errorf("%q is missing, or what the daemon has is told, in %+v", want, out)
		}
	}
}
