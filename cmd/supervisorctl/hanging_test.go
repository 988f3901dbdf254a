package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// hanging is a server that takes requests and never answers; asked gets one for
// each.
func hanging(t *testing.T) (socket string, asked <-chan struct{}) {
	ended := make(chan struct{})
	requests := make(chan struct{}, 100) // more than any test makes
	s := &script{wrap: func(http.ResponseWriter, *http.Request) {
		requests <- struct{}{}
		<-ended
	}}
	socket = s.serve(t)
	t.Cleanup(func() { close(ended) })
	return socket, requests
}

// TestHangingServer: what has a time of its own ends in time.
func TestHangingServer(t *testing.T) {
	t.Parallel()
	socket, _ := hanging(t)
	for _, row := range []struct {
		command string
		want    oracle.Output
	}{
		{"wait -t 0", oracle.Output{Stdout: "unix://" + socket + " does not answer\n", Exit: 2}},
		{"completion words status .", oracle.Output{}},
	} {
		out := ctl(t, oracle.Ours, filepath.Dir(socket), "", "-s", "unix://"+socket, row.command)
		if out != row.want {
			t.Errorf("%s: got %v, want %v", row.command, out, row.want)
		}
	}
}

// TestHangingServerInShell: at a server that hangs a person gets back to the
// prompt, by Ctrl-C or, from the tab key, in time.
func TestHangingServerInShell(t *testing.T) {
	t.Parallel()
	socket, asked := hanging(t)
	p := inTerminal(t, oracle.Ours, filepath.Dir(socket), "-s", "unix://"+socket)
	<-asked // the shell's first status
	p.send("\x03")
	p.expect(prompt)
	p.send("status a\tb\r")
	<-asked // the tab's
	<-asked // the command's
	p.send("\x03")
	p.expect(prompt)
	p.send("\x04")
	if exit := p.wait(); exit != 0 {
		t.Errorf("exit %d", exit)
	}
}

// TestTimeout: a server that does not answer is given up.
func TestTimeout(t *testing.T) {
	t.Parallel()
	socket, _ := hanging(t)
	out := ctl(t, oracle.Ours, filepath.Dir(socket), "", "--timeout", "0.05", "-s", "unix://"+socket, "status")
	if want := "error: <class 'TimeoutError'>, timed out: "; !strings.HasPrefix(out.Stdout, want) || out.Exit != 1 {
		t.Errorf("got %v, want %s… and exit 1", out, want)
	}
}
