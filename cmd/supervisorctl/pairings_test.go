package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// atTerminal is a step that runs the client in a terminal: keys are pairs of what
// is waited for and what is then typed. The transcript gets what is shown at the
// end, and the exit status.
func atTerminal(name string, args []string, keys ...string) oracle.Step {
	return func(s *oracle.Session) {
		s.T.Helper()
		term := play(s, args, keys)
		insisted := false
		if last := keys[len(keys)-1]; s.Client == oracle.Debian && last == "\x03" {
			insisted = term.insist(last)
		}
		exit, shown := term.wait(), term.shown()
		if insisted && exit == 130 { // a Ctrl-C too many met it at its end
			exit, shown = 0, strings.TrimSuffix(shown, "\n")
		}
		recordShown(s, name, shown)
		s.Printf("exit %d\n", exit)
	}
}

func play(s *oracle.Session, args, keys []string) *terminal {
	s.T.Helper()
	line := []string{"-c", s.Daemon.Config}
	for _, arg := range args {
		line = append(line, strings.ReplaceAll(arg, "{{.Port}}", strconv.Itoa(s.Daemon.Port)))
	}
	term := inTerminal(s.T, s.Client, s.Daemon.Dir, line...)
	for i, text := range keys {
		if i%2 == 0 {
			term.expect(text)
		} else {
			term.send(text)
		}
	}
	return term
}

// recordShown adds a session to the transcript. Whether a Ctrl-C is echoed depends on
// who has the terminal at that moment.
var trailing = regexp.MustCompile(`(?m) +$`)

func recordShown(s *oracle.Session, name, shown string) {
	shown = trailing.ReplaceAllString(strings.ReplaceAll(ours.ReplaceAllString(shown, ""), "^C", ""), "")
	s.Printf("# %s\n%s", name, s.Daemon.Normaliser().Ctl([]string{"pid"}, shown))
}

// foreground is a session in which fg is left by Ctrl-C. What is shown counts up
// to the next prompt: the original then ends only after the process has written
// something more.
func foreground(s *oracle.Session) {
	s.T.Helper()
	term := play(s, nil, []string{prompt, "fg nope\r", prompt, "fg cat\r", "begun", "hello\r", "hello\nhello\n", "\x03", "Exiting foreground", "", prompt})
	// Our editor ends the line of a Ctrl-C.
	recordShown(s, "fg", strings.ReplaceAll(term.shown(), "^C\n", ""))
	term.send("exit\r")
	for {
		if _, err := s.Daemon.Call("supervisor.sendProcessStdin", "cat", "more\n"); err != nil {
			s.T.Fatal(err)
		}
		select {
		case <-term.closed:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

const terminalConfig = oracle.Prelude + `[program:cat]
command=/bin/sh -c "echo begun; exec cat"
startsecs=0

[program:two]
command=/bin/sleep 1000
numprocs=2
process_name=%(program_name)s_%(process_num)02d
autostart=false
startsecs=0
`

// TestTerminalPairings runs sessions at a terminal with both clients on both
// daemons. Ctrl-C at a prompt of one command is in TestTerminalIsRestored: the
// original dies of it with a traceback.
func TestTerminalPairings(t *testing.T) {
	t.Parallel()
	locked := []string{"-s", "http://127.0.0.1:{{.Port}}"}
	lockedOnce := append(slices.Clone(locked), "-i", "status")
	oracle.Run(t, "testdata/terminal", []oracle.Row{
		{Name: "shell", Config: terminalConfig, Steps: []oracle.Step{
			oracle.Until("cat", "RUNNING"),
			atTerminal("help and status", nil, prompt, "?tail\r", prompt, "status\r", prompt, "help pid\r", prompt, "bogus\r", prompt, "\x04"),
			atTerminal("start and stop", nil, prompt, "start two:*\r", prompt, "start two:two_00 nope\r", prompt, "stop two:two_01\r",
				prompt, "stop two:*\r", prompt, "restart cat\r", prompt, "pid cat\r", prompt, "quit\r"),
			atTerminal("completion", nil, prompt, "stat\t\r", prompt, "status two:two_01\t\r", prompt, "pid ca\t\r", prompt, "help mai\t\r", prompt, "exit\r"),
			atTerminal("history", nil, prompt, "help version\r", prompt, "pid nope\r", prompt, "\x1b[A\x1b[A\r", prompt, "\x1b[A\x1b[B\r", prompt, "\x03"),
			atTerminal("tail", nil, prompt, "tail cat\r", prompt, "tail cat stderr\r", prompt, "tail nope\r", prompt, "tail -f cat\r", "begun", "\x03", prompt, "help version\r", prompt, "\x04"),
			foreground,
			atTerminal("stop", nil, prompt, "shutdown\r", "y/N?", "n\r", prompt, "reload\r", "y/N?", "\r", prompt, "shutdown\r", "y/N?", "y\r", "Shut down", "", prompt, "\x04"),
		}},
		{Name: "password", Config: terminalConfig + "[inet_http_server]\nport=127.0.0.1:{{.Port}}\nusername=u\npassword=secret\n", Steps: []oracle.Step{
			oracle.Until("cat", "RUNNING"),
			atTerminal("end of input at the name", locked, "Username:", "\x04", prompt, "\x04"),
			atTerminal("end of input at the password", locked, "Username:", "u\r", "Password:", "\x04", prompt, "\x04"),
			atTerminal("Ctrl-C at the name", locked, "Username:", "\x03"),
			atTerminal("Ctrl-C at the password", locked, "Username:", "u\r", "Password:", "\x03"),
			atTerminal("end of input at the name, one command", lockedOnce, "Username:", "\x04"),
			atTerminal("end of input at the password, one command", lockedOnce, "Username:", "u\r", "Password:", "\x04"),
			atTerminal("wrong, then right", locked, "Username:", "u\r", "Password:", "wrong\r", "Username:", "u\r", "Password:", "secret\r", prompt, "status cat\r", prompt, "quit\r"),
		}},
	})
}
