package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"supervisord/cmd/internal/oracle"
)

// eachArchive runs a subtest for each dir/*.txtar: say is handed the files before the first
// that is named want.*, and what it makes of them is compared with those. -update writes
// what it makes, in the order of the names of wanted.
func eachArchive(t *testing.T, dir string, wanted []string, say func(*testing.T, *txtar.Archive) map[string]string) {
	t.Helper()
	paths, err := filepath.Glob(dir + "/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, path := range paths {
		path, err := filepath.Abs(path) // a case may change the working directory
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			inputs, want := archive.Files, map[string]string{}
			for i, f := range archive.Files {
				if strings.HasPrefix(f.Name, "want.") {
					want[f.Name] = string(f.Data)
					inputs = inputs[:min(i, len(inputs))]
				}
			}
			archive.Files = inputs
			got := say(t, archive)
			if oracle.Updating() {
				for _, name := range wanted {
					archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(got[name])})
				}
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// extract writes files to a new directory.
func extract(t *testing.T, files []txtar.File) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
