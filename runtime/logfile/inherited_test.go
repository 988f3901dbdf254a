package logfile_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func pipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// output is what a role writes to the descriptor fd.
func output(t testing.TB, role string, fd int, args ...string) string {
	t.Helper()
	r, w := pipe(t)
	descriptors := []*os.File{nil, os.Stderr, os.Stderr, nil, nil}
	descriptors[fd] = w
	p := play(t, role, descriptors[:max(3, fd+1)], args...)
	w.Close()
	all, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	ended(t, p)
	return string(all)
}

// TestSharedDescriptor: programs that write to one inherited descriptor do not
// mix within a line, whatever they call it.
func TestSharedDescriptor(t *testing.T) {
	link := filepath.Join(t.TempDir(), "app.log")
	if err := os.Symlink("/dev/stdout", link); err != nil {
		t.Fatal(err)
	}
	again := link + "2"
	if err := os.Symlink("app.log", again); err != nil {
		t.Fatal(err)
	}
	for path, fd := range map[string]int{
		"/dev/stdout": 1, "/dev/stderr": 2, "/dev/fd/1": 1, "/dev/fd/4": 4,
		"/proc/self/fd/3": 3, "/dev/../dev//stdout": 1, link: 1, again: 1,
	} {
		t.Run(path, func(t *testing.T) {
			got := output(t, "share", fd, path)
			end := strings.LastIndexByte(got, '\n') + 1
			next := map[string]int{}
			lines := strings.Split(strings.TrimSuffix(got[:end], "\n"), "\n")
			for _, line := range lines {
				var i, k int
				var rest string
				if _, err := fmt.Sscanf(line, "%d.%d %s", &i, &k, &rest); err != nil {
					t.Fatalf("line %.50q: %v", line, err)
				}
				who := string(rune('a' + i))
				if rest != strings.Repeat(who, 1+k*k*200) || next[who] != k {
					t.Errorf("line %d.%d has %d bytes and comes as number %d: %.50q", i, k, len(rest), next[who], line)
				}
				next[who]++
			}
			if len(lines) != 100 {
				t.Errorf("%d lines, want 100", len(lines))
			}
			// What had no end came when the Writers were closed.
			if !regexp.MustCompile(`^(\d unfinished){10}$`).MatchString(got[end:]) {
				t.Errorf("after the last line: %q", got[end:])
			}
		})
	}
}

// TestInheritedDescriptors: only descriptors that the program was started with
// are reached by number.
func TestInheritedDescriptors(t *testing.T) {
	if got, want := output(t, "foreign", 3, "/dev/fd/3", "/proc/self/fd/3"), "/dev/fd/3\n/proc/self/fd/3\n"; got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
}

// TestInheritedFileIsNotRotated: standard output that is a file stays one file.
func TestInheritedFileIsNotRotated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ended(t, play(t, "share", []*os.File{nil, f, os.Stderr}, "/dev/stdout"))
	got := files(t, filepath.Dir(path))
	if lines := strings.Count(got["out"], "\n"); len(got) != 1 || lines != 100 {
		t.Errorf("%d files, %d lines, want 1, 100", len(got), lines)
	}
}

// TestClosedPipe: an inherited descriptor whose reader has gone neither ends the
// program nor blocks it.
func TestClosedPipe(t *testing.T) {
	r, w := pipe(t)
	r.Close()
	ended(t, play(t, "share", []*os.File{nil, w, os.Stderr}, "/dev/stdout"))
}

// TestDeadlineForASharedDescriptor: a deadline reaches a write that waits already,
// long before it would look up by itself.
func TestDeadlineForASharedDescriptor(t *testing.T) {
	_, full := pipe(t)
	r, w := pipe(t)
	p := play(t, "hurry", []*os.File{nil, full, w})
	w.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	ended(t, p)
	if took, err := time.ParseDuration(string(text)); err != nil || took > 2*time.Second {
		t.Errorf("gave up after %q, want well below 2 s", text)
	}
}

func TestSameAsStdout(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "out"), filepath.Join(dir, "other")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("/dev/stdout", link); err != nil {
		t.Fatal(err)
	}
	r, w := pipe(t)
	p := play(t, "paths", []*os.File{nil, f, w}, "/dev/stdout", link, path, other, "/dev/stderr", filepath.Join(dir, "no"))
	w.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	ended(t, p)
	if want := "true\ntrue\ntrue\nfalse\nfalse\nfalse\n"; string(got) != want {
		t.Errorf("said %q, want %q", got, want)
	}
}
