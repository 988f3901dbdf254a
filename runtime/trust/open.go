package trust

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNotRegular: there is something, but no regular file.
var ErrNotRegular = errors.New("not a regular file")

// maxSmall is how long a file may be that ReadFile reads, in bytes.
const maxSmall = 1 << 20

// maxTurns is how often a name may change hands while it is being opened.
const maxTurns = 100

// OpenFile is os.OpenFile for a path from the configuration, under the rules of the
// package. It never waits: a FIFO that is to be written and has no reader is ENXIO.
// Errors are *fs.PathError, around a *Refused where the rules forbid it.
func OpenFile(path string, flag int, perm fs.FileMode) (*os.File, error) {
	return openFile(path, flag, perm, nil)
}

// Mount is what is mounted where a directory stands. Two that are equal are the same,
// as long as something on it is open.
type Mount struct{ Number, Device uint64 }

// ErrOtherMount: the directory is not on the mount that it was on.
var ErrOtherMount = errors.New("its directory is on another mount than before")

// OpenFileOn is OpenFile that also says on which mount the directory is in which the
// path's last name stands. Unless it is the mount on, nothing is opened and nothing
// made, and the error is ErrOtherMount; the zero Mount allows any.
func OpenFileOn(path string, flag int, perm fs.FileMode, on Mount) (f *os.File, in Mount, err error) {
	f, err = openFile(path, flag, perm, func(p *place) (err error) {
		if in, err = p.mount(); err == nil && on != (Mount{}) && in != on {
			err = ErrOtherMount
		}
		return err
	})
	return f, in, err
}

// openFile opens what path names, if the directory in which it stands will do; nil
// takes any.
func openFile(path string, flag int, perm fs.FileMode, will func(*place) error) (*os.File, error) {
	f, err := open(path, flag, perm, will)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return f, nil
}

func open(path string, flag int, perm fs.FileMode, will func(*place) error) (*os.File, error) {
	p, name, err := parent(path)
	if err != nil {
		return nil, err
	}
	defer p.close()
	if name == "." && flag&os.O_CREATE != 0 {
		return nil, unix.EISDIR
	}
	for range maxTurns {
		var st unix.Stat_t
		err := unix.Fstatat(p.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
		link := err == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK && !isProc(p.fd)
		if will != nil && !link {
			if err := will(p); err != nil {
				return nil, err
			}
		}
		switch {
		case errors.Is(err, unix.ENOENT) && flag&os.O_CREATE != 0:
			fd, err := openat(p.fd, name, flag|unix.O_EXCL|unix.O_NOFOLLOW, uint32(perm.Perm()))
			if errors.Is(err, unix.EEXIST) && flag&os.O_EXCL == 0 {
				continue
			}
			if err != nil {
				return nil, err
			}
			return os.NewFile(uintptr(fd), path), nil
		case err != nil:
			return nil, err
		case flag&os.O_EXCL != 0:
			return nil, unix.EEXIST
		case link:
			if name, err = p.follow(name); err != nil {
				return nil, err
			}
			continue
		}
		f, err := p.openExisting(name, path, flag, &st)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EMLINK) {
			continue // it has changed since we looked
		}
		return f, err
	}
	return nil, unix.ELOOP
}

// follow goes to the directory that the link name leads to, and returns the name
// there.
func (p *place) follow(name string) (string, error) {
	target, err := p.readlink(name, true)
	if errors.Is(err, errNoLink) {
		return name, nil
	}
	if err != nil {
		return "", err
	}
	dir, name := filepath.Split(target)
	if name == "" || name == ".." {
		dir, name = target, "."
	}
	return name, p.walk(dir)
}

// openExisting opens what stands in the place under a name, where st was found, and
// looks at what it has got.
func (p *place) openExisting(name, path string, flag int, st *unix.Stat_t) (*os.File, error) {
	follow := unix.O_NOFOLLOW
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		follow = 0 // the kernel's own
	} else if err := p.check(name, st); err != nil {
		return nil, err // before, too: to open a device may do something
	}
	const never = os.O_CREATE | os.O_EXCL | os.O_TRUNC
	fd, err := openat(p.fd, name, flag&^never|follow|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	if err = unix.Fstat(fd, st); err == nil && follow != 0 {
		err = p.check(name, st)
	}
	regular := st.Mode&unix.S_IFMT == unix.S_IFREG
	if err == nil && regular {
		err = unix.SetNonblock(fd, false)
	}
	if err == nil && regular && flag&os.O_TRUNC != 0 {
		err = unix.Ftruncate(fd, 0)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	f := os.NewFile(uintptr(fd), path)
	if !regular && f.SetDeadline(time.Time{}) != nil { // nothing wakes who waits for it, so it waits in the kernel
		_ = unix.SetNonblock(fd, false)
	}
	return f, nil
}

// Check says whether the links that a path leads over may be followed. What the
// path names need not be there.
func Check(path string) error {
	p, name, err := parent(path)
	for err == nil {
		was := p.links
		if name, err = p.follow(name); err == nil && p.links == was {
			break
		}
		if err == nil && isProc(p.fd) {
			break
		}
	}
	if p != nil {
		p.close()
	}
	if refused := (*Refused)(nil); errors.As(err, &refused) {
		return err
	}
	return nil
}

// ReadFile reads a small regular file, 1 MiB at most, at a path from the
// configuration.
func ReadFile(path string) ([]byte, error) {
	f, err := OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: ErrNotRegular}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
	if err == nil && len(data) > maxSmall {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("more than %d bytes", maxSmall)}
	}
	return data, err
}

// writePatience is how long WriteFile waits for a reader of what is no regular file.
const writePatience = time.Second

// WriteFile is os.WriteFile for a path from the configuration. The file keeps its
// owner, its mode and its other names.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	f, err := OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	_ = f.SetWriteDeadline(time.Now().Add(writePatience)) // a regular file has none
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// Rename gives what path names, which may be a link, another name in its directory,
// in place of what has that name. That goes first: where a name is given over a file, a
// file system may write the new one out at once (ext4, auto_da_alloc).
func Rename(path, name string) error {
	p, old, err := parent(path)
	if err == nil {
		defer p.close()
		var st unix.Stat_t
		if unix.Fstatat(p.fd, old, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
			_ = unix.Unlinkat(p.fd, name, 0) // there is none, or the next call says why it stays
		}
		err = unix.Renameat(p.fd, old, p.fd, name)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: path, New: filepath.Join(filepath.Dir(path), name), Err: err}
	}
	return nil
}

// Chmod sets the mode of a socket of ours, with the bits of the system. It follows
// no link at the end of the path.
func Chmod(path string, mode uint32) error {
	return changeSocket("chmod", path, func(s pinned) error { return s.chmod(mode) })
}

// Chown gives a socket of ours to an owner; -1 leaves that half as it is. It follows
// no link at the end of the path.
func Chown(path string, uid, gid int) error {
	return changeSocket("chown", path, func(s pinned) error { return s.chown(uid, gid) })
}

// changeSocket changes what stands at a path, if it is a socket of ours.
func changeSocket(op, path string, change func(pinned) error) error {
	p, name, err := parent(path)
	if err == nil {
		defer p.close()
		err = p.changeSocket(name, change)
	}
	if err != nil {
		return &fs.PathError{Op: op, Path: path, Err: err}
	}
	return nil
}

// pinned is something that stands in a directory, as calls like fchownat(2) name it.
// Where the system can, it is that thing, whatever has its name by now.
type pinned struct {
	dir  int
	name string
	flag int
}

func (s pinned) chown(uid, gid int) error { return unix.Fchownat(s.dir, s.name, uid, gid, s.flag) }

func (p *place) changeSocket(name string, change func(pinned) error) error {
	s, release, err := p.pin(name)
	if err != nil {
		return err
	}
	defer release()
	var st unix.Stat_t
	if err := unix.Fstatat(s.dir, s.name, &st, s.flag); err != nil {
		return err
	}
	path := filepath.Join(p.path, name)
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFSOCK:
		return &Refused{Path: path, why: fmt.Sprintf("the %s %s stands where our socket was", kindName(uint32(st.Mode&unix.S_IFMT)), path)}
	case st.Nlink > 1 && p.open(): // it may be a socket of ours, but another one
		return p.secondName("socket", path)
	}
	return change(s)
}
