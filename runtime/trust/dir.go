package trust

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Dir is a directory that only root and one user can have made.
type Dir struct {
	Path string // absolute
	UID  int    // the user
}

// maxNames is how many names are tried for one directory.
const maxNames = 100

// FindDir finds a directory that is there. Where something on the way to it, or the
// directory itself, is another user's, refused says so, and what is found is the one
// that MakeDir has made instead. The error is fs.ErrNotExist when there is none.
func FindDir(d Dir) (found Dir, refused *Refused, err error) {
	return d.settle(func(d Dir) error { return d.with(func(int) error { return nil }) })
}

// MakeDir makes a directory of mode 0700 that belongs to the user of d and, unless
// gid is -1, to that group; it needs to be root for another user than ours. One that
// is there already is handed over, if it is ours. Where another user has made it, or
// something on the way to it, refused says so, and made is one beside that, under a
// name of its own: the same with .1 after it, or the next number that is free or ours.
func MakeDir(d Dir, gid int) (made Dir, refused *Refused, err error) {
	return d.settle(func(d Dir) error { return d.make(gid, true) })
}

// Mkdir makes the directory as MakeDir does, under its own name or not at all; the
// mode of one that is there is left as it is. The error is a *Refused where another
// user has a hand in it.
func Mkdir(d Dir, gid int) error { return d.make(gid, false) }

// settle tries names until one is not refused.
func (d Dir) settle(try func(Dir) error) (settled Dir, refused *Refused, err error) {
	var tried, base, rest string
	number := 0
	for range maxNames {
		err = try(d)
		var r *Refused
		if !errors.As(err, &r) {
			return d, refused, err
		}
		if refused == nil {
			refused = r
		}
		if r.Path != tried {
			base, rest, number = r.Path, r.rest, 0
		}
		number++
		tried = fmt.Sprintf("%s.%d", base, number)
		d.Path = filepath.Join(tried, rest)
	}
	return d, refused, err
}

// trusts reports whether something belongs to root or the user.
func (d Dir) trusts(st *unix.Stat_t) bool { return st.Uid == 0 || int(st.Uid) == d.UID }

// with opens the directory, if it is to be trusted, for as long as use needs it.
func (d Dir) with(use func(fd int) error) error {
	p, err := d.walk(false)
	if err != nil {
		return &fs.PathError{Op: "open", Path: d.Path, Err: err}
	}
	defer p.close()
	return use(p.fd)
}

// make makes the directory; private sees to its mode.
func (d Dir) make(gid int, private bool) error {
	p, err := d.walk(true)
	if err != nil {
		return &fs.PathError{Op: "make directory", Path: d.Path, Err: err}
	}
	defer p.close()
	if int(p.stat.Uid) != d.UID {
		err = unix.Fchown(p.fd, d.UID, gid)
	}
	if err == nil && private && p.stat.Mode&0o7777 != 0o700 {
		err = unix.Fchmod(p.fd, 0o700)
	}
	if err != nil {
		return &fs.PathError{Op: "make directory", Path: d.Path, Err: err}
	}
	return nil
}

// walker goes to a Dir, one name at a time.
type walker struct {
	place
	dir  Dir
	make bool // what is missing
	// suspect is the last directory of another user, unless one came after it that
	// only root and ours can write to.
	suspect *Refused
}

// walk goes to the directory, and makes what is missing on the way if it may.
func (d Dir) walk(make bool) (*place, error) {
	if !filepath.IsAbs(d.Path) {
		return nil, unix.EINVAL
	}
	w := &walker{place: place{fd: -1}, dir: d, make: make}
	err := w.move(unix.AT_FDCWD, "/", "/")
	if err == nil {
		err = w.follow(filepath.Clean(d.Path)[1:])
	}
	if err != nil && w.fd >= 0 {
		w.close()
	}
	return &w.place, err
}

func (w *walker) follow(rest string) error {
	for rest != "" {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		if name == "" || name == "." {
			continue
		}
		if rest == "" && w.suspect != nil {
			w.suspect.rest = filepath.Join(w.suspect.rest, name)
			return w.suspect
		}
		target, err := w.step(name, rest)
		if err != nil {
			return err
		}
		if filepath.IsAbs(target) {
			if err := w.move(unix.AT_FDCWD, "/", "/"); err != nil {
				return err
			}
		}
		if target != "" {
			rest = target + "/" + rest
		}
	}
	return nil
}

// step goes on to the directory name, after which rest is to come. Where name is
// that of a link, it stays and returns where that leads.
func (w *walker) step(name, rest string) (target string, err error) {
	path, flag := filepath.Join(w.path, name), search|unix.O_DIRECTORY|unix.O_NOFOLLOW
	if rest == "" {
		flag = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW
		if err := w.letThrough(); err != nil {
			return "", err
		}
	}
	fd, err := openat(w.fd, name, flag, 0)
	if err == unix.ENOENT && w.make {
		if err := w.mkdir(name, rest == ""); err != nil {
			return "", err
		}
		fd, err = openat(w.fd, name, flag, 0)
	}
	if err != nil {
		return w.obstacle(name, rest, err)
	}
	if err := w.become(fd, path); err != nil {
		return "", err
	}
	switch {
	case !w.dir.trusts(&w.stat):
		w.suspect = &Refused{path, fmt.Sprintf("the directory %s belongs to uid %d", path, w.stat.Uid), ""}
		if rest == "" {
			return "", w.suspect
		}
	case !w.writableByOthers():
		w.suspect = nil
	case w.suspect != nil:
		w.suspect.rest = filepath.Join(w.suspect.rest, name)
	}
	return "", nil
}

// obstacle is what to do about something that could not be opened as a directory:
// where it leads to, if it is a link that may be followed.
func (w *walker) obstacle(name, rest string, failed error) (target string, err error) {
	var st unix.Stat_t
	if unix.Fstatat(w.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return "", failed
	}
	path := filepath.Join(w.path, name)
	refused := func(format string, args ...any) error { return &Refused{path, fmt.Sprintf(format, args...), rest} }
	switch kind := st.Mode & unix.S_IFMT; {
	case !w.dir.trusts(&st):
		return "", refused("the %s %s belongs to uid %d", kindName(uint32(kind)), path, st.Uid)
	case kind != unix.S_IFLNK:
		return "", unix.ENOTDIR
	case rest == "":
		return "", refused("%s is a link", path)
	case st.Nlink > 1 && w.open():
		return "", refused("the link %s has a second name", path)
	}
	if w.links++; w.links > maxLinks {
		return "", unix.ELOOP
	}
	return readlinkat(w.fd, name)
}

// handed reports whether the directory is made for another user than ours.
func (w *walker) handed() bool { return w.make && w.dir.UID != os.Geteuid() }

// mkdir makes the directory name; last tells whether the path ends with it. One that
// the file system gives to another user at once, as that of a file server which maps
// root to nobody, is no use under any name.
func (w *walker) mkdir(name string, last bool) error {
	mode := uint32(0o700)
	if w.handed() && !last {
		mode = 0o711
	}
	err := unix.Mkdirat(w.fd, name, mode)
	if err == unix.EEXIST {
		return nil
	}
	var st unix.Stat_t
	if err != nil || unix.Fstatat(w.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || w.dir.trusts(&st) {
		return err
	}
	_ = unix.Unlinkat(w.fd, name, unix.AT_REMOVEDIR) // it does no harm
	return fmt.Errorf("the file system gives what is made in %s to uid %d", w.path, st.Uid)
}

// letThrough lets the user through to his directory, which is about to be the next:
// a daemon that stayed root may have made this one only for root.
func (w *walker) letThrough() error {
	if !w.handed() || w.open() || w.stat.Mode&0o011 == 0o011 {
		return nil
	}
	here, err := openat(w.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(here)
	return unix.Fchmod(here, uint32(w.stat.Mode&0o7777|0o011))
}

// Read returns what is in a file of a directory of our own. Everything but a regular
// file of root's or the user's, with one name, is a *Refused.
func Read(d Dir, name string) (data []byte, err error) {
	err = d.with(func(dir int) error {
		fd, err := openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
		if err != nil && err != unix.ELOOP && err != unix.EMLINK && err != unix.ENXIO {
			return &fs.PathError{Op: "open", Path: filepath.Join(d.Path, name), Err: err}
		}
		var st unix.Stat_t
		if err != nil { // a link or a socket
			err = unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
		} else {
			f := os.NewFile(uintptr(fd), name)
			defer f.Close()
			if err = unix.Fstat(fd, &st); err == nil && d.file(&st) {
				data, err = io.ReadAll(f)
				return err
			}
		}
		if err == nil {
			path := filepath.Join(d.Path, name)
			err = &Refused{path, fmt.Sprintf("the %s %s, which belongs to uid %d and has %d names, is not ours",
				kindName(uint32(st.Mode&unix.S_IFMT)), path, st.Uid, st.Nlink), ""}
		}
		return err
	})
	return data, err
}

// OpenKept opens a file of a directory of our own to read and write, and makes it, for the
// user, where there is none. Like Read it refuses everything but a regular file of root's
// or the user's, with one name. What the file says is left as it is.
func OpenKept(d Dir, name string) (f *os.File, err error) {
	err = d.with(func(dir int) error {
		path := filepath.Join(d.Path, name)
		fd, err := openat(dir, name, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0o600)
		if err != nil {
			return &fs.PathError{Op: "open", Path: path, Err: err}
		}
		f = os.NewFile(uintptr(fd), path)
		var st unix.Stat_t
		err = unix.Fstat(fd, &st)
		switch {
		case err == nil && !d.file(&st):
			err = &Refused{path, fmt.Sprintf("%s, which belongs to uid %d and has %d names, is not ours", path, st.Uid, st.Nlink), ""}
		case err == nil && int(st.Uid) != d.UID:
			err = unix.Fchown(fd, d.UID, -1)
		}
		if err != nil {
			f.Close()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// file reports whether something is a file of ours.
func (d Dir) file(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink == 1 && d.trusts(st)
}

// temporary ends the names of files that Replace has not finished.
const temporary = ".tmp"

// leftAfter is how old a temporary file is that was left by a daemon which was
// killed, in seconds.
const leftAfter = 60

// Replace puts data in place of a file of a directory of our own, whole or not
// at all, and returns the file, to which more may be written. With sync it is on the
// disk by then, so that it outlives the machine; without, it outlives the daemon and
// costs little. The temporary file has a name that nobody can guess; those that were
// left by daemons that were killed are removed.
func Replace(d Dir, name string, data []byte, sync bool) (f *os.File, err error) {
	err = d.with(func(dir int) error {
		f, err = replaceAt(dir, name, data, sync)
		if err != nil {
			return &fs.PathError{Op: "write", Path: filepath.Join(d.Path, name), Err: err}
		}
		return nil
	})
	return f, err
}

func replaceAt(dir int, name string, data []byte, sync bool) (*os.File, error) {
	temp := name + "." + rand.Text() + temporary
	fd, err := openat(dir, temp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	_, err = f.Write(data)
	if err == nil && sync {
		err = f.Sync()
	}
	if err == nil {
		err = unix.Renameat(dir, temp, dir, name)
	}
	if err != nil {
		f.Close()
		_ = unix.Unlinkat(dir, temp, 0) // the reason is the first failure
		return nil, err
	}
	sweep(dir, fd)
	if sync {
		if err := unix.Fsync(dir); err != nil && err != unix.EINVAL && err != unix.ENOTSUP {
			f.Close()
			return nil, err
		}
	}
	return f, nil
}

// sweep removes temporary files that are much older than the one which has just been
// written, by the clock of the file system.
func sweep(dir, fresh int) {
	var now, st unix.Stat_t
	if unix.Fstat(fresh, &now) != nil {
		return
	}
	here, err := openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return
	}
	list := os.NewFile(uintptr(here), ".")
	defer list.Close()
	names, _ := list.Readdirnames(-1)
	for _, name := range names {
		if strings.HasSuffix(name, temporary) && unix.Fstatat(here, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil &&
			int64(st.Mtim.Sec)+leftAfter < int64(now.Mtim.Sec) {
			_ = unix.Unlinkat(here, name, 0) // it does no harm
		}
	}
}

// Entry is one name in a directory of our own.
type Entry struct {
	Name     string
	Regular  bool  // a file of root's or the user's, with one name
	Dir      bool  // a directory of theirs
	Modified int64 // seconds since 1970
}

// List lists what is in a directory of our own, max names at most; the error says
// that there are more.
func List(d Dir, max int) (list []Entry, err error) {
	err = d.with(func(dir int) error {
		here, err := openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
		if err != nil {
			return &fs.PathError{Op: "open", Path: d.Path, Err: err}
		}
		f := os.NewFile(uintptr(here), d.Path)
		defer f.Close()
		names, err := f.Readdirnames(max + 1)
		if err != nil && err != io.EOF {
			return err
		}
		if len(names) > max {
			return fmt.Errorf("%s has more than %d names", d.Path, max)
		}
		for _, name := range names {
			var st unix.Stat_t
			if unix.Fstatat(here, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
				list = append(list, Entry{name, d.file(&st), st.Mode&unix.S_IFMT == unix.S_IFDIR && d.trusts(&st), int64(st.Mtim.Sec)})
			}
		}
		return nil
	})
	return list, err
}

// RemoveDir removes an empty directory of a directory of our own.
func RemoveDir(d Dir, name string) error {
	return d.with(func(dir int) error {
		if err := unix.Unlinkat(dir, name, unix.AT_REMOVEDIR); err != nil {
			return &fs.PathError{Op: "remove", Path: filepath.Join(d.Path, name), Err: err}
		}
		return nil
	})
}

// Remove removes a file of a directory of our own.
func Remove(d Dir, name string) error {
	return d.with(func(dir int) error {
		if err := unix.Unlinkat(dir, name, 0); err != nil {
			return &fs.PathError{Op: "remove", Path: filepath.Join(d.Path, name), Err: err}
		}
		return nil
	})
}
