package logfile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"supervisord/runtime/bound"
	"supervisord/runtime/logfile"
)

func fileWith(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRead and TestTail are the tables of contract/rpc.md section 6.
func TestRead(t *testing.T) {
	path := fileWith(t, "hello\n")
	for _, row := range []struct {
		offset, length int64
		want           string
		err            error
	}{
		{0, 0, "hello\n", nil},
		{2, 0, "llo\n", nil},
		{6, 0, "", nil},
		{100, 0, "", nil},
		{0, 3, "hel", nil},
		{2, 100, "llo\n", nil},
		{2, 1 << 62, "llo\n", nil},
		{100, 5, "", nil},
		{0, -1, "", logfile.ErrBadArguments},
		{3, -1, "", logfile.ErrBadArguments},
		{-3, 0, "lo\n", nil},
		{-6, 0, "hello\n", nil},
		{-100, 0, "hello\n", nil},
		{-1 << 63, 0, "hello\n", nil},
		{-3, 1, "", logfile.ErrBadArguments},
		{-3, -1, "", logfile.ErrBadArguments},
	} {
		t.Run(fmt.Sprint(row.offset, row.length), func(t *testing.T) {
			got, err := logfile.Read(path, row.offset, row.length)
			if string(got) != row.want || !errors.Is(err, row.err) {
				t.Errorf("got %q, %v, want %q, %v", got, err, row.want, row.err)
			}
		})
	}
}

func TestTail(t *testing.T) {
	path := fileWith(t, "hello\n")
	for _, row := range []struct {
		offset, length int64
		want           string
		newOffset      int64
		overflow       bool
	}{
		{0, 10, "hello\n", 6, false},
		{0, 6, "hello\n", 6, false},
		{0, 7, "hello\n", 6, false},
		{-1, 10, "hello\n", 6, false},
		{0, 5, "ello\n", 6, true},
		{2, 3, "lo\n", 6, true},
		{0, 1 << 60, "hello\n", 6, false},
		{6, 10, "", 6, false},
		{100, 10, "", 6, false},
		{0, 0, "", 6, true},
		{0, -1, "", 6, true},
		{1<<63 - 1, 1<<63 - 1, "", 6, false},
		{-1 << 63, -1 << 63, "", 6, true},
	} {
		t.Run(fmt.Sprint(row.offset, row.length), func(t *testing.T) {
			got, newOffset, overflow, err := logfile.Tail(path, row.offset, row.length)
			if string(got) != row.want || newOffset != row.newOffset || overflow != row.overflow || err != nil {
				t.Errorf("got %q, %d, %v, %v, want %q, %d, %v, nil",
					got, newOffset, overflow, err, row.want, row.newOffset, row.overflow)
			}
		})
	}
}

// TestReadWhatIsNoFile: nothing is read that would wait or take what others read.
func TestReadWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		path string
		err  error
	}{
		{filepath.Join(dir, "missing"), fs.ErrNotExist},
		{fifo, logfile.ErrNotRegular},
		{dir, logfile.ErrNotRegular},
		{"/dev/null", nil},
	} {
		t.Run(row.path, func(t *testing.T) {
			if got, err := logfile.Read(row.path, 0, 0); len(got) != 0 || !errors.Is(err, row.err) {
				t.Errorf("Read = %q, %v, want nothing, %v", got, err, row.err)
			}
			got, offset, overflow, err := logfile.Tail(row.path, 7, 10)
			wantOffset := int64(7)
			if row.err == nil {
				wantOffset = 0
			}
			if len(got) != 0 || offset != wantOffset || overflow || !errors.Is(err, row.err) {
				t.Errorf("Tail = %q, %d, %v, %v, want nothing, %d, false, %v", got, offset, overflow, err, wantOffset, row.err)
			}
		})
	}
}

// FuzzTail: a reader who keeps asking from the offset it was given, and who asks
// for enough, sees every byte once and is never told of an overflow.
func FuzzTail(f *testing.F) {
	f.Add([]byte("hello\nworld\n"), uint8(3))
	f.Add([]byte{}, uint8(0))
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, data []byte, step uint8) {
		defer b.Input(t)()
		path := filepath.Join(t.TempDir(), "log")
		w := logfile.New(logfile.Options{Path: path})
		open(t, w)
		defer w.Close()
		var got []byte
		var offset int64
		for left := data; len(left) > 0; {
			n := min(len(left), int(step)+1)
			write(t, w, string(left[:n]))
			left = left[n:]
			part, next, overflow, err := logfile.Tail(path, offset, int64(n))
			if err != nil || overflow {
				t.Fatalf("Tail(%d, %d): overflow %v, %v", offset, n, overflow, err)
			}
			got, offset = append(got, part...), next
		}
		if string(got) != string(data) {
			t.Errorf("read %q of %q", got, data)
		}
	})
}
