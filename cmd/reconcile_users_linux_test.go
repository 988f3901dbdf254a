package cmd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
	"supervisord/runtime/needs"
)

// TestUsers follows sessions of people, in a mount namespace with a /run of their
// own: what they type, and what they see in that order.
func TestUsers(t *testing.T) {
	t.Parallel()
	bin := binaries(t)
	const helpers = `
program() { printf '[program:%s]\ncommand=/bin/sleep %s\nstartsecs=0\n' $1 $2; }
until_ok() { for i in $(seq 600); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done; echo "never: $*"; exit 1; }
until_not() { for i in $(seq 600); do "$@" >/dev/null 2>&1 || return 0; sleep 0.1; done; echo "always: $*"; exit 1; }
with_file() { cat >supervisord.conf <<EOF
[unix_http_server]
file=/run/s.sock
[supervisord]
nodaemon=true
logfile=/dev/null
logfile_maxbytes=0
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix:///run/s.sock
[include]
files = conf.d/*.ini
EOF
mkdir conf.d; program a 1000 >conf.d/a.ini; supervisord -c supervisord.conf >/dev/null & until_ok supervisorctl wait -t 20; }
`
	rows := []struct {
		name, script string
		want         []string // in the output, in this order
	}{
		{"no configuration file, two directories", `
mkdir a b; program one 1000 >a/one.ini; program two 1000 >b/two.conf; program three 1000 >b/three.txt
supervisord --watch a --watch b >log & until_ok supervisorctl wait -t 20
head -3 log; supervisorctl status
program four 1000 >b/four.ini; until_ok supervisorctl status four; supervisorctl wait -t 20 && echo all is well
supervisorctl history 1; supervisorctl shutdown; wait`, []string{
			"watching a b\n", "socket   /run/supervisor/supervisor.sock\n", "talk to it with: supervisorctl -s unix:///run/supervisor/supervisor.sock status\n",
			"one  ", "RUNNING", "two  ", "RUNNING", "all is well\n", "watch", "applied", "add four\n", "Shut down\n"}},
		{"a directory that comes late", `
supervisord --watch a >log & until_ok supervisorctl version
supervisorctl wait -t 0 || echo wait gives $?
supervisorctl wait -t 100 && echo all is well & waiter=$!
mkdir a; program one 1000 >a/one.ini; wait $waiter; supervisorctl wait -t 100 one; supervisorctl shutdown; wait`, []string{
			"waiting for ", "/a\n", "wait gives 1\n", "all is well\n", "Shut down\n"}},
		{"directories that are not there", `
with_file; sed -i 's|^files = .*|& none.d/*.ini|' supervisord.conf; supervisorctl update; supervisorctl wait -t 20; echo wait gives $?
mv conf.d x; until_ok eval 'supervisorctl files | grep -q " held "'; supervisorctl wait -t 0 || echo wait gives $?
mv x conf.d; supervisorctl wait -t 20; echo wait gives $?; supervisorctl shutdown; wait`, []string{
			"wait gives 0\n", "files: held", "waiting for ", "conf.d\n", "wait gives 1\n", "wait gives 0\n", "Shut down\n"}},
		{"no configuration file, another user", `
mkdir /run/a; program one 1000 >/run/a/one.ini # where everybody can read
supervisord --watch /run/a -u nobody >log & supervisorctl wait -t 100 || exit; stat -c 'of %U, mode %a' /run/supervisor
kill -HUP $!; until_ok eval 'test $(grep -c "started with pid" log) = 2'; supervisorctl wait -t 20
supervisorctl status; ps -o user= $(supervisorctl pid one); supervisorctl shutdown; wait`, []string{
			"of nobody, mode 700\n", "one  ", "RUNNING", "nobody\n", "Shut down\n"}},
		{"the history says who", `
with_file
program b 1000 >conf.d/b.ini; until_ok supervisorctl status b
supervisorctl stop b; supervisorctl remove b; supervisorctl add b
supervisorctl autoupdate off; program c 1000 >conf.d/c.ini; supervisorctl update
reloads() { supervisorctl history | grep -c ' reload '; }
supervisorctl reload; until_ok eval 'test $(reloads) = 1'; kill -HUP $!; until_ok eval 'test $(reloads) = 2'
supervisorctl history; supervisorctl shutdown; wait`, []string{
			"reload by SIGHUP", "reload by uid 0 via unix socket", "update by uid 0 via unix socket", "add c\n",
			"update by uid 0 via unix socket", "add b\n", "update by uid 0 via unix socket", "remove b\n", "watch  ", "add b\n", "start  "}},
		{"an incident freeze, and what would be done", `
with_file; supervisorctl diff; echo diff gives $?; supervisorctl autoupdate off
program a 2000 >conf.d/a.ini; printf 'environment=PASSWORD="secret"\n' >>conf.d/a.ini; program b 1000 >conf.d/b.ini
supervisorctl diff || echo diff gives $?; supervisorctl wait -t 1 || echo wait gives $?
supervisorctl diff nope || echo diff gives $?
supervisorctl autoupdate on; supervisorctl wait -t 20; echo wait gives $?; supervisorctl files
supervisorctl shutdown; wait`, []string{
			"No config updates to processes\n", "diff gives 0\n", "autoupdate is off\n",
			"a: restart", "PASSWORD: changed\n", "b: add", "diff gives 1\n", "wait gives 1\n", "diff gives 2\n", "autoupdate is on\n", "wait gives 0\n", "a.ini", "applied", "b.ini", "applied"}},
		{"everything is deleted, moved away, broken", `
with_file; before=$(supervisorctl pid a); for i in 1 2 3 4 5 6; do program p$i 1000 >conf.d/p$i.ini; done; until_ok supervisorctl status p6; supervisorctl wait -t 20
held() { supervisorctl files | grep -q ' held '; }
mv conf.d x; until_ok held; supervisorctl files | grep -A1 'conf.d .*held'; mv x conf.d; until_not held
echo '[program:a' >conf.d/a.ini; until_not supervisorctl wait -t 1; supervisorctl files | grep a.ini; program a 1000 >conf.d/a.ini; supervisorctl wait -t 20
rm conf.d/*; until_ok held; supervisorctl files; supervisorctl wait -t 1 || echo wait gives $?
[ "$(supervisorctl pid a)" = "$before" ] && echo a has kept its pid
supervisorctl update; supervisorctl status; echo nothing is left; supervisorctl shutdown; wait`, []string{
			"conf.d", "held", "is gone: its programs stay as they are", "a.ini", "invalid", "a.ini:1: ",
			"conf.d", "held", "it would remove 7 of 7 active groups", "wait gives 1\n", "a has kept its pid\n", "removed process group\n", "nothing is left\n"}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(r.script, " -u nobody ") {
				needs.Root(t)
			}
			out := session(t, bin, "/etc/supervisor /run /var/lib", helpers+r.script, r.want)
			if strings.Contains(out, "secret") {
				t.Errorf("the value of an environment key was shown:\n%s", out)
			}
		})
	}
}

// binaries is a directory with our two programs for a PATH.
func binaries(t *testing.T) string {
	t.Helper()
	oracle.Require(t) // for its directory below /etc
	dir := t.TempDir()
	for _, name := range []string{"supervisord", "supervisorctl"} {
		if err := os.Symlink(oracle.Command(t, oracle.Ours, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// session runs a script for bash in a directory of its own, named DIR, as PID 1
// of namespaces in which the directories in empty are empty. It must succeed, and
// its output must have the texts in want, in that order.
func session(t *testing.T, bin, empty, script string, want []string) (output string) {
	t.Helper()
	here := t.TempDir()
	// Each has a state directory of its own, as each machine has.
	if err := os.MkdirAll(oracle.StateDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	in := inNamespaces(syscall.CLONE_NEWPID, "for d in "+empty+" "+oracle.StateDir()+"; do mount -t tmpfs -o mode=755 none $d; done; mount -t proc none /proc")
	ctx, cancel := oracle.Script(t)
	defer cancel()
	cmd := exec.CommandContext(ctx, in.Through[0], append(in.Through[1:], "/bin/bash", "-c", script)...)
	cmd.Dir, cmd.SysProcAttr, cmd.WaitDelay = here, in.Attr, 30*time.Second
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "DIR="+here, "HOME="+here, "LANG=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
	rest := string(out)
	for _, w := range want {
		var found bool
		if _, rest, found = strings.Cut(rest, w); !found {
			t.Errorf("%q is not there, or not in this order:\n%s", w, out)
			break
		}
	}
	return string(out)
}
