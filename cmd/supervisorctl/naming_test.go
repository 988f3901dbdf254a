package main

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"supervisord/cmd/internal/oracle"
	"supervisord/rpc/xmlrpc"
)

// TestErrorsNameTheThing: an error that no command foresees says which server, file or
// key it is about, and keeps what people grep for.
func TestErrorsNameTheThing(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	l.Close()
	refusing := &script{answers: with(answers("reloadConfig", fault(xmlrpc.CantReread, "bad value in section 'program:a' (file: '/etc/a.conf')"),
		"restart", fault(xmlrpc.CantReread, "bad value in section 'program:a' (file: '/etc/a.conf')")),
		"apply", fault(xmlrpc.CantReread, "/etc/a.conf:3: [program:a] startsecs: bad value\n/etc/a.conf:5: [program:b] command: none"),
		"diff", fault(xmlrpc.CantReread, "/etc/a.conf:3: [program:a] startsecs: bad value\n/etc/a.conf:5: [program:b] command: none"))}
	socket := refusing.serve(t)
	original := &script{answers: answers("reloadConfig", fault(xmlrpc.CantReread, "it is bad"))}
	foreign := original.serve(t)
	both := "error: CANT_REREAD: /etc/a.conf:3: [program:a] startsecs: bad value\nerror: /etc/a.conf:5: [program:b] command: none\n"
	for _, row := range []struct{ url, command, want string }{
		{"unix:///nope/s", "update", "error: <class 'FileNotFoundError'>, [Errno 2] No such file or directory: file: unix:///nope/s line: 0\n"},
		{closed, "reread", "error: <class 'ConnectionRefusedError'>, [Errno 111] Connection refused: file: " + closed + " line: 0\n"},
		{"unix://" + socket, "update", both},
		{"unix://" + socket, "update a", both},
		{"unix://" + socket, "reload", both},
		{"unix://" + socket, "reread", "ERROR: CANT_REREAD: bad value in section 'program:a' (file: '/etc/a.conf')\n"},
		{"unix://" + socket, "diff", strings.ReplaceAll(both, "error:", "ERROR:")},
		{"unix://" + foreign, "update", "error: <class 'xmlrpc.client.Fault'>, <Fault 92: 'CANT_REREAD: it is bad'>: file: supervisorctl line: 0\n"},
	} {
		out := ctl(t, oracle.Ours, t.TempDir(), "", append([]string{"-s", row.url}, strings.Fields(row.command)...)...)
		if out.Stdout != row.want || out.Exit == 0 {
			t.Errorf("%s: got exit %d and\n%swant\n%s", row.command, out.Exit, out.Stdout, row.want)
		}
	}
}

// TestTailOfADevice: a log that cannot be read back is told as what it is.
func TestTailOfADevice(t *testing.T) {
	t.Parallel()
	process := info("web", "web", 20, "RUNNING", "", 7)
	for i, member := range process {
		if member.Name == "stdout_logfile" {
			process[i].Value = "/dev/stdout"
		}
	}
	s := &script{answers: answers("getProcessInfo", process, "readProcessStdoutLog", fault(xmlrpc.Failed, "/dev/stdout"),
		"readProcessStderrLog", fault(xmlrpc.NoFile, ""), "readLog", fault(xmlrpc.Failed, "/dev/stdout"),
		"sendProcessStdin", fault(xmlrpc.NotRunning, "web"))}
	socket := s.serve(t)
	url := "unix://" + socket
	const words = "web: ERROR (unknown error reading log"
	for command, want := range map[string]string{
		"tail web":           words + ")\nexit 1\n",
		"tail -f web":        pressCtrlC + "\nstderr:\n" + words + ": it is /dev/stdout)\n",
		"tail -f web stderr": pressCtrlC + fmt.Sprintf("\nstderr:\n%s/logtail/web/stderr Cannot read, status code 404\n", url),
		"maintail -f":        pressCtrlC + "\nstderr:\nsupervisord: ERROR (unknown error reading log)\n",
	} {
		out := ctl(t, oracle.Ours, filepath.Dir(socket), "", append([]string{"-s", url}, strings.Fields(command)...)...)
		if out.String() != want {
			t.Errorf("%s: got\n%swant\n%s", command, out, want)
		}
	}
	term := inTerminal(t, oracle.Ours, filepath.Dir(socket), "-s", url, "tail", "web")
	term.expect(words + ")")
	term.expect("hint: What web writes to stdout goes to /dev/stdout")
	term.wait()
}
