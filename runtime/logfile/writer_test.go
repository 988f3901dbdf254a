package logfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/logfile"
)

// opened is an open Writer that the test's end closes.
func opened(t *testing.T, o logfile.Options) *logfile.Writer {
	t.Helper()
	w := logfile.New(o)
	open(t, w)
	t.Cleanup(func() { w.Close() })
	return w
}

func open(t *testing.T, w *logfile.Writer) {
	t.Helper()
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, w *logfile.Writer, text string) {
	t.Helper()
	if n, err := w.Write([]byte(text)); n != len(text) || err != nil {
		t.Fatalf("Write(%.20q) = %d, %v; want %d, nil", text, n, err, len(text))
	}
}

// files is the content of each file in dir.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(data)
	}
	return got
}

func wantFiles(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, files(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestRotation: each row's writes leave these files.
//
// Source: contract/config.md section 12.
func TestRotation(t *testing.T) {
	for _, row := range []struct {
		name    string
		max     int64
		backups int
		before  map[string]string
		writes  []string
		want    map[string]string
	}{
		{"no limit", 0, 3, nil, []string{"aaaa", "bbbb"}, map[string]string{"log": "aaaabbbb"}},
		{"negative limit", -1, 3, nil, []string{"aaaa", "bbbb"}, map[string]string{"log": "aaaabbbb"}},
		{"below the limit", 9, 3, nil, []string{"aaaa", "bbbb"}, map[string]string{"log": "aaaabbbb"}},
		{"rotates after the write that reaches it", 8, 3, nil, []string{"aaaa", "bbbb"},
			map[string]string{"log": "", "log.1": "aaaabbbb"}},
		{"a write is not split", 5, 3, nil, []string{"aaaa", "bbbb", "c"},
			map[string]string{"log": "c", "log.1": "aaaabbbb"}},
		{"backups shift and the oldest goes", 1, 2, nil, []string{"a", "b", "c", "d"},
			map[string]string{"log": "", "log.1": "d", "log.2": "c"}},
		{"no backups empties the file", 4, 0, nil, []string{"aaaa", "b"}, map[string]string{"log": "b"}},
		{"negative backups empty the file", 4, -1, nil, []string{"aaaa", "b"}, map[string]string{"log": "b"}},
		{"what was there counts", 5, 1, map[string]string{"log": "xxxx"}, []string{"a", "b"},
			map[string]string{"log": "b", "log.1": "xxxxa"}},
		{"a file over the limit waits for a write", 2, 1, map[string]string{"log": "xxxx"}, nil,
			map[string]string{"log": "xxxx"}},
		{"a gap between backups stays", 1, 3, map[string]string{"log.2": "two"}, []string{"a"},
			map[string]string{"log": "", "log.1": "a", "log.3": "two"}},
		{"a limit that is never reached", 1, 100_000_000, map[string]string{"log.2": "two", "log.7": "seven", "log.200000000": "beyond", "log.x": "x"}, []string{"a"},
			map[string]string{"log": "", "log.1": "a", "log.3": "two", "log.8": "seven", "log.200000000": "beyond", "log.x": "x"}},
		{"an oldest backup without a successor stays", 1, 2, map[string]string{"log.2": "two"}, []string{"a"},
			map[string]string{"log": "", "log.1": "a", "log.2": "two"}},
		{"backups beyond the number stay", 1, 1, map[string]string{"log.1": "one", "log.2": "two"}, []string{"a"},
			map[string]string{"log": "", "log.1": "a", "log.2": "two"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range row.before {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			w := opened(t, logfile.Options{Path: filepath.Join(dir, "log"), MaxBytes: row.max, Backups: row.backups})
			for _, text := range row.writes {
				write(t, w, text)
			}
			wantFiles(t, dir, row.want)
		})
	}
}

// TestOthersMoveTheFile: what becomes of bytes when somebody renames, unlinks,
// replaces or truncates the file between two writes.
func TestOthersMoveTheFile(t *testing.T) {
	for _, row := range []struct {
		name string
		max  int64
		move func(path string) error
		then func(w *logfile.Writer) error
		want map[string]string
	}{
		{"renamed, not yet told", 0,
			func(p string) error { return os.Rename(p, p+".old") },
			func(*logfile.Writer) error { return nil },
			map[string]string{"log.old": "one two three "}},
		{"renamed and reopened", 0,
			func(p string) error { return os.Rename(p, p+".old") },
			(*logfile.Writer).Reopen,
			map[string]string{"log.old": "one two ", "log": "three "}},
		{"renamed, replaced and reopened", 0,
			func(p string) error {
				return errors.Join(os.Rename(p, p+".old"), os.WriteFile(p, []byte("new "), 0o600))
			},
			(*logfile.Writer).Reopen,
			map[string]string{"log.old": "one two ", "log": "new three "}},
		{"reopened for nothing", 0,
			func(string) error { return nil },
			(*logfile.Writer).Reopen,
			map[string]string{"log": "one two three "}},
		{"unlinked and reopened", 0,
			os.Remove,
			(*logfile.Writer).Reopen,
			map[string]string{"log": "three "}},
		{"copied and truncated", 0,
			func(p string) error { return os.Truncate(p, 0) },
			func(*logfile.Writer) error { return nil },
			map[string]string{"log": "two three "}},
		{"truncated file does not rotate early", 12,
			func(p string) error { return os.Truncate(p, 0) },
			func(*logfile.Writer) error { return nil },
			map[string]string{"log": "two three "}},
		{"rotation follows a replaced file and leaves it", 8,
			func(p string) error {
				return errors.Join(os.Rename(p, p+".old"), os.WriteFile(p, []byte("new "), 0o600))
			},
			func(*logfile.Writer) error { return nil },
			map[string]string{"log.old": "one two ", "log.1": "new three ", "log": ""}},
		{"renamed and cleared", 0,
			func(p string) error { return os.Rename(p, p+".old") },
			(*logfile.Writer).Clear,
			map[string]string{"log.old": "one two ", "log": "three "}},
		{"cleared", 0,
			func(string) error { return nil },
			(*logfile.Writer).Clear,
			map[string]string{"log": "three "}},
		{"unlinked and cleared", 0, os.Remove, (*logfile.Writer).Clear, map[string]string{"log": "three "}},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "log")
			w := opened(t, logfile.Options{Path: path, MaxBytes: row.max, Backups: 2})
			write(t, w, "one ")
			if err := row.move(path); err != nil {
				t.Fatal(err)
			}
			write(t, w, "two ")
			if err := row.then(w); err != nil {
				t.Fatal(err)
			}
			write(t, w, "three ")
			wantFiles(t, dir, row.want)
		})
	}
}

// TestReopenKeepsTheFileThatIsOpen: a name that cannot be opened costs nothing.
func TestReopenKeepsTheFileThatIsOpen(t *testing.T) {
	dir := t.TempDir()
	sub := filepath.Join(dir, "sub")
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	w := opened(t, logfile.Options{Path: filepath.Join(sub, "log")})
	write(t, w, "one ")
	if err := os.Rename(sub, filepath.Join(dir, "moved")); err != nil {
		t.Fatal(err)
	}
	if err := w.Reopen(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Reopen without a directory: %v, want ErrNotExist", err)
	}
	write(t, w, "two ")
	wantFiles(t, filepath.Join(dir, "moved"), map[string]string{"log": "one two "})
}

// TestClearOfAClosedLog: the file of that name is emptied though nothing is open
// (contract/differences.md row 24), and nothing else is touched (row 23).
func TestClearOfAClosedLog(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	w := logfile.New(logfile.Options{Path: path})
	if err := w.Clear(); err != nil {
		t.Errorf("Clear of a missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.Clear(); err != nil {
		t.Errorf("Clear: %v", err)
	}
	wantFiles(t, dir, map[string]string{"log": ""})
}

func TestClearRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("/dev/stdout", link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, link, dir, "/dev/stdout", "/dev/stderr", "/dev/fd/1", "/proc/self/fd/2", "/dev/null"} {
		t.Run(path, func(t *testing.T) {
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			w := logfile.New(logfile.Options{Path: path})
			if err := w.Clear(); !errors.Is(err, logfile.ErrNotRegular) {
				t.Errorf("Clear when closed: %v, want ErrNotRegular", err)
			}
			if path != dir {
				open(t, w)
				defer w.Close()
				if err := w.Clear(); !errors.Is(err, logfile.ErrNotRegular) {
					t.Errorf("Clear when open: %v, want ErrNotRegular", err)
				}
			}
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
				t.Errorf("%s is not what it was: %v", path, err)
			}
		})
	}
}

func TestConfigure(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	w := opened(t, logfile.Options{Path: a})
	write(t, w, "one")
	if err := w.Configure(logfile.Options{Path: b, MaxBytes: 3, Backups: 1}); err != nil {
		t.Fatal(err)
	}
	write(t, w, "two")
	if err := w.Configure(logfile.Options{Path: filepath.Join(dir, "no", "c")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Configure to a bad path: %v, want ErrNotExist", err)
	}
	if w.Path() != b {
		t.Errorf("Path() = %s after a refused change, want %s", w.Path(), b)
	}
	write(t, w, "3")
	if err := w.Configure(logfile.Options{}); err != nil {
		t.Fatal(err)
	}
	write(t, w, "nowhere")
	wantFiles(t, dir, map[string]string{"a": "one", "b": "3", "b.1": "two"})
	if w.Dropped() != 0 {
		t.Errorf("Dropped() = %d, want 0: no log is no loss", w.Dropped())
	}
}

func TestClosedWriterDrops(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	w := logfile.New(logfile.Options{Path: path})
	write(t, w, "early")
	open(t, w)
	write(t, w, "in time")
	w.Close()
	write(t, w, "late")
	if w.Dropped() != 9 {
		t.Errorf("Dropped() = %d, want 9", w.Dropped())
	}
	wantFiles(t, filepath.Dir(path), map[string]string{"log": "in time"})
}

func TestMode(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	w := opened(t, logfile.Options{Path: path, Mode: 0o600, MaxBytes: 1, Backups: 1})
	write(t, w, "x")
	for _, name := range []string{path, path + ".1"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("%s has mode %v, want 0600", name, got)
		}
	}
}

// TestRandomWalk: whatever happens in whatever order, the files and what was
// cleared hold each byte once.
func TestRandomWalk(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 4))
			dir := t.TempDir()
			path := filepath.Join(dir, "log")
			w := logfile.New(logfile.Options{Path: path, MaxBytes: int64(rnd.IntN(200)), Backups: 300})
			var cleared [][]byte
			w.OnClear(func(data []byte) { cleared = append(cleared, bytes.Clone(data)) })
			open(t, w)
			defer w.Close()
			var steps []string
			n := 0
			for i := range 300 {
				steps = append(steps, walk(t, rnd, w, path, i, &n))
			}
			var all []string
			for _, text := range files(t, dir) {
				all = append(all, strings.Fields(text)...)
			}
			for _, text := range cleared {
				all = append(all, strings.Fields(string(text))...)
			}
			slices.Sort(all)
			want := make([]string, n)
			for i := range want {
				want[i] = fmt.Sprintf("%06d", i)
			}
			if diff := cmp.Diff(want, all); diff != "" {
				t.Errorf("after %v (-want +got):\n%s", steps, diff)
			}
		})
	}
}

// walk does one random step and says which.
func walk(t *testing.T, rnd *rand.Rand, w *logfile.Writer, path string, i int, n *int) string {
	t.Helper()
	check := func(step string, err error) string {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%s: %v", step, err)
		}
		return step
	}
	switch k := rnd.IntN(100); {
	case k < 85:
		write(t, w, fmt.Sprintf("%06d ", *n))
		*n++
		return "write"
	case k < 88:
		return check("reopen", w.Reopen())
	case k < 91:
		return check("clear", errors.Join(w.Reopen(), w.Clear()))
	case k < 94:
		return check("rename", os.Rename(path, fmt.Sprintf("%s.moved%d", path, i)))
	case k < 96: // copytruncate, with nobody writing meanwhile
		data, err := os.ReadFile(path)
		if err == nil {
			err = errors.Join(os.WriteFile(fmt.Sprintf("%s.copy%d", path, i), data, 0o600), os.Truncate(path, 0))
		}
		return check("copytruncate", err)
	case k < 98:
		return check("configure", w.Configure(logfile.Options{Path: path, MaxBytes: int64(rnd.IntN(200)), Backups: 300}))
	default:
		return check("close and open", errors.Join(w.Close(), w.Open()))
	}
}

// TestTwoWritersShareAFile: whoever rotates, neither loses what the other wrote.
func TestTwoWritersShareAFile(t *testing.T) {
	dir := t.TempDir()
	o := logfile.Options{Path: filepath.Join(dir, "log"), MaxBytes: 1000, Backups: 200}
	const each = 2000
	var all sync.WaitGroup
	for i := range 2 {
		w := opened(t, o)
		all.Go(func() {
			for n := range each {
				w.Write(fmt.Appendf(nil, "%d:%04d\n", i, n))
			}
		})
	}
	all.Wait()
	seen := map[string]int{}
	for _, text := range files(t, dir) {
		for line := range strings.Lines(text) {
			seen[line]++
		}
	}
	for line, n := range seen {
		if n != 1 {
			t.Errorf("line %q is there %d times", line, n)
		}
	}
	if len(seen) != 2*each {
		t.Errorf("%d lines, want %d", len(seen), 2*each)
	}
}

// TestQuietWriterFollows: who writes little is not left behind in a backup that a
// chattier one pushes out in the end.
func TestQuietWriterFollows(t *testing.T) {
	dir := t.TempDir()
	o := logfile.Options{Path: filepath.Join(dir, "log"), MaxBytes: 1000, Backups: 3}
	chatty, quiet := opened(t, o), opened(t, o)
	for n := range 100 {
		write(t, chatty, fmt.Sprintf("%099d\n", n))
		if n%10 != 5 {
			continue
		}
		line := fmt.Sprintf("quiet %d\n", n)
		write(t, quiet, line)
		if got := files(t, dir); !strings.Contains(got["log"]+got["log.1"], line) {
			t.Errorf("%q is neither in the log nor in its newest backup", line)
		}
	}
}

func BenchmarkWriter(b *testing.B) {
	for _, size := range []int{100, 4 << 10, 128 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			w := logfile.New(logfile.Options{Path: filepath.Join(b.TempDir(), "log"), MaxBytes: 50 << 20, Backups: 1})
			if err := w.Open(); err != nil {
				b.Fatal(err)
			}
			defer w.Close()
			p := bytes.Repeat([]byte{'x'}, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				w.Write(p)
			}
		})
	}
}
