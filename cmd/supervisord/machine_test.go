package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"supervisord/cmd/internal/host"
	"supervisord/spec"
)

// TestCheckHere: what this machine lacks is warned about, and a mistake with --here; a
// program's directory is never more than a warning.
func TestCheckHere(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	long := "/" + strings.Repeat("x", 107)
	dir := extract(t, []txtar.File{
		{Name: "log/x"},
		{Name: "supervisord.conf", Data: []byte(`[supervisord]
logfile=%(here)s/log
user=no-such-user
[unix_http_server]
file=%(here)s/none/s
[inet_http_server:tls]
port=127.0.0.1:1
certfile=none.crt
keyfile=none.key
[inet_http_server:taken]
port=` + taken.Addr().String() + `
[program:web]
command=/bin/cat
directory=/nonexistent
numprocs=2
process_name=%(process_num)d
[program:loose]
command=/bin/cat
stdout_logfile=/nonexistent/log
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
`)},
		{Name: "long.conf", Data: []byte("[supervisord]\n[unix_http_server]\nfile=" + long + "\n")},
	})
	t.Chdir(dir)
	lines := []string{
		"supervisord.conf:2: [supervisord] logfile: DIR/log is a directory (name a file in it)",
		"supervisord.conf:3: [supervisord] user: Invalid user name no-such-user (the name or number of a user on this machine)",
		"supervisord.conf:5: [unix_http_server] file: cannot listen on DIR/none/s: no such directory (create DIR/none)",
		"supervisord.conf:8: [inet_http_server:tls] certfile: cannot use certfile and keyfile: open DIR/none.crt: no such file or directory",
		"supervisord.conf:11: [inet_http_server:taken] port: another program is listening on " + taken.Addr().String() + " (stop that one, or choose another address)",
		"supervisord.conf:14: [program:web] directory: /nonexistent is not an existing directory (create it: the program cannot start without it)",
		"supervisord.conf:19: [program:loose] stdout_logfile: The directory named as part of the path /nonexistent/log does not exist (create the directory of the file)",
	}
	warned := func(line string) string { return strings.Replace(line, ": [", ": warning: [", 1) }
	run := func(h spec.Host, path string, f flags) (int, string) {
		var out bytes.Buffer
		status := check(&out, h, path, spec.Options{}, f)
		return status, strings.ReplaceAll(out.String(), host.New().Getwd(), "DIR")
	}
	var want strings.Builder
	for _, line := range lines {
		want.WriteString(warned(line) + "\n")
	}
	want.WriteString("supervisord.conf: ok, 1 file, 2 groups, 3 processes, 7 warnings\n")
	if status, got := run(userHost{host.New()}, "supervisord.conf", flags{}); status != 0 || got != want.String() {
		t.Errorf("exit status %d, (-want +got):\n%s", status, cmp.Diff(want.String(), got))
	}

	// What keeps the files from being read comes first, and alone.
	status, got := run(userHost{host.New()}, "supervisord.conf", flags{here: true})
	for _, line := range []string{lines[1], lines[6]} {
		if status != 2 || !strings.Contains(got, line+"\n") {
			t.Errorf("with --here, exit status %d and:\n%swant %s", status, got, line)
		}
	}
	text, err := os.ReadFile("supervisord.conf")
	if err != nil {
		t.Fatal(err)
	}
	good := strings.NewReplacer("user=no-such-user\n", "\n", "stdout_logfile=/nonexistent/log\n", "").Replace(string(text))
	if err := os.WriteFile("supervisord.conf", []byte(good), 0o644); err != nil {
		t.Fatal(err)
	}
	want.Reset()
	want.WriteString(strings.Join([]string{lines[0], lines[2], lines[3], lines[4]}, "\n") + "\n" + warned(lines[5]) + "\nsupervisord.conf: 4 errors, 1 warning\n")
	if status, got := run(userHost{host.New()}, "supervisord.conf", flags{here: true}); status != 2 || got != want.String() {
		t.Errorf("with --here, exit status %d, (-want +got):\n%s", status, cmp.Diff(want.String(), got))
	}

	_, got = run(userHost{host.New()}, "long.conf", flags{})
	if want := fmt.Sprintf("long.conf:3: warning: [unix_http_server] file: the path has %d bytes, and that of a unix socket may have ", len(long)); !strings.Contains(got, want) {
		t.Errorf("got %swant %s", got, want)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) != 3 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
