package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"supervisord/cmd/internal/oracle"
	"supervisord/rpc/xmlrpc"
)

// typed is one session at a terminal: pairs of what is waited for and what is
// then typed.
type typedSession struct {
	name    string
	args    []string
	history string // content of the history file, which is shown at the end
	keys    []string
	// alone is set where what the original shows depends on the moment.
	alone bool
}

// fakeServer is the server that the sessions talk to.
func fakeServer() *script {
	return &script{answers: answers(
		"getAllProcessInfo", []any{
			info("cat", "cat", 20, "RUNNING", "pid 7, uptime 0:00:01", 7),
			info("two", "one", 0, "STOPPED", "Not started", 0),
			info("two", "other", 0, "STOPPED", "Not started", 0),
		},
		"getProcessInfo", info("cat", "cat", 20, "RUNNING", "", 7),
		"getSupervisorVersion", "4.2.5", "getPID", 99, "startProcess", true, "removeProcessGroup", true,
		"shutdown", true, "restart", true,
	)}
}

const prompt = "supervisor>"

var sessions = []typedSession{
	{name: "quit", keys: []string{prompt, "version\r", prompt, "quit\r"}},
	{name: "end of file", keys: []string{prompt, "\r", prompt, "\x04"}},
	{name: "empty lines repeat nothing", keys: []string{prompt, "pid\r", prompt, "\r", prompt, "  \r", prompt, "exit now\r"}},
	{name: "editing", keys: []string{prompt, "ersion nonsense\x17\x7f\x01v\r", prompt, "pid cat\x01\x06\x06\x06\x0b\r", prompt, "bogus\x15version\r", prompt, "\x04"}},
	{name: "arrows and history", keys: []string{prompt, "version\r", prompt, "pid\r", prompt, "\x1b[A\x1b[A\r", prompt, "\x1b[A\x1b[A\x1b[B\r", prompt, "hel\x1b[Dl\x1b[C\x7f\r", prompt, "\x04"}},
	{name: "history file", history: "status cat\nhelp add\n", keys: []string{prompt, "\x1b[A\r", prompt, "version\r", prompt, "version\r", prompt, "shutdown\r", "y/N?", "n\r", prompt, "\x04"}},
	{name: "completion", keys: []string{prompt, "vers\t\r", prompt, "status c\t\r", prompt, "start two:ot\t\r", prompt, "help avai\t\r", prompt, "pid two:on\t\r", prompt, "remove ca\t\r", prompt, "\x04"}},
	{name: "confirmation", keys: []string{prompt, "shutdown\r", "y/N?", "yes\r", prompt, "reload\r", "y/N?", "Y\r", prompt, "reload\r", "y/N?", "\r", prompt, "\x04"}},
	// The original's stream has moments in which Ctrl-C is a failure to connect.
	{name: "tail", alone: true, keys: []string{prompt, "tail -f cat\r", "streamed", "\x03", prompt, "version\r", prompt, "\x04"}},
	{name: "other prompt", args: []string{"-c", "prompt.conf"}, keys: []string{"mine>", "version\r", "mine>", "quit\r"}},
}

// TestShell holds what a person sees, which is what the original shows.
func TestShell(t *testing.T) {
	t.Parallel()
	var rows []goldenRow
	for _, session := range sessions {
		rows = append(rows, goldenRow{name: session.name, alone: session.alone, play: session.play})
	}
	holdAgainst(t, "testdata/shell.txt", rows)
}

// play returns what the terminal showed, the exit status, and the history.
func (session typedSession) play(t *testing.T, kind oracle.Kind) string {
	t.Helper()
	server := fakeServer()
	ended := make(chan struct{})
	server.stream = func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "streamed\n")
		w.(http.Flusher).Flush()
		<-ended // a hang-up of the original's goes unseen, for it sends more than a request
	}
	socket := server.serve(t)
	t.Cleanup(func() { close(ended) })
	dir := filepath.Dir(socket)
	history := filepath.Join(dir, "history")
	config := "[supervisorctl]\nserverurl=unix://" + socket + "\n"
	for name, text := range map[string]string{
		"plain.conf": config, "prompt.conf": config + "prompt=mine\n", "history.conf": config + "history_file=" + history + "\n",
		"history": session.history,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := session.args
	switch {
	case session.history != "":
		args = []string{"-c", "history.conf"}
	case args == nil:
		args = []string{"-c", "plain.conf"}
	}
	term := inTerminal(t, kind, dir, args...)
	for i := 0; i < len(session.keys); i += 2 {
		term.expect(session.keys[i])
		term.send(session.keys[i+1])
	}
	exit := term.wait()
	text := fmt.Sprintf("# %s\n%sexit %d\n", session.name, strings.ReplaceAll(ours.ReplaceAllString(term.shown(), ""), "^C", ""), exit)
	if session.history != "" {
		kept, err := os.ReadFile(history)
		if err != nil {
			t.Fatal(err)
		}
		text += "history:\n" + string(kept)
	}
	return strings.ReplaceAll(text, socket, "<sock>")
}

// TestShellInterrupted: Ctrl-C at the prompt leaves the shell.
func TestShellInterrupted(t *testing.T) {
	t.Parallel()
	socket := fakeServer().serve(t)
	term := inTerminal(t, oracle.Ours, filepath.Dir(socket), "-s", "unix://"+socket)
	term.expect(prompt)
	term.send("vers\x03")
	if exit := term.wait(); exit != 0 {
		t.Errorf("exit %d, want 0; shown:\n%s", exit, term.shown())
	}
}

// TestShellLists: two candidates are listed at the second tab, and what is ours
// is among the commands that help shows a person.
func TestShellLists(t *testing.T) {
	t.Parallel()
	socket := fakeServer().serve(t)
	term := inTerminal(t, oracle.Ours, filepath.Dir(socket), "-s", "unix://"+socket)
	term.expect(prompt)
	term.send("st\t\t")
	term.expect("start  status  stop")
	term.send("\x15status two:\t\t")
	term.expect("two:*  two:one  two:other")
	term.send("\x15help\r")
	term.expect("further commands (type help <topic>):")
	term.expect("completion  diff  drift    explain  history  reset  revert  unpin  wait")
	term.expect(prompt)
	term.send("\x04")
	if exit := term.wait(); exit != 0 {
		t.Errorf("exit %d", exit)
	}
}

// TestLogin: a shell asks until the server is content, -i asks for one command,
// and neither shows the password.
func TestLogin(t *testing.T) {
	t.Parallel()
	socket := locked(t)
	for _, args := range [][]string{{"-s", "unix://" + socket}, {"-i", "-s", "unix://" + socket, "status"}} {
		term := inTerminal(t, oracle.Ours, filepath.Dir(socket), args...)
		for _, password := range []string{"wrong", "secret"} {
			term.expect("Server requires authentication")
			term.expect("Username:")
			term.send("u\r")
			term.expect("Password:")
			term.send(password + "\r")
		}
		term.expect("cat                              RUNNING")
		if len(args) == 2 {
			term.expect(prompt)
			term.send("quit\r")
		}
		term.wait()
		if shown := term.shown(); strings.Contains(shown, "wrong") || strings.Contains(shown, "secret") {
			t.Errorf("a password is shown:\n%s", shown)
		}
	}
}

// TestForeground joins a process: its output appears, lines reach it, Ctrl-C
// leaves at once though nothing more is written.
func TestForeground(t *testing.T) {
	t.Parallel()
	for _, inShell := range []bool{true, false} {
		server := fakeServer()
		sent := make(chan string, 1) // one line is sent
		server.answers["supervisor.sendProcessStdin"] = true
		server.onCall = func(method string, params []any) {
			if method == "supervisor.sendProcessStdin" {
				sent <- params[1].(string)
			}
		}
		server.stream = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/logtail/cat/stdout" {
				http.NotFound(w, r)
				return
			}
			fmt.Fprint(w, "started\n")
			w.(http.Flusher).Flush()
			select {
			case line := <-sent:
				fmt.Fprint(w, "got "+line)
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
			}
			<-r.Context().Done()
		}
		socket := server.serve(t)
		args := []string{"-s", "unix://" + socket}
		if !inShell {
			args = append(args, "fg", "cat")
		}
		term := inTerminal(t, oracle.Ours, filepath.Dir(socket), args...)
		if inShell {
			term.expect(prompt)
			term.send("fg cat\r")
		}
		term.expect("==> Press Ctrl-C to exit <==")
		term.expect("started")
		term.send("hello\r")
		term.expect("got hello")
		term.send("\x03")
		term.expect("Exiting foreground")
		if inShell {
			term.expect(prompt)
			term.send("version\r")
			term.expect("4.2.5")
			term.expect(prompt) // a key before it is the command's
			term.send("\x04")
		}
		if exit := term.wait(); exit != 0 {
			t.Errorf("exit %d", exit)
		}
		if !strings.Contains(term.shown(), "/logtail/cat/stderr Cannot read, status code 404") {
			t.Errorf("the missing log is not reported:\n%s", term.shown())
		}
	}
}

// TestForegroundGone: a process that ended is said to have been killed.
func TestForegroundGone(t *testing.T) {
	t.Parallel()
	server := fakeServer()
	server.answers["supervisor.sendProcessStdin"] = fault(xmlrpc.NotRunning, "cat")
	socket := server.serve(t)
	out := ctl(t, oracle.Ours, filepath.Dir(socket), "hello\n", "-s", "unix://"+socket, "fg", "cat")
	want := "==> Press Ctrl-C to exit <==\nProcess got killed\nExiting foreground\n"
	if out.Stdout != want || out.Exit != 0 {
		t.Errorf("got %q, exit %d; want %q", out.Stdout, out.Exit, want)
	}
}
