package pages

import (
	"io/fs"
	"os/exec"
	"testing"

	"supervisord/cmd/internal/mdoc"
	"supervisord/runtime/needs"
)

func TestManualPage(t *testing.T) {
	mdoc.Test(t, ".", "supervisord.conf.5", map[string]string{"KEYS": mdoc.Keys()})
}

// TestPagesAreClean: the tool that knows the language of the pages best has nothing to
// say about them.
func TestPagesAreClean(t *testing.T) {
	mandoc := needs.Program(t, "mandoc", "REQUIRE_SUPERVISOR")
	names, err := fs.Glob(Files, "*")
	if err != nil || len(names) != 4 {
		t.Fatalf("the pages are %v, %v; want four", names, err)
	}
	if out, err := exec.Command(mandoc, append([]string{"-Tlint", "-Wwarning"}, names...)...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
