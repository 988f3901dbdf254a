package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"supervisord/cmd/internal/oracle"
	"supervisord/rpc/xmlrpc"
)

// hostileText is what XML can carry of what acts on a terminal; hostileStream is what a
// log can.
const (
	hostileText   = "x\u009b2J\u202ey\u0085"
	hostileStream = "\x1b]0;title\a\x1b[31mred\u009b2J\x9b\xe2\x9b"
)

// hostileServer puts hostileText wherever an answer has a text.
func hostileServer() *script {
	name := hostileText
	process := info(name, name, 20, "RUN"+name, "pid "+name, 7)
	answers := with(answers(
		"getAllProcessInfo", []any{process}, "getProcessInfo", process, "getSupervisorVersion", name, "getPID", 7,
		"getAllConfigInfo", []any{configured(name, name, true, true, 999, 1)},
		"readProcessStdoutLog", name, "readLog", name, "removeProcessGroup", fault(xmlrpc.BadName, name),
		"stopProcess", fault(xmlrpc.Failed, name), "reloadConfig", changed([]string{name}, nil, nil),
		"sendProcessStdin", fault(xmlrpc.NotRunning, name),
	), "diff", []any{action(name, name, name, name, name, name, name)},
		"getState", reconcileState(name, name, true),
		"apply", fault(xmlrpc.CantReread, name),
		"getFiles", []any{xmlrpc.Struct{{Name: "path", Value: name}, {Name: "state", Value: name}, {Name: "programs", Value: []string{name}},
			{Name: "changed", Value: 0}, {Name: "reason", Value: name}}},
		"getHistory", []any{xmlrpc.Struct{{Name: "generation", Value: 12}, {Name: "time", Value: 0}, {Name: "trigger", Value: name},
			{Name: "caller", Value: name}, {Name: "actions", Value: []string{name}}, {Name: "reasons", Value: []string{name}}, {Name: "result", Value: name}, {Name: "duration_ms", Value: 0}}},
		"getGeneration", generationOf(12, name, []any{action(name, name, name, name, name, name, name)}, fileDiffOf(name, name, sectionOf(name, name, name, name, name))),
		"diffGenerations", []any{fileDiffOf(name, name, sectionOf(name, name, name, name, name))},
		"getIntents", []any{intent("paused", name, name, 60, name, true), intent("disabled", name, "", 0, name, false)},
		"pause", said("paused", name, name, 60, name, true, true), "resume", fault(xmlrpc.BadName, name), "disable", said("disabled", name, "", 0, name, true, false),
		"enable", fault(xmlrpc.Failed, name), "revert", fault(xmlrpc.CantReread, name), "unpin", fault(xmlrpc.BadName, name))
	return &script{answers: answers, stream: func(w http.ResponseWriter, _ *http.Request) {
		for i := range len(hostileStream) { // in the smallest pieces
			fmt.Fprint(w, hostileStream[i:i+1])
			w.(http.Flusher).Flush()
		}
	}}
}

var hostileCommands = []string{
	"status", "status x*", "status -o json", "status \u202e", "avail", "version", "tail x", "tail -f x", "maintail", "maintail -f", "fg x",
	"stop x", "reread", "update", "diff", "diff -o json", "files", "history", "wait -t 0", "remove \u009b", "\u009b2J", "help \u009b", "pid -o json all",
	"open unix:///\u009b2J", "history show 12", "diff 1 2", "pause", "pause x --for 2h", "resume x", "disable", "disable \u009b", "enable x", "revert x", "unpin x",
}

// TestTerminalIsSafe: whatever a server or a log says, nothing but text and colours
// comes to a terminal.
func TestTerminalIsSafe(t *testing.T) {
	t.Parallel()
	socket := hostileServer().serve(t)
	for _, command := range hostileCommands {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			term := inTerminal(t, oracle.Ours, filepath.Dir(socket), append([]string{"-s", "unix://" + socket}, strings.Fields(command)...)...)
			if command == "fg x" {
				term.expect("red")
				term.send("a line\r")
			}
			term.wait()
			shown := strings.ReplaceAll(string(term.raw), "\r\n", "\n")
			if why := harmful([]byte(shown)); why != "" {
				t.Errorf("%s:\n%q", why, shown)
			}
			if !strings.Contains(shown, `\`) {
				t.Errorf("the control character is not to be seen: %q", shown)
			}
			if strings.HasPrefix(command, "tail -f") {
				if want := `\x1b]0;title\a` + "\x1b[31mred" + `\u009b2J\x9b\xe2\x9b` + colourOff; !strings.Contains(shown, want) {
					t.Errorf("shown is %q, which lacks %q", shown, want)
				}
			}
		})
	}
}

// TestPipeHasTheBytes: to a pipe they come as the server sent them.
func TestPipeHasTheBytes(t *testing.T) {
	t.Parallel()
	socket := hostileServer().serve(t)
	for command, want := range map[string]string{
		"tail x":    hostileText + "\n",
		"maintail":  hostileText + "\n",
		"tail -f x": hostileStream,
		"version":   hostileText + "\n",
		"reread":    hostileText + ": available\n",
	} {
		out := ctl(t, oracle.Ours, filepath.Dir(socket), "", append([]string{"-s", "unix://" + socket}, strings.Fields(command)...)...)
		if !strings.HasSuffix(out.Stdout, want) {
			t.Errorf("%s prints %q, want %q", command, out.Stdout, want)
		}
	}
}

// TestShellIsSafe: nor does a name that is offered act on it.
func TestShellIsSafe(t *testing.T) {
	t.Parallel()
	server := hostileServer()
	server.answers["supervisor.getAllProcessInfo"] = []any{
		info("web", "web", 20, "RUNNING", "", 7), info("we"+hostileText, "we"+hostileText, 20, "RUNNING", "", 7),
	}
	socket := server.serve(t)
	term := inTerminal(t, oracle.Ours, filepath.Dir(socket), "-s", "unix://"+socket)
	term.expect(prompt)
	term.send("pid we\t\r") // only one is offered
	term.expect("pid web")
	term.expect(prompt)
	term.send("quit\r")
	term.wait()
	if i := strings.IndexAny(string(term.raw), "\u009b\u202e\u0085"); i >= 0 {
		t.Errorf("shown: %q", term.raw)
	}
}
