package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"supervisord/cmd/internal/host"
	"supervisord/cmd/internal/oracle"
)

// flagErrors are command lines that are refused, and the words. The rows stand
// for the original too, except for options that it does not have.
var flagErrors = []struct {
	args string
	want string
	ours bool
}{
	{args: "--bogus", want: "option --bogus not recognized"},
	{args: "-Z", want: "option -Z not recognized"},
	{args: "-c", want: "option -c requires argument"},
	{args: "--conf", want: "option --configuration requires argument"},
	{args: "--no", want: "option --no not a unique prefix"},
	{args: "--nodaemon=1", want: "option --nodaemon must not have an argument"},
	{args: "foo", want: "positional arguments are not supported: ['foo']"},
	{args: "-n it's -h", want: `positional arguments are not supported: ["it's", '-h']`},
	{args: "-h foo", want: "positional arguments are not supported: ['foo']"},
	{args: "-h --bogus", want: "option --bogus not recognized"},
	{args: "-n -n", want: "conflicting command line option '-n'"},
	{args: "-n --nodaemon", want: "conflicting command line option '--nodaemon'"},
	{args: "--nod -n", want: "conflicting command line option '-n'"},
	{args: "-c x -c x", want: "conflicting command line option '-c'"},
	{args: "--profile_options x --profile_options x", want: "conflicting command line option '--profile_options'"},
	{args: "-m 9", want: "invalid value for -m '9': 9 can not be converted to an octal type"},
	{args: "-m 9 -h", want: "invalid value for -m '9': 9 can not be converted to an octal type"},
	{args: "--umask=9", want: "invalid value for --umask '9': 9 can not be converted to an octal type"},
	{args: "--um 9", want: "invalid value for --umask '9': 9 can not be converted to an octal type"},
	{args: "-e warning", want: "invalid value for -e 'warning': bad logging level name 'warning'"},
	{args: "-z x", want: "invalid value for -z 'x': invalid literal for int() with base 10: 'x'"},
	{args: "-y 1X", want: "invalid value for -y '1X': invalid literal for int() with base 10: '1x'"},
	{args: "-a x", want: "invalid value for -a 'x': invalid literal for int() with base 10: 'x'"},
	{args: "--minprocs x", want: "invalid value for --minprocs 'x': invalid literal for int() with base 10: 'x'"},
	{args: "-l missing/x", want: "invalid value for -l 'missing/x': The directory named as part of the path missing/x does not exist"},
	{args: "-j missing/x", want: "invalid value for -j 'missing/x': The directory named as part of the path missing/x does not exist"},
	{args: "-d missing", want: "invalid value for -d 'missing': missing is not an existing directory"},
	{args: "-q missing", want: "invalid value for -q 'missing': missing is not an existing directory"},

	{args: "--js --check", want: "option --js not recognized", ours: true},
	{args: "--json", want: "option --json requires --check", ours: true},
	{args: "--show-secrets", want: "option --show-secrets requires --check", ours: true},
	{args: "--check --check", want: "conflicting command line option '--check'", ours: true},
	{args: "--watch flags_test.go", want: "invalid value for --watch 'flags_test.go': it is a file, and --watch takes a directory: use -c flags_test.go, or --watch .", ours: true},
	{args: "--socket s", want: "option --socket requires --watch: set file= in [unix_http_server] instead", ours: true},
	{args: "--watch . --socket missing/s", want: "invalid value for --socket 'missing/s': The directory named as part of the path missing/s does not exist", ours: true},
	{args: "--watch . --socket=", want: "invalid value for --socket '': it is empty", ours: true},
	{args: "--watch . --sock s", want: "option --sock not recognized", ours: true},
	{args: "-c x --watch y", want: "options -c and --watch cannot be combined", ours: true},
}

func TestFlagErrors(t *testing.T) {
	for _, test := range flagErrors {
		f, err := parseFlags(host.New(), strings.Fields(test.args))
		if err == nil || err.Error() != test.want {
			t.Errorf("parseFlags(%s) = %+v, %v; want error %q", test.args, f, err, test.want)
		}
	}
}

func TestFlagErrorsDebian(t *testing.T) {
	oracle.Require(t)
	for _, test := range flagErrors {
		if test.ours {
			continue
		}
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			out := oracle.Exec(t, oracle.Debian, "supervisord", t.TempDir(), strings.Fields(test.args)...)
			if !strings.Contains(out.Stderr, "Error: "+test.want+"\nFor help, use ") {
				t.Errorf("stderr of the original:\n%s\nwant Error: %s", out.Stderr, test.want)
			}
		})
	}
}

func TestFlagActions(t *testing.T) {
	tests := []struct {
		args string
		want flags
	}{
		{"", flags{}},
		{"-h", flags{action: actionHelp}},
		{"-?", flags{action: actionHelp}},
		{"--he", flags{action: actionHelp}},
		{"-v -m 9", flags{action: actionVersion}},
		{"-n -h -m 9", flags{action: actionHelp}},
		{"-c x", flags{config: "x", configSet: true}},
		{"--configuration=", flags{configSet: true}},
		{"--watch a --watch b", flags{watch: []string{"a", "b"}}},
		{"--socket /s --watch a", flags{watch: []string{"a"}, socket: "/s"}},
		{"--check --json --show-secrets -c x", flags{
			action: actionCheck, config: "x", configSet: true, json: true, showSecrets: true}},
		{"--profile_options calls", flags{}},
	}
	for _, test := range tests {
		got, err := parseFlags(host.New(), strings.Fields(test.args))
		if err != nil {
			t.Errorf("parseFlags(%s): %v", test.args, err)
			continue
		}
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(flags{})); diff != "" {
			t.Errorf("parseFlags(%s) (-want +got):\n%s", test.args, diff)
		}
	}
}

// TestShortForms holds the short forms that Supervisor takes against the
// options that we added.
func TestShortForms(t *testing.T) {
	for _, args := range []string{"--s", "--si", "--ch .", "--conf x", "--st", "--w"} {
		_, err := parseFlags(host.New(), strings.Fields(args))
		want := ""
		switch args {
		case "--s":
			want = "option --s not a unique prefix" // silent, strip_ansi
		case "--w":
			want = "option --w not recognized"
		}
		if got := errorText(err); got != want {
			t.Errorf("parseFlags(%s): error %q, want %q", args, got, want)
		}
	}
}

func TestFlagsOverride(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	t.Setenv("HOME", dir)
	tests := []struct {
		args string
		want map[string]string
	}{
		{"-n -s -k -t", map[string]string{"nodaemon": "true", "silent": "true", "nocleanup": "true", "strip_ansi": "true"}},
		{"-m 027 -e WARN -i me", map[string]string{"umask": "027", "loglevel": "WARN", "identifier": "me"}},
		{"-y 2KB -z 3 -a -4 --minprocs 5", map[string]string{
			"logfile_maxbytes": "2KB", "logfile_backups": "3", "minfds": "-4", "minprocs": "5"}},
		{"-l log -j sub/../pid", map[string]string{"logfile": "log", "pidfile": "sub/../pid"}},
		{"-l ~/sub/log", map[string]string{"logfile": "~/sub/log"}},
		{"-l syslog", map[string]string{"logfile": "syslog"}},
		{"-d sub -q ~/sub", map[string]string{"directory": "sub", "childlogdir": "~/sub"}},
		{"--logfile= --pidfile=", nil},
		{"-u 0", map[string]string{"user": "0"}},
		{"-u nosuch", map[string]string{"user": "nosuch"}}, // found out last, by spec.Load
	}
	for _, test := range tests {
		f, err := parseFlags(host.New(), strings.Fields(test.args))
		if err != nil {
			t.Errorf("parseFlags(%s): %v", test.args, err)
			continue
		}
		if diff := cmp.Diff(test.want, f.override); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.args, diff)
		}
	}
}

func TestUsage(t *testing.T) {
	text := helpText("/usr/bin/supervisord")
	if !strings.HasPrefix(text, "supervisord -- run a set of applications as daemons.\n") { // as the original's
		t.Errorf("the help begins %.40q", text)
	}
	if !strings.Contains(text, "\nUsage: /usr/bin/supervisord [options]\n") {
		t.Errorf("the help has no usage line:\n%s", text)
	}
	for _, long := range longFlags {
		if name := "--" + strings.Trim(long, "!="); !strings.Contains(text, name) {
			t.Errorf("the help does not speak of %s", name)
		}
	}
	for short, long := range longOf {
		if !strings.Contains(text, short) {
			t.Errorf("the help does not speak of %s (%s)", short, long)
		}
	}
}

// Scripts, and the original's own tests, look for an option as it is named there.
func TestUsageNamesOptionsAsTheOriginal(t *testing.T) {
	oracle.Require(t)
	name := regexp.MustCompile(`(?m)^(-\w/)?--\w+( [A-Z]+)? `)
	names := name.FindAllString(oracle.Exec(t, oracle.Debian, "supervisord", t.TempDir(), "-h").Stdout, -1)
	if len(names) < 20 {
		t.Fatalf("the original names %d options: %q", len(names), names)
	}
	for _, name := range names {
		if text := helpText("supervisord"); !strings.Contains(text, "\n"+name+"-- ") {
			t.Errorf("the help does not say %q", name+"--")
		}
	}
	for _, line := range []string{"-l/--logfile FILENAME -- use FILENAME as ", "--minprocs NUM -- ", "-t/--strip_ansi -- "} {
		if !strings.Contains(helpText("supervisord"), "\n"+line) {
			t.Errorf("the help has no line that begins %q", line)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
