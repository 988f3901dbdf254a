package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"supervisord/cmd/internal/host"
)

// TestCheckText: what an editor has counts, not what is on the disk, and a file of
// programs needs no main file.
func TestCheckText(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"b.conf": "[program:b]\ncommand=/bin/cat\n", "odd[1].conf": "on the disk: no configuration\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct{ name, text, wrong string }{
		{"a.conf", "[group:g]\nprograms=b\n", ""},
		{"a.conf", "[group:g]\nprograms=nosuch\n", ":2: [group:g] programs: "},
		{"odd[1].conf", "[program:c]\ncommand=/bin/cat\n", ""},
		{"odd[1].conf", "[program:c]\ncommand=/bin/cat\nstartsecs=soon\n", ":3: [program:c] startsecs: "},
		{"supervisord.conf", "[supervisord]\nloglevel=loud\n", ":2: [supervisord] loglevel: "},
	} {
		path := filepath.Join(dir, row.name)
		h := editorHost{host.New(), func(name string) (string, bool) { return row.text, name == path }}
		mistakes, _, _ := checkText(h, path)
		var told []string
		for _, e := range mistakes {
			if e.File == path {
				told = append(told, e.Report())
			}
		}
		if got := strings.Join(told, "\n"); row.wrong == "" && got != "" || !strings.Contains(got, row.wrong) {
			t.Errorf("of %s with %q there is told %q, want %q", row.name, row.text, got, row.wrong)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, ".supervisord.lsp")); err == nil || !os.IsNotExist(err) {
		t.Errorf("a check has left something: %v, want %v", err, fs.ErrNotExist)
	}
}
