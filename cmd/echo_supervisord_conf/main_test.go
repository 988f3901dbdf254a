package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"supervisord/cmd/internal/host"
	"supervisord/cmd/internal/oracle"
	"supervisord/spec"
	"supervisord/spec/manual"
)

var sample = manual.Sample

func TestMain(m *testing.M) { os.Exit(oracle.Main(m)) }

// commented is a line whose only comment sign is before a header or a key.
var commented = regexp.MustCompile(`(?m)^;(\[|[a-z_]+ ?=)`)

// everything is the sample with every key in force.
var everything = commented.ReplaceAllString(sample, "$1")

// machine is a host on which the files, users and directories of the sample
// exist.
type machine struct{ *host.Host }

func (machine) LookupUser(name string) (spec.Account, error) {
	return spec.Account{Name: name, UID: 65534, GID: 65534}, nil
}

func (machine) LookupGroup(string) (int, error) { return 65534, nil }

// load reads a text as a configuration file.
func load(t *testing.T, text string) *spec.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "supervisord.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := spec.Load(machine{host.New()}, path, spec.Options{})
	if mistakes := (*spec.LoadError)(nil); errors.As(err, &mistakes) {
		for _, e := range mistakes.All() {
			t.Error(e.Report())
		}
		t.FailNow()
	}
	return cfg
}

func TestSampleLoads(t *testing.T) {
	cfg := load(t, sample)
	if len(cfg.Groups) != 0 || len(cfg.Servers) != 1 || len(cfg.RPC) != 1 {
		t.Errorf("the sample as it stands has %d groups, %d servers and %d RPC interfaces; want 0, 1, 1",
			len(cfg.Groups), len(cfg.Servers), len(cfg.RPC))
	}
	for _, e := range cfg.Advice {
		t.Errorf("the sample is advised: %s", e.Report())
	}
}

func TestEveryKeyInForce(t *testing.T) {
	cfg := load(t, everything)
	var groups []string
	for _, g := range cfg.Groups {
		groups = append(groups, g.Name)
	}
	want := []string{"theeventlistenername", "thefcgiprogramname", "thegroupname"}
	if diff := cmp.Diff(want, groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	for _, e := range cfg.Advice {
		if !slices.Contains([]string{"command", "files", "serverurl", "depends_on"}, e.Key) { // not on the machine; there twice; of other files
			t.Errorf("the sample is advised: %s", e.Report())
		}
	}
}

// TestDefaults: a key that shows its default makes no difference when it is in
// force.
func TestDefaults(t *testing.T) {
	// Keys without a default: theirs is an example.
	examples := []string{
		"user", "directory", "nocleanup", "childlogdir", "environment", "chown", "username", "password", "readonly_username", "readonly_password", "operators",
		"depends_on", "restart_with", "ready", "health", "port", "certfile",
		"keyfile", "client_ca", "metrics_port", "metrics_path", "history_file", "statedir", "command", "umask", "events", "socket", "socket_backlog",
		"socket_owner", "programs", "files ", "revision", "report_command", "report_url", "report_secret_file", "window",
	}
	bare := "[supervisord]\n[unix_http_server]\nfile=/tmp/s\n[program:theprogramname]\ncommand=/bin/cat\n" +
		"[eventlistener:l]\ncommand=/bin/cat\nevents=EVENT\n[fcgi-program:f]\ncommand=/bin/cat\nsocket=unix:///tmp/f\n" +
		"[group:g]\nprograms=theprogramname\n[reconcile]\n"
	headers := map[string]string{
		"supervisord": "supervisord", "unix_http_server": "unix_http_server", "reconcile": "reconcile",
		"program:theprogramname": "program:theprogramname", "eventlistener:theeventlistenername": "eventlistener:l",
		"fcgi-program:thefcgiprogramname": "fcgi-program:f", "group:thegroupname": "group:g",
	}
	text, header, tried := bare, "", 0
	for line := range strings.Lines(everything) {
		if name, ok := strings.CutPrefix(line, "["); ok {
			name, _, _ = strings.Cut(name, "]")
			if header = headers[name]; header != "" {
				text += "[" + header + "]\n"
			}
			continue
		}
		key, _, ok := strings.Cut(line, "=")
		if !ok || header == "" || strings.HasPrefix(line, ";") || slices.Contains(examples, key) ||
			header == "supervisord" && slices.Contains([]string{"logfile", "pidfile"}, key) ||
			header == "unix_http_server" && key == "file" ||
			header != "reconcile" && slices.Contains([]string{"verify", "verify_stable", "on_failure"}, key) || // of a program: those of [reconcile]
			header == "eventlistener:l" && key == "priority" { // -1 is the pool's; a process has 999 until it is given
			continue
		}
		text += line
		tried++
	}
	if tried < 100 {
		t.Fatalf("only %d defaults were found in the sample", tried)
	}
	want, got := load(t, bare), load(t, text)
	if diff := cmp.Diff(spec.Normal(want, true), spec.Normal(got, true)); diff != "" {
		t.Errorf("a default in the sample is not the default (-real +sample):\n%s", diff)
	}
	if diff := cmp.Diff(want.Reconcile, got.Reconcile); diff != "" {
		t.Errorf("a default of [reconcile] in the sample is not the default (-real +sample):\n%s", diff)
	}
}

func TestPrintsTheSample(t *testing.T) {
	out := oracle.Exec(t, oracle.Ours, "echo_supervisord_conf", t.TempDir())
	if out.Stdout != sample || out.Exit != 0 {
		t.Errorf("printed %d bytes with exit status %d, want the %d of the sample and 0", len(out.Stdout), out.Exit, len(sample))
	}
}

// TestOriginalTakesTheSample: what we print is good for the original too.
func TestOriginalTakesTheSample(t *testing.T) {
	oracle.Require(t)
	dir := t.TempDir()
	text := everything
	for old, new := range map[string]string{"nobody:nogroup": "root", "=nobody": "=root", "=supervisord ": "=root ", "/tmp": dir} { // of this machine
		text = strings.ReplaceAll(text, old, new)
	}
	if err := os.WriteFile(filepath.Join(dir, "s.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// The user is looked up last of all, so this mistake shows that there is no
	// other.
	out := oracle.Exec(t, oracle.Debian, "supervisord", dir, "-n", "-c", "s.conf", "-u", "nosuch")
	if want := "Error: Invalid user name nosuch\n"; !strings.HasPrefix(out.Stderr, want) {
		t.Errorf("the original says:\n%s\nwant only %s", out.Stderr, want)
	}
}

// TestRecipes: what people's build scripts replace in the original's sample stands in
// ours too, and what comes of it is what they meant.
func TestRecipes(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "web.ini"), []byte("[program:web]\ncommand=/bin/cat\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	included := func(c *spec.Config) bool { return len(c.Groups) == 1 && c.Groups[0].Name == "web" }
	over := func(host, user string) func(*spec.Config) bool {
		return func(c *spec.Config) bool {
			return slices.ContainsFunc(c.Servers, func(s spec.Server) bool {
				return s.Network == "tcp" && s.Host == host && s.Port == 9001 && s.Username == user
			})
		}
	}
	for _, row := range []struct {
		script string // of sed
		want   func(*spec.Config) bool
	}{
		{`s/^;\[include\]/[include]/; s|;files = relative/directory/\*.ini|files = DIR/*.ini|`, included},
		{`s/^;\[include\]$/[include]/; s|^;files = .*$|files = DIR/*.ini|`, included},
		{`/^;\[include\]/,$ { s/^;//; s|relative/directory|DIR| }`, included},
		{`s|relative/directory/\*.ini|DIR/*.ini|; s/^;\[include/[include/; s/^;files/files/`, included},
		{`s/;\[inet_http_server\]/[inet_http_server]/; s/;port=127.0.0.1:9001/port=127.0.0.1:9001/`, over("127.0.0.1", "")},
		{`s/^;\[inet_http_server\]/[inet_http_server]/; s/^;port=127.0.0.1:9001/port=*:9001/`, over("", "")},
		{`/^;\[inet_http_server\]/,+1 s/^;//`, over("127.0.0.1", "")},
		{`/^;\[inet_http_server\]/,/^$/ s/^;//`, over("127.0.0.1", "user")},
		{`/^;\[inet_http_server\]/,+3 s/^;//; s/username=user/username=ops/`, over("127.0.0.1", "ops")},
		{`s/nodaemon=false/nodaemon=true/`, func(c *spec.Config) bool { return c.Daemon.NoDaemon }},
		{`s/^nodaemon=.*$/nodaemon=true/`, func(c *spec.Config) bool { return c.Daemon.NoDaemon }},
		{`s/^;user=supervisord/user=root/`, func(c *spec.Config) bool { return c.Daemon.User != nil }},
		{`s/;user=supervisord .*/user=root/`, func(c *spec.Config) bool { return c.Daemon.User != nil }},
		{`s|/tmp/supervisord.log|/dev/null|`, func(c *spec.Config) bool { return c.Daemon.LogFile == "/dev/null" }},
		{`s|/tmp/supervisor.sock|/run/s.sock|g`, func(c *spec.Config) bool { return c.Servers[0].Path == "/run/s.sock" }},
		{`s/;chmod=0700/chmod=0770/; s/;chown=nobody:nogroup/chown=nobody:nogroup/`, func(c *spec.Config) bool { return c.Servers[0].Mode == 0o770 }},
	} {
		sed := exec.Command("sed", strings.ReplaceAll(row.script, "DIR", dir))
		sed.Stdin = strings.NewReader(sample)
		text, err := sed.Output()
		if err != nil {
			t.Fatalf("sed %s: %v", row.script, err)
		}
		if !row.want(load(t, string(text))) {
			t.Errorf("sed %s has made of the sample something else than is meant", row.script)
		}
	}
}

// TestRecipeLines: in the sections that recipes edit, each line of the original's
// sample up to its comment begins a line of ours.
func TestRecipeLines(t *testing.T) {
	oracle.Require(t)
	theirs := oracle.Exec(t, oracle.Debian, "echo_supervisord_conf", t.TempDir()).Stdout
	key := regexp.MustCompile(`^;?([a-z_.]+ ?= ?\S+|\[.*\])`)
	compared, examples := 0, false
	for line := range strings.Lines(theirs) {
		switch {
		case strings.HasPrefix(line, ";[program:"): // up to the next of these, keys have another value as an example
			examples = true
		case strings.HasPrefix(line, ";[include]"):
			examples = false
		}
		head := key.FindString(line)
		if examples || head == "" {
			continue
		}
		compared++
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(head) + `(\s|$)`).MatchString(sample) {
			t.Errorf("the sample has no line %q", head)
		}
	}
	if compared < 30 {
		t.Errorf("only %d lines of the original were compared", compared)
	}
}
