package cmd

import (
	"strings"
	"syscall"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// The machine may be given another name at any time. A life of the daemon has one
// name: nothing is restarted and no log moves, whether by a change, by an update or by
// a reload that is refused. The next life has the new one. The original keeps the
// first for ever.
func TestChangedHostName(t *testing.T) {
	t.Parallel()
	for _, kind := range oracle.Kinds(t) {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			s := &eventRun{oracle.StartIn(t, kind, t.TempDir(), oracle.Prelude+`
[program:rename]
command=/bin/sh -c "read name; hostname $name; exec cat"
[program:named]
command=/bin/sh -c "echo on %(host_node_name)s, $NODE; exec cat"
environment=NODE="%(host_node_name)s"
stdout_logfile={{.Dir}}/%(host_node_name)s.log
[include]
files={{.Dir}}/conf.d/*.ini {{.Dir}}/%(host_node_name)s.d/*.ini
[reconcile]
settle=50ms
rescan=1s
`, inNamespaces(syscall.CLONE_NEWUTS, "hostname before")), t}
			if kind == oracle.Ours {
				s.Write("before.d/held.ini", "[program:held]\ncommand=/bin/cat\n")
				s.until("held", "RUNNING")
			}
			s.until("named", "RUNNING")
			s.until("rename", "RUNNING")
			pid := func() string { return s.Ctl(oracle.Debian, "pid", "named").Stdout }
			before := pid()
			s.call("sendProcessStdin", "rename", "after\n")
			s.Write("show.sh", "hostname; exec cat\n")
			const show = "command=/bin/sh {{.Dir}}/show.sh\n"
			s.Write("conf.d/new.ini", "[program:new]\n"+show+"stdout_logfile={{.Dir}}/new-%(host_node_name)s.log\n")
			s.Ctl(oracle.Debian, "update")
			s.until("new", "RUNNING")
			s.wait("the new program to see the name after", func() bool { return s.Read("new-before.log") == "after\n" })

			s.Write("conf.d/late.ini", "[program:late]\n"+show)
			s.Ctl(oracle.Debian, "update") // the watcher may have been there first
			s.until("late", "RUNNING")
			if out := s.Ctl(oracle.Debian, "reread"); out.Stdout != "No config updates to processes\n" {
				t.Errorf("reread: %v", out)
			}
			if out := s.Ctl(oracle.Debian, "update"); out.Stdout != "" {
				t.Errorf("update: %v", out)
			}
			if kind == oracle.Ours {
				s.Write("conf.d/new.ini", "[program:new\n")
				s.Signal(syscall.SIGHUP)
				s.logged("restart refused")
				s.Ctl(oracle.Ours, "update")
				s.until("held", "RUNNING")
			}
			if after := pid(); after != before {
				t.Errorf("named was restarted: pid %s, before %s", after, before)
			}
			if text := s.Read("before.log"); text != "on before, before\n" || s.Read("after.log") != "" {
				t.Errorf("it logs %q, and %q", text, s.Read("after.log"))
			}
			if kind == oracle.Debian {
				return
			}
			s.Write("conf.d/new.ini", "[program:new]\n"+show)
			s.Signal(syscall.SIGHUP)
			s.wait("the name after a reload", func() bool { return s.Read("after.log") == "on after, after\n" })
			if n := strings.Count(s.Read("before.log"), "\n"); n != 1 {
				t.Errorf("%d lines in the old log", n)
			}
		})
	}
}
