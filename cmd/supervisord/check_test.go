package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"supervisord/cmd/internal/host"
	"supervisord/cmd/internal/oracle"
	"supervisord/spec"
)

// userHost is the real machine, but for an ordinary user: who can write the
// files of a test is another test's affair. Of the machine's programs it has only
// those that every machine has: what else is installed here is chance.
type userHost struct{ *host.Host }

// common are the programs of a userHost.
var common = []string{"awk", "bash", "cat", "date", "echo", "env", "find", "python3", "sh", "sleep", "true"}

func (h userHost) Stat(path string) (fs.FileInfo, error) {
	dir, name := filepath.Split(path)
	if slices.Contains([]string{"/bin/", "/usr/bin/", "/usr/sbin/", "/etc/init.d/"}, dir) && !slices.Contains(common, name) {
		return nil, fs.ErrNotExist
	}
	return h.Host.Stat(path)
}

func (userHost) UID() int { return 1000 }

func (userHost) Environ() []string { return []string{"HOME=/root", "PATH=/usr/bin:/bin"} }

func (userHost) LookupUser(name string) (spec.Account, error) {
	if strings.HasPrefix(name, "no-such") {
		return spec.Account{}, spec.ErrNoAccount
	}
	return spec.Account{Name: name, UID: 1000, GID: 1000}, nil
}

// TestCheck reads the files of each testdata/check/*.txtar and compares what
// --check prints of them, in words and as JSON, with the last files in it. -update
// rewrites those: read the difference as a tired person would at night.
func TestCheck(t *testing.T) {
	eachArchive(t, "testdata/check", []string{"want.text", "want.start"}, func(t *testing.T, archive *txtar.Archive) map[string]string {
		t.Chdir(extract(t, archive.Files))
		got := checkBoth(t)
		for name, text := range got {
			got[name] = strings.ReplaceAll(text, host.New().Getwd(), "DIR")
		}
		return got
	})
}

// TestCheckFirstLineDebian: what a start that fails prints first is what the
// original prints.
func TestCheckFirstLineDebian(t *testing.T) {
	oracle.Require(t)
	paths, err := filepath.Glob("testdata/check/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := string(archive.Files[len(archive.Files)-1].Data)
		end := "\nFor help, use "
		if want, _, _ = strings.Cut(want, end); want == "" {
			continue // it would start
		}
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			dir := extract(t, archive.Files)
			out := oracle.Exec(t, oracle.Debian, "supervisord", dir, "-n", "-c", "supervisord.conf")
			got, _, _ := strings.Cut(strings.ReplaceAll(out.Stderr, dir, "DIR"), end)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-ours +original):\n%s", diff)
			}
		})
	}
}

// checkBoth is what --check prints of supervisord.conf in the working directory,
// with its exit status, and what a start prints, "" if it would start. That the
// JSON form says the same is checked on the way.
func checkBoth(t *testing.T) map[string]string {
	t.Helper()
	h := userHost{host.New()}
	var text, start bytes.Buffer
	status := check(&text, h, "supervisord.conf", spec.Options{}, flags{})
	text.WriteString(map[int]string{0: "exit 0\n", 2: "exit 2\n"}[status])
	if _, err := spec.Load(h, "supervisord.conf", spec.Options{}); err != nil {
		printErrors(&start, "supervisord", err)
	}

	var data bytes.Buffer
	if again := check(&data, h, "supervisord.conf", spec.Options{}, flags{json: true}); again != status {
		t.Errorf("exit status %d, with --json %d", status, again)
	}
	var object struct {
		OK               bool
		Errors, Warnings []spec.Error
		Config           any
	}
	if err := json.Unmarshal(data.Bytes(), &object); err != nil {
		t.Fatalf("%v in:\n%s", err, &data)
	}
	if object.OK != (status == 0) || object.OK != (len(object.Errors) == 0) || object.OK != (object.Config != nil) {
		t.Errorf("with exit status %d the object is:\n%s", status, &data)
	}
	for _, e := range object.Errors {
		if !strings.Contains(text.String(), e.Report()+"\n") {
			t.Errorf("only the object says: %s", e.Report())
		}
	}
	if lines := strings.Count(text.String(), "\n"); lines != len(object.Errors)+len(object.Warnings)+2 {
		t.Errorf("%d lines for %d errors and %d warnings:\n%s", lines, len(object.Errors), len(object.Warnings), &text)
	}
	return map[string]string{"want.text": text.String(), "want.start": start.String()}
}

func TestCheckHidesSecrets(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/check/good.txtar")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(extract(t, archive.Files))
	for _, show := range []bool{false, true} {
		var out bytes.Buffer
		check(&out, userHost{host.New()}, "supervisord.conf", spec.Options{}, flags{json: true, showSecrets: show})
		for _, secret := range []string{`"secret"`, `"hush"`} {
			if shown := strings.Contains(out.String(), secret); shown != show {
				t.Errorf("--show-secrets %v: %s is shown %v in:\n%s", show, secret, shown, &out)
			}
		}
	}
}

func TestCheckWatch(t *testing.T) {
	dir := extract(t, []txtar.File{{Name: "a.ini", Data: []byte("[program:a]\ncommand=/bin/cat\n")}})
	own := extract(t, []txtar.File{{Name: "b.conf", Data: []byte("[supervisord]\nloglevel=debug\nnodaemon=false\n")}})
	for _, test := range []struct {
		watch, want string
		status      int
	}{
		{dir, dir + ": ok, 1 file, 1 group, 1 process\n", 0},
		{dir + "/missing", fmt.Sprintf("warning: no file matches %[1]s/missing/*.ini (the directory %[1]s/missing does not exist)\n"+
			"warning: no file matches %[1]s/missing/*.conf (the directory %[1]s/missing does not exist)\n"+
			"%[1]s/missing: ok, 0 files, 0 groups, 0 processes, 2 warnings\n", dir), 0},
		{own, own + ": ok, 1 file, 0 groups, 0 processes\n", 0}, // over what the daemon brings itself
	} {
		var out bytes.Buffer
		options := spec.Options{Watch: []string{test.watch}, WatchSocket: "/run/s.sock"}
		status := check(&out, userHost{host.New()}, "", options, flags{watch: options.Watch})
		if status != test.status || out.String() != test.want {
			t.Errorf("exit status %d and:\n%swant %d and %q", status, &out, test.status, test.want)
		}
	}
}

// TestCheckExposedLog: an activity log that will hold what programs write, and that
// others can read, is warned of.
func TestCheckExposedLog(t *testing.T) {
	for _, r := range []struct {
		level string
		mode  os.FileMode // 0 for no file
		warns bool
	}{
		{"debug", 0o644, true},
		{"trace", 0o640, true},
		{"debug", 0o600, false},
		{"debug", 0, false},
		{"info", 0o644, false},
	} {
		dir := extract(t, []txtar.File{{Name: "supervisord.conf", Data: []byte("[supervisord]\nlogfile=log\nloglevel=" + r.level + "\n")}})
		t.Chdir(dir)
		if r.mode != 0 {
			if err := errors.Join(os.WriteFile("log", nil, r.mode), os.Chmod("log", r.mode)); err != nil {
				t.Fatal(err)
			}
		}
		var out bytes.Buffer
		status := check(&out, userHost{host.New()}, "supervisord.conf", spec.Options{}, flags{})
		if got := strings.Contains(out.String(), "warning: [supervisord] logfile: with loglevel="+r.level); got != r.warns || status != 0 {
			t.Errorf("level %s, mode %04o: exit status %d and:\n%s", r.level, r.mode, status, &out)
		}
	}
}

// TestCheckTellsAll: what the machine lacks is a mistake where the daemon will run, but for the
// directory of a program, and none of it hides the rest.
func TestCheckTellsAll(t *testing.T) {
	t.Chdir(t.TempDir())
	const directory = "web.conf:4: warning: [program:a] directory: /srv/nope is not an existing directory (create it: the program cannot start without it)\n"
	const log = "[program:a] stdout_logfile: The directory named as part of the path /var/log/nope/x.log does not exist (create the directory of the file)\n"
	for _, r := range []struct {
		file string
		here bool
		want string
	}{
		{"", true, directory + "web.conf: ok, 1 file, 1 group, 1 process, 1 warning\n"},
		{"stdout_logfile=/var/log/nope/x.log\n", true, directory + "web.conf:5: " + log + "web.conf: 1 error, 1 warning\n"},
		{"stdout_logfile=/var/log/nope/x.log\n", false, directory + "web.conf:5: warning: " + log + "web.conf: ok, 1 file, 1 group, 1 process, 2 warnings\n"},
		{"user=no-such-user\n", true, directory + "web.conf:5: [program:a] user: Invalid user name no-such-user (the name or number of a user on this machine)\nweb.conf: 1 error, 1 warning\n"},
	} {
		if err := os.WriteFile("web.conf", []byte("[supervisord]\n[program:a]\ncommand=/bin/cat\ndirectory=/srv/nope\n"+r.file), 0o644); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		status := check(&out, userHost{host.New()}, "web.conf", spec.Options{}, flags{here: r.here})
		if diff := cmp.Diff(r.want, out.String()); diff != "" || (status == 0) != strings.Contains(r.want, ": ok,") {
			t.Errorf("%q, here %v: exit status %d (-want +got):\n%s", r.file, r.here, status, diff)
		}
	}
}

// rootHost is a host whose daemon is run by root.
type rootHost struct{ userHost }

func (rootHost) UID() int { return 0 }

func TestCheckPermissions(t *testing.T) {
	dir := extract(t, []txtar.File{{Name: "supervisord.conf", Data: []byte("[supervisord]\n")}})
	path := filepath.Join(dir, "supervisord.conf")
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		host spec.Host
		want bool
	}{{rootHost{userHost{host.New()}}, true}, {userHost{host.New()}, false}} {
		var out bytes.Buffer
		status := check(&out, test.host, path, spec.Options{}, flags{})
		if warned := strings.Contains(out.String(), "warning: "); warned != test.want || status != 0 {
			t.Errorf("run by user %d: exit status %d and:\n%s", test.host.UID(), status, &out)
		}
	}
}

// TestPrint holds the form for terminals: places of one width, colours around
// words and never across a line.
func TestPrint(t *testing.T) {
	warning := &spec.Error{File: "b", Line: 1, Key: "k", Text: "odd"}
	v := checkResult{
		name:     "a",
		errors:   []*spec.Error{{File: "a", Line: 10, Section: "s", Key: "k", Text: "bad", Hint: "good"}, {Text: "no place"}},
		warnings: []*spec.Error{warning, {File: strings.Repeat("long/", 9) + "x", Line: 1, Text: "far"}},
	}
	for _, test := range []struct {
		name   string
		styles styles
		want   string
	}{
		{"a pipe", styles{}, "no place\n" +
			"a:10: [s] k: bad (good)\n" +
			"b:1: warning: k: odd\n" +
			"long/long/long/long/long/long/long/long/long/x:1: warning: far\n" +
			"a: 2 errors, 2 warnings\n"},
		{"a terminal", styles{true, "<b>", "<w>", "<g>", "<r>", "</>"}, "no place\n" +
			"<b>a:10:</> [s] k: bad (good)\n" +
			"<b>b:1:</>  <w>warning:</> k: odd\n" +
			"<b>long/long/long/long/long/long/long/long/long/x:1:</> <w>warning:</> far\n" +
			"<r>a: 2 errors, 2 warnings</>\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			v.print(&out, test.styles)
			if diff := cmp.Diff(test.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestStylesAreForTerminals(t *testing.T) {
	if s := stylesFor(new(bytes.Buffer)); s != (styles{}) {
		t.Errorf("a buffer has styles %+v", s)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if s := stylesFor(w); s != (styles{}) {
		t.Errorf("a pipe has styles %+v", s)
	}
}

func TestPrintErrorsOfOtherKinds(t *testing.T) {
	var out bytes.Buffer
	printErrors(&out, "argv0", errors.New("Cannot open an HTTP server: "+fs.ErrPermission.Error()))
	if want := "Error: Cannot open an HTTP server: permission denied\nFor help, use argv0 -h\n"; out.String() != want {
		t.Errorf("printed %q, want %q", &out, want)
	}
}

// TestCheckAsksNginx: that nginx goes to the background is no warning where its own
// configuration says that it does not.
func TestCheckAsksNginx(t *testing.T) {
	t.Chdir(extract(t, []txtar.File{
		{Name: "on.conf", Data: []byte("daemon on;\n")}, {Name: "off.conf", Data: []byte("worker_processes 1;\ndaemon  off ;\n")},
	}))
	for _, r := range []struct {
		config string
		warns  bool
	}{{"on.conf", true}, {"off.conf", false}, {"missing.conf", true}} {
		if err := os.WriteFile("supervisord.conf", []byte("[supervisord]\n[program:web]\ncommand=/usr/sbin/nginx -c "+r.config+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		check(&out, userHost{host.New()}, "supervisord.conf", spec.Options{}, flags{})
		if got := strings.Contains(out.String(), "nginx goes into the background by itself"); got != r.warns {
			t.Errorf("%s: warns %v, and prints\n%s", r.config, got, &out)
		}
	}
}

// TestWarnings holds what --check says of a file, by the table testdata/warnings.txt: a
// row is a name, the file, and behind => what is printed of it but for the last line.
// -update writes what is printed.
func TestWarnings(t *testing.T) {
	const rowMark, saidMark = "----\n", "=>\n"
	path, err := filepath.Abs("testdata/warnings.txt")
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(string(table), rowMark)
	update := oracle.Updating()
	t.Chdir(t.TempDir())
	for i, row := range rows {
		file, want, _ := strings.Cut(row, saidMark)
		name, _, _ := strings.Cut(strings.TrimPrefix(file, "# "), "\n")
		_, file, _ = strings.Cut(file, "\n")
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile("web.conf", []byte(file), 0o644); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			check(&out, userHost{host.New()}, "web.conf", spec.Options{}, flags{})
			got := strings.ReplaceAll(out.String(), host.New().Getwd(), "DIR")
			if n := strings.Count(got, "\n"); n > 1 {
				got = strings.Join(strings.SplitAfter(got, "\n")[:n-1], "")
			} else {
				got = ""
			}
			if diff := cmp.Diff(want, got); diff != "" && !update {
				t.Errorf("(-want +got):\n%s", diff)
			}
			rows[i] = "# " + name + "\n" + file + saidMark + got
		})
	}
	if update {
		if err := os.WriteFile(path, []byte(strings.Join(rows, rowMark)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
