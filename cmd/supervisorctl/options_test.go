package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"supervisord/cmd/internal/host"
	"supervisord/cmd/internal/oracle"
	"supervisord/runtime/needs"
)

// invocations are command lines that never reach a server.
var invocations = []struct {
	args    []string
	differs string // why ours is meant to differ
}{
	{args: []string{"-Z"}}, {args: []string{"--bogus"}}, {args: []string{"--h"}}, {args: []string{"--his"}},
	{args: []string{"-c"}}, {args: []string{"--user"}}, {args: []string{"--help=3"}}, {args: []string{"-i=x"}},
	{args: []string{"-c", "nope"}}, {args: []string{"--c=nope"}}, {args: []string{"-c", "."}},
	{args: []string{"-c", "empty.conf"}}, {args: []string{"-c", "nosection.conf", "version"}},
	{args: []string{"-s", "foo"}}, {args: []string{"-s", ""}}, {args: []string{"--serverurl", "unix:"}}, {args: []string{"-s", "http://?a"}},
	{args: []string{"-s", "1:2"}}, {args: []string{"-s", "it's"}},
	{args: []string{"-u", "a", "--username=b"}}, {args: []string{"-i", "-i"}}, {args: []string{"-c", "a", "-c", "b"}},
	{args: []string{"-s", "ftp://foo", "version"}}, {args: []string{"-s", "unix:/x", "version"}}, {args: []string{"-s", "HTTP://x", "update"}},
	{args: []string{"-s", "http://localhost:x", "version"}},
	{args: []string{"-c", "ok.conf", "version"}}, {args: []string{"-c", "ok.conf", "-s", "unix://nope", "version"}},
	{args: []string{"-c", "ok.conf", "-r", "h", "-u", "u", "-p", "p", "version", "-Z"}},
	{args: []string{"-c", "ok.conf", "--", "version"}}, {args: []string{"-c", "ok.conf", "-", "version"}},
	{args: []string{"-c", "here.conf", "version"}}, {args: []string{"-c", "env.conf", "version"}},
	{args: []string{"version", "-c", "nope"}, differs: "our options are taken after the action too"},
	{args: []string{"version", "-Z"}},
	{args: []string{"-c", "badurl.conf", "version"}, differs: "a serverurl of the file is checked like -s"},
	{args: []string{"-c", "broken.conf", "version"}, differs: "the original ends with a traceback"},
}

// TestInvocation holds options and configuration files against the original.
func TestInvocation(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	for name, text := range map[string]string{
		"empty.conf": "", "nosection.conf": "[supervisord]\n", "broken.conf": "[supervisorctl\nserverurl\n",
		"badurl.conf": "[supervisorctl]\nserverurl=foo\n",
		"ok.conf":     "[supervisorctl]\nserverurl=unix:///nope/s\nusername=x\npassword=y\nprompt=p\n",
		"here.conf":   "[supervisorctl]\nserverurl=unix://%(here)s/s\n",
		"env.conf":    "[supervisorctl]\nserverurl=unix://%(ENV_HOME)s/env\n",
		// Without -c the file of the working directory is read.
		"supervisord.conf": "[supervisorctl]\nserverurl=unix:///nope/found\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	play := func(t *testing.T, kind oracle.Kind, args []string) string {
		text := ctl(t, kind, dir, "", args...).String()
		program := oracle.Command(t, kind, "supervisorctl")
		text = strings.NewReplacer(program, "<program>", dir, "<dir>").Replace(text)
		return fmt.Sprintf("$ supervisorctl %q\n%s", args, oracle.Normaliser{}.Text(text))
	}
	var rows []goldenRow
	for _, row := range invocations {
		rows = append(rows, goldenRow{
			name: strings.Join(row.args, " "), differs: row.differs,
			alone: row.differs != "", // where the original ends with a traceback
			play:  func(t *testing.T, kind oracle.Kind) string { return play(t, kind, row.args) },
		})
	}
	holdAgainst(t, "testdata/invocation.txt", rows)
}

// TestHelpOption: the help names every option and goes to standard output.
func TestHelpOption(t *testing.T) {
	t.Parallel()
	for _, option := range []string{"-h", "-?", "--help"} {
		out := ctl(t, oracle.Ours, t.TempDir(), "", option)
		if out.Exit != 0 || out.Stderr != "" || !strings.HasPrefix(out.Stdout, "supervisorctl -- ") {
			t.Errorf("%s: %v", option, out)
		}
		for _, name := range longOptions {
			if name := "--" + strings.Trim(name, "!="); !strings.Contains(strings.ReplaceAll(out.Stdout, "/", " "), name) {
				t.Errorf("%s does not tell of %s", option, name)
			}
		}
	}
}

// TestNoFile: without a configuration file the socket of a daemon that has none
// either is used if it is there.
func TestNoFile(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	sockets := []string{filepath.Join(t.TempDir(), "s"), socket}
	if url := socketURL(sockets, os.Geteuid()); url != "" {
		t.Errorf("missing sockets give %s", url)
	}
	if err := os.WriteFile(socket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if url := socketURL(sockets, os.Geteuid()); url != "unix://"+socket {
		t.Errorf("the second of two sockets gives %s", url)
	}
	s, words, err := readOptions(emptyHost{}, "/x/y/z", []string{"status", "-i"})
	if err != nil || s.prompt != "supervisor" || s.username != "" || !s.interactive || len(words) != 1 {
		t.Errorf("got %+v, %q, %v", s, words, err)
	}
}

// TestForeignSocket: a socket that another user has put below /tmp before us is not
// talked to.
func TestForeignSocket(t *testing.T) {
	needs.Root(t)
	dir := filepath.Join(t.TempDir(), "supervisor-1000")
	socket := filepath.Join(dir, "supervisor.sock")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(socket, nil, 0o666), os.Chown(dir, 1001, 1001)); err != nil {
		t.Fatal(err)
	}
	for uid, want := range map[int]bool{1000: false, 1001: true, 0: true} {
		if got := isThere(socket, uid); got != want {
			t.Errorf("for uid %d it is there: %v", uid, got)
		}
	}
	if err := os.Chmod(filepath.Dir(dir), 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if isThere(socket, 0) {
		t.Error("for root it is there, although everyone can put one there")
	}
	link := filepath.Join(filepath.Dir(dir), "link")
	if err := errors.Join(os.Chown(dir, 1000, 1000), os.Symlink(dir, link), os.Lchown(link, 1001, 1001)); err != nil {
		t.Fatal(err)
	}
	if isThere(link+"/supervisor.sock", 1000) {
		t.Error("it is there behind another user's link")
	}
	if isThere(dir+"/none", 1000) {
		t.Error("nothing is there")
	}
}

// TestOptionsAroundTheAction: where an option stands does not matter, but for those that
// the action has had for ever.
func TestOptionsAroundTheAction(t *testing.T) {
	for _, row := range []struct{ args, words, url, err string }{
		{"status -s http://a:1", "status", "http://a:1", ""},
		{"status web --serverurl=http://a:1 db", "status web db", "http://a:1", ""},
		{"status --serverurl http://a:1 --state=FATAL", "status --state=FATAL", "http://a:1", ""},
		{"-o json --problems -s http://a:1 status", "status -o json --problems", "http://a:1", ""},
		{"-ojson -t 5 wait web", "wait web -o json -t 5", "", ""},
		{"tail -f web -s http://a:1", "tail -f web", "http://a:1", ""},
		{"tail -100 web", "tail -100 web", "", ""},
		{"status -- -s x", "status -- -s x", "", ""},
		{"status --server http://a:1", "status --server http://a:1", "", ""},
		{"status -s", "", "", "option -s requires argument"},
		{"status --interactive=1", "", "", "option --interactive must not have an argument"},
		{"-s http://a:1 status -s http://b:1", "", "", "conflicting command line option '--serverurl'"},
		{"--watch status web", "status web", "unix://" + host.DefaultSockets()[0], ""},
		{"status --watch", "status", "unix://" + host.DefaultSockets()[0], ""},
		{"--watch -s http://a:1 status", "", "", "--watch, -c and -s each say which server to use: give only one of them"},
		{"-c x.conf status --watch", "", "", "--watch, -c and -s each say which server to use: give only one of them"},
		{"status -s x", "", "", "invalid value for --serverurl 'x': value 'x' is not a URL"},
		{"-o json", "", "", "option -o belongs to an action"},
	} {
		s, words, err := readOptions(emptyHost{}, "/x/y/z", strings.Fields(row.args))
		switch {
		case row.err != "" && fmt.Sprint(err) != row.err:
			t.Errorf("%s: %v, want %s", row.args, err, row.err)
		case row.err == "" && (err != nil || strings.Join(words, " ") != row.words || row.url != "" && s.url != row.url):
			t.Errorf("%s: %q at %s, %v; want %q at %s", row.args, words, s.url, err, row.words, row.url)
		}
	}
}

func TestOverride(t *testing.T) {
	s := settings{url: "u", username: "n", password: "p", prompt: "x", historyFile: "h"}
	s.override(settings{url: "U", historyFile: "H", interactive: true})
	want := settings{url: "U", username: "n", password: "p", prompt: "x", historyFile: "H", interactive: true}
	if s != want {
		t.Errorf("got %+v, want %+v", s, want)
	}
}

func TestTimeoutOption(t *testing.T) {
	for _, row := range []struct{ value, err string }{
		{"1", ""}, {"0.5", ""},
		{"0", "invalid value for --timeout '0': not a number of seconds"},
		{"x", "invalid value for --timeout 'x': not a number of seconds"},
		{"NaN", "invalid value for --timeout 'NaN': not a number of seconds"},
		{"-1", "invalid value for --timeout '-1': not a number of seconds"},
	} {
		_, _, err := readOptions(emptyHost{}, "/x/y/z", []string{"--timeout", row.value})
		if text := fmt.Sprint(err); text != row.err && !(err == nil && row.err == "") {
			t.Errorf("--timeout %s: %v, want %s", row.value, err, row.err)
		}
	}
}
