package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"supervisord/runtime/needs"
)

// mallory is another user. He needs no account.
const mallory = 65534

// world makes a tree of what the words of a line say:
//
//	NAME/:MODE       a directory         NAME|        a FIFO
//	NAME=TEXT        a file              NAME->TARGET a link
//	NAME<>OTHER      a hard link
//
// each with @ at its end when it is mallory's, % when it is his group's, or + when an
// access control list lets him write. {} is the root of the tree.
func world(t testing.TB, root, line string) {
	t.Helper()
	syscall.Umask(0)
	for word := range strings.FieldsSeq(strings.ReplaceAll(line, "{}", root)) {
		word, theirs := strings.CutSuffix(word, "@")
		word, groups := strings.CutSuffix(word, "%")
		word, list := strings.CutSuffix(word, "+")
		var name string
		var err error
		if before, mode, is := strings.Cut(word, "/:"); is {
			var bits uint32
			fmt.Sscanf(mode, "%o", &bits)
			name = filepath.Join(root, before)
			if err = syscall.Mkdir(name, bits); err == nil {
				err = syscall.Chmod(name, bits)
			}
		} else if before, target, is := strings.Cut(word, "->"); is {
			name = filepath.Join(root, before)
			err = os.Symlink(target, name)
		} else if before, other, is := strings.Cut(word, "<>"); is {
			err = os.Link(filepath.Join(root, other), filepath.Join(root, before))
		} else if before, text, is := strings.Cut(word, "="); is {
			name = filepath.Join(root, before)
			err = os.WriteFile(name, []byte(text), 0o644)
		} else if before, is := strings.CutSuffix(word, "|"); is {
			name = filepath.Join(root, before)
			err = syscall.Mkfifo(name, 0o666)
		} else {
			t.Fatalf("%q makes no sense", word)
		}
		if err == nil && theirs {
			err = os.Lchown(name, mallory, mallory)
		}
		if err == nil && groups {
			err = os.Lchown(name, -1, mallory)
		}
		if err == nil && list {
			if err = letWrite(name); errors.Is(err, errors.ErrUnsupported) {
				t.Skip("access control lists are known on Linux alone: left out")
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// tree is a directory whose parents are nobody else's.
func tree(t testing.TB) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// inTime fails a test when f hangs.
func inTime(t testing.TB, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { // ends with f, or with the test binary
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatalf("%s hangs", what)
	}
}

// TestOpenFile: what another user made, where others can write, is refused, and
// everything else is as the kernel has it.
func TestOpenFile(t *testing.T) {
	needs.Root(t)
	defer syscall.Umask(syscall.Umask(0))
	const opened, missing = "", "no such file or directory"
	for _, r := range []struct{ name, world, path, want string }{
		{"a new file", "d/:755", "d/log", opened},
		{"a new file in a sticky directory", "d/:1777", "d/log", opened},
		{"a new file in a directory of his", "d/:755@", "d/log", opened},
		{"our file", "d/:1777 d/log=", "d/log", opened},
		{"his file in a directory of his", "d/:755@ d/log=@", "d/log", opened},
		{"his file in a directory of a group", "d/:775% d/log=@", "d/log", opened},
		{"his file in a sticky directory", "d/:1777 d/log=@", "d/log", "the file {}/d/log belongs to uid 65534, and others can write to {}/d"},
		{"his file in a directory of ours", "d/:755 d/log=@", "d/log", opened},

		{"our link", "d/:1777 victim= d/log->{}/victim", "d/log", opened},
		{"our link to nothing", "d/:1777 d/log->{}/new", "d/log", opened},
		{"our relative link", "d/:755 victim= d/log->../victim", "d/log", opened},
		{"a chain of ours", "d/:1777 d/log->b d/b->./c d/c->{}/d/e", "d/log", opened},
		{"a ring of ours", "d/:755 d/log->b d/b->log", "d/log", "too many levels of symbolic links"},
		{"his link in a directory with a list of writers", "d/:755+ victim= d/log->{}/victim@", "d/log", "the link {}/d/log belongs to uid 65534, and others can write to {}/d"},
		{"our link there", "d/:755+ victim= d/log->{}/victim", "d/log", opened},
		{"a link below it", "d/:755+ d/e/:755 d/l->{}/d/e@", "d/l/log", "the link {}/d/l belongs to uid 65534, and others can write to {}/d"},
		{"a hard link there", "d/:755+ victim= d/log<>victim", "d/log", "the file {}/d/log has a second name, and others can write to {}/d"},
		{"his link", "d/:1777 victim= d/log->{}/victim@", "d/log", "the link {}/d/log belongs to uid 65534, and others can write to {}/d"},
		{"his link in a directory of his", "d/:755@ victim= d/log->{}/victim@", "d/log", "the link {}/d/log belongs"},
		{"his link in a directory of a group", "d/:775% victim= d/log->{}/victim@", "d/log", "the link {}/d/log belongs"},
		{"his link in a directory of ours", "d/:755 victim= d/log->{}/victim@", "d/log", opened},
		{"our link to his", "d/:1777 d/log->b victim= d/b->{}/victim@", "d/log", "the link {}/d/b belongs"},

		{"his link on the way", "d/:1777 e/:755 d/l->{}/e@", "d/l/log", "the link {}/d/l belongs"},
		{"our link on the way", "d/:1777 e/:755 d/l->../e", "d/l/log", opened},
		{"a release that he deployed", "d/:755@ d/releases/:755@ d/releases/1/:755@ d/current->releases/1@", "d/current/log", opened},
		{"one that leads to us", "d/:755@ e/:755 d/current->{}/e@", "d/current/log", "the link {}/d/current belongs to uid 65534 and leads to {}/e, which does not"},
		{"one that leads through us to him", "d/:755@ d/l->{}/d/m@ d/m->{}/h h/:755@", "d/l/log", opened},
		{"one that leads to a link of ours", "d/:755@ d/e/:755@ d/current->e@ d/e/log->{}/f/log f/:755", "d/current/log", "the link {}/d/current belongs"},

		{"a hard link to a file of ours", "d/:1777 victim= d/log<>victim", "d/log", "the file {}/d/log has a second name, and others can write to {}/d"},
		{"one in a directory of ours", "d/:755 victim= d/log<>victim", "d/log", opened},
		{"a hard link to a link of ours", "d/:1777 victim= e->{}/victim d/log<>e", "d/log", "the link {}/d/log has a second name"},

		{"our FIFO", "d/:1777 d/log|", "d/log", "no such device or address"},
		{"his FIFO", "d/:1777 d/log|@", "d/log", "the FIFO {}/d/log belongs"},
		{"his FIFO in a directory of his", "d/:755@ d/log|@", "d/log", "the FIFO {}/d/log belongs"},
		{"his FIFO in a directory of ours", "d/:755 d/log|@", "d/log", "no such device or address"},

		{"a directory", "d/:1777 d/log/:755", "d/log", "is a directory"},
		{"below a file", "d= ", "d/log", "not a directory"},
		{"below nothing", "", "d/log", missing},
		{"a null device", "", "/dev/null", opened},
		{"a descriptor", "", "/proc/self/fd/0", opened},
		{"a device by our link", "d/:1777 d/log->/dev/null", "d/log", opened},
		{"odd spelling", "d/:755 d/e/:755", "d//e/.././log", opened},
		{"a slash at the end", "d/:755", "d/", "is a directory"},
	} {
		t.Run(r.name, func(t *testing.T) {
			root := tree(t)
			world(t, root, r.world)
			path := r.path
			if !filepath.IsAbs(path) {
				path = root + "/" + path
			}
			inTime(t, "opening", func() {
				f, err := OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
				got := opened
				if err == nil {
					if flags, _ := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 {
						t.Error("a child would inherit it")
					}
					f.Close()
				} else {
					got = errors.Unwrap(err).Error()
				}
				if want := strings.ReplaceAll(r.want, "{}", root); want == "" && got != "" || !strings.HasPrefix(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
				refused := (*Refused)(nil)
				if is := errors.As(err, &refused); is != strings.Contains(r.want, "{}") {
					t.Errorf("refused: %v", is)
				}
				if _, err := os.Lstat(root + "/victim"); strings.Contains(r.world, "victim=") && err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestOpenFileIsLikeOS: where nobody else has a say, the outcome is that of
// os.OpenFile, whatever the flags.
func TestOpenFileIsLikeOS(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	const tall = "file=text d/: link->file none->nowhere ring->ring up->d/../file fifo|"
	for _, name := range []string{"file", "d", "link", "none", "ring", "up", "fifo", "new", "file/x", "d/", "none/x"} {
		for _, flag := range []int{
			os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_CREATE, os.O_WRONLY | os.O_CREATE | os.O_EXCL,
			os.O_WRONLY | os.O_CREATE | os.O_TRUNC, os.O_RDWR | os.O_TRUNC, os.O_WRONLY | os.O_CREATE | os.O_APPEND,
		} {
			var outcome [2]string
			for i, open := range []func(string, int, fs.FileMode) (*os.File, error){os.OpenFile, OpenFile} {
				root := tree(t)
				world(t, root, strings.Replace(tall, "d/:", "d/:755", 1))
				f, err := open(root+"/"+name, flag|syscall.O_NONBLOCK, 0o640)
				outcome[i] = fmt.Sprint(errors.Unwrap(err))
				if err == nil {
					if _, err := f.Write([]byte("more")); err != nil {
						outcome[i] += " unwritable"
					}
					f.Close()
				}
				filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
					text := []byte(nil)
					if err == nil && d.Type().IsRegular() {
						text, _ = os.ReadFile(path)
					}
					info, _ := os.Lstat(path)
					outcome[i] += fmt.Sprintf("\n%s %v %s", strings.TrimPrefix(path, root), info.Mode(), text)
					return nil
				})
			}
			if outcome[0] != outcome[1] {
				t.Errorf("%s, flags %#x: os has %s\nwe have %s", name, flag, outcome[0], outcome[1])
			}
		}
	}
}

// TestOpenFileRace: whoever changes what a name means while it is opened gets
// nothing from it.
func TestOpenFileRace(t *testing.T) {
	needs.Root(t)
	root := tree(t)
	world(t, root, "d/:1777 victim=safe d/link->{}/victim@")
	path, done := root+"/d/log", make(chan struct{})
	go func() { // ends with the test
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			os.Remove(path)
			if i%2 == 0 {
				os.Symlink(root+"/victim", path)
				os.Lchown(path, mallory, mallory)
			} else {
				os.Link(root+"/victim", path)
			}
		}
	}()
	refusals := 0
	for range 3000 {
		f, err := OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
		if err == nil {
			f.Write([]byte("overwritten"))
			f.Close()
			continue
		}
		refusals++
	}
	close(done)
	// A link is root's for the moment before it is mallory's: through that one the
	// file may be reached, and the test cannot make one otherwise.
	if refusals == 0 {
		t.Error("nothing was refused")
	}
}

// TestFiles: the small operations keep to the rules, too.
func TestFiles(t *testing.T) {
	needs.Root(t)
	defer syscall.Umask(syscall.Umask(0))
	root := tree(t)
	world(t, root, "d/:1777 victim=safe d/l->{}/victim@ d/f|@ d/own|")
	inTime(t, "a FIFO", func() {
		for _, name := range []string{"d/l", "d/f"} {
			if data, err := ReadFile(root + "/" + name); !isRefused(err) {
				t.Errorf("%s was read: %q, %v", name, data, err)
			}
			if err := WriteFile(root+"/"+name, []byte("x"), 0o666); !isRefused(err) {
				t.Errorf("%s was written: %v", name, err)
			}
		}
		if _, err := ReadFile(root + "/d/own"); !errors.Is(err, ErrNotRegular) {
			t.Errorf("our FIFO was read: %v", err)
		}
		if err := WriteFile(root+"/d/own", []byte("x"), 0o666); !errors.Is(err, syscall.ENXIO) {
			t.Errorf("our FIFO was written: %v", err)
		}
		for name, want := range map[string]bool{"d/l": true, "d/l/x": true, "d/f": false, "d/none": false, "none/x": false} {
			if got := isRefused(Check(root + "/" + name)); got != want {
				t.Errorf("%s is refused: %v", name, got)
			}
		}
	})
	if text, _ := os.ReadFile(root + "/victim"); string(text) != "safe" {
		t.Errorf("the victim holds %q", text)
	}
	if err := WriteFile(root+"/d/pid", []byte("1\n"), 0o640); err != nil {
		t.Error(err)
	}
	if err := WriteFile(root+"/d/pid", []byte("2"), 0o640); err != nil {
		t.Error(err)
	}
	if text, err := ReadFile(root + "/d/pid"); string(text) != "2" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if err := Rename(root+"/d/pid", "pid.1"); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(root + "/d/pid.1"); err != nil {
		t.Error(err)
	}
}

// TestSocketAccess: mode and owner are a socket's, never those of what somebody has
// put in its place.
func TestSocketAccess(t *testing.T) {
	needs.Root(t)
	root, err := os.MkdirTemp("", "tr")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(root)
	world(t, root, "d/:777 victim=safe d/l->{}/victim@ d/h<>victim")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	path := root + "/d/s"
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(Chmod(path, 0o2750), Chown(path, mallory, -1)); err != nil {
		t.Error(err)
	}
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil || st.Mode&0o7777 != 0o2750&^0o6000 && st.Mode&0o7777 != 0o2750 || st.Uid != mallory {
		t.Errorf("mode %o, uid %d, %v", st.Mode, st.Uid, err)
	}
	other := listenAt(t, root+"/other") // another daemon's
	defer other.Close()
	if err := os.Link(root+"/other", root+"/d/o"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"d/l", "d/h", "d/o", "victim"} {
		if err := Chmod(root+"/"+name, 0o666); !isRefused(err) {
			t.Errorf("%s got a mode: %v", name, err)
		}
		if err := Chown(root+"/"+name, mallory, mallory); !isRefused(err) {
			t.Errorf("%s got an owner: %v", name, err)
		}
	}
	if err := syscall.Stat(root+"/victim", &st); err != nil || st.Uid != 0 || st.Mode&0o777 != 0o644 {
		t.Errorf("the victim has mode %o, uid %d, %v", st.Mode, st.Uid, err)
	}
}

// TestSocketExchanged: whoever puts another thing in the place of our socket, once we
// have looked at it, gets nothing done to that.
func TestSocketExchanged(t *testing.T) {
	needs.Root(t)
	if runtime.GOOS != "linux" {
		t.Skip("only Linux holds what it does not read: left out")
	}
	for what, change := range map[string]func(pinned) error{
		"chown": func(s pinned) error { return s.chown(mallory, mallory) },
		"chmod": func(s pinned) error { return s.chmod(0o600) },
	} {
		t.Run(what, func(t *testing.T) {
			root, err := os.MkdirTemp("", "tr")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(root)
			world(t, root, "d/:755@ victim=safe d/h<>victim")
			defer listenAt(t, root+"/d/s").Close()
			p, name, err := parent(root + "/d/s")
			if err != nil {
				t.Fatal(err)
			}
			defer p.close()
			var before, after, socket syscall.Stat_t
			err = errors.Join(syscall.Lstat(root+"/victim", &before), p.changeSocket(name, func(s pinned) error {
				return errors.Join(os.Rename(root+"/d/s", root+"/d/t"), os.Rename(root+"/d/h", root+"/d/s"), change(s))
			}), syscall.Lstat(root+"/d/s", &after), syscall.Lstat(root+"/d/t", &socket))
			if err != nil || after.Ino != before.Ino || after.Uid != before.Uid || after.Mode != before.Mode {
				t.Errorf("the victim has mode %o, uid %d; %v", after.Mode, after.Uid, err)
			}
			if socket.Uid != mallory && socket.Mode&0o777 != 0o600 {
				t.Errorf("the socket has mode %o, uid %d", socket.Mode, socket.Uid)
			}
		})
	}
}

// listenAt makes a socket.
func listenAt(t *testing.T, path string) net.Listener {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func isRefused(err error) bool {
	var r *Refused
	return errors.As(err, &r)
}

// TestMakeDir: a directory that another user has a hand in is left alone, and one
// beside it is used, now and the next time.
func TestMakeDir(t *testing.T) {
	needs.Root(t)
	defer syscall.Umask(syscall.Umask(0))
	for _, r := range []struct {
		name, world, path string
		uid               int
		made, why         string
	}{
		{"new", "", "state/id", 0, "state/id", ""},
		{"there", "state/:711 state/id/:755", "state/id", 0, "state/id", ""},
		{"in a sticky directory", "s/:1777", "s/state/id", 0, "s/state/id", ""},
		{"ours in a sticky directory", "s/:1777 s/id/:700", "s/id", 0, "s/id", ""},
		{"his", "s/:1777 s/id/:755@", "s/id", 0, "s/id.1", "the directory {}/s/id belongs to uid 65534"},
		{"his twice", "s/:1777 s/id/:755@ s/id.1/:755@ s/id.2/:700", "s/id", 0, "s/id.2", "the directory {}/s/id belongs"},
		{"his parent", "p/:755@ p/id/:700", "p/id", 0, "p.1/id", "the directory {}/p belongs to uid 65534"},
		{"the parent of his parent", "s/:1777 s/p/:755@ s/p/q/:777", "s/p/q/id", 0, "s/p.1/q/id", "the directory {}/s/p belongs"},
		{"one that only we can write to, below his", "p/:755@ p/q/:755", "p/q/id", 0, "p/q/id", ""},
		{"a link in its place", "s/:1777 e/:755 s/id->{}/e@", "s/id", 0, "s/id.1", "the link {}/s/id belongs to uid 65534"},
		{"our link in its place", "e/:755 id->e", "id", 0, "id.1", "{}/id is a link"},
		{"his link on the way", "s/:1777 e/:755 s/l->{}/e@", "s/l/id", 0, "s/l.1/id", "the link {}/s/l belongs"},
		{"below his, one with a list of writers", "p/:755@ p/q/:755+", "p/q/id", 0, "p.1/q/id", "the directory {}/p belongs to uid 65534"},
		{"our link on the way", "e/:755 l->e", "l/id", 0, "e/id", ""},
		{"our absolute link on the way", "e/:755 l->{}/e", "l/id", 0, "e/id", ""},
		{"his FIFO", "s/:1777 s/id|@", "s/id", 0, "s/id.1", "the FIFO {}/s/id belongs"},
		{"for him", "", "state/id", mallory, "state/id", ""},
		{"his, for him", "state/:711 state/id/:700@", "state/id", mallory, "state/id", ""},
		{"ours, for him", "state/:700 state/id/:755", "state/id", mallory, "state/id", ""},
	} {
		t.Run(r.name, func(t *testing.T) {
			root := tree(t)
			world(t, root, r.world)
			var refused *Refused
			for i := range 2 {
				d, why, err := MakeDir(Dir{root + "/" + r.path, r.uid}, -1)
				if err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					refused = why
				}
				var st, want syscall.Stat_t
				if err := errors.Join(syscall.Stat(d.Path, &st), syscall.Lstat(root+"/"+r.made, &want)); err != nil {
					t.Fatalf("%s: %v", d.Path, err)
				}
				if st.Ino != want.Ino || st.Mode&0o7777 != 0o700 || int(st.Uid) != r.uid {
					t.Errorf("%s has mode %o, uid %d; want %s", d.Path, st.Mode, st.Uid, r.made)
				}
				if found, _, err := FindDir(Dir{root + "/" + r.path, r.uid}); err != nil || found != d {
					t.Errorf("found %v, %v; made %v", found, err, d)
				}
			}
			got := ""
			if refused != nil {
				got = refused.Error()
			}
			if want := strings.ReplaceAll(r.why, "{}", root); !strings.HasPrefix(got, want) || want == "" && got != "" {
				t.Errorf("refused: %q, want %q", got, want)
			}
			if r.uid != 0 {
				info, err := os.Stat(root + "/state")
				if err != nil || info.Mode().Perm() != 0o711 {
					t.Errorf("the way there: %v, %v", info, err)
				}
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		if _, _, err := FindDir(Dir{tree(t) + "/none/id", 0}); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		root := tree(t)
		world(t, root, "file=")
		if _, refused, err := MakeDir(Dir{root + "/file/id", 0}, -1); !errors.Is(err, syscall.ENOTDIR) || refused != nil {
			t.Error(refused, err)
		}
	})
}

// TestStateFiles: of what stands in a directory of our own, only our files count.
func TestStateFiles(t *testing.T) {
	needs.Root(t)
	root := tree(t)
	d, _, err := MakeDir(Dir{root + "/id", 0}, -1)
	if err != nil {
		t.Fatal(err)
	}
	world(t, root, "victim=safe id/his=x@ id/link->{}/victim id/hard<>victim id/fifo| id/dir/:755 id/ours=text id/left.old.tmp= id/new.tmp=")
	inTime(t, "reading", func() {
		for _, name := range []string{"his", "link", "hard", "fifo", "dir"} {
			if data, err := Read(d, name); !isRefused(err) {
				t.Errorf("%s was read: %q, %v", name, data, err)
			}
		}
	})
	if data, err := Read(d, "ours"); string(data) != "text" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := Read(d, "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(root+"/id/left.old.tmp", long, long); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link", "hard", "fifo", "fresh"} {
		f, err := Replace(d, name, []byte("new "+name), true)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		f.Write([]byte(", more"))
		f.Close()
		if data, err := Read(d, name); string(data) != "new "+name+", more" || err != nil {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	if text, _ := os.ReadFile(root + "/victim"); string(text) != "safe" {
		t.Errorf("the victim holds %q", text)
	}
	if err := Remove(d, "fresh"); err != nil {
		t.Error(err)
	}
	var left []string
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		left = append(left, e.Name())
	}
	slices.Sort(left)
	if diff := cmp.Diff([]string{"dir", "fifo", "hard", "his", "link", "new.tmp", "ours"}, left); diff != "" {
		t.Errorf("what is there (-want +got):\n%s", diff)
	}

	// A directory that changes hands under us is not used any more.
	if err := os.Lchown(d.Path, mallory, mallory); err != nil {
		t.Fatal(err)
	}
	_, failed := Replace(d, "x", nil, false)
	if _, err := Read(d, "ours"); !isRefused(err) || !isRefused(failed) {
		t.Errorf("read: %v, written: %v", err, failed)
	}
}

func BenchmarkOpenFile(b *testing.B) {
	path := b.TempDir() + "/log"
	for name, open := range map[string]func(string, int, fs.FileMode) (*os.File, error){"os": os.OpenFile, "trust": OpenFile} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f, err := open(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
				if err != nil {
					b.Fatal(err)
				}
				f.Close()
			}
		})
	}
}

// TestRename: a name goes in place of another, and one that is not there in place of
// nothing.
func TestRename(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"log", "log.1"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := Rename(filepath.Join(dir, "log"), "log.1"); err != nil {
		t.Fatal(err)
	}
	if err := Rename(filepath.Join(dir, "log"), "log.1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a name that is not there: %v", err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "log.1")); err != nil || string(text) != "log" {
		t.Errorf("%q, %v", text, err)
	}
}
