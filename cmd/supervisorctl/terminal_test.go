package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/term"

	"supervisord/cmd/internal/oracle"
)

// locked is a server that lets in who has the password.
func locked(t *testing.T) (socket string) {
	inner := fakeServer()
	return (&script{wrap: func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "u" || password != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}}).serve(t)
}

// TestTerminalIsRestored: whatever ends the program, the terminal is left as it
// was found.
func TestTerminalIsRestored(t *testing.T) {
	t.Parallel()
	const killed = 128 // and the signal's number
	askedOnce := []string{"-i", "status"}
	atPassword := []string{"Username:", "u\r", "Password:"}
	atPrompt := []string{"Username:", "u\r", "Password:", "secret\r", prompt}
	for name, row := range map[string]struct {
		args   []string
		keys   []string // what is waited for, what is typed, and so on
		key    string   // what ends the program,
		signal syscall.Signal
		exit   int
	}{
		"Ctrl-C at the password":         {askedOnce, atPassword, "\x03", 0, killed + int(syscall.SIGINT)},
		"termination at the password":    {askedOnce, atPassword, "", syscall.SIGTERM, killed + int(syscall.SIGTERM)},
		"Ctrl-C at the name":             {askedOnce, atPassword[:1], "\x03", 0, killed + int(syscall.SIGINT)},
		"Ctrl-C at the shell's password": {nil, atPassword, "\x03", 0, 0},
		"termination at the prompt":      {nil, atPrompt, "", syscall.SIGTERM, killed + int(syscall.SIGTERM)},
		"hang-up at the prompt":          {nil, atPrompt, "", syscall.SIGHUP, killed + int(syscall.SIGHUP)},
		"end of input at the prompt":     {nil, atPrompt, "\x04", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			socket := locked(t)
			p := inTerminal(t, oracle.Ours, filepath.Dir(socket), append([]string{"-s", "unix://" + socket}, row.args...)...)
			// Held open, for the mode is forgotten when nobody has the terminal open.
			tty, err := os.OpenFile(p.tty, os.O_RDWR|syscall.O_NOCTTY, 0)
			if err != nil {
				t.Fatal(err)
			}
			for i, text := range row.keys {
				if i%2 == 0 {
					p.expect(text)
				} else {
					p.send(text)
				}
			}
			if row.signal != 0 {
				p.cmd.Process.Signal(row.signal)
			} else {
				p.send(row.key)
			}
			p.cmd.Wait()
			after, err := term.GetState(int(tty.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			tty.Close()
			if *after != *p.mode {
				t.Errorf("the terminal was %+v and is left %+v", *p.mode, *after)
			}
			if exit := p.wait(); exit != row.exit {
				t.Errorf("exit %d, want %d; shown:\n%s", exit, row.exit, p.shown())
			}
		})
	}
}

// TestPasswordWithoutControl: a terminal that does not control the program, as
// a container may have it, does not show the password either, nor is it kept.
func TestPasswordWithoutControl(t *testing.T) {
	t.Parallel()
	socket := locked(t)
	dir := filepath.Dir(socket)
	args := []string{"-s", "unix://" + socket, "-r", "history"}
	p := startInTerminal(t, oracle.Ours, dir, &syscall.SysProcAttr{Setsid: true}, args...)
	p.expect("Username:")
	p.send("u\r")
	p.expect("Password:")
	p.send("secret\r")
	p.expect(prompt)
	p.send("\x04")
	p.wait()
	if strings.Contains(p.shown(), "secret") {
		t.Errorf("the password is shown:\n%s", p.shown())
	}
	history, err := os.ReadFile(filepath.Join(dir, "history"))
	if err != nil || string(history) != "u\n" {
		t.Errorf("the history is %q, %v", history, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "history")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the history: %v, %v", info, err)
	}
}
