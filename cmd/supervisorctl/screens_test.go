package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"

	"supervisord/cmd/internal/oracle"
	"supervisord/rpc/xmlrpc"
)

// manyPrograms is what somebody with 41 processes sees, some of which have problems.
func manyPrograms() *script {
	var processes, configs []any
	add := func(p xmlrpc.Struct, group, name string) {
		processes = append(processes, p)
		configs = append(configs, configured(group, name, true, true, 999, 999))
	}
	for i := range 34 {
		name := fmt.Sprintf("worker_%02d", i)
		add(info("worker", name, 20, "RUNNING", fmt.Sprintf("pid %d, uptime 3 days, 2:14:07", 400+i), 400+i), "worker", name)
	}
	for _, p := range []struct {
		name, state, text string
		code              int
	}{
		{"web", "RUNNING", "pid 7, uptime 0:14:07", 20}, {"api", "FATAL", "Exited too quickly (process log may have details)", 200},
		{"mailer", "BACKOFF", "can't find command '/opt/mailer'", 30}, {"cron", "STOPPED", "Not started", 0},
		{"report", "EXITED", "Nov 22 06:14 AM", 100}, {"cache", "STARTING", "", 10}, {"crash", "EXITED", "Nov 22 06:15 AM", 100},
	} {
		process := info(p.name, p.name, p.code, p.state, p.text, 0)
		for i, member := range process {
			if p.name == "crash" && member.Name == "exitstatus" {
				process[i].Value = 3
			}
			if p.name == "mailer" && member.Name == "spawnerr" {
				process[i].Value = p.text
			}
		}
		add(process, p.name, p.name)
	}
	file := func(path, state, reason string) xmlrpc.Struct {
		return xmlrpc.Struct{{Name: "path", Value: path}, {Name: "state", Value: state}, {Name: "programs", Value: []string{}},
			{Name: "changed", Value: 1795373397}, {Name: "reason", Value: reason}}
	}
	s := &script{answers: with(answers("getAllProcessInfo", processes, "getAllConfigInfo", configs,
		"getProcessInfo", processes[36], "startProcess", fault(xmlrpc.SpawnError, "api"),
		"readProcessStderrLog", "one\ntwo\nthree\nTraceback (most recent call last):\n  File \"api.py\", line 3, in <module>\n"+
			"    import flask\nModuleNotFoundError: No module named 'flask'\n",
		"stopProcess", fault(xmlrpc.BadName, ""), "stopProcessGroup", fault(xmlrpc.BadName, "")),
		"getFiles", []any{file("/etc/a.conf", "applied", ""), file("/etc/b.conf", "invalid", "b.conf:3: [program:b] user: no such user"),
			file("/etc/c.conf", "invalid", "c.conf:9: [program:c] startsecs: not a number")},
		"diff", []any{action("remove", "old", "", "no file defines it"), action("restart", "web", "web", "command differs", "command", "/bin/a", "/bin/b"),
			action("inplace", "cron", "", "", "priority", "1", "2"), action("add", "new", "", "it is new")})}
	return s
}

// TestScreens holds what a person sees and a pipe does not: counts, hints, colours.
// The colours stand as they are sent.
func TestScreens(t *testing.T) {
	t.Parallel()
	var rows []goldenRow
	for _, args := range []string{
		"status", "status --problems", "status web api", "status web", "status worker", "status wbe worker_07 cach:*", "statsu", "stop wroker",
		"start api", "update mailr", "help status", "diff", "-s localhost:9001 status", "-s /run/s.sock status", "-s foo status", "open localhost:9001",
	} {
		rows = append(rows, goldenRow{name: args, alone: true, play: func(t *testing.T, kind oracle.Kind) string {
			server := manyPrograms()
			server.answers["supervisor.reloadConfig"] = changed(nil, nil, nil)
			socket := server.serve(t)
			words := strings.Fields(args)
			if words[0] != "-s" {
				words = append([]string{"-s", "unix://" + socket}, words...)
			}
			term := inTerminal(t, kind, filepath.Dir(socket), words...)
			term.wait()
			shown := strings.ReplaceAll(string(term.raw), "\r\n", "\n")
			path := oracle.Command(t, kind, "supervisorctl")
			return "$ supervisorctl " + args + "\n" + strings.NewReplacer("\x1b", "ESC", socket, "<sock>", path, "supervisorctl").Replace(shown)
		}})
	}
	holdAgainst(t, "testdata/screens.txt", rows)
}

// TestNoColour: who wants no colours gets none.
func TestNoColour(t *testing.T) {
	socket := manyPrograms().serve(t)
	for _, setting := range []string{"NO_COLOR=1", "TERM=dumb"} {
		cmd := exec.Command(oracle.Command(t, oracle.Ours, "supervisorctl"), "-s", "unix://"+socket, "diff")
		cmd.Env = append(clientEnv(filepath.Dir(socket)), setting)
		term := startCommand(t, cmd)
		term.wait()
		if strings.Contains(string(term.raw), "\x1b") {
			t.Errorf("%s: %q", setting, term.raw)
		}
	}
}

// TestWindows holds what somebody with many programs has in view once a command is done:
// the end of what it prints, in a small window and in a large one. What matters most is
// in the small one, too.
func TestWindows(t *testing.T) {
	var rows []goldenRow
	add := func(size pty.Winsize, what string, program func() *script, commands ...string) {
		for _, args := range commands {
			name := fmt.Sprintf("%d by %d: %s%s", size.Cols, size.Rows, args, what)
			rows = append(rows, goldenRow{name: name, alone: true, play: func(t *testing.T, kind oracle.Kind) string {
				server := program()
				server.answers["supervisor.reloadConfig"] = changed(nil, nil, nil)
				socket := server.serve(t)
				cmd := exec.Command(oracle.Command(t, kind, "supervisorctl"), append([]string{"-s", "unix://" + socket}, strings.Fields(args)...)...)
				cmd.Env = append(clientEnv(filepath.Dir(socket)), "NO_COLOR=1")
				cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
				term := startInWindow(t, cmd, size)
				term.wait()
				return name + "\n" + inView(string(term.raw), int(size.Rows), int(size.Cols))
			}})
		}
	}
	small := pty.Winsize{Rows: 24, Cols: 80}
	for _, size := range []pty.Winsize{small, {Rows: 50, Cols: 200}} {
		add(size, "", manyPrograms, "status", "status --problems", "files", "diff")
	}
	add(small, ", of what is paused and disabled", intendedPrograms, "status", "status cron", "pause", "disable", "diff", "explain cron")
	holdAgainst(t, "testdata/windows.txt", rows)
}

// intendedPrograms are a few, of which somebody has paused some and disabled others.
func intendedPrograms() *script {
	processes := []any{
		info("api", "api", 20, "RUNNING", "pid 8, uptime 0:14:07", 8), info("cron", "cron", 0, "STOPPED", "disabled", 0), info("web", "web", 20, "RUNNING", "pid 7, uptime 0:14:07", 7),
	}
	s := &script{answers: with(answers("getAllProcessInfo", processes, "getProcessInfo", processes[1]),
		"getIntents", []any{
			intent("paused", "web", "", 7200, "a heap dump, and the one who takes it would not like to see it go away before it is whole", true),
			intent("paused", "worker", "worker_03", 7200, "", false), intent("disabled", "cron", "", 0, "", true)},
		"diff", []any{action("restart", "web", "web", "command differs", "command", "/bin/a", "/bin/b")},
		"explain", xmlrpc.Struct{{Name: "group", Value: "cron"}, {Name: "name", Value: "cron"}, {Name: "user_stopped", Value: true}, {Name: "next", Value: []any{}},
			{Name: "settings", Value: []any{setting("command", "/bin/cron", "/etc/a.conf", 2, 0)}}})}
	s.answers["processes.getExits"], s.answers["processes.getHealth"], s.answers["processes.getDependencies"] = []any{}, []any{}, []any{}
	return s
}

// inView is the end of a text in a window, above the shell's next line.
func inView(text string, rows, cols int) string {
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(text, "\r\n", "\n")) {
		line = strings.TrimSuffix(line, "\n")
		for len(line) > cols {
			lines = append(lines, line[:cols])
			line = line[cols:]
		}
		lines = append(lines, line)
	}
	return strings.Join(lines[max(0, len(lines)-rows+1):], "\n") + "\n"
}
