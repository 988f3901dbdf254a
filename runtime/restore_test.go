package runtime

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"supervisord/spec"
)

// write writes a text to the log of each process.
func (b *bench) write(text string) {
	b.t.Helper()
	err := b.sup.choose(background, Select{}, ascending, everyone, func(procs []*process) {
		for _, p := range procs {
			for _, out := range p.out {
				if _, open := out.log.FileID(); !open {
					continue
				}
				if _, err := out.log.Write([]byte(text)); err != nil {
					b.t.Error(err)
				}
			}
		}
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// TestRestoreLogs: logs that were renamed are made again, soon once something is written to
// them, and in time if not, what two processes share once, and what is in the way of one is
// told and keeps no other from it.
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
		if errs := b.sup.RestoreLogs(background); len(errs) > 0 {
			t.Errorf("logs that nothing is written to: %v", errs)
		}
		if _, err := os.Stat(filepath.Join(dir, "b/log")); err == nil {
			t.Error("a log that nothing is written to was made again")
		}
		b.write("one\n")
		for range 2 {
			errs := b.sup.RestoreLogs(background)
			if len(errs) != 1 || !strings.Contains(errs[0].Error(), filepath.Join(dir, "a/log")) {
				t.Errorf("troubles: %v", errs)
			}
		}
		if err := os.Rename(filepath.Join(dir, "b/log"), filepath.Join(dir, "b/log.2")); err != nil {
			t.Fatal(err)
		}
		for i := range restingLooks {
			b.sup.RestoreLogs(background)
			if _, err := os.Stat(filepath.Join(dir, "b/log")); err == nil && i == 0 {
				t.Error("it was at rest, and looked at in the next call")
			} else if err != nil && i == restingLooks-1 {
				t.Error("a log that nothing is written to is never made again")
			}
		}
		text := "log " + filepath.Join(dir, "b/log") + " had been renamed or removed by another program and was created again"
		if n := strings.Count(b.lines(), text); n != 2 {
			t.Errorf("said %d times:\n%s", n, b.lines())
		}
		if _, err := os.Stat(filepath.Join(dir, "b/log")); err != nil {
			t.Error(err)
		}
	}, logging("p", "a/log"), logging("q", "b/log"), logging("r", "b/log"))
}

// TestRestoreSpellings: of a log that two processes spell in their own ways, what came
// meanwhile is moved once.
func TestRestoreSpellings(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(".", filepath.Join(dir, "up")); err != nil {
		t.Fatal(err)
	}
	logging := func(name, path string) *spec.Group {
		return program(name, func(p *spec.Process) {
			p.Stdout = spec.Output{Kind: spec.OutputFile, File: path}
		})
	}
	path := filepath.Join(dir, "log")
	inBubble(t, func(b *bench) {
		b.after(2 * time.Second)
		if errs := b.sup.RestoreLogs(background); len(errs) > 0 {
			t.Error(errs)
		}
		b.write("each\n")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if errs := b.sup.RestoreLogs(background); len(errs) > 0 {
			t.Error(errs)
		}
		if text, err := os.ReadFile(path); string(text) != "each\neach\neach\n" {
			t.Errorf("%q, %v", text, err)
		}
	}, logging("p", path), logging("q", dir+"/./log"), logging("r", dir+"/up/log"))
}

// TestLogLooks: a directory that has not answered is left out until it has, and so is
// a log that has another name there.
func TestLogLooks(t *testing.T) {
	var l logLooks
	logs := []*openLog{{dirs: []string{"/b"}}, {dirs: []string{"/a"}}, {dirs: []string{"/b"}}, {dirs: []string{"/c", "/d"}}, {dirs: []string{"/d"}}}
	begin := func(want string) []logDir {
		t.Helper()
		looks := l.begin(logs)
		var got []string
		for _, look := range looks {
			var dirs []string
			for _, log := range look.logs {
				dirs = append(dirs, strings.Join(log.dirs, "="))
			}
			got = append(got, look.dir+": "+strings.Join(dirs, " "))
		}
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("%s, want %s", text, want)
		}
		return looks
	}
	first := begin("/b: /b /b, /a: /a, /c: /c=/d, /d: /d")
	begin("")
	l.end(first[1])
	begin("/a: /a")
	l.end(first[2])
	begin("") // another look at /d goes on
	l.end(first[3])
	begin("/c: /c=/d, /d: /d")
	l.end(first[0])
	begin("/b: /b /b")
}
