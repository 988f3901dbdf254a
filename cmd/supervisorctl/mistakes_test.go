package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"supervisord/cmd/internal/oracle"
	"supervisord/rpc/xmlrpc"
)

// mistakeServer is a server on which people make mistakes.
func mistakeServer() *script {
	device := info("dev", "dev", 20, "RUNNING", "pid 9, uptime 0:00:01", 9)
	for i, member := range device {
		if member.Name == "stdout_logfile" {
			device[i].Value = "/dev/stdout"
		}
	}
	return &script{answers: answers(
		"getAllProcessInfo", []any{
			info("cat", "cat", 20, "RUNNING", "pid 7, uptime 0:00:01", 7), info("worker", "worker_0", 20, "RUNNING", "pid 8, uptime 0:00:01", 8), device,
		},
		"getAllConfigInfo", []any{configured("cat", "cat", true, true, 999, 1)},
		"reloadConfig", changed(nil, nil, nil), "getProcessInfo", fault(xmlrpc.BadName, "x"),
		"startProcess", fault(xmlrpc.BadName, "x"), "stopProcess", fault(xmlrpc.BadName, "x"), "signalProcess", fault(xmlrpc.BadSignal, "NOPE"),
		"addProcessGroup", fault(xmlrpc.BadName, "x"), "removeProcessGroup", fault(xmlrpc.StillRunning, "cat"),
		"readProcessStdoutLog", fault(xmlrpc.BadName, "x"), "readProcessStderrLog", fault(xmlrpc.NoFile, "x"),
	)}
}

// daemonHere is what a hint says of daemons on the machine that the test runs on.
var daemonHere = regexp.MustCompile(`No supervisord runs on this machine\.|A supervisord is running as pid \d+; is it meant for another configuration \(-c\) or server \(-s\)\?`)

// wrongAt is where the original's source found the mistake, or what ours names instead.
var wrongAt = regexp.MustCompile(`file: (/usr/\S+|supervisorctl) line: \d+`)

// TestMistakes holds what a person sees at a terminal who makes a mistake: the
// original's words, then ours, which name the thing and the remedy.
func TestMistakes(t *testing.T) {
	t.Parallel()
	const helps = "it names the thing and what may help"
	var rows []goldenRow
	for _, row := range []struct {
		mistake string
		args    string
		differs string
		change  func(*script)
	}{
		{"there is no such directory", "-s unix:///nope/s status", helps, nil},
		{"there is no such socket", "-s unix://DIR/none status", helps, nil},
		{"there is no such socket, for update", "-s unix://DIR/none update", helps, nil},
		{"the daemon has died", "-s unix://DIR/dead status", helps, nil},
		{"the daemon has died, for reread", "-s unix://DIR/dead reread", helps, nil},
		{"nobody listens at the port", "-s http://127.0.0.1:1 status", helps, nil},
		{"a URL without its beginning", "-s localhost:9001 status", helps, nil},
		{"a path for a URL", "-s /run/s.sock status", helps, nil},
		{"a URL that is none, for open", "open localhost:9001", helps, nil},
		{"no such file", "-c missing.conf status", "", nil},
		{"a file without the section", "-c nosection.conf status", "", nil},
		{"an option that does not exist", "-Z status", "", nil},
		{"an option behind the action", "status -s unix://DIR/none", "it is taken", nil},
		{"a password is needed", "status", helps, func(s *script) { s.wrap = refuse }},
		{"the password is wrong", "-u u -p wrong status", helps, func(s *script) { s.wrap = refuse }},
		{"a command is misspelt", "statsu", helps, nil},
		{"a name is misspelt", "status cta", helps, nil},
		{"a group without its star", "status worker", helps, nil},
		{"a process without its group", "start worker_0", helps, nil},
		{"a group is misspelt", "stop wroker", helps, nil},
		{"a name for update is misspelt", "update cta", helps, nil},
		{"a name for add is misspelt", "add cta", helps, nil},
		{"a name for pid is misspelt", "pid cta", helps, nil},
		{"a name for tail is misspelt", "tail cta", helps, nil},
		{"a name for tail -f is misspelt", "tail -f cta", helps, nil},
		{"a name for fg is misspelt", "fg cta", helps, nil},
		{"no name", "start", "", nil},
		{"no such signal", "signal NOPE cat", "", nil},
		{"remove of what runs", "remove cat", "", nil},
		{"the log is no file", "tail dev", helps, func(s *script) {
			s.answers["supervisor.readProcessStdoutLog"] = fault(xmlrpc.Failed, "/dev/stdout")
			s.answers["supervisor.getProcessInfo"] = s.answers["supervisor.getAllProcessInfo"].([]any)[2]
		}},
		{"the program ends at once", "start cat", helps, func(s *script) {
			s.answers["supervisor.startProcess"] = fault(xmlrpc.SpawnError, "cat")
			s.answers["supervisor.readProcessStderrLog"] = "ModuleNotFoundError: No module named 'flask'\n"
		}},
		{"a file has a mistake, for update", "update", helps, func(s *script) {
			s.answers["supervisor.reloadConfig"] = fault(xmlrpc.CantReread, "bad value 'x' in section 'program:a' (file: '/etc/a.conf')")
			with(s.answers, "apply", fault(xmlrpc.CantReread, "/etc/a.conf:3: [program:a] startsecs: bad value 'x'"),
				"diff", fault(xmlrpc.CantReread, "/etc/a.conf:3: [program:a] startsecs: bad value 'x'"))
		}},
	} {
		rows = append(rows, goldenRow{name: row.mistake, differs: row.differs, play: func(t *testing.T, kind oracle.Kind) string {
			server := mistakeServer()
			if row.change != nil {
				row.change(server)
			}
			socket := server.serve(t)
			dir := filepath.Dir(socket)
			l, err := net.Listen("unix", filepath.Join(dir, "dead"))
			if err != nil {
				t.Fatal(err)
			}
			l.(*net.UnixListener).SetUnlinkOnClose(false)
			l.Close()
			for name, text := range map[string]string{"nosection.conf": "[supervisord]\n", "good.conf": "[supervisorctl]\nserverurl=unix://" + socket + "\n"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			args := strings.Fields(strings.ReplaceAll(row.args, "DIR", dir))
			if args[0] != "-c" {
				args = append([]string{"-c", "good.conf"}, args...)
			}
			term := inTerminal(t, kind, dir, args...)
			exit := term.wait()
			shown := strings.ReplaceAll(string(term.raw), "\r\n", "\n")
			shown = daemonHere.ReplaceAllString(wrongAt.ReplaceAllString(shown, "file: <where>"), "<Whether a supervisord runs.>")
			shown = strings.NewReplacer(dir, "<dir>", oracle.Command(t, kind, "supervisorctl"), "<program>").Replace(shown)
			return "$ supervisorctl " + row.args + "\n" + shown + "exit " + string(rune('0'+exit)) + "\n"
		}})
	}
	for i, row := range rows { // its name is the first line of its section
		play := row.play
		rows[i].play = func(t *testing.T, kind oracle.Kind) string {
			if kind == oracle.Ours && row.differs != "" {
				return play(t, kind)
			}
			return "# " + row.name + "\n" + play(t, kind)
		}
	}
	holdAgainst(t, "testdata/mistakes.txt", rows)
}

// refuse lets nobody in.
func refuse(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
