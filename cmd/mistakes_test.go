package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"supervisord/cmd/internal/oracle"
	"supervisord/runtime/needs"
)

// mistakeRow is a mistake that somebody makes who starts a supervisord.
type mistakeRow struct {
	name  string
	files map[string]string // supervisord.conf and others; DIR, SOCK and PORT are replaced
	args  string            // of a daemon that ends by itself; with -c supervisord.conf if empty
	uid   int               // who starts it, where the test is run by root
	held  string            // an address that is taken
	// until is what the log of a daemon says that starts all the same; then the warnings
	// and errors in it are shown.
	until string
	ours  bool // the original has nothing like it
}

const (
	mistakePrelude = "[supervisord]\nlogfile=DIR/supervisord.log\npidfile=DIR/supervisord.pid\nchildlogdir=DIR\nuser=root\n"
	mistakeServer  = "[unix_http_server]\nfile=SOCK\n[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n" +
		"[supervisorctl]\nserverurl=unix://SOCK\n"
	mistakeProgram = "[program:web]\ncommand=/bin/cat\n"
)

// one is a configuration of one file.
func one(text string) map[string]string { return map[string]string{"supervisord.conf": text} }

func daemonMistakes() []mistakeRow {
	const p, s, w = mistakePrelude, mistakeServer, mistakeProgram
	return []mistakeRow{
		{name: "an option that does not exist", files: one(p), args: "-Z"},
		{name: "a long option is misspelt", files: one(p), args: "--nodeamon"},
		{name: "an option without its value", files: one(p), args: "-c"},
		{name: "a word that is no option", files: one(p), args: "start"},
		{name: "a file without its option", files: one(p), args: "--nodaemon other.conf"},
		{name: "a directory without its option", args: "-n DIR"},
		{name: "an option has a wrong value", files: one(p), args: "-e warning"},
		{name: "the file is not there", args: "-c missing.conf"},
		{name: "the file is a directory", args: "-c DIR"},
		{name: "the file may not be read", files: one(p), uid: 65534},
		{name: "the file is meant to be included", files: one(w)},
		{name: "a line is neither a header nor an option", files: one(p + w + "autostart\n")},
		{name: "a value has a unit that is none", files: one(p + w + "startsecs=10s\n")},
		{name: "several mistakes", files: one(p + "loglevel=warning\n" + w + "autostart=yess\nstopsignal=STOPIT\n")},
		{name: "several processes of one name", files: one(p + w + "numprocs=4\n")},
		{name: "the daemon's user does not exist", files: one(strings.Replace(p, "user=root", "user=no-such-user", 1))},
		{name: "a program's user does not exist", files: one(p + w + "user=no-such-user\n")},
		{name: "only root can become another user", files: one(p), uid: 65534, args: "-n -c open.conf"},
		{name: "the directory of the log is not there", files: one("[supervisord]\nlogfile=DIR/none/log\n")},
		{name: "the log may not be written", files: one("[supervisord]\nlogfile=/root/log\n"), uid: 65534, args: "-n -c open.conf"},
		{name: "the directory of a program's log is not there", files: one(p + w + "stdout_logfile=DIR/none/log\n")},
		{name: "the port is taken", files: one(p + "[inet_http_server]\nport=127.0.0.1:PORT\n"), held: "127.0.0.1:0"},
		{name: "the address is not this machine's", files: one(p + "[inet_http_server]\nport=192.0.2.1:9001\n")},
		{name: "the port is none", files: one(p + "[inet_http_server]\nport=9001x\n")},
		{name: "the directory of the socket is not there", files: one(p + "[unix_http_server]\nfile=DIR/none/s\n")},
		{name: "a username without a password", files: one(p + "[inet_http_server]\nport=127.0.0.1:PORT\nusername=u\n")},
		{name: "the RPC interface is misspelt", files: one(p + "[unix_http_server]\nfile=SOCK\n[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main\n")},
		{name: "a variable that is not set", files: one(p + "[program:web]\ncommand=/bin/cat %(ENV_NOT_SET)s\n")},
		{name: "a percent sign", files: one(p + "[program:web]\ncommand=/bin/date +%Y\n")},
		{name: "a listener without events", files: one(p + "[eventlistener:web]\ncommand=/bin/cat\n")},
		{name: "a group of a program that is not there", files: one(p + w + "[group:all]\nprograms=web,wbe\n")},
		{name: "an included file has a mistake, and autoupdate is off", files: map[string]string{
			"supervisord.conf": p + "[include]\nfiles=conf.d/*.conf\n[reconcile]\nautoupdate=false\n", "conf.d/web.conf": w + "startsecs=soon\n"}},
		{name: "--watch of a file", files: one(p), args: "--watch supervisord.conf", ours: true},
		{name: "--watch beside -c", files: one(p), args: "--watch DIR -c supervisord.conf", ours: true},
		{name: "a certificate is not there", files: one(p + "[inet_http_server]\nport=127.0.0.1:PORT\ncertfile=none.crt\nkeyfile=none.key\n"), ours: true},

		{name: "a second daemon", files: one(p + s), until: "supervisord started", args: "-c supervisord.conf"},
		{name: "a key is misspelt", files: one(p + s + w + "autorestrat=true\n"), until: "entered RUNNING state"},
		{name: "a key in the wrong section", files: one(p + "autorestart=true\n" + s + w), until: "entered RUNNING state"},
		{name: "a shell's words without a shell", files: one(p + s + "[program:web]\ncommand=/bin/sleep 60 && /bin/true\nstartretries=0\n"), until: "gave up: web"},
		{name: "no file matches the include", files: one(p + s + "[include]\nfiles=conf.d/*.conf\n"), until: "supervisord started"},
		{name: "an included file cannot be read", files: map[string]string{
			"supervisord.conf": p + s + "[include]\nfiles=conf.d/*.conf\n", "conf.d/web.conf/x": ""}, until: "supervisord started"},
		{name: "an included file has a mistake", files: map[string]string{
			"supervisord.conf": p + s + "[include]\nfiles=conf.d/*.conf\n", "conf.d/web.conf": w + "startsecs=soon\n"}, until: "reconcile: invalid", ours: true},
		{name: "the program is not there", files: one(p + s + "[program:web]\ncommand=/nonexistent/web\nstartretries=0\n"), until: "gave up: web"},
		{name: "the program cannot be executed", files: one(p + s + "[program:web]\ncommand=/etc/passwd\nstartretries=0\n"), until: "gave up: web"},
		{name: "the program ends at once", files: one(p + s + "[program:web]\ncommand=/bin/false\nstartretries=0\n"), until: "gave up: web"},
	}
}

// TestDaemonMistakes holds what somebody sees who makes a mistake in starting a daemon:
// the original's words and ours, which name the thing and the remedy. What supervisorctl
// says of mistakes is in its own testdata/mistakes.txt.
func TestDaemonMistakes(t *testing.T) {
	t.Parallel()
	needs.Root(t) // some of the mistakes are an ordinary user's
	const path, mark = "testdata/mistakes.txt", "----\n"
	text, err := os.ReadFile(path)
	if err != nil && !oracle.Updating() {
		t.Fatal(err)
	}
	rows := daemonMistakes()
	want := strings.SplitAfter(string(text), mark)
	if len(want) != len(rows)+1 && !oracle.Updating() {
		t.Fatalf("%s has %d sections for %d rows (go test -update writes it)", path, len(want)-1, len(rows))
	}
	asked := oracle.Asked(t)
	got := make([]string, len(rows))
	t.Run("rows", func(t *testing.T) {
		for i, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				ours, theirs := row.play(t, oracle.Ours), ""
				if asked && !row.ours {
					theirs = row.play(t, oracle.Debian)
				}
				got[i] = row.section(theirs, ours) + mark
				if oracle.Updating() {
					return
				}
				section := want[i]
				if !asked { // theirs is known from the file alone
					_, section, _ = strings.Cut(section, oursMark)
					_, got[i], _ = strings.Cut(got[i], oursMark)
				}
				if diff := cmp.Diff(section, got[i]); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	})
	if oracle.Updating() {
		if err := os.WriteFile(path, []byte(strings.Join(got, "")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

const oursMark = "# ours\n"

func (row mistakeRow) section(theirs, ours string) string {
	head := "# " + row.name + "\n"
	if row.ours {
		return head + oursMark + ours
	}
	return head + "# Debian's\n" + theirs + oursMark + ours
}

// play makes the mistake and gives what was printed.
func (row mistakeRow) play(t *testing.T, kind oracle.Kind) string {
	t.Helper()
	if row.until != "" {
		return row.playRunning(t, kind)
	}
	dir, err := os.MkdirTemp("", "sv") // which an ordinary user can enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	port := "9001"
	if row.held != "" {
		l, err := net.Listen("tcp", row.held)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, _ = net.SplitHostPort(l.Addr().String())
	}
	fill := strings.NewReplacer("DIR", dir, "SOCK", dir+"/s", "PORT", port)
	mode := os.FileMode(0o644)
	if row.uid != 0 {
		mode = 0o600
	}
	err = os.Chmod(dir, 0o777)
	for name, text := range row.files {
		path := filepath.Join(dir, name)
		err = errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(fill.Replace(text)), mode),
			os.WriteFile(filepath.Join(dir, "open.conf"), []byte(fill.Replace(text)), 0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
	args := strings.Fields(fill.Replace(row.args))
	if len(args) == 0 {
		args = []string{"-c", "supervisord.conf"}
	}
	command := oracle.Command(t, kind, "supervisord")
	cmd := exec.Command(command, args...)
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + dir, "LANG=C.UTF-8", "PYTHONWARNINGS=ignore"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: &syscall.Credential{Uid: uint32(row.uid), Gid: uint32(row.uid)}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	exited := func() bool { return len(ended) > 0 }
	if !oracle.Eventually(oracle.Deadline, exited) {
		cmd.Process.Kill()
		t.Fatalf("%s %v does not end; so far it has printed\n%s", command, args, <-ended)
	}
	<-ended
	shown := strings.NewReplacer(dir, "DIR", command, "supervisord", ":"+port, ":PORT").Replace(out.String())
	return "$ supervisord " + strings.ReplaceAll(strings.Join(args, " "), dir, "DIR") + "\n" + shown + fmt.Sprintf("exit %d\n", cmd.ProcessState.ExitCode())
}

// trouble is what of a log is about mistakes, but for what stands in each.
var trouble = regexp.MustCompile(`(?m)^\S+ \S+ ((WARN|ERRO|CRIT) .*|INFO (spawnerr|gave up): .*|INFO exited: .*)\n`)

// playRunning is play for a daemon that starts all the same.
func (row mistakeRow) playRunning(t *testing.T, kind oracle.Kind) string {
	t.Helper()
	dir := t.TempDir()
	fields := strings.NewReplacer("DIR", "{{.Dir}}", "SOCK", "{{.Sock}}")
	for name, text := range row.files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	d := oracle.StartDetached(t, kind, dir, fields.Replace(row.files["supervisord.conf"]))
	oracle.WaitFor(t, "the log to say "+row.until, func() bool { return strings.Contains(d.Log(), row.until) })
	n := d.Normaliser()
	places := strings.NewReplacer("<dir>", "DIR", "<sock>", "SOCK")
	shown := "$ supervisord -c supervisord.conf\n" + places.Replace(n.Text(d.Stderr()))
	if row.args != "" { // and then once more
		out := oracle.Exec(t, kind, "supervisord", d.Dir, strings.Fields(row.args)...)
		again := strings.ReplaceAll(out.Stdout+out.Stderr, oracle.Command(t, kind, "supervisord"), "supervisord")
		return shown + "$ supervisord " + row.args + "\n" + places.Replace(n.Text(again)) + fmt.Sprintf("exit %d\n", out.Exit)
	}
	shown += "$ grep -v INFO supervisord.log\n"
	last := ""
	for _, line := range trouble.FindAllStringSubmatch(d.Log(), -1) {
		// How often a program was tried is not the subject, and depends on the machine.
		if text := places.Replace(n.Text(line[1])) + "\n"; text != last {
			shown += text
			last = text
		}
	}
	return shown
}
