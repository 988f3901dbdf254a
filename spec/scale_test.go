package spec

import (
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"supervisord/spec/dialect"
)

// manyOptions is a section with more options than are searched one after the
// other; some stand twice.
func manyOptions(name string, n int) string {
	var b strings.Builder
	b.WriteString("[" + name + "]\n")
	for i := range n {
		fmt.Fprintf(&b, "k%d=%d\n", i%(n-n/3), i)
	}
	return b.String()
}

func parse(text string) *dialect.Document { return dialect.Parse([]byte(text), keysFor) }

func TestManyOptions(t *testing.T) {
	doc := parse(manyOptions("s", 768) + "[t]\nk1=t\n" + manyOptions("s", 10))
	s := sectionNamed([]*source{{doc: doc}}, "s")
	for key, want := range map[string]string{"k0": "7", "k3": "3", "k6": "6", "k300": "300", "k511": "511"} {
		if e := s.find(key); e == nil || e.text != want {
			t.Errorf("%s is %+v, want %s", key, e, want)
		}
	}
	if e := s.find("k512"); e != nil {
		t.Errorf("found %+v, which is not there", e)
	}
}

// TestDefaultsAreShared checks that [DEFAULT] stands in memory once, however many
// sections there are.
func TestDefaultsAreShared(t *testing.T) {
	doc := parse(manyOptions(defaultSection, 300) + "[a]\nk1=own\n[b]\n")
	sections := merge([]*source{{doc: doc}}, nil, nil)
	a, b := sections[0], sections[1]
	if a.defaults != b.defaults || len(a.entries) != 1 || len(b.entries) != 0 {
		t.Errorf("%d and %d own entries", len(a.entries), len(b.entries))
	}
	if a.find("k1").text != "own" || b.find("k1").text != "201" || a.find("k2").text != "202" {
		t.Error("a default hides an own value, or is not found")
	}
	if got, want := len(a.inherited()), len(b.inherited())-1; got != want {
		t.Errorf("%d inherited entries, want %d", got, want)
	}
}

func TestManyProcesses(t *testing.T) {
	const program = "[supervisord]\n[program:p]\ncommand=x\nnumprocs=1000\nprocess_name=%(process_num)04d\n"
	load := func(text string) (*Config, error) {
		return Load(&memHost{cwd: "/", env: map[string]string{"PATH": "/bin:/sbin"}, files: map[string]string{"/c": text}}, "/c", Options{})
	}
	cfg, err := load(program + "environment=A=1,B=2\n")
	if err != nil {
		t.Fatal(err)
	}
	first, last := cfg.Groups[0].Processes[0].Environment, cfg.Groups[0].Processes[999].Environment
	if reflect.ValueOf(first).Pointer() != reflect.ValueOf(last).Pointer() {
		t.Error("processes with the same environment do not share it")
	}

	if _, err := load("[program:p]\ncommand=x\nenvironment=A=1\n"); messageOf(err) != ".ini file does not include supervisord section" {
		t.Errorf("without an environment of the daemon: %v", err)
	}

	cfg, err = load(program + "environment=A=\"%(process_num)d\"\ndirectory=/%(ENV_A)s\n")
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range cfg.Groups[0].Processes {
		if want := fmt.Sprint(i); p.Environment["A"] != want || p.Directory != "/"+want {
			t.Fatalf("process %d has environment %v and directory %s", i, p.Environment, p.Directory)
		}
	}

	cfg, err = load("[supervisord]\nenvironment=A=0,B=0\n[program:p]\ncommand=x\nenvironment=A=1\n[program:q]\ncommand=x\n")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"map[A:1 B:0]", "map[A:0 B:0]"} {
		if got := fmt.Sprint(cfg.Groups[i].Processes[0].Environment); got != want {
			t.Errorf("environment of %s is %s, want %s", cfg.Groups[i].Name, got, want)
		}
	}
	if got := fmt.Sprint(cfg.Daemon.Environment); got != "map[A:0 B:0]" {
		t.Errorf("environment of the daemon is %s", got)
	}
}

// TestMistakeOfEveryProcess checks that a mistake which all processes of a
// program share is found once and not a thousand times.
func TestMistakeOfEveryProcess(t *testing.T) {
	h := &memHost{cwd: "/", files: map[string]string{"/c": "[supervisord]\n[program:p]\ncommand=%(nope)s\ndirectory=%(nope)s\n" +
		"numprocs=1000\nprocess_name=%(process_num)04d\n"}}
	l := newLoad(h, "/c", Options{})
	if err := l.gather(); err != nil {
		t.Fatal(err)
	}
	b := newBuilder(l)
	b.build()
	if len(b.errs) != 2 {
		t.Errorf("%d mistakes were noted, want 2", len(b.errs))
	}
}

// unsafeHost is a machine on which /d/pipe is a named pipe that nobody writes, and
// /d/large a file that is too large to be configuration.
type unsafeHost struct {
	*memHost
	t *testing.T
}

func (h unsafeHost) Stat(name string) (fs.FileInfo, error) {
	switch name {
	case "/d/pipe":
		return fstest.MapFS{"p": &fstest.MapFile{Mode: fs.ModeNamedPipe}}.Stat("p")
	case "/d/large":
		info, err := h.memHost.Stat(name)
		return sizedInfo{info}, err
	}
	return h.memHost.Stat(name)
}

// sizedInfo describes a file just above the bound.
type sizedInfo struct{ fs.FileInfo }

func (sizedInfo) Size() int64 { return maxFileSize + 1 }

func (h unsafeHost) ReadFile(name string) ([]byte, error) {
	if name == "/d/pipe" || name == "/d/large" {
		h.t.Errorf("%s was read", name)
	}
	return h.memHost.ReadFile(name)
}

func TestUnsafeIncludes(t *testing.T) {
	h := unsafeHost{&memHost{cwd: "/", files: map[string]string{
		"/c": "[supervisord]\n[include]\nfiles=d/*\n", "/d/a.conf": "[program:a]\ncommand=x\n", "/d/pipe": "", "/d/large": "",
	}}, t}
	cfg, err := Load(h, "/c", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/d/large", "/d/pipe"}, cfg.Unreadable); diff != "" || len(cfg.Groups) != 1 {
		t.Errorf("%d groups, unreadable (-want +got):\n%s", len(cfg.Groups), diff)
	}
	want := []string{
		`Could not read included file "/d/large": larger than 64 MiB`,
		`Could not read included file "/d/pipe": not a regular file`,
	}
	if diff := cmp.Diff(want, cfg.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}
