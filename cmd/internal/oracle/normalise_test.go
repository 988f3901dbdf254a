package oracle

import "testing"

func TestNormaliser(t *testing.T) {
	d := &Daemon{Dir: "/tmp/x/001", Sock: "/tmp/sv1/s", Port: 4711}
	rows := []struct{ name, in, want string }{
		{"status line", "cat   RUNNING   pid 9573, uptime 0:00:03", "cat   RUNNING   pid <pid>, uptime <uptime>"},
		{"long uptime", "uptime 12 days, 10:00:03", "uptime <uptime>"},
		{"one day", "uptime 1 day, 0:00:03", "uptime <uptime>"},
		{"stopped", "cat   STOPPED   Nov 22 06:14 AM", "cat   STOPPED   <time>"},
		{"not started stays", "cat   STOPPED   Not started", "cat   STOPPED   Not started"},
		{"log line", "2026-11-22 17:49:49,553 INFO spawned: 'cat' with pid 9573", "<time> INFO spawned: 'cat' with pid <pid>"},
		{"kill line", "WARN killing 'cat' (9573) with SIGKILL", "WARN killing 'cat' (<pid>) with SIGKILL"},
		{"debug kill line", "DEBG killing cat (pid 9573) with signal SIGTERM", "DEBG killing cat (pid <pid>) with signal SIGTERM"},
		{"event payload", "processname:cat groupname:cat from_state:STARTING pid:2766", "processname:cat groupname:cat from_state:STARTING pid:<pid>"},
		{"no pid is not a pid", "from_state:BACKOFF pid:0", "from_state:BACKOFF pid:0"},
		{"tick", "when:1201063880", "when:<time>"},
		{"python error", "error: <class 'FileNotFoundError'>, [Errno 2] No such file or directory: file: /usr/lib/python3/dist-packages/supervisor/xmlrpc.py line: 557",
			"error: <class 'FileNotFoundError'>, [Errno 2] No such file or directory: file: <where>"},
		{"places", "unix:///tmp/sv1/s /tmp/x/001/a.log http://127.0.0.1:4711/", "unix://<sock> <dir>/a.log http://127.0.0.1:<port>/"},
		{"counts stay", "a 1\na 1\n\nserial:12 poolserial:3 len:44 exit 3", "a 1\na 1\n\nserial:12 poolserial:3 len:44 exit 3"},
		{"a bare number stays", "42\n", "42\n"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			n := d.Normaliser()
			got := n.Text(r.in)
			if got != r.want {
				t.Errorf("Text(%q)\n got %q\nwant %q", r.in, got, r.want)
			}
			if again := n.Text(got); again != got {
				t.Errorf("not stable: %q became %q", got, again)
			}
		})
	}
	if got, want := (Normaliser{}).Ctl([]string{"pid", "all"}, "12\n0\n34\n"), "<pid>\n0\n<pid>\n"; got != want {
		t.Errorf("pid command: got %q, want %q", got, want)
	}
	if got, want := (Normaliser{}).Ctl([]string{"tail", "x"}, "12\n"), "12\n"; got != want {
		t.Errorf("tail command: got %q, want %q", got, want)
	}
}
