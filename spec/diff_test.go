package spec

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/google/go-cmp/cmp"
)

// change is one field of a process made different, and what Compare says of it.
type change struct {
	field string // of Process; of Output, Account and Socket after a dot
	apply func(p *Process)
	want  []Field // nil where the field makes no difference
}

func processChanges() []change {
	in := func(key, old, new string) []Field { return []Field{{key, old, new, false}} }
	exec := func(key, old, new string) []Field { return []Field{{key, old, new, true}} }
	return []change{
		{"Priority", func(p *Process) { p.Priority = 5 }, in("priority", "999", "5")},
		{"Command", func(p *Process) { p.Command = "y" }, exec("command", "x", "y")},
		{"Directory", func(p *Process) { p.Directory = "/b" }, exec("directory", "/a", "/b")},
		{"HasDir", func(p *Process) { p.HasDir, p.Directory = true, "" }, exec("directory", "/a", "(empty)")},
		{"Umask", func(p *Process) { p.Umask = 0o77 }, exec("umask", "", "077")},
		{"User", func(p *Process) { p.User = nil }, exec("user", "me (uid 1, gid 2)", "")},
		{"User.UID", func(p *Process) { p.User = &Account{Name: "me", UID: 3, GID: 2} }, exec("user", "me (uid 1, gid 2)", "me (uid 3, gid 2)")},
		{"User.GID", func(p *Process) { p.User = &Account{Name: "me", UID: 1, GID: 3} }, exec("user", "me (uid 1, gid 2)", "me (uid 1, gid 3)")},
		{"User.Name", func(p *Process) { p.User = &Account{Name: "1", UID: 1, GID: 2} }, nil},
		{"User.Groups", func(p *Process) { p.User = &Account{Name: "me", UID: 1, GID: 2, Groups: []int{9}} }, nil},
		{"Environment", func(p *Process) { p.Environment = Env{"A": "secret", "C": "secret"} }, []Field{
			{"environment A", "set", "changed", true}, {"environment B", "set", "", true}, {"environment C", "", "set", true}}},
		{"ServerURL", func(p *Process) { p.ServerURL = "http://other" }, exec("serverurl", "http://x", "http://other")},
		{"ServerURLAuto", func(p *Process) { p.ServerURLAuto = true }, exec("serverurl", "http://x", "AUTO")},
		{"Autostart", func(p *Process) { p.Autostart = true }, in("autostart", "false", "true")},
		{"Autorestart", func(p *Process) { p.Autorestart = RestartAlways }, in("autorestart", "unexpected", "true")},
		{"StartSecs", func(p *Process) { p.StartSecs = 2 }, in("startsecs", "1", "2")},
		{"StartRetries", func(p *Process) { p.StartRetries = 4 }, in("startretries", "3", "4")},
		{"ExitCodes", func(p *Process) { p.ExitCodes = []int{0, 0} }, in("exitcodes", "0", "0,0")},
		{"StopSignal", func(p *Process) { p.StopSignal = 2 }, in("stopsignal", "SIGTERM", "SIGINT")},
		{"StopWaitSecs", func(p *Process) { p.StopWaitSecs = 20 }, in("stopwaitsecs", "10", "20")},
		{"StopAsGroup", func(p *Process) { p.StopAsGroup = true }, in("stopasgroup", "false", "true")},
		{"KillAsGroup", func(p *Process) { p.KillAsGroup = true }, in("killasgroup", "false", "true")},
		{"KillMode", func(p *Process) { p.KillMode = KillCgroup }, in("killmode", "process", "cgroup")},
		{"OnExit", func(p *Process) { p.OnExit = OnExitShutdown }, in("on_exit", "ignore", "shutdown")},
		{"MetricsPort", func(p *Process) { p.MetricsPort = 9100 }, in("metrics_port", "0", "9100")},
		{"MetricsPath", func(p *Process) { p.MetricsPath = "/m" }, in("metrics_path", "", "/m")},
		{"Retry", func(p *Process) { p.Retry = Retry{GiveUp: GiveUpNever} }, in("give_up", "startretries", "never")},
		{"Retry.Backoff", func(p *Process) { p.Retry.Backoff = time.Second }, in("backoff", "", "1s")},
		{"Retry.Factor", func(p *Process) { p.Retry.Factor = 1.5 }, in("backoff_factor", "", "1.5")},
		{"Retry.Max", func(p *Process) { p.Retry.Max = time.Minute }, in("backoff_max", "", "1m")},
		{"Retry.Jitter", func(p *Process) { p.Retry.Jitter = 10 }, in("backoff_jitter", "0%", "10%")},
		{"Retry.Reset", func(p *Process) { p.Retry.Reset = time.Minute }, in("backoff_reset", "", "1m")},
		{"Retry.Crashes", func(p *Process) { p.Retry.Crashes = CrashLimit{N: 5, Within: time.Minute} }, in("crash_limit", "", "5/1m")},
		{"Probes", func(p *Process) { p.Probes.Health = Probe{Kind: "tcp", Target: "h:1"} }, in("health", "", "tcp:h:1")},
		{"Probes.Ready", func(p *Process) { p.Probes.Ready = Probe{Kind: "http", Target: "http://h/", Codes: "401"} }, in("ready", "", "http://h/ [401]")},
		{"Probes.ReadyTimeout", func(p *Process) { p.Probes.ReadyTimeout = noTime }, in("ready_timeout", "1m", "0s")},
		{"Probes.ReadyInterval", func(p *Process) { p.Probes.ReadyInterval = time.Minute }, in("ready_interval", "1s", "1m")},
		{"Probes.HealthInterval", func(p *Process) { p.Probes.HealthInterval = time.Minute }, in("health_interval", "10s", "1m")},
		{"Probes.HealthTimeout", func(p *Process) { p.Probes.HealthTimeout = time.Minute }, in("health_timeout", "3s", "1m")},
		{"Probes.HealthFailures", func(p *Process) { p.Probes.HealthFailures = 5 }, in("health_failures", "3", "5")},
		{"Probes.OnUnhealthy", func(p *Process) { p.Probes.OnUnhealthy = UnhealthyReport }, in("on_unhealthy", "restart", "report")},
		{"Probes.Watchdog", func(p *Process) { p.Probes.Watchdog = time.Minute }, exec("watchdog", "", "1m")},
		{"Probes.Ready notify", func(p *Process) { p.Probes.Ready = Probe{Kind: "notify"} }, exec("ready", "", "notify")},
		{"Probes.Ready fd", func(p *Process) { p.Probes.Ready = Probe{Kind: "fd", Target: "3"} }, exec("ready", "", "fd:3")},
		{"Probes.Ready log", func(p *Process) { p.Probes.Ready = Probe{Kind: "log", Target: "x"} }, in("ready", "", "log:x")},
		{"Rollout", func(p *Process) { p.Rollout = Rollout{N: 2} }, in("rollout", "100%", "2")},
		{"Rollout.N", func(p *Process) { p.Rollout.N = 3 }, in("rollout", "100%", "3")},
		{"Rollout.Percent", func(p *Process) { p.Rollout = Rollout{N: 25, Percent: true} }, in("rollout", "100%", "25%")},
		{"DependsOn", func(p *Process) {
			p.DependsOn = []Dependency{{Name: "a", Until: UntilRunning}, {Name: "b:c", Until: UntilDone, Optional: true}}
		}, in("depends_on", "", "a b:c:done?")},
		{"RestartWith", func(p *Process) { p.RestartWith = []string{"a", "b"} }, in("restart_with", "", "a,b")},
		{"RedirectStderr", func(p *Process) { p.RedirectStderr = true }, exec("redirect_stderr", "false", "true")},
		{"Stdout", func(p *Process) { p.Stdout = Output{} }, in("stdout_logfile", "/log", "AUTO")},
		{"Stdout.Kind", func(p *Process) { p.Stdout.Kind, p.Stdout.File = OutputNone, "" }, in("stdout_logfile", "/log", "NONE")},
		{"Stdout.File", func(p *Process) { p.Stdout.File = "/b" }, in("stdout_logfile", "/log", "/b")},
		{"Stdout.MaxBytes", func(p *Process) { p.Stdout.MaxBytes = 1 }, in("stdout_logfile_maxbytes", "0", "1")},
		{"Stdout.Backups", func(p *Process) { p.Stdout.Backups = 1 }, in("stdout_logfile_backups", "0", "1")},
		{"Stdout.Empty", func(p *Process) { p.Stdout = Output{Kind: OutputNone, Empty: true} }, in("stdout_logfile", "/log", "")},
		{"Stdout.CaptureMaxBytes", func(p *Process) { p.Stdout.CaptureMaxBytes = 1 }, in("stdout_capture_maxbytes", "0", "1")},
		{"Stdout.EventsEnabled", func(p *Process) { p.Stdout.EventsEnabled = true }, in("stdout_events_enabled", "false", "true")},
		{"Stdout.Syslog", func(p *Process) { p.Stdout.Syslog = true }, in("stdout_syslog", "false", "true")},
		{"Stderr", func(p *Process) { p.Stderr.Backups = 7 }, in("stderr_logfile_backups", "0", "7")},
		{"Socket", func(p *Process) { p.Socket = nil }, []Field{
			{"socket", "unix:///s", "", true}, {"socket_mode", "700", "", true}}},
		{"Socket.URL", func(p *Process) { p.Socket = &Socket{URL: "tcp://h:1", Mode: 0o700, Owner: Owner{UID: -1, GID: -1}} }, exec("socket", "unix:///s", "tcp://h:1")},
		{"Socket.Mode", func(p *Process) { p.Socket = &Socket{URL: "unix:///s", Mode: 0o777, Owner: Owner{UID: -1, GID: -1}} }, exec("socket_mode", "700", "777")},
		{"Socket.Owner", func(p *Process) { p.Socket = &Socket{URL: "unix:///s", Mode: 0o700, Owner: Owner{UID: 0, GID: 1}} }, exec("socket_owner", "", "0:1")},
		{"Socket.Backlog", func(p *Process) {
			p.Socket = &Socket{URL: "unix:///s", Mode: 0o700, Owner: Owner{UID: -1, GID: -1}, Backlog: 5}
		}, exec("socket_backlog", "0", "5")},
		{"Socket.OwnerName", func(p *Process) {
			p.Socket = &Socket{URL: "unix:///s", Mode: 0o700, Owner: Owner{UID: -1, GID: -1}, OwnerName: "me"}
		}, nil},
		{"Origin", func(p *Process) { p.Origin = Origin{"other", "program:p", 9} }, nil},
	}
}

// impliedFields follow from others, and so are not compared by themselves.
var impliedFields = []string{"Name", "Socket.Network", "Socket.Path", "Socket.Host", "Socket.Port"}

func plainProcess() Process {
	return Process{
		Name: "p", Priority: 999, Command: "x", Directory: "/a", HasDir: true, Umask: -1,
		User: &Account{Name: "me", UID: 1, GID: 2}, Environment: Env{"A": "1", "B": "2"}, ServerURL: "http://x",
		StartSecs: 1, StartRetries: 3, ExitCodes: []int{0}, StopSignal: 15, StopWaitSecs: 10,
		Stdout: Output{Kind: OutputFile, File: "/log"},
		Socket: &Socket{URL: "unix:///s", Mode: 0o700, Owner: Owner{UID: -1, GID: -1}},
	}
}

func TestCompare(t *testing.T) {
	for _, c := range processChanges() {
		t.Run(c.field, func(t *testing.T) {
			old, new := plainProcess(), plainProcess()
			c.apply(&new)
			if diff := cmp.Diff(c.want, Compare(old, new)); diff != "" {
				t.Errorf("Compare (-want +got):\n%s", diff)
			}
			same := len(c.want) == 0
			if old.Equal(&new) != same || new.Equal(&old) != same {
				t.Errorf("Equal is %v, but %d keys differ", old.Equal(&new), len(c.want))
			}
			of := func(p Process) string { return Fingerprint([]*Group{{Processes: []Process{p}}}) }
			if (of(old) == of(new)) != same {
				t.Errorf("the fingerprints are equal: %v, but %d keys differ", of(old) == of(new), len(c.want))
			}
			if fields := Compare(new, new); len(fields) > 0 {
				t.Errorf("a process differs from itself in %v", fields)
			}
		})
	}
}

// TestCensus fails when a field is added to what is compared without a row that
// says what a change of it does.
func TestCensus(t *testing.T) {
	known := slices.Clone(impliedFields)
	for _, c := range processChanges() {
		known = append(known, c.field)
	}
	check := func(prefix string, value any) {
		typ := reflect.TypeOf(value)
		for i := range typ.NumField() {
			if name := prefix + typ.Field(i).Name; !slices.Contains(known, name) {
				t.Errorf("no row says what a change of Process.%s does", name)
			}
		}
	}
	check("", Process{})
	check("User.", Account{})
	check("Stdout.", Output{})
	check("Socket.", Socket{})
	for _, test := range []struct {
		value any
		want  []string
	}{
		{Group{}, []string{"Name", "Kind", "Priority", "Processes", "Listener", "DependsOn", "RestartWith", "Origin"}},
		{Listener{}, []string{"Events", "BufferSize", "ResultHandler", "StallTimeout"}},
		{Daemon{}, []string{"LogFile", "LogFileMaxBytes", "LogFileBackups", "LogLevel", "PidFile", "Umask", "NoDaemon", "Silent",
			"MinFDs", "MinProcs", "NoCleanup", "ChildLogDir", "ChildLogDirText", "User", "Directory", "StripANSI", "Environment",
			"Identifier", "Survivors", "ReplyMemory", "Subreaper", "DependentStartup", "ExitWhen", "ShutdownTimeout", "ServerURL"}},
		{Server{}, []string{"Section", "Network", "Host", "Port", "Path", "Mode", "Owner", "Chown", "Username", "Password", "HasAuth",
			"CertFile", "KeyFile", "ClientCA", "MetricsOpen", "ReadOnlyUsername", "ReadOnlyPassword"}},
	} {
		var got []string
		typ := reflect.TypeOf(test.value)
		for i := range typ.NumField() {
			got = append(got, typ.Field(i).Name)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: teach Equal, Hash and Normal the new field, then add it here (-want +got):\n%s", typ, diff)
		}
	}
}

func TestCompareGroups(t *testing.T) {
	plain := func() Group {
		return Group{Name: "g", Kind: KindListener, Priority: -1, Processes: []Process{plainProcess()},
			Listener: &Listener{Events: []string{"TICK"}, BufferSize: 10, ResultHandler: "h"}}
	}
	tests := []struct {
		name  string
		apply func(g *Group)
		want  []Field
		same  bool
	}{
		{"nothing", func(*Group) {}, nil, true},
		{"place", func(g *Group) { g.Origin.Line = 3 }, nil, true},
		{"kind", func(g *Group) { g.Kind = KindProgram }, []Field{{"type", "eventlistener", "program", true}}, false},
		{"priority", func(g *Group) { g.Priority = 1 }, []Field{{"priority", "-1", "1", false}}, false},
		{"events", func(g *Group) { g.Listener.Events = []string{"EVENT", "TICK"} }, []Field{{"events", "TICK", "EVENT,TICK", false}}, false},
		{"buffer", func(g *Group) { g.Listener.BufferSize = 1 }, []Field{{"buffer_size", "10", "1", false}}, false},
		{"handler", func(g *Group) { g.Listener.ResultHandler = "i" }, []Field{{"result_handler", "h", "i", false}}, false},
		{"restarts", func(g *Group) { g.RestartWith = []string{"a", "b"} }, []Field{{"restart_with", "", "a,b", false}}, false},
		{"order", func(g *Group) { g.DependsOn = []Dependency{{Name: "a", Until: UntilStarted}} }, []Field{{"depends_on", "", "a:started", false}}, false},
		{"stall", func(g *Group) { g.Listener.StallTimeout = time.Second }, []Field{{"stall_timeout", "0s", "1s", false}}, false},
		{"process", func(g *Group) { g.Processes[0].Command = "z" }, nil, false},
		{"processes", func(g *Group) { g.Processes = nil }, nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			old, new := plain(), plain()
			test.apply(&new)
			if diff := cmp.Diff(test.want, CompareGroups(old, new)); diff != "" {
				t.Errorf("CompareGroups (-want +got):\n%s", diff)
			}
			sameHash := Fingerprint([]*Group{&old}) == Fingerprint([]*Group{&new})
			if old.Equal(&new) != test.same || sameHash != test.same {
				t.Errorf("Equal is %v, equal fingerprints are %v, want %v", old.Equal(&new), sameHash, test.same)
			}
		})
	}
	a := Group{Kind: KindGroup, Processes: []Process{{Name: "a"}, {Name: "b"}}}
	b := Group{Kind: KindGroup, Processes: []Process{{Name: "b"}, {Name: "a"}}}
	if diff := cmp.Diff([]Field{{"programs", "a,b", "b,a", false}}, CompareGroups(a, b)); diff != "" {
		t.Errorf("order of members (-want +got):\n%s", diff)
	}
}

func TestDiff(t *testing.T) {
	list := func(texts ...string) []Group {
		var groups []Group
		for _, text := range texts {
			g := Group{Name: text[:1]}
			fmt.Sscan(text[1:], &g.Priority)
			groups = append(groups, g)
		}
		return groups
	}
	tests := []struct {
		active, desired []Group
		want            Changes
	}{
		{nil, nil, Changes{}},
		{list("a1", "b1"), list("a1", "b1"), Changes{}},
		{list("a1", "b1"), list("b1", "a1"), Changes{}},
		{nil, list("z1", "a2"), Changes{Added: []string{"z", "a"}}},
		{list("z1", "a2"), nil, Changes{Removed: []string{"z", "a"}}},
		{list("a1", "b1", "c1"), list("c9", "d1", "a2"), Changes{Added: []string{"d"}, Changed: []string{"c", "a"}, Removed: []string{"b"}}},
	}
	for _, test := range tests {
		got := Diff(test.active, test.desired)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("Diff(%v, %v) (-want +got):\n%s", test.active, test.desired, diff)
		}
		if got.Empty() != cmp.Equal(test.want, Changes{}) {
			t.Errorf("Empty is %v for %+v", got.Empty(), got)
		}
	}
}

// TestEdits are the edits of contract/reconcile.md section 4 and what comes of
// them.
func TestEdits(t *testing.T) {
	const plain = "[supervisord]\n[program:a]\ncommand=x\n[program:b]\ncommand=y\n"
	tests := []struct {
		name, old, new string
		changed        []string
	}{
		{"the same", plain, plain, nil},
		{"comments, spaces, order of keys", plain, "; c\n[supervisord]\n[program:b]\ncommand = y ; c\n[program:a]\ncommand:x\n", nil},
		{"unknown keys", plain, plain + "zzz=1\n", nil},
		{"defaults written out", plain, plain + "stopsignal=15\nserverurl=AUTO\nnumprocs=1\nstdout_logfile=AUTO\nexitcodes=0\n", nil},
		{"exit codes twice", plain, plain + "exitcodes=0,0\n", []string{"b"}},
		{"path to AUTO", plain + "stdout_logfile=/tmp/x\n", plain, []string{"b"}},
		{"NONE to AUTO", plain + "stdout_logfile=NONE\n", plain, []string{"b"}},
		{"AUTO to path", plain, plain + "stdout_logfile=/tmp/x\n", []string{"b"}},
		{"the daemon's environment", plain, "[supervisord]\nenvironment=A=1\n" + plain, []string{"a", "b"}},
		{"other keys of the daemon", plain, "[supervisord]\nloglevel=debug\numask=077\n" + plain, nil},
		{"a server", plain, plain + "[unix_http_server]\nfile=/tmp/s\n", nil},
		{"numprocs", plain + "process_name=b%(process_num)d\n", plain + "process_name=b%(process_num)d\nnumprocs=2\n", []string{"b"}},
		{"order of members", plain + "[group:g]\nprograms=a,b\n", plain + "[group:g]\nprograms=b,a\n", []string{"g"}},
		{"priority of a group", plain + "[group:g]\nprograms=a,b\n", plain + "[group:g]\nprograms=a,b\npriority=1\n", []string{"g"}},
		{"another kind", plain, "[supervisord]\n[program:a]\ncommand=x\n[eventlistener:b]\ncommand=y\nevents=TICK\n", []string{"b"}},
		{"events spelt otherwise", "[supervisord]\n[eventlistener:b]\ncommand=y\nevents=TICK,EVENT\n",
			"[supervisord]\n[eventlistener:b]\ncommand=y\nevents=event, tick,TICK\n", nil},
		{"mode of a socket", "[supervisord]\n[fcgi-program:f]\ncommand=y\nsocket=unix:///s\n",
			"[supervisord]\n[fcgi-program:f]\ncommand=y\nsocket=unix:///s\nsocket_mode=0777\n", []string{"f"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := Diff(groupsOf(t, test.old), groupsOf(t, test.new))
			if diff := cmp.Diff(Changes{Changed: test.changed}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func groupsOf(t *testing.T, text string) []Group {
	t.Helper()
	cfg, err := Load(&memHost{cwd: "/", files: map[string]string{"/c": text}}, "/c", Options{})
	if err != nil {
		t.Fatal(err)
	}
	return cfg.Groups
}

// fingerprint is that of all groups of a configuration.
func fingerprint(cfg *Config) string {
	groups := make([]*Group, len(cfg.Groups))
	for i := range cfg.Groups {
		groups[i] = &cfg.Groups[i]
	}
	return Fingerprint(groups)
}

func TestFingerprint(t *testing.T) {
	hash := func(text string) string {
		cfg, err := Load(&memHost{cwd: "/", files: map[string]string{"/c": text}}, "/c", Options{})
		if err != nil {
			t.Fatal(err)
		}
		return fingerprint(cfg)
	}
	const plain = "[supervisord]\n[program:a]\ncommand=x\n[program:b]\ncommand=x\n"
	for _, text := range []string{
		"; moved\n[program:b]\ncommand = x\n[supervisord]\n[program:a]\ncommand: x\n",
		plain + "priority=999\nstopsignal=TERM\nserverurl=AUTO\n",
		plain + "[supervisord]\nloglevel=debug\n",
		plain + "[unix_http_server]\nfile=/s\n",
	} {
		if hash(plain) != hash(text) {
			t.Errorf("%q means the same as %q and has another fingerprint", text, plain)
		}
	}
	a, b := Group{Name: "a"}, Group{Name: "b"}
	if Fingerprint([]*Group{&a, &b}) != Fingerprint([]*Group{&b, &a}) {
		t.Error("the order of the groups counts")
	}
	seen := map[string]string{hash(plain): plain}
	for _, text := range []string{
		plain + "[program:c]\ncommand=x\n", plain + "[supervisord]\nenvironment=A=1\n", plain + "[program:a]\ndirectory=\n",
		plain + "[program:a]\nserverurl=\n", plain + "[program:a]\nstdout_logfile=\n", plain + "[program:a]\nstderr_logfile=\n",
		plain + "[group:g]\nprograms=a,b\n", plain + "[group:g]\nprograms=b,a\n",
	} {
		if other, ok := seen[hash(text)]; ok {
			t.Errorf("one fingerprint for %q and %q", other, text)
		}
		seen[hash(text)] = text
	}
}

// TestFields holds what the tables of fields say of each key against
// testdata/fields.txt, and against what a file without the key gives.
func TestFields(t *testing.T) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	list := func(keys []key) {
		for _, k := range keys {
			def, unit, ours := k.def, k.unit, ""
			if k.ours {
				ours = "ours"
			}
			effect := []string{inPlace: "in place", restarts: "restart", mayRestart: "in place or restart", resizes: "resize"}[k.effect]
			fmt.Fprintln(w, strings.Join([]string{k.name, k.kind, def, unit, effect, ours}, "\t"))
		}
	}
	list(rowsOf(numberedFields))
	list(rowsOf(processFields))
	list(rowsOf(groupFields))
	w.Flush()
	if *update {
		if err := os.WriteFile("testdata/fields.txt", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/fields.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p := groupsOf(t, "[supervisord]\n[program:p]\ncommand=x\n")[0].Processes[0]
	if fields := Compare(*defaultProcess, p); len(fields) != 1 || fields[0].Key != "command" {
		t.Errorf("a program with a command and nothing else differs from the defaults in %v", fields)
	}
}

// TestDefaultsAreReadAlike gives each key its default as text: the process stays
// the same.
func TestDefaultsAreReadAlike(t *testing.T) {
	const plain = "[supervisord]\n[program:p]\ncommand=x\n"
	tried := 0
	for _, k := range append(rowsOf(processFields), rowsOf(numberedFields)...) {
		if k.def == "" || slices.Contains(socketKeys, k.name) {
			continue
		}
		tried++
		if c := Diff(groupsOf(t, plain), groupsOf(t, plain+k.name+"="+k.def+"\n")); !c.Empty() {
			t.Errorf("%s=%s is not the default", k.name, k.def)
		}
	}
	if tried < 20 {
		t.Errorf("only %d keys have a default", tried)
	}
}
