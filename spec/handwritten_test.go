package spec

import (
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"supervisord/spec/internal/debian"
)

// TestHandwritten gives the files of testdata/handwritten.txtar to Supervisor's own
// parser and to ours, as TestDifferential does with changed files of the corpus. It
// needs the same. A file NAME.env holds the environment of NAME.conf.
func TestHandwritten(t *testing.T) {
	dir := os.Getenv("SUPERVISOR_CORPUS")
	if dir == "" {
		t.Log("SUPERVISOR_CORPUS names no folder: nothing to compare")
		return
	}
	debian.Require(t)
	original := startOriginal(t, dir)
	defer original.stop()
	for _, m := range handwritten(t) {
		theirs, ours := original.ask(m), ourResult(t, m)
		if row := explain(m, ours, theirs); row == unexplained {
			t.Errorf("%s:\nours:   %s\ntheirs: %s %s\n%s", m.seed.ID, ours.err, theirs.kind, theirs.err, stateDiff(ours, theirs))
		}
	}
}

func handwritten(t *testing.T) []*mutant {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/handwritten.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var list []*mutant
	for _, f := range archive.Files {
		name, isConf := strings.CutSuffix(f.Name, ".conf")
		if !isConf {
			env := list[len(list)-1].seed.Env
			for line := range strings.Lines(string(f.Data)) {
				key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
				env[key] = value
			}
			continue
		}
		m := &mutant{number: len(list), content: f.Data}
		m.seed.ID, m.seed.Env = name, map[string]string{"HOME": "/home/oracle", "PATH": "/usr/local/bin:/usr/bin:/bin"}
		list = append(list, m)
	}
	return list
}
