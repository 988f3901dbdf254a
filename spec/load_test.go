package spec

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWatch(t *testing.T) {
	h := &memHost{cwd: "/cwd", strict: true, env: map[string]string{"HOME": "/root", "PATH": "/bin"}, files: map[string]string{
		"/srv/apps/a.ini":    "[program:a]\ncommand=/bin/cat %(here)s\n",
		"/srv/apps/b.conf":   "[program:b]\ncommand=/bin/cat\n[supervisord]\nloglevel=debug\n",
		"/srv/apps/c.txt":    "bad",
		"/cwd/more[1]/d.ini": "[program:d]\ncommand=/bin/cat\n",
	}, executable: []string{"/bin/cat"}}
	o := Options{Watch: []string{"/srv/apps", "more[1]"}, WatchSocket: "/run/100%/sv.sock"}
	cfg, err := Load(h, "", o)
	if err != nil {
		t.Fatal(err)
	}
	var groups []string
	for _, g := range cfg.Groups {
		groups = append(groups, g.Name+": "+g.Processes[0].Command)
	}
	if diff := cmp.Diff([]string{"a: /bin/cat /srv/apps", "b: /bin/cat", "d: /bin/cat"}, groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	d := cfg.Daemon
	if !d.NoDaemon || d.LogFile != "/dev/stdout" || d.LogFileMaxBytes != 0 || d.LogLevel != "debug" || d.PidFile != "/run/100%/supervisord.pid" {
		t.Errorf("daemon %+v", d)
	}
	if len(cfg.Servers) != 1 || cfg.Servers[0].Path != "/run/100%/sv.sock" || len(cfg.RPC) != 1 {
		t.Errorf("servers %+v, interfaces %+v", cfg.Servers, cfg.RPC)
	}
	if cfg.Path != "" || len(cfg.Files) != 3 || len(cfg.Warnings) != 0 || len(cfg.Advice) != 0 {
		t.Errorf("path %q, files %v, warnings %q, advice %v", cfg.Path, cfg.Files, cfg.Warnings, cfg.Advice)
	}

	cfg, err = Load(h, "", Options{Watch: []string{"/nowhere"}, WatchSocket: "/run/s"})
	if err != nil || len(cfg.Groups) != 0 || len(cfg.Advice) != 2 {
		t.Errorf("a directory that is not there: error %v, advice %v", err, cfg.Advice)
	}
}

func TestOverride(t *testing.T) {
	h := &memHost{cwd: "/cwd", strict: true, env: map[string]string{"HOME": "/root"}, files: map[string]string{
		"/c": "[supervisord]\nloglevel=info\nuser=nobody-here\nlogfile=/etc/x.log\n", "/etc/x": "", "/tmp/x": "",
	}}
	o := Options{Override: map[string]string{
		"nodaemon": "true", "silent": "true", "user": "root", "umask": "077", "directory": "/tmp", "logfile": "100%.log",
		"logfile_maxbytes": "1KB", "logfile_backups": "1", "loglevel": "trace", "pidfile": "~/p", "identifier": "%(x)s",
		"childlogdir": "/tmp", "nocleanup": "true", "minfds": "1", "minprocs": "2", "strip_ansi": "true",
	}}
	h.files["/root/x"] = ""
	cfg, err := Load(h, "/c", o)
	if err != nil {
		t.Fatal(err)
	}
	want := Daemon{
		NoDaemon: true, Silent: true, User: &Account{Name: "root"}, Umask: 0o77, Directory: "/tmp", LogFile: "/cwd/100%.log",
		LogFileMaxBytes: 1024, LogFileBackups: 1, LogLevel: "trace", PidFile: "/root/p", Identifier: "%(x)s",
		ChildLogDir: "/tmp", ChildLogDirText: "/tmp", NoCleanup: true, MinFDs: 1, MinProcs: 2, StripANSI: true,
		Environment: Env{}, Survivors: "stop", ReplyMemory: defaultReplyMemory,
	}
	if diff := cmp.Diff(want, cfg.Daemon); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	o.Override = map[string]string{"user": "nobody-here"}
	if _, err := Load(h, "/c", o); messageOf(err) != "Invalid user name nobody-here" {
		t.Errorf("error %v", err)
	}
	o.Override = map[string]string{"loglevel": "loud"}
	_, err = Load(h, "/c", o)
	if got := reports(err); len(got) != 3 || got[1] != "[supervisord] loglevel: bad logging level name 'loud' (critical, error, warn, info, debug, trace or blather)" {
		t.Errorf("reports %q", got)
	}
}

func TestSearchPaths(t *testing.T) {
	want := []string{
		"/usr/etc/supervisord.conf", "/usr/supervisord.conf", "supervisord.conf", "etc/supervisord.conf",
		"/etc/supervisord.conf", "/etc/supervisor/supervisord.conf",
	}
	if diff := cmp.Diff(want, SearchPaths("/usr/bin/supervisord")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	h := &memHost{cwd: "/cwd", strict: true, files: map[string]string{"/cwd/etc/supervisord.conf": "", "/etc/supervisord.conf": ""}}
	if file, ok := FindConfig(h, want); !ok || file != "etc/supervisord.conf" {
		t.Errorf("found %q, %v", file, ok)
	}
	if file, ok := FindConfig(h, want[:1]); ok {
		t.Errorf("found %q, which is not there", file)
	}
}

func TestNormalHidesSecrets(t *testing.T) {
	const text = "[supervisord]\nenvironment=A=hush1\n[program:p]\ncommand=x\nenvironment=B=hush2\n" +
		"[inet_http_server]\nport=1\nusername=me\npassword=hush3\n"
	cfg, err := Load(&memHost{cwd: "/", files: map[string]string{"/c": text}}, "/c", Options{})
	if err != nil {
		t.Fatal(err)
	}
	for show, want := range map[bool]int{false: 0, true: 4} {
		data, err := json.Marshal(Normal(cfg, show))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(data), "hush"); got != want {
			t.Errorf("with showSecrets=%v %d secrets are shown, want %d: %s", show, got, want, data)
		}
	}
}

func TestLoadCtl(t *testing.T) {
	files := map[string]string{
		"/etc/full": "[supervisorctl]\nserverurl=unix://~/%(ENV_N)s/../s\nusername=u\npassword=p%%\nprompt=%(ENV_N)s\nhistory_file=h\n",
		"/etc/none": "[supervisord]\n",
		"/etc/part": "[supervisord]\n[include]\nfiles=ctl\n",
		"/etc/ctl":  "[supervisorctl]\nserverurl=unix://%(here)s/s\n",
		"/etc/bad":  "[supervisorctl]\nserverurl\n",
		"/etc/here": "[supervisorctl]\nprompt=%(here)s\n",
		"/etc/url":  "[supervisorctl]\nserverurl=foo\nhistory_file=\n",
		"/etc/tls":  "[supervisorctl]\ncertfile=%(here)s/c\nkeyfile=~/k\nserver_ca=ca\n",
		"/etc/key":  "[supervisorctl]\nkeyfile=k\n",
	}
	tests := []struct {
		file string
		want *Ctl
		err  string
	}{
		{"/etc/full", &Ctl{ServerURL: "unix:///root/s", Username: "u", Password: "p%", Prompt: "n", HistoryFile: "/cwd/h"}, ""},
		{"/etc/part", &Ctl{ServerURL: "unix:///etc/s", Prompt: "supervisor"}, ""},
		{"/etc/url", &Ctl{ServerURL: "foo", Prompt: "supervisor"}, ""},
		{"/etc/tls", &Ctl{ServerURL: "http://localhost:9001", Prompt: "supervisor", CertFile: "/etc/c", KeyFile: "/root/k", ServerCA: "/cwd/ca"}, ""},
		{"/etc/key", nil, "certfile and keyfile must be given together"},
		{"/etc/none", nil, ".ini file does not include supervisorctl section"},
		{"/etc/bad", nil, "Source contains parsing errors: '/etc/bad'\n\t[line  2]: 'serverurl\\n'"},
		{"/etc/here", nil, "Format string '%(here)s' for 'supervisorctl.prompt' contains names ('here') which cannot be expanded. Available names: ENV_HOME, ENV_N"},
		{"/etc/nowhere", nil, "could not find config file /etc/nowhere"},
	}
	for _, test := range tests {
		h := &memHost{cwd: "/cwd", strict: true, files: files, env: map[string]string{"HOME": "/root", "N": "n"}}
		got, err := LoadCtl(h, test.file)
		if messageOf(err) != test.err {
			t.Errorf("%s: error %v, want %s", test.file, err, test.err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.file, diff)
		}
	}
}

// TestReportsHideSecrets checks that no report shows what is in a variable or a
// password; Supervisor's own text of a mistake does.
func TestReportsHideSecrets(t *testing.T) {
	const program, server = "[program:a]\ncommand=x\n", "[unix_http_server]\nfile=/tmp/s\nusername=u\n"
	for _, text := range []string{
		program + "environment=A=B@s3cret",
		program + "environment=A=s3cret,s3cret,C=1",
		program + "environment=s3cret@s3cret",
		program + "environment=A=s3cret@s3cret=s3cret",
		program + "environment=A=s3cret s3cret",
		program + "environment=A=!s3cret",
		program + "environment=A=\"x%s3cret\"",
		program + "environment=A=\"s3cret",
		program + "environment=A=\"x #s3cret\"",
		server + "password=x%s3cret",
		server + "password=x #s3cret",
		server + " password=s3cret",
		"password=s3cret",
		"environment: A=s3cret",
	} {
		h := &memHost{cwd: "/", strict: true, files: map[string]string{
			"/etc/sv.conf": "[supervisord]\n[include]\nfiles=part\n", "/etc/part": text + "\n", "/tmp/x": "",
		}}
		cfg, err := Load(h, "/etc/sv.conf", Options{})
		var told []*Error
		if failed := (*LoadError)(nil); errors.As(err, &failed) {
			told = append(failed.All(), failed.Advice()...)
		} else {
			told = cfg.Advice
		}
		found := false
		for _, e := range told {
			if e.Key != "command" && e.Section != "supervisord" {
				found = true
			}
			if strings.Contains(e.Report(), "3cret") {
				t.Errorf("%q: the secret is in %s", text, e.Report())
			}
		}
		if !found {
			t.Errorf("%q: nothing is said about it", text)
		}
	}
}

// twiceHost is a machine whose environment has a variable twice.
type twiceHost struct{ *memHost }

func (twiceHost) Environ() []string { return []string{"A=first", "A=second", "not a variable"} }

func TestVariableThatStandsTwice(t *testing.T) {
	h := twiceHost{&memHost{cwd: "/", files: map[string]string{"/c": "[supervisord]\nidentifier=%(ENV_A)s\n"}}}
	cfg, err := Load(h, "/c", Options{})
	if err != nil || cfg.Daemon.Identifier != "first" {
		t.Errorf("identifier %q, error %v", cfg.Daemon.Identifier, err)
	}
}

// TestSharedDocument checks that equal files of different places do not mix up
// their places.
func TestSharedDocument(t *testing.T) {
	h := &memHost{cwd: "/", strict: true, files: map[string]string{
		"/etc/sv.conf":    "[supervisord]\n[include]\nfiles=a/*.conf\n",
		"/etc/a/one.conf": "[program:x]\ncommand=%(here)s\n",
		"/etc/a/two.conf": "[program:x]\ncommand=%(here)s\n",
	}}
	cfg, err := Load(h, "/etc/sv.conf", Options{Cache: &Cache{}})
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, f := range cfg.Files {
		files = append(files, f.Path)
	}
	want := slices.Sorted(maps.Keys(h.files))
	slices.Sort(files)
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if got := cfg.Groups[0].Origin.File; got != "/etc/a/one.conf" {
		t.Errorf("the group begins in %s", got)
	}
}

// TestLargeNumbers: what a program is called, and how large its logs grow, does not
// depend on the machine; other numbers are the nearest that it has.
func TestLargeNumbers(t *testing.T) {
	p := groupsOf(t, "[supervisord]\n[program:p]\ncommand=x\nprocess_name=%(process_num)d\nnumprocs_start=4294967297\n"+
		"startsecs=4294967297\npriority=-4294967297\nstdout_logfile_maxbytes=5GB\n")[0].Processes[0]
	if p.Name != "4294967297" || p.Stdout.MaxBytes != 5<<30 {
		t.Errorf("the process is %s, its log is rotated at %d bytes", p.Name, p.Stdout.MaxBytes)
	}
	if p.StartSecs < math.MaxInt32 || p.Priority > math.MinInt32 {
		t.Errorf("startsecs is %d, priority %d", p.StartSecs, p.Priority)
	}
}
