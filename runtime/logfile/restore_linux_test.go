package logfile_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"supervisord/runtime/logfile"
	"supervisord/runtime/trust"
)

// TestRestore: what other programs do to a log without a word, and what is at its path
// and beside it after a look. The log has "one and more\n" when it is seen for the last time and
// "two\n" after that, then somebody meddles, "three\n" is written before the look and
// "four\n" after it.
func TestRestore(t *testing.T) {
	for _, tt := range []struct {
		name    string
		meddle  func(dir, path string) error
		want    map[string]string
		nothing bool // to restore
		refused error
	}{
		{
			name:    "nothing",
			meddle:  func(string, string) error { return nil },
			want:    map[string]string{"log": "one and more\ntwo\nthree\nfour\n"},
			nothing: true,
		}, {
			name:   "renamed, as logrotate does with nocreate",
			meddle: func(dir, path string) error { return os.Rename(path, path+".1") },
			want:   map[string]string{"log.1": "one and more\ntwo\nthree\n", "log": "four\n"},
		}, {
			name: "renamed and made, as logrotate does with create",
			meddle: func(dir, path string) error {
				return errors.Join(os.Rename(path, path+".1"), os.WriteFile(path, []byte("new\n"), 0o600))
			},
			want: map[string]string{"log.1": "one and more\ntwo\nthree\n", "log": "new\nfour\n"},
		}, {
			name:   "removed",
			meddle: func(dir, path string) error { return os.Remove(path) },
			want:   map[string]string{"log": "two\nthree\nfour\n"},
		}, {
			name: "emptied and removed",
			meddle: func(dir, path string) error {
				return errors.Join(os.Truncate(path, 0), os.Remove(path))
			},
			want: map[string]string{"log": "three\nfour\n"},
		}, {
			name: "a link to another file in its place",
			meddle: func(dir, path string) error {
				return errors.Join(os.Rename(path, path+".1"), os.Symlink("other", path))
			},
			want: map[string]string{"log.1": "one and more\ntwo\nthree\n", "log": "four\n", "other": "four\n"},
		}, {
			name: "a link to what it is now called",
			meddle: func(dir, path string) error {
				return errors.Join(os.Rename(path, path+".1"), os.Symlink("log.1", path))
			},
			want:    map[string]string{"log.1": "one and more\ntwo\nthree\nfour\n", "log": "one and more\ntwo\nthree\nfour\n"},
			nothing: true,
		}, {
			name: "a FIFO in its place",
			meddle: func(dir, path string) error {
				return errors.Join(os.Rename(path, path+".1"), syscall.Mkfifo(path, 0o600))
			},
			want:    map[string]string{"log.1": "one and more\ntwo\nthree\nfour\n"},
			nothing: true, refused: logfile.ErrNotRegular,
		}, {
			name: "a directory in its place",
			meddle: func(dir, path string) error {
				return errors.Join(os.Rename(path, path+".1"), os.Mkdir(path, 0o700))
			},
			want:    map[string]string{"log.1": "one and more\ntwo\nthree\nfour\n"},
			nothing: true, refused: logfile.ErrNotRegular,
		}, {
			name: "a link to a device in its place",
			meddle: func(dir, path string) error {
				return errors.Join(os.Rename(path, path+".1"), os.Symlink("/dev/null", path))
			},
			want:    map[string]string{"log.1": "one and more\ntwo\nthree\nfour\n", "log": ""},
			nothing: true, refused: logfile.ErrNotRegular,
		}, {
			name: "its directory renamed",
			meddle: func(dir, path string) error {
				return errors.Join(os.Rename(dir, dir+".1"), os.Mkdir(dir, 0o700))
			},
			want: map[string]string{"log": "four\n"},
		}, {
			name:    "its directory removed",
			meddle:  func(dir, path string) error { return os.RemoveAll(dir) },
			want:    map[string]string{},
			nothing: true, refused: os.ErrNotExist,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "d")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "log")
			w := opened(t, logfile.Options{Path: path})
			write(t, w, "one and more\n")
			look := func(want bool, refused error) {
				t.Helper()
				if restored, err := logfile.Restore([]*logfile.Writer{w}); (restored != nil) != want || !errors.Is(err, refused) {
					t.Errorf("restored %v, %v, want %v, %v", restored, err, want, refused)
				}
			}
			look(false, nil)
			write(t, w, "two\n")
			if err := tt.meddle(dir, path); err != nil {
				t.Fatal(err)
			}
			write(t, w, "three\n")
			look(!tt.nothing, tt.refused)
			look(false, tt.refused)
			write(t, w, "four\n")
			if info, err := os.Lstat(path); err == nil && (info.IsDir() || info.Mode()&os.ModeNamedPipe != 0) {
				os.Remove(path) // which cannot be read
			}
			if len(tt.want) > 0 {
				wantFiles(t, dir, tt.want)
			}
			if w.Dropped() != 0 {
				t.Errorf("%d bytes are dropped", w.Dropped())
			}
		})
	}
}

// TestRestoreRefusesAnotherUsers: in a directory that everyone can write to, the file
// that another user has put in the place of a log is not written to.
func TestRestoreRefusesAnotherUsers(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "log")
	w := opened(t, logfile.Options{Path: path})
	err := errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o666))
	if err := errors.Join(err, os.Chown(path, 12345, 12345)); err != nil {
		t.Logf("left out: only root can give a file to another user: %v", err)
		return
	}
	refused := (*trust.Refused)(nil)
	if restored, err := logfile.Restore([]*logfile.Writer{w}); restored != nil || !errors.As(err, &refused) {
		t.Errorf("restored %v, %v", restored, err)
	}
	write(t, w, "secret\n")
	wantFiles(t, dir, map[string]string{"log": ""})
}

// TestRestoreNotAfterUnmount: nothing is made in the directory below a file system that
// is gone, nor in one that is mounted over the log's, and what is there is left alone.
func TestRestoreNotAfterUnmount(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	mount := func() bool {
		err := syscall.Mount("none", dir, "tmpfs", 0, "size=64k")
		if err != nil {
			t.Logf("left out: cannot mount: %v", err)
		}
		return err == nil
	}
	look := func(w *logfile.Writer, what string) {
		t.Helper()
		if restored, err := logfile.Restore([]*logfile.Writer{w}); restored != nil || !errors.Is(err, trust.ErrOtherMount) {
			t.Errorf("%s: restored %v, %v, want %v", what, restored, err, trust.ErrOtherMount)
		}
		write(t, w, what+"\n")
	}
	if !mount() {
		return
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	above := opened(t, logfile.Options{Path: path})
	if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	look(above, "unmounted")
	wantFiles(t, dir, map[string]string{})

	below := opened(t, logfile.Options{Path: path})
	write(t, below, "here\n")
	look(above, "a file of the same name below")
	if !mount() {
		return
	}
	look(below, "mounted over")
	wantFiles(t, dir, map[string]string{})
	if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	if restored, err := logfile.Restore([]*logfile.Writer{below}); restored != nil || err != nil {
		t.Errorf("when it is back: restored %v, %v", restored, err)
	}
	wantFiles(t, dir, map[string]string{"log": "here\nmounted over\n"})
}

// TestRestoreWhatTwoShare: of a file that several write to, what came meanwhile is moved
// once, and in their order.
func TestRestoreWhatTwoShare(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	a, b := opened(t, logfile.Options{Path: path}), opened(t, logfile.Options{Path: path})
	closed := logfile.New(logfile.Options{Path: path})
	both := []*logfile.Writer{a, b, closed}
	write(t, a, "before\n")
	logfile.Restore(both)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(t, a, "a\n")
	write(t, b, "b\n")
	if restored, err := logfile.Restore(both); restored == nil || err != nil {
		t.Errorf("restored %v, %v", restored, err)
	}
	write(t, b, "b\n")
	write(t, a, "a\n")
	wantFiles(t, filepath.Dir(path), map[string]string{"log": "a\nb\nb\na\n"})
}

// TestRestoreByTwoNames: so it is however the two spell the name, and however many names
// the file has.
func TestRestoreByTwoNames(t *testing.T) {
	for name, second := range map[string]func(dir string) (string, error){
		"spelled in another way":      func(dir string) (string, error) { return dir + "/./log", nil },
		"through a linked directory":  func(dir string) (string, error) { return dir + "/up/log", os.Symlink(".", dir+"/up") },
		"through a link to the file":  func(dir string) (string, error) { return dir + "/link", os.Symlink("log", dir+"/link") },
		"by a hard link, removed too": func(dir string) (string, error) { return dir + "/hard", os.Link(dir+"/log", dir+"/hard") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			a := opened(t, logfile.Options{Path: dir + "/log"})
			path, err := second(dir)
			if err != nil {
				t.Fatal(err)
			}
			b := opened(t, logfile.Options{Path: path})
			one, _ := a.FileID()
			if other, open := b.FileID(); other != one || !open {
				t.Fatalf("%v and %v are two files", one, other)
			}
			both := []*logfile.Writer{a, b}
			logfile.Restore(both)
			write(t, a, "a\n")
			write(t, b, "b\n")
			os.Remove(dir + "/log")
			os.Remove(dir + "/hard")
			if _, err := logfile.Restore(both); err != nil {
				t.Error(err)
			}
			if text, err := os.ReadFile(dir + "/log"); string(text) != "a\nb\n" {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
}

// TestRestoreAfterEmptied: all that was written since a log was emptied is moved,
// whoever emptied it, and how long it has been.
func TestRestoreAfterEmptied(t *testing.T) {
	old, fresh := strings.Repeat("a", 900), strings.Repeat("b", 950)
	for name, empty := range map[string]func(w, other *logfile.Writer) error{
		"by Clear": func(w, _ *logfile.Writer) error { return w.Clear() },
		"by rotation": func(w, _ *logfile.Writer) error {
			w.Write([]byte(strings.Repeat("a", 200)))
			return nil
		},
		"by another Writer":             func(_, other *logfile.Writer) error { return errors.Join(other.Open(), other.Clear(), other.Close()) },
		"by another, which is not open": func(_, other *logfile.Writer) error { return other.Clear() },
		"by another program":            func(w, _ *logfile.Writer) error { return os.Truncate(w.Path(), 0) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			w := opened(t, logfile.Options{Path: path, MaxBytes: 1000})
			write(t, w, old)
			logfile.Restore([]*logfile.Writer{w})
			if err := empty(w, logfile.New(logfile.Options{Path: path})); err != nil {
				t.Fatal(err)
			}
			write(t, w, fresh)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if restored, err := logfile.Restore([]*logfile.Writer{w}); len(restored) != 1 || err != nil {
				t.Errorf("restored %v, %v", restored, err)
			}
			wantFiles(t, filepath.Dir(path), map[string]string{"log": fresh})
		})
	}
}

// TestRotateByTwoNames: two who spell the name of one log in their own ways lose no
// backup to each other.
func TestRotateByTwoNames(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(".", filepath.Join(dir, "up")); err != nil {
		t.Fatal(err)
	}
	var writing sync.WaitGroup
	const lines = 500
	for i, path := range []string{dir + "/log", dir + "/./log", dir + "/up/log"} {
		w := opened(t, logfile.Options{Path: path, MaxBytes: 200, Backups: 200})
		writing.Go(func() {
			for j := range lines {
				write(t, w, string(numbered(nil, i*lines+j)))
			}
		})
	}
	writing.Wait()
	os.Remove(filepath.Join(dir, "up"))
	var all []byte
	for _, text := range files(t, dir) {
		all = append(all, text...)
	}
	for i := range 3 * lines {
		if n := bytes.Count(all, numbered(nil, i)); n != 1 {
			t.Errorf("line %d is there %d times", i, n)
		}
	}
}

// TestRestoreUnderLoad: while it is written to and rotates, every line is in one of
// the files, and once, however often it is renamed or removed. Removed files count,
// since they are read at once.
func TestRestoreUnderLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	w := opened(t, logfile.Options{Path: path, MaxBytes: 4 << 10, Backups: 1000})
	const lines = 3000
	var writing sync.WaitGroup
	stop := make(chan struct{})
	writing.Go(func() {
		defer close(stop)
		for i := range lines {
			write(t, w, string(numbered(nil, i)))
		}
	})
	for n := 0; ; n++ {
		os.Rename(path, filepath.Join(dir, "moved."+string(rune('a'+n%26))+strings.Repeat("x", n/26%200)))
		if _, err := logfile.Restore([]*logfile.Writer{w}); err != nil {
			t.Error(err)
		}
		select {
		case <-stop:
		default:
			continue
		}
		break
	}
	writing.Wait()
	var all []byte
	for _, text := range files(t, dir) {
		all = append(all, text...)
	}
	for i := range lines {
		if n := bytes.Count(all, numbered(nil, i)); n != 1 {
			t.Errorf("line %d is there %d times", i, n)
		}
	}
	if w.Dropped() != 0 {
		t.Errorf("%d bytes are dropped", w.Dropped())
	}
}

// TestRestoreAuto: an AUTO log that is made anew is locked as the first was, so that no
// other daemon takes it for one that is left over.
func TestRestoreAuto(t *testing.T) {
	dir := t.TempDir()
	path, err := logfile.CreateAuto(dir, "p", "stdout", "id", logfile.NewAutoMark())
	if err != nil {
		t.Fatal(err)
	}
	w := opened(t, logfile.Options{Path: path, Auto: true})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if restored, err := logfile.Restore([]*logfile.Writer{w}); restored == nil || err != nil {
		t.Fatalf("restored %v, %v", restored, err)
	}
	if failed, err := logfile.CleanAuto(dir, "id"); err != nil || len(failed) != 0 {
		t.Errorf("%v, %v", failed, err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// TestRestoreLeavesOthersAlone: nothing is made for what is no file, for a log that is
// closed, or without a name.
func TestRestoreLeavesOthersAlone(t *testing.T) {
	dir := t.TempDir()
	closed := logfile.New(logfile.Options{Path: filepath.Join(dir, "closed")})
	device := opened(t, logfile.Options{Path: "/dev/null"})
	none := opened(t, logfile.Options{})
	path := fifo(t)
	pipe := opened(t, logfile.Options{Path: path})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for _, w := range []*logfile.Writer{closed, device, none, pipe} {
		if restored, err := logfile.Restore([]*logfile.Writer{w}); restored != nil || err != nil {
			t.Errorf("%q: restored %v, %v", w.Path(), restored, err)
		}
	}
	wantFiles(t, dir, map[string]string{})
	if _, err := os.Lstat(path); err == nil {
		t.Error("the FIFO is there again")
	}
}

// BenchmarkRestore is a look at a log that is in its place.
func BenchmarkRestore(b *testing.B) {
	w := logfile.New(logfile.Options{Path: filepath.Join(b.TempDir(), "log")})
	if err := w.Open(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		logfile.Restore([]*logfile.Writer{w})
	}
}
