package mdoc

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Test holds a page in the directory pages against what Page makes of its source, or
// writes it where the variable UPDATE_MANUAL is set.
func Test(t *testing.T, pages, name string, lists map[string]string) {
	t.Helper()
	got, err := Page(name, lists)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(pages, name)
	if os.Getenv("UPDATE_MANUAL") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is not up to date: run go generate ./cmd/... (-is +should be):\n%s", file, diff)
	}
}
