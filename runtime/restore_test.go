package runtime

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"supervisord/spec"
)

// TestRestoreLogs: logs that were renamed are made again, what two processes share once,
// and what is in the way of one is told and keeps no other from it.
func TestRestoreLogs(t *testing.T) {
	dir := t.TempDir()
	logging := func(name, path string) *spec.Group {
		return program(name, func(p *spec.Process) {
			p.Stdout = spec.Output{Kind: spec.OutputFile, File: filepath.Join(dir, path)}
		})
	}
	for _, sub := range []string{"a", "b"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	inBubble(t, func(b *bench) {
		b.after(2 * time.Second)
		if errs := b.sup.RestoreLogs(background); len(errs) > 0 {
			t.Error(errs)
		}
		for _, path := range []string{"a", "b/log"} {
			if err := os.Rename(filepath.Join(dir, path), filepath.Join(dir, path+".1")); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			errs := b.sup.RestoreLogs(background)
			if len(errs) != 1 || !strings.Contains(errs[0].Error(), filepath.Join(dir, "a/log")) {
				t.Errorf("troubles: %v", errs)
			}
		}
		text := "log " + filepath.Join(dir, "b/log") + " had been renamed or removed by another program and was made again"
		if n := strings.Count(b.lines(), text); n != 1 {
			t.Errorf("said %d times:\n%s", n, b.lines())
		}
		if _, err := os.Stat(filepath.Join(dir, "b/log")); err != nil {
			t.Error(err)
		}
	}, logging("p", "a/log"), logging("q", "b/log"), logging("r", "b/log"))
}

// TestLogLooks: a directory that has not answered is left out until it has.
func TestLogLooks(t *testing.T) {
	var l logLooks
	paths := []string{"/b/1", "/a/1", "/b/2", "/c/1"}
	dirs := l.begin(paths)
	if got, want := fmt.Sprint(dirs), "[{/b [/b/1 /b/2]} {/a [/a/1]} {/c [/c/1]}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	l.end(dirs[1])
	if got, want := fmt.Sprint(l.begin(paths)), "[{/a [/a/1]}]"; got != want {
		t.Errorf("while two hang: %s, want %s", got, want)
	}
	l.end(dirs[0])
	if got, want := fmt.Sprint(l.begin(paths)), "[{/b [/b/1 /b/2]}]"; got != want {
		t.Errorf("when one answers: %s, want %s", got, want)
	}
}
