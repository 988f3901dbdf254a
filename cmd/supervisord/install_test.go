package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// machineRoot is a directory that is like the root of a machine with systemd, and an
// installer for it, whose commands are noted.
func machineRoot(t *testing.T) (in *installer, ran *[]string) {
	t.Helper()
	root, from := t.TempDir(), t.TempDir()
	for _, dir := range []string{"/etc/systemd/system", "/usr/local/bin", "/var/log", "/run/systemd/system"} {
		if err := os.MkdirAll(root+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range programs[:3] {
		if err := os.WriteFile(filepath.Join(from, name), []byte(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ran = new([]string)
	return &installer{out: io.Discard, root: root, from: from, prefix: "/usr/local", run: func(name string, args ...string) error {
		if args[0] == "is-active" {
			_, err := os.Stat(root + "/run/active/" + args[len(args)-1])
			return err
		}
		*ran = append(*ran, name+" "+strings.Join(args, " "))
		return nil
	}}, ran
}

// tree is what is in a directory, with the content of files.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			found[strings.TrimPrefix(path, root)+"/"] = ""
			return err
		}
		content, err := os.ReadFile(path)
		found[strings.TrimPrefix(path, root)] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestInstallAndUninstall(t *testing.T) {
	in, ran := machineRoot(t)
	unit := "/etc/systemd/system/supervisor.service"
	if err := os.WriteFile(in.root+unit, []byte("a unit of the tutorial's"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := tree(t, in.root)
	if err := in.install(); err != nil {
		t.Fatal(err)
	}
	made := tree(t, in.root)
	if text := made[unit]; !strings.Contains(text, "ExecStart=/usr/local/bin/supervisord -n -c /etc/supervisor/supervisord.conf\n") {
		t.Errorf("the unit is:\n%s", text)
	}
	for _, path := range []string{"/usr/local/bin/supervisorctl", "/etc/supervisor/supervisord.conf", "/etc/supervisor/config.d/",
		"/var/log/supervisor/", "/etc/logrotate.d/supervisor", "/etc/tmpfiles.d/supervisor.conf", "/usr/local/share/man/man8/supervisord.8"} {
		if _, ok := made[path]; !ok {
			t.Errorf("there is no %s", path)
		}
	}
	again := *in
	if err := again.install(); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("a second install says %v", err)
	}
	if err := in.uninstall(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, tree(t, in.root)); diff != "" {
		t.Errorf("after an uninstall (-before +now):\n%s", diff)
	}
	want := []string{"systemctl daemon-reload", "systemctl enable --now supervisor.service", "systemctl disable --now supervisor.service", "systemctl daemon-reload"}
	if !slices.Equal(*ran, want) {
		t.Errorf("what was run is %q, want %q", *ran, want)
	}
}

// TestUninstallKeepsWork: what somebody has written stays.
func TestUninstallKeepsWork(t *testing.T) {
	in, _ := machineRoot(t)
	conf, web := in.root+"/etc/supervisor/supervisord.conf", in.root+"/etc/supervisor/conf.d/web.conf"
	if err := os.MkdirAll(filepath.Dir(web), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(web, []byte("[program:web]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := in.install(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(conf, []byte("[supervisord]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := in.uninstall(); err != nil {
		t.Fatal(err)
	}
	left := tree(t, in.root+"/etc/supervisor")
	if diff := cmp.Diff(map[string]string{"/": "", "/conf.d/": "", "/conf.d/web.conf": "[program:web]\n", "/supervisord.conf": "[supervisord]\n"}, left); diff != "" {
		t.Errorf("what is left (-want +is):\n%s", diff)
	}
}

// TestInstallBesideARunningUnit: what runs already is not run a second time. The machine
// stays as it is, and the message says what to do.
func TestInstallBesideARunningUnit(t *testing.T) {
	for _, unit := range []string{"supervisor.service", "supervisord.service"} {
		in, ran := machineRoot(t)
		active := in.root + "/run/active/" + unit
		if err := os.MkdirAll(active, 0o755); err != nil {
			t.Fatal(err)
		}
		before := tree(t, in.root)
		want := "the unit " + unit + " is running: stop it and its programs with systemctl stop " + unit + ", then run this again"
		if err := in.install(); errorText(err) != want {
			t.Errorf("install says %q, want %q", errorText(err), want)
		}
		if diff := cmp.Diff(before, tree(t, in.root)); diff != "" || len(*ran) > 0 {
			t.Errorf("after it (-before +now):\n%s\nrun were %q", diff, *ran)
		}
		if err := os.Remove(active); err != nil {
			t.Fatal(err)
		}
		if err := in.install(); err != nil {
			t.Errorf("when the unit has been stopped: %v", err)
		}
	}
}

// TestInstallUndoesItself: a machine on which something cannot be made is as it was.
func TestInstallUndoesItself(t *testing.T) {
	in, _ := machineRoot(t)
	if err := os.WriteFile(in.root+"/etc/logrotate.d", []byte("a file"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := tree(t, in.root)
	if err := in.install(); err == nil {
		t.Fatal("a file stands in the place of a directory, and nothing is said")
	}
	if diff := cmp.Diff(before, tree(t, in.root)); diff != "" {
		t.Errorf("after an install that failed (-before +now):\n%s", diff)
	}
}

func TestInstallOptions(t *testing.T) {
	for args, want := range map[string]string{
		"--prefix opt":     "invalid value for --prefix 'opt': an absolute path without spaces or special characters is needed",
		"--prefix /a%b":    "invalid value for --prefix '/a%b': an absolute path without spaces or special characters is needed",
		"--user no:body":   "invalid value for --user 'no:body': not a user name",
		"--nosuch":         "option --nosuch not recognized",
		"x":                "positional arguments are not supported: 'x'",
		"--user a --print": "",
	} {
		_, _, err := newInstaller(strings.Fields(args), "user=", "prefix=", "print")
		if got := errorText(err); got != want {
			t.Errorf("install %s says %q, want %q", args, got, want)
		}
	}
	var out strings.Builder
	in := &installer{out: &out, from: "/x", prefix: "/opt/s", user: "deploy"}
	in.print()
	for _, line := range []string{"User=deploy\n", "ExecStart=/opt/s/bin/supervisord ", "statedir=/var/lib/supervisor\n",
		"file=/run/supervisor/supervisor.sock", "d /var/log/supervisor 0755 deploy -", "# /opt/s/share/man/man8/supervisord.8\n"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("what --print shows has no %q:\n%s", line, out.String())
		}
	}
}
