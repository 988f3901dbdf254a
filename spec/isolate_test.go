package spec

import (
	"errors"
	"io/fs"
	"path"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const isolatedMain = "[supervisord]\n[include]\nfiles=conf.d/*\n"

func TestLoadIsolated(t *testing.T) {
	good := map[string]string{"/etc/conf.d/b": "[program:b]\ncommand=old\n"}
	tests := []struct {
		name     string
		files    map[string]string
		lastGood map[string]string
		groups   []string // "" where the load fails
		bad      []string
		leftOut  []string
		err      string
	}{
		{
			name:   "nothing is wrong",
			files:  map[string]string{"/etc/conf.d/a": "[program:a]\ncommand=a\n"},
			groups: []string{"a a"},
		},
		{
			name:     "the last good content stands in",
			files:    map[string]string{"/etc/conf.d/a": "[program:a]\ncommand=a\n", "/etc/conf.d/b": "[program:b]\ncommand=new\nautostart=x\n"},
			lastGood: good,
			groups:   []string{"a a", "b old"},
			bad:      []string{"/etc/conf.d/b:3: [program:b] autostart: not a valid boolean value: 'x' (true or false)"},
		},
		{
			name: "so it does for a file that two patterns match",
			files: map[string]string{"/etc/sv.conf": isolatedMain + " conf.d/b\n",
				"/etc/conf.d/b": "[program:b]\ncommand=new\nautostart=x\n"},
			lastGood: good,
			groups:   []string{"b old"},
			bad:      []string{"/etc/conf.d/b:3: [program:b] autostart: not a valid boolean value: 'x' (true or false)"},
		},
		{
			name:    "without one the file alone is left out",
			files:   map[string]string{"/etc/conf.d/a": "[program:a]\ncommand=a\n", "/etc/conf.d/b": "[program:b]\ncommand\n"},
			groups:  []string{"a a"},
			bad:     []string{"/etc/conf.d/b:2: [program:b] the line 'command' is neither a header nor an option (write key=value; a line that continues a value must be indented)"},
			leftOut: []string{"/etc/conf.d/b"},
		},
		{
			name:    "a key that must be there is misspelt",
			files:   map[string]string{"/etc/conf.d/b": "[program:b]\nautostart=false\nComand=b\n"},
			bad:     []string{"/etc/conf.d/b:1: [program:b] command: program section program:b does not specify a command (did you mean command, where line 3 says comand?)"},
			leftOut: []string{"/etc/conf.d/b"},
		},
		{
			name:     "the last good content may be wrong by now",
			files:    map[string]string{"/etc/conf.d/a": "[program:a]\ncommand=a\n", "/etc/conf.d/b": "[program:b]\n"},
			lastGood: map[string]string{"/etc/conf.d/b": "[program:b]\ncommand=x\nuser=gone\n"},
			groups:   []string{"a a"},
			bad:      []string{"/etc/conf.d/b:1: [program:b] command: program section program:b does not specify a command (add command=/path/to/program arguments)"},
			leftOut:  []string{"/etc/conf.d/b"},
		},
		{
			name:    "a name that is taken is the later file's mistake",
			files:   map[string]string{"/etc/conf.d/a": "[program:x]\ncommand=a\n", "/etc/conf.d/b": "[eventlistener:x]\ncommand=b\nevents=TICK\n"},
			groups:  []string{"x a"},
			bad:     []string{"/etc/conf.d/b:1: [eventlistener:x] the group name 'x' is already used by [program:x] (rename one; the other is at /etc/conf.d/a:1)"},
			leftOut: []string{"/etc/conf.d/b"},
		},
		{
			name:    "a key that breaks another file's program",
			files:   map[string]string{"/etc/conf.d/a": "[program:x]\ncommand=a\n", "/etc/conf.d/b": "[program:x]\nstartsecs=x\n"},
			groups:  []string{"x a"},
			bad:     []string{"/etc/conf.d/b:2: [program:x] startsecs: invalid literal for int() with base 10: 'x' (a whole number, such as 10)"},
			leftOut: []string{"/etc/conf.d/b"},
		},
		{
			name: "a group keeps its members when one is left out",
			files: map[string]string{"/etc/conf.d/a": "[program:x]\ncommand=a\n", "/etc/conf.d/b": "[program:y]\nstartsecs=x\n",
				"/etc/conf.d/g": "[group:g]\nprograms=x,y\n"},
			groups: []string{"g a"},
			bad: []string{
				"/etc/conf.d/b:1: [program:y] command: program section program:y does not specify a command (add command=/path/to/program arguments)",
				"/etc/conf.d/b:2: [program:y] startsecs: invalid literal for int() with base 10: 'x' (a whole number, such as 10)",
			},
			leftOut: []string{"/etc/conf.d/b"},
		},
		{
			name: "the main file must be right",
			files: map[string]string{"/etc/sv.conf": "[supervisord]\nnodaemon=x\n[include]\nfiles=conf.d/*\n",
				"/etc/conf.d/a": "[program:a]\n"},
			bad: []string{"/etc/conf.d/a:1: [program:a] command: program section program:a does not specify a command (add command=/path/to/program arguments)"},
			err: "not a valid boolean value: 'x'",
		},
		{
			name:     "the main file must be right although it includes itself",
			files:    map[string]string{"/etc/sv.conf": "[supervisord]\nnodaemon=x\n[include]\nfiles=*.conf\n"},
			lastGood: map[string]string{"/etc/sv.conf": "[supervisord]\n"},
			err:      "not a valid boolean value: 'x'",
		},
		{
			name:  "the main file must be there",
			files: map[string]string{"/etc/sv.conf": unreadable},
			err:   "could not read config file /etc/sv.conf",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := &memHost{cwd: "/", strict: true, files: map[string]string{"/etc/sv.conf": isolatedMain}}
			for name, text := range test.files {
				h.files[name] = text
			}
			cfg, bad, err := LoadIsolated(h, "/etc/sv.conf", Options{Cache: &Cache{}}, Earlier{Content: func(file string) ([]byte, bool) {
				text, ok := test.lastGood[file]
				return []byte(text), ok
			}})
			if text := messageOf(err); text != test.err {
				t.Fatalf("error %q, want %q", text, test.err)
			}
			var groups, mistakes, leftOut []string
			if cfg != nil {
				for _, f := range cfg.LeftOut {
					leftOut = append(leftOut, f.Path)
				}
				if len(cfg.Warnings) > 0 {
					t.Errorf("warnings %q: a pattern whose files are left out matches all the same", cfg.Warnings)
				}
				for _, g := range cfg.Groups {
					groups = append(groups, g.Name+" "+g.Processes[0].Command)
				}
			}
			for _, e := range bad {
				mistakes = append(mistakes, e.Report())
			}
			if diff := cmp.Diff([][]string{test.groups, test.bad, test.leftOut}, [][]string{groups, mistakes, leftOut}); diff != "" {
				t.Errorf("groups, mistakes, files left out (-want +got):\n%s", diff)
			}
		})
	}
}

// TestIsolatedKeepsWhatIsInForce: of a file left out the groups stay as they are in
// force, and so do the processes of members of other groups; but a live definition
// of the same section goes before them.
func TestIsolatedKeepsWhatIsInForce(t *testing.T) {
	const group = "[group:g]\npriority=5\nprograms=a,b\n"
	program := func(name, command string) string { return "[program:" + name + "]\ncommand=" + command + "\n" }
	bad := func(name string) string { return program(name, "new") + "user=nobody-at-all\n" }
	tests := []struct {
		name           string
		before, now    map[string]string // by the name in conf.d
		want           []string          // groups and their commands
		kept, withheld []string
	}{
		{
			name:   "a group",
			before: map[string]string{"g": group, "a": program("a", "a"), "b": program("b", "b")},
			now:    map[string]string{"g": group, "b": program("b", "new")},
			want:   []string{"g a b"}, kept: []string{"g"}, withheld: []string{"program:b"},
		},
		{
			name: "a group of which nothing is in force",
			now:  map[string]string{"g": group, "b": program("b", "b"), "c": program("c", "c")},
			want: []string{"c c"}, withheld: []string{"program:b"},
		},
		{
			name:   "a program that a new group names",
			before: map[string]string{"b": program("b", "b")},
			now:    map[string]string{"g": group, "b": program("b", "new")},
			want:   []string{"b b"}, kept: []string{"b"}, withheld: []string{"program:b"},
		},
		{
			name:   "a member of a group that can be used, in its place",
			before: map[string]string{"g": group, "a": program("a", "a"), "b": program("b", "b")},
			now:    map[string]string{"g": group, "a": bad("a"), "b": program("b", "new")},
			want:   []string{"g a new"},
		},
		{
			name:   "a member is not kept that another one replaces",
			before: map[string]string{"g": group, "a": program("a", "a"), "b": program("b", "b")},
			now:    map[string]string{"g": group, "a": bad("a"), "b": program("b", "new") + "process_name=a\n"},
			want:   []string{"g new"},
		},
		{
			name:   "a member of which the group has gone",
			before: map[string]string{"g": group, "a": program("a", "a"), "b": program("b", "b")},
			now:    map[string]string{"a": bad("a"), "b": program("b", "b")},
			want:   []string{"b b"},
		},
		{
			name:   "a live definition goes before",
			before: map[string]string{"a": program("a", "a")},
			now:    map[string]string{"a": bad("a"), "b": program("a", "live")},
			want:   []string{"a live"},
		},
		{
			name:   "a live group goes before",
			before: map[string]string{"g": group, "a": program("a", "a"), "b": program("b", "b")},
			now:    map[string]string{"g": group, "h": "[group:g]\nprograms=b\n", "b": program("b", "b"), "c": bad("c")},
			want:   []string{"g b"},
		},
		{
			name:   "a live program of its name is a mistake of its own",
			before: map[string]string{"g": group, "a": program("a", "a"), "b": program("b", "b")},
			now:    map[string]string{"g": group, "z": program("g", "live"), "b": program("b", "b")},
			want:   []string{"g a b"}, kept: []string{"g"}, withheld: []string{"program:b"},
		},
		{
			name:   "what adds to a program of another file",
			before: map[string]string{"a": program("a", "a"), "b": "[program:a]\ncommand=b\n" + program("c", "c")},
			now:    map[string]string{"a": program("a", "a"), "b": "[program:a]\ncommand=b\n" + bad("c")},
			want:   []string{"a b", "c c"}, kept: []string{"c"},
		},
		{
			name:   "the file has another name by now",
			before: map[string]string{"a": program("a", "a")},
			now:    map[string]string{"b": bad("a")},
			want:   []string{"a a"}, kept: []string{"a"},
		},
		{
			name:   "a member whose own name is spelled with a variable",
			before: map[string]string{"g": "[group:g]\nprograms=a,%(ENV_B)s\n", "a": program("a", "a"), "b": program("b", "b")},
			now:    map[string]string{"g": "[group:g]\nprograms=a,%(ENV_B)s\n", "b": program("b", "b")},
			want:   []string{"g a b"}, kept: []string{"g"}, withheld: []string{"program:b"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			host := func(files map[string]string) *memHost {
				h := &memHost{cwd: "/", strict: true, env: map[string]string{"B": "b"}, files: map[string]string{"/etc/sv.conf": isolatedMain}}
				for name, text := range files {
					h.files["/etc/conf.d/"+name] = text
				}
				return h
			}
			var earlier Earlier // the last good contents are as bad as what is there
			if test.before != nil {
				cfg, err := Load(host(test.before), "/etc/sv.conf", Options{})
				if err != nil {
					t.Fatal(err)
				}
				earlier.InForce = cfg
			}
			for again := range 2 { // what is kept is kept by what is kept
				cfg, mistakes, err := LoadIsolated(host(test.now), "/etc/sv.conf", Options{Cache: &Cache{}}, earlier)
				if err != nil || len(mistakes) == 0 != (len(cfg.LeftOut) == 0) {
					t.Fatal(mistakes, err)
				}
				var groups, withheld []string
				for _, g := range cfg.Groups {
					text := g.Name
					for _, p := range g.Processes {
						text += " " + p.Command
					}
					groups = append(groups, text)
				}
				for _, e := range cfg.Withheld {
					withheld = append(withheld, e.Section)
				}
				if diff := cmp.Diff([][]string{test.want, test.kept, test.withheld}, [][]string{groups, cfg.Kept, withheld}); diff != "" {
					t.Errorf("look %d: groups, those kept, programs withheld (-want +got):\n%s", again, diff)
				}
				earlier.InForce = cfg
			}
		})
	}
}

func messageOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestContent checks that Options.Content stands before what the host has.
func TestContent(t *testing.T) {
	h := &memHost{cwd: "/", files: map[string]string{
		"/etc/sv.conf": isolatedMain, "/etc/conf.d/a": "[program:a]\ncommand=host\n", "/etc/conf.d/b": "bad",
	}}
	cfg, err := Load(h, "/etc/sv.conf", Options{Content: map[string][]byte{
		"/etc/conf.d/a": []byte("[program:a]\ncommand=given\n"), "/etc/conf.d/b": nil,
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Groups) != 1 || cfg.Groups[0].Processes[0].Command != "given" || len(cfg.Files) != 2 {
		t.Errorf("groups %+v of files %+v", cfg.Groups, cfg.Files)
	}
}

// loopHost is a machine on which loop is a symbolic link to itself.
type loopHost struct{ *memHost }

func (h loopHost) Stat(name string) (fs.FileInfo, error) {
	if path.Base(name) == "loop" {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: syscall.ELOOP}
	}
	return h.memHost.Stat(name)
}

func (h loopHost) ReadFile(name string) ([]byte, error) {
	if path.Base(name) == "loop" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ELOOP}
	}
	return h.memHost.ReadFile(name)
}

func TestLoadErrors(t *testing.T) {
	h := &memHost{cwd: "/cwd", strict: true, files: map[string]string{"/cwd/closed": unreadable, "/cwd/bad": "[supervisord]\nminfds=x\n[program:p]\n"}}
	for file, want := range map[string]string{
		"nowhere.conf": "could not find config file nowhere.conf",
		"closed":       "could not read config file closed",
		"loop":         "could not find config file loop",
		"bad":          "invalid literal for int() with base 10: 'x'",
	} {
		_, err := Load(loopHost{h}, file, Options{})
		if messageOf(err) != want {
			t.Errorf("%s: error %v, want %s", file, err, want)
		}
		var one *Error
		if !errors.As(err, &one) || one.File != file {
			t.Errorf("%s: no mistake in that file can be found in the error", file)
		}
	}
}
