package spec

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata/good and testdata/bad")

// TestGolden reads every case of testdata/good and testdata/bad: an archive whose
// first lines say which rule it shows, with the files of a machine and, in want,
// what becomes of them. A file "env" holds the environment, "executable" the
// names of files that can be executed; a file whose content is "unreadable" is.
func TestGolden(t *testing.T) {
	for _, dir := range []string{"good", "bad"} {
		paths, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no cases in testdata/%s (%v)", dir, err)
		}
		for _, path := range paths {
			name := dir + "/" + strings.TrimSuffix(filepath.Base(path), ".txtar")
			t.Run(name, func(t *testing.T) { golden(t, path, dir == "good") })
		}
	}
}

func golden(t *testing.T, path string, good bool) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h := &memHost{cwd: "/cwd", strict: true, env: map[string]string{"HOME": "/home/me", "PATH": "/bin"},
		files: map[string]string{"/tmp/x": "", "/cwd/x": "", "/var/log/x": "", "/home/me/x": ""}}
	want := -1
	for i, f := range archive.Files {
		text := string(f.Data)
		switch f.Name {
		case "want":
			want = i
		case "env":
			for _, line := range strings.Fields(text) {
				key, value, _ := strings.Cut(line, "=")
				h.env[key] = value
			}
		case "executable":
			h.executable = strings.Fields(text)
		default:
			if text == "unreadable\n" {
				text = unreadable
			}
			h.files[f.Name] = text
		}
	}
	cfg, err := Load(h, "/etc/supervisord.conf", Options{})
	if good != (err == nil) {
		t.Errorf("a case in testdata/%s gives error %v", filepath.Base(filepath.Dir(path)), err)
	}
	got := describe(cfg, err)
	if *update {
		if want < 0 {
			want = len(archive.Files)
			archive.Files = append(archive.Files, txtar.File{Name: "want"})
		}
		archive.Files[want].Data = []byte(got)
		if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want < 0 {
		t.Fatal("no file want")
	}
	if diff := cmp.Diff(string(archive.Files[want].Data), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// describe tells what a load gave, leaving out what is the default.
func describe(cfg *Config, err error) string {
	var b strings.Builder
	var failed *LoadError
	if errors.As(err, &failed) {
		fmt.Fprintf(&b, "first: %s\n", failed)
		for _, e := range failed.All() {
			fmt.Fprintf(&b, "%s\n", e.Report())
			if e.Plain != "" {
				fmt.Fprintf(&b, "\tSupervisor: %q\n", e.Text)
			}
		}
		for _, e := range failed.Advice() {
			fmt.Fprintf(&b, "advice: %s\n", e.Report())
		}
		return b.String()
	}
	n := normal{showSecrets: true}
	plainDaemon := n.daemon(&defaultConfig().Daemon)
	showChanged(&b, "supervisord", plainDaemon, n.daemon(&cfg.Daemon))
	if cfg.Daemon.Survivors != "stop" {
		fmt.Fprintf(&b, "supervisord survivors=%s\n", cfg.Daemon.Survivors)
	}
	if cfg.Daemon.ReplyMemory != defaultReplyMemory {
		fmt.Fprintf(&b, "supervisord reply_memory=%d\n", cfg.Daemon.ReplyMemory)
	}
	if cfg.Daemon.Subreaper {
		fmt.Fprintln(&b, "supervisord subreaper=true")
	}
	if cfg.Daemon.ExitWhen != ExitNever {
		fmt.Fprintf(&b, "supervisord exit_when=%s\n", cfg.Daemon.ExitWhen)
	}
	if cfg.Daemon.ShutdownTimeout != 0 {
		fmt.Fprintf(&b, "supervisord shutdown_timeout=%s\n", cfg.Daemon.ShutdownTimeout)
	}
	for i := range cfg.Servers {
		showChanged(&b, "server", n.server(&Server{Network: cfg.Servers[i].Network}), n.server(&cfg.Servers[i]))
	}
	for _, r := range cfg.RPC {
		fmt.Fprintf(&b, "rpcinterface %s %s %v\n", r.Name, r.Factory, r.Extra)
	}
	for i := range cfg.Groups {
		g := &cfg.Groups[i]
		shown := n.group(g)
		delete(shown, "processes")
		fmt.Fprintf(&b, "group %q %s:%d\n", g.Name, g.Origin.File, g.Origin.Line)
		showChanged(&b, "\t", map[string]any{"name": g.Name, "type": "program", "priority": 999}, shown)
		for j := range g.Processes {
			p := &g.Processes[j]
			fmt.Fprintf(&b, "\tprocess %q\n", p.Name)
			plain := n.process(g, &defaultConfig().Groups[0].Processes[0])
			plain["name"] = p.Name
			got := n.process(g, p)
			delete(got, "argv")
			delete(plain, "argv")
			showChanged(&b, "\t\t", plain, got)
		}
	}
	if c := cfg.Reconcile; !reflect.DeepEqual(c, defaultReconcile()) {
		fmt.Fprintf(&b, "reconcile %+v\n", c)
	}
	for _, f := range cfg.Files[1:] {
		fmt.Fprintf(&b, "file %s %v\n", f.Path, f.Groups)
	}
	lines := map[string][]string{"ignored": cfg.Ignored, "unreadable": cfg.Unreadable, "warning": cfg.Warnings, "info": cfg.Infos}
	for _, kind := range []string{"ignored", "unreadable", "info", "warning"} {
		for _, line := range lines[kind] {
			fmt.Fprintf(&b, "%s: %s\n", kind, line)
		}
	}
	for _, e := range cfg.Advice {
		fmt.Fprintf(&b, "advice: %s\n", e.Report())
	}
	return b.String()
}

// showChanged prints the keys whose values are not the plain ones.
func showChanged(b *strings.Builder, prefix string, plain, got map[string]any) {
	if strings.Trim(prefix, "\t") != "" {
		prefix += " "
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if !cmp.Equal(plain[key], got[key]) {
			fmt.Fprintf(b, "%s%s=%v\n", prefix, key, got[key])
		}
	}
}

// defaultConfig is what one program without any key but command gives.
func defaultConfig() *Config {
	h := &memHost{cwd: "/cwd", files: map[string]string{"/c": "[supervisord]\n[program:x]\ncommand=\n"}}
	cfg, err := Load(h, "/c", Options{})
	if err != nil {
		panic(err)
	}
	return cfg
}
