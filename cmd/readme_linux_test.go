package cmd

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// fenced are the blocks of shell in a section of README.md.
func fenced(t *testing.T, heading string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("README.md has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	for _, m := range regexp.MustCompile("(?s)\n```sh\n(.*?)\n```\n").FindAllStringSubmatch(section, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

// pasted runs lines as somebody would who pastes them into a shell, in a clean
// directory that it returns, with our programs in the PATH. As root it has a machine of
// its own, where prepare has been run before and become may change the user.
func pasted(t *testing.T, lines, prepare string, become ...string) (dir, output string) {
	t.Helper()
	dir = t.TempDir()
	for up := dir; strings.Contains(up, t.Name()[:4]); up = filepath.Dir(up) {
		if err := os.Chmod(up, 0o755); err != nil { // for whom become names
			t.Fatal(err)
		}
	}
	var path []string
	for _, name := range []string{"supervisord", "supervisorctl", "echo_supervisord_conf"} {
		path = append(path, filepath.Dir(oracle.Command(t, oracle.Ours, name)))
	}
	shell := append(become, "bash", "-c", "set -e; cd play\n"+lines)
	ctx, cancel := oracle.Script(t)
	defer cancel()
	cmd := exec.CommandContext(ctx, shell[0], shell[1:]...)
	if os.Getuid() == 0 {
		cmd = exec.CommandContext(ctx, "sh", append([]string{"-ec", `mount --make-rprivate /
			mount -t tmpfs none /run; mount -t tmpfs none /var/lib; 
			` + prepare + `
			exec "$@"`, "sh"}, shell...)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	}
	for _, sub := range []string{"play", "run", "state"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + strings.Join(path, ":") + ":/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + dir,
		"XDG_RUNTIME_DIR=" + dir + "/run", "XDG_STATE_HOME=" + dir + "/state", "TMPDIR=" + dir + "/state"}
	// No pipe, which a daemon that is left would keep open.
	out, err := os.Create(filepath.Join(dir, "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	text, _ := os.ReadFile(out.Name())
	if err != nil {
		said, _ := os.ReadFile(filepath.Join(dir, "play/supervisord.out"))
		t.Fatalf("%v\n%s\nthe daemon:\n%s", err, text, said)
	}
	return dir + "/play", string(text)
}

// asNobody is how root becomes an ordinary user.
var asNobody = []string{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"}

// TestReadmeFirstScreens: what README.md begins with works as it stands, in order, in a
// clean directory: as root and as nobody, with Debian's configuration and without; and
// nothing that it prints is alarming.
func TestReadmeFirstScreens(t *testing.T) {
	t.Parallel()
	blocks := fenced(t, "Try it")
	if len(blocks) < 3 || !strings.Contains(blocks[0], "go build") {
		t.Fatalf("the blocks are %q", blocks)
	}
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	readme, _ := os.ReadFile("../README.md")
	if m := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(mod); !strings.Contains(string(readme), "Go "+string(m[1])+" or newer") {
		t.Errorf("README.md does not ask for Go %s", m[1])
	}
	lines := strings.Join(blocks[1:], "\n") + "\nwait\n"
	want := regexp.MustCompile(`(?s)^hello +RUNNING +pid \d+, uptime 0:0\d:\d\d\n(hello\n)+\n(hello\n)+(good day\n)+\n` +
		`3  \S+ \S+  (watch|rescan) +applied  \S+ +remove hello\n    hello: it is gone from the files\n2  \S+ \S+  (watch|rescan) +applied  \S+ +restart hello\n    hello: command differs: [^\n]+\n1  \S+ \S+  (watch|rescan) +applied  \S+ +add hello\n    hello: it is new in the files\n0  \S+ \S+  start +applied  \S+\nShut down\n$`)
	for name, row := range map[string]struct {
		prepare string
		become  []string
	}{
		"as it is":       {},
		"without Debian": {prepare: "mkdir -p /etc/supervisor; mount -t tmpfs none /etc/supervisor"},
		"nobody":         {prepare: "chown 65534 play run state", become: asNobody},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if os.Getuid() != 0 && name != "as it is" {
				t.Log("left out: only root can prepare it")
				return
			}
			dir, output := pasted(t, lines, row.prepare, row.become...)
			if !want.MatchString(output) {
				t.Errorf("it prints:\n%s", output)
			}
			said, err := os.ReadFile(filepath.Join(dir, "supervisord.out"))
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(said)) {
				if strings.HasSuffix(line, "is open for writing: it is read when it is closed\n") {
					continue // a machine that is so busy
				}
				if strings.Contains(line, " CRIT ") || strings.Contains(line, " WARN ") || strings.Contains(line, " ERRO ") {
					t.Errorf("the daemon says: %s", line)
				}
			}
		})
	}
}

// TestReadmeTLS: the example works as it stands, but for the port, which may be taken.
func TestReadmeTLS(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Logf("left out: %v", err)
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	blocks := fenced(t, "Security")
	if len(blocks) != 1 || strings.Count(blocks[0], "127.0.0.1:9001") != 2 {
		t.Fatalf("the blocks are %q", blocks)
	}
	lines := strings.ReplaceAll(blocks[0], "127.0.0.1:9001", "127.0.0.1:"+port)
	l.Close()
	_, output := pasted(t, lines+"\nwhile test -e supervisord.pid; do sleep 0.1; done\n", "")
	if !strings.HasSuffix(output, "\n4.3.0\nShut down\n") {
		t.Errorf("it prints:\n%s", output)
	}
}

// TestReadmeSession: the session at the top of README.md is what a terminal shows. Where
// it asks for what the daemon is about to do, somebody may have to ask again.
func TestReadmeSession(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(text), "\n```console\n")
	block, _, _ = strings.Cut(block, "\n```\n")
	block = strings.Replace(block, "/usr/bin/python3 -m http.server 8000", "/bin/sleep 1000", 1) // no port
	const begin = `
mkdir programs
norm() { sed -E "s|$PWD|/srv|; s/pid $pid,/pid 4711,/; s/uptime .*/uptime/; s/[0-9-]{10} [0-9:]{8}/then/; s/ +/ /g"; }
shows() {
	norm >want
	for i in $(seq 600); do
		pid=${pid:-$(supervisorctl --watch pid web)}
		eval "$1" | norm >got
		! cmp -s want got || return 0
		sleep 0.1
	done
	echo "$1:"; diff want got
	exit 1
}
`
	script := begin
	for _, step := range strings.Split("\n"+block, "\n$ ")[1:] {
		lines := strings.Split(step, "\n")
		n := 1
		for n < len(lines) && strings.HasPrefix(lines[n], "> ") {
			lines[n] = lines[n][2:]
			n++
		}
		command, output := strings.Join(lines[:n], "\n"), strings.Join(lines[n:], "\n")
		if output == "" {
			script += command + "\n"
		} else {
			script += "shows '" + command + "' <<'EOF'\n" + output + "\nEOF\n"
		}
	}
	if n := strings.Count(script, "shows '"); n != 3 {
		t.Fatalf("the session has %d answers:\n%s", n, block)
	}
	if _, output := pasted(t, script+"echo all as it stands there\n", ""); output != "all as it stands there\n" {
		t.Errorf("it prints:\n%s", output)
	}
}

// TestTutorialByHand is the way in which tutorials set up Supervisor, command by command: the
// sample without its comments, directories, a web page with a password, a program, the
// rotation of its log, and the signals. Its first half is README.md's.
func TestTutorialByHand(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Log("left out: only root has /etc/supervisor")
		return
	}
	var block string
	for _, b := range fenced(t, "Install") {
		if strings.HasPrefix(b, "mkdir -p /etc/supervisor/conf.d") {
			block = b
		}
	}
	const address = "127.0.0.1:9001"
	if strings.Count(block, address) != 2 {
		t.Fatalf("the block is %q", block)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	own := l.Addr().String() // a port that is free
	l.Close()
	const rest = `
[ "$(grep -c '^\[' supervisord.conf)" = 6 ]
echo_supervisord_conf | egrep -v '^(;|$)' 2>/dev/null | cmp - <(echo_supervisord_conf | grep -Ev '^(;|$)')
curl -s -o /dev/null -w 'without a password: %{http_code}\n' http://ADDRESS/
until_ok() { for i in $(seq 600); do ! eval "$1" || return 0; sleep 0.1; done; echo "in vain: $1"; exit 1; }
began() { grep -c 'supervisord started with pid' /var/log/supervisor/supervisord.log; }

cat > conf.d/web.conf <<'END'
[program:web]
command=/bin/sh -c "trap 'exit 0' TERM; while :; do echo line; sleep 0.1; done"
autostart=true
autorestart=true
stdout_logfile=/var/log/supervisor/web.log
END
supervisorctl reread > /dev/null
supervisorctl update > /dev/null
supervisorctl wait -t 60
supervisorctl status
supervisorctl restart web
supervisorctl stop web
supervisorctl start web
web=$(supervisorctl pid web) daemon=$(cat /run/supervisord.pid)
[ "$daemon" = "$(supervisorctl pid)" ]

cd /var/log/supervisor
for log in web supervisord; do mv $log.log $log.log.1; done # as logrotate does
kill -USR2 $daemon
until_ok '[ -s web.log ] && [ -s supervisord.log ]'
[ $web = $(supervisorctl pid web) ] && echo USR2: the logs are new, and web has kept its pid

kill -HUP $daemon
until_ok '[ "$(began)" = 1 ]' # in the new log
supervisorctl wait -t 60
[ $web != $(supervisorctl pid web) ] && [ $daemon = $(supervisorctl pid) ] && echo HUP: everything is started again

for signal in TERM INT QUIT; do
	[ -e /run/supervisord.pid ] || supervisord -c /etc/supervisor/supervisord.conf
	supervisorctl wait -t 60
	kill -$signal $(cat /run/supervisord.pid)
	until_ok '[ ! -e /run/supervisord.pid ]'
	[ ! -e /run/supervisor.sock ]
	tail -n 1 supervisord.log | sed "s/.*stopped/$signal: stopped/"
done
`
	want := regexp.MustCompile(`(?s)\Asupervisord.conf:18: warning: \[include\] files: no file matches [^\n]*\nsupervisord.conf: ok, [^\n]*\n *<title>[^\n]*</title>\nwithout a password: 401\n` +
		`web +RUNNING   pid \d+, uptime 0:00:\d\d\nweb: stopped\nweb: started\nweb: stopped\nweb: started\n` +
		`USR2: the logs are new, and web has kept its pid\nHUP: everything is started again\n` +
		`TERM: stopped: web \(exit status 0\)\nINT: stopped: web \(exit status 0\)\nQUIT: stopped: web \(exit status 0\)\n\z`)
	lines := strings.NewReplacer(address, own, "ADDRESS", own).Replace(block + rest)
	_, output := pasted(t, lines, "mkdir -p /etc/supervisor; for d in /etc/supervisor /var/log; do mount -t tmpfs none $d; done")
	if !want.MatchString(output) {
		t.Errorf("it prints:\n%s", output)
	}
}

// TestUnit: systemd understands the unit that is installed, which has nothing that makes a
// failure of a shutdown by hand.
func TestUnit(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("internal/dist/files/supervisor.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := string(content)
	if !strings.Contains(unit, "\nType=notify\n") || strings.Contains(unit, "ExecStop") {
		t.Fatalf("the unit is\n%s", unit)
	}
	verify, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Logf("left out: %v", err)
		return
	}
	for _, name := range []string{"supervisord", "supervisorctl"} { // which need not be installed here
		unit = strings.ReplaceAll(unit, "/usr/bin/"+name, oracle.Command(t, oracle.Ours, name))
	}
	path := filepath.Join(t.TempDir(), "supervisor-example.service")
	if err := os.WriteFile(path, []byte(unit), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(verify, "verify", "--recursive-errors=no", "--man=no", path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}
