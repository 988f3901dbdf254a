package spec

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// isolationRun is a configuration in which things become unusable and usable again, and a
// model of what is in force.
type isolationRun struct {
	r       *rand.Rand
	host    *memHost
	logged  map[string]bool     // programs that log into a directory that comes and goes
	members map[string][]string // of each group; a program is in one at the most
	number  int                 // of the last definition

	good    map[string]string            // last good contents, by path
	inForce *Config                      // nil at the start
	want    map[string]map[string]string // by group and program: the command in force
}

const isolatedLogs = "/logs/.keep"

func isolatedFile(name string) string { return "/etc/conf.d/" + name }

// define gives a file another content, which may be wrong.
func (run *isolationRun) define(name string) {
	run.number++
	text := fmt.Sprintf("[program:%s]\ncommand=c%d\n", name, run.number)
	if run.logged[name] {
		text += "stdout_logfile=/logs/" + name + "\n"
	}
	if run.r.IntN(3) == 0 {
		text += "priority=high\n"
	}
	run.host.files[isolatedFile(name)] = text
}

// edit does a few things to the files.
func (run *isolationRun) edit() {
	for range 1 + run.r.IntN(5) {
		switch name := string(rune('a' + run.r.IntN(6))); run.r.IntN(6) {
		case 0:
			delete(run.host.files, isolatedFile(name))
		case 1, 2, 3:
			run.define(name)
		case 4:
			run.flip(isolatedLogs, "x")
		case 5:
			group := []string{"g", "h"}[run.r.IntN(2)]
			run.flip(isolatedFile(group), fmt.Sprintf("[group:%s]\nprograms=%s\n", group, strings.Join(run.members[group], ",")))
		}
	}
}

// flip makes a file, or removes it.
func (run *isolationRun) flip(path, text string) {
	if _, there := run.host.files[path]; there {
		delete(run.host.files, path)
	} else {
		run.host.files[path] = text
	}
}

// says is what the file of a program comes to: a command, that nobody knows, or that there
// is none.
func (run *isolationRun) says(name string) (command string, unknown, there bool) {
	text, there := run.host.files[isolatedFile(name)]
	if strings.Contains(text, "priority=high") {
		var ok bool
		if text, ok = run.good[isolatedFile(name)]; !ok {
			return "", true, true
		}
	}
	if _, logs := run.host.files[isolatedLogs]; strings.Contains(text, "/logs/") && !logs {
		return "", true, true
	}
	_, after, _ := strings.Cut(text, "command=")
	command, _, _ = strings.Cut(after, "\n")
	return command, false, there
}

// expect works out what must be in force after what was.
func (run *isolationRun) expect() map[string]map[string]string {
	was, want := run.want, make(map[string]map[string]string)
	put := func(group, name, command string) {
		if want[group] == nil {
			want[group] = make(map[string]string)
		}
		want[group][name] = command
	}
	alone := func(name string) { // a program that no group names
		command, unknown, there := run.says(name)
		switch {
		case !there:
		case !unknown:
			put(name, name, command)
		case was[name] != nil:
			want[name] = was[name]
		}
	}
	grouped := make(map[string]bool)
	for group, members := range run.members {
		if _, there := run.host.files[isolatedFile(group)]; !there {
			continue
		}
		unusable := slices.ContainsFunc(members, func(name string) bool { _, _, there := run.says(name); return !there })
		switch {
		case !unusable:
			want[group] = make(map[string]string) // it is there even if nothing is known of its members
		case was[group] != nil:
			want[group] = was[group]
		}
		for _, name := range members {
			grouped[name] = true
			command, unknown, there := run.says(name)
			before, had := was[group][name]
			switch {
			case unusable:
				if there && was[name] != nil { // it was a group of its own
					want[name] = was[name]
				}
			case !unknown:
				put(group, name, command)
			case had:
				put(group, name, before)
			case was[name] != nil:
				want[name] = was[name]
			}
		}
	}
	for c := 'a'; c < 'g'; c++ {
		if name := string(c); !grouped[name] {
			alone(name)
		}
	}
	return want
}

// look loads the files, and returns what is in force by group and program.
func (run *isolationRun) look(t *testing.T) map[string]map[string]string {
	t.Helper()
	content := func(file string) ([]byte, bool) { text, ok := run.good[file]; return []byte(text), ok }
	cfg, bad, err := LoadIsolated(run.host, "/etc/sv.conf", Options{}, Earlier{InForce: run.inForce, Content: content})
	if err != nil {
		t.Fatal(err)
	}
	good := make(map[string]string)
	keep := func(file string) {
		if text, ok := run.good[file]; ok {
			good[file] = text
		}
	}
	for _, e := range bad {
		keep(e.File)
	}
	got := make(map[string]map[string]string)
	for _, g := range cfg.Groups {
		got[g.Name] = make(map[string]string)
		for _, p := range g.Processes {
			keep(p.Origin.File)
			got[g.Name][p.Name] = p.Command
		}
	}
	for _, f := range cfg.Files {
		if text := run.host.files[f.Path]; sha256.Sum256([]byte(text)) == f.Hash {
			good[f.Path] = text
		}
	}
	run.good, run.inForce = good, cfg
	return got
}

// isolations is how many random runs are tried. SPEC_ISOLATIONS sets another number.
func isolations(t *testing.T) int {
	n := 60
	if s := os.Getenv("SPEC_ISOLATIONS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// TestIsolationProperties edits files at random, as a model does: programs that come, go,
// change and break, groups of programs in other files, and files that become unusable
// although they do not change. What nobody can know stays as it is in force under the
// identity that it has, everything else is as the files say, a second look changes
// nothing, and when everything can be used again the files are in force.
//
// Source: reconciler.md, When it does not act.
func TestIsolationProperties(t *testing.T) {
	t.Parallel()
	for seed := range uint64(isolations(t)) {
		run := &isolationRun{
			r:      rand.New(rand.NewPCG(seed, 1)),
			host:   &memHost{cwd: "/", strict: true, files: map[string]string{"/etc/sv.conf": isolatedMain, isolatedLogs: ""}},
			logged: map[string]bool{"b": true, "d": true, "e": true}, members: map[string][]string{"g": {"a", "b"}, "h": {"c", "d"}},
			good: make(map[string]string),
		}
		var history []string
		for look := range 12 {
			run.edit()
			history = append(history, fmt.Sprint(run.host.files))
			want := run.expect()
			got := run.look(t)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d, look %d (-want +got):\n%s\nfiles:\n%s", seed, look, diff, strings.Join(history, "\n"))
			}
			run.want = want
			kept := run.inForce
			if again := run.look(t); !maps.EqualFunc(want, again, maps.Equal) || !slices.Equal(kept.Kept, run.inForce.Kept) {
				t.Fatalf("seed %d, look %d: a second look gives %v, with %v kept; the first gave %v and %v", seed, look, again, run.inForce.Kept, want, kept.Kept)
			}
		}
		run.host.files[isolatedLogs] = ""
		for c := 'a'; c < 'g'; c++ {
			for run.define(string(c)); strings.Contains(run.host.files[isolatedFile(string(c))], "high"); {
				run.define(string(c))
			}
		}
		run.look(t)
		cfg, err := Load(run.host, "/etc/sv.conf", Options{})
		if err != nil {
			t.Fatal(err)
		}
		if d := Diff(run.inForce.Groups, cfg.Groups); !d.Empty() || len(run.inForce.Kept)+len(run.inForce.LeftOut)+len(run.inForce.Withheld) > 0 {
			t.Fatalf("seed %d: at the end %+v differs, and %v is kept", seed, d, run.inForce.Kept)
		}
	}
}
