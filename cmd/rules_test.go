package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRulesAreTested: each rule of testdata/rules.txt has the test of its case and those
// of two neighbours at least, and they exist.
func TestRulesAreTested(t *testing.T) {
	text, err := os.ReadFile("testdata/rules.txt")
	if err != nil {
		t.Fatal(err)
	}
	sources := make(map[string]string) // of a package's tests
	source := func(folder string) string {
		if sources[folder] == "" {
			files, err := filepath.Glob(filepath.Join("..", folder, "*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				content, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				sources[folder] += string(content)
			}
		}
		return sources[folder]
	}
	rules := 0
	for rule := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		if strings.HasPrefix(rule, "#") {
			continue
		}
		rules++
		tests := 0
		for line := range strings.Lines(rule) {
			named, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "\t")
			if !ok {
				continue
			}
			tests++
			named, row, _ := strings.Cut(named, " / ")
			folder, name, _ := strings.Cut(named, " ")
			if !strings.Contains(source(folder), "func "+name+"(t *testing.T)") {
				t.Errorf("there is no %s in %s", name, folder)
			}
			if !strings.Contains(source(folder), `"`+row) {
				t.Errorf("there is no row %q in %s", row, folder)
			}
		}
		if tests < 3 {
			t.Errorf("there are %d tests of: %s", tests, rule)
		}
	}
	if rules != 26 {
		t.Errorf("there are %d rules, want the 16 for scripts and clients and the 10 for writers", rules)
	}
}
