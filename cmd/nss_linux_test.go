package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"supervisord/cmd/internal/oracle"
	"supervisord/runtime/needs"
)

// fakeGetent knows two users and one group, unless a file beside it says otherwise.
const fakeGetent = `#!/bin/sh
case $(cat {{.Dir}}/mode 2>/dev/null) in
fail) exit 1;;
hang) exec sleep 1000;;
esac
case "$*" in
"passwd -- ldap-x") echo "ldap-x:x:70001:70002::{{.Dir}}/home:/bin/sh";;
"initgroups -- ldap-x") echo "ldap-x 70002 70003";;
"passwd -- ldap-y") echo "ldap-y:x:70011:70012::{{.Dir}}/home:/bin/sh";;
"initgroups -- ldap-y") echo "ldap-y 70013";;
"group -- staff-x") echo "staff-x:*:70005:";;
*) exit 2;;
esac
`

// Users and groups that are in no file of the machine's come from getent: for programs,
// for the owner of a socket, and for ~user. One that fails or hangs changes nothing of
// what runs, keeps nothing else from being done, and is asked again.
func TestAccountsOfNSS(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	for _, trouble := range []string{"fail", "hang"} {
		t.Run(trouble, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for at := dir; at != "/tmp" && at != "/"; at = filepath.Dir(at) {
				if err := os.Chmod(at, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			getent := strings.ReplaceAll(fakeGetent, "{{.Dir}}", dir)
			if err := os.WriteFile(dir+"/getent", []byte(getent), 0o755); err != nil {
				t.Fatal(err)
			}
			for _, sub := range []string{"/home", "/conf.d"} {
				if err := os.Mkdir(dir+sub, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			const program = "command=/bin/sh -c \"id -u; id -G; exec cat\"\nuser=ldap-x\nstdout_logfile=~ldap-x/%(program_name)s.log\n"
			if err := os.WriteFile(dir+"/conf.d/p.ini", []byte("[program:p]\n"+program), 0o644); err != nil {
				t.Fatal(err)
			}
			s := &eventRun{oracle.StartIn(t, oracle.Ours, dir,
				strings.Replace(oracle.Prelude, "[unix_http_server]\n", "[unix_http_server]\nchown=ldap-x:staff-x\n", 1)+
					"[include]\nfiles={{.Dir}}/conf.d/*.ini\n[reconcile]\nsettle=50ms\n",
				inNamespaces(0, "mount --bind "+dir+"/getent /usr/bin/getent")), t}
			s.until("p", "RUNNING")
			const who = "70001\n70002 70003\n"
			s.wait("p to say who it is", func() bool { return s.Read("home/p.log") == who })
			info, err := os.Stat(s.Sock)
			if err != nil {
				t.Fatal(err)
			}
			if st := info.Sys().(*syscall.Stat_t); st.Uid != 70001 || st.Gid != 70005 {
				t.Errorf("the socket is %d:%d's", st.Uid, st.Gid)
			}

			before := s.Ctl(oracle.Ours, "pid", "p").Stdout
			s.Write("mode", trouble+"\n")
			s.Write("conf.d/late.ini", "[program:late]\n"+strings.ReplaceAll(program, "ldap-x", "ldap-y"))
			s.Write("conf.d/plain.ini", "[program:plain]\ncommand=/bin/cat\n")
			s.until("plain", "RUNNING")
			s.until("p", "RUNNING")
			if state := s.State("late"); state != "" {
				t.Errorf("late is %s", state)
			}
			reason := map[string]string{"fail": "failed with exit status 1", "hang": "has not answered within 5s"}[trouble]
			want := "late.ini:3: [program:late] user: the user ldap-y cannot be looked up: /usr/bin/getent " + reason
			if files := s.Ctl(oracle.Ours, "files").Stdout; !strings.Contains(files, want) || strings.Contains(files, "Invalid user name") {
				t.Errorf("files says:\n%swant: %s", files, want)
			}
			s.Write("mode", "well\n")
			s.until("late", "RUNNING") // nobody has touched its file since
			s.wait("late to say who it is", func() bool { return s.Read("home/late.log") == "70011\n70012 70013\n" })
			if after := s.Ctl(oracle.Ours, "pid", "p").Stdout; after != before {
				t.Errorf("p was restarted: pid %s, before %s", after, before)
			}
			if strings.Contains(s.Log(), "reaped unknown pid") {
				t.Errorf("getent is told of as an unknown process:\n%s", s.Log())
			}
		})
	}
}
