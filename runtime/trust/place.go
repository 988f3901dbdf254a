package trust

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Refused says that a path is not used, since another user can have made or can
// change what it names.
type Refused struct {
	Path string // what is another user's: the path itself, or a directory or link on the way
	why  string
	rest string // of the path, below Path
}

// Error says what is wrong, in words for the log.
func (e *Refused) Error() string { return e.why }

// maxLinks is how many links a path may lead over, as in the kernel.
const maxLinks = 40

// place is an open directory that a path has led to.
type place struct {
	fd    int
	path  string // for messages
	stat  unix.Stat_t
	links int
	via   *foreignLink // nil while no other user has had a say in the way
	made  *unix.Stat_t // a file as we make it here; nil as long as nobody has asked
}

// foreignLink is a link of another user's that was followed.
type foreignLink struct {
	path string
	uid  uint32
}

// ours reports whether something belongs to us.
func ours(st *unix.Stat_t) bool { return st.Uid == 0 || int(st.Uid) == os.Geteuid() }

// Writers says who but root and its owner can write to something of that mode and
// group; "" for nobody. With an access control list, the bits of the group are no more
// the group's: they are what the list may allow at most, to anybody. Whether there
// is one is asked only where it matters.
func Writers(mode, gid uint32, hasACL func() bool) string {
	switch {
	case mode&0o002 != 0:
		return "everyone"
	case mode&0o020 == 0:
		return ""
	case gid != 0:
		return fmt.Sprintf("group %d", gid)
	case hasACL():
		return "the users that its access control list names"
	}
	return ""
}

// writableByOthers reports whether others than the owner can write to the directory.
func (p *place) writableByOthers() bool {
	return Writers(uint32(p.stat.Mode), p.stat.Gid, func() bool { return hasACL(p.fd) }) != ""
}

// open reports whether another user can write to the directory.
func (p *place) open() bool { return !ours(&p.stat) || p.writableByOthers() }

// close closes the directory.
func (p *place) close() { unix.Close(p.fd) }

// parent walks to the directory in which the last name of a path stands.
func parent(path string) (*place, string, error) {
	dir, name := filepath.Split(path)
	if name == "" || name == ".." {
		dir, name = path, "."
	}
	p := &place{fd: -1}
	if err := p.walk(dir); err != nil {
		if p.fd >= 0 {
			p.close()
		}
		return nil, "", err
	}
	return p, name, nil
}

// walk goes on to dir, which is relative to the place unless it is absolute.
func (p *place) walk(dir string) error {
	if p.fd < 0 || filepath.IsAbs(dir) {
		start := "."
		if filepath.IsAbs(dir) {
			start = "/"
		}
		if p.fd < 0 && p.leap(dir) {
			return nil
		}
		if err := p.move(unix.AT_FDCWD, start, start); err != nil {
			return err
		}
	}
	for rest := dir; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		if name == "" || name == "." {
			continue
		}
		err := p.move(p.fd, name, filepath.Join(p.path, name))
		if err == nil {
			continue
		}
		target, failed := p.readlink(name, false)
		if errors.Is(failed, errNoLink) {
			return err
		}
		if failed != nil {
			return failed
		}
		if target == "" { // the kernel's own
			if err := p.moveWith(0, p.fd, name, filepath.Join(p.path, name)); err != nil {
				return err
			}
			continue
		}
		rest = target + "/" + rest
		if filepath.IsAbs(rest) {
			if err := p.move(unix.AT_FDCWD, "/", "/"); err != nil {
				return err
			}
		}
	}
	if p.via != nil && p.stat.Uid != p.via.uid {
		return &Refused{Path: p.via.path, why: fmt.Sprintf("the link %s belongs to uid %d and leads to %s, which does not",
			p.via.path, p.via.uid, p.path)}
	}
	return nil
}

// move opens a directory, which must be no link, and makes it the place.
func (p *place) move(at int, name, path string) error {
	return p.moveWith(unix.O_NOFOLLOW, at, name, path)
}

func (p *place) moveWith(flag, at int, name, path string) error {
	fd, err := openat(at, name, search|unix.O_DIRECTORY|flag, 0)
	if err != nil {
		return err
	}
	return p.become(fd, path)
}

// become makes an open directory the place.
func (p *place) become(fd int, path string) error {
	if p.fd >= 0 {
		p.close()
	}
	p.fd, p.path, p.made = fd, path, nil
	return unix.Fstat(fd, &p.stat)
}

// errNoLink means that a name is not that of a link.
var errNoLink = errors.New("not a link")

// readlink is where a link leads, if it may be followed; "" when only the kernel
// can follow it. last tells whether the path ends with it.
func (p *place) readlink(name string, last bool) (string, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(p.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return "", err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return "", errNoLink
	}
	if p.links++; p.links > maxLinks {
		return "", unix.ELOOP
	}
	if isProc(p.fd) {
		return "", nil
	}
	path := filepath.Join(p.path, name)
	deployed := !last && p.stat.Uid == st.Uid && p.stat.Mode&0o002 == 0 && !ours(&st)
	if deployed && (p.via == nil || p.via.uid == st.Uid) {
		p.via = &foreignLink{path, st.Uid}
	} else if err := p.check(name, &st); err != nil {
		return "", err
	}
	return readlinkat(p.fd, name)
}

// readlinkat is where the link name leads.
func readlinkat(dir int, name string) (string, error) {
	var buf [unix.PathMax]byte
	n, err := unix.Readlinkat(dir, name, buf[:])
	if err == nil && n == 0 {
		err = unix.ENOENT
	}
	return string(buf[:max(n, 0)]), err
}

// check says why what stands in the place under a name is not to be used.
func (p *place) check(name string, st *unix.Stat_t) error {
	kind := st.Mode & unix.S_IFMT
	if !p.open() || kind == unix.S_IFDIR {
		return nil
	}
	path := filepath.Join(p.path, name)
	theirs := kind == unix.S_IFREG && (p.stat.Mode&0o002 == 0 || st.Uid == p.stat.Uid) // see the package
	switch {
	case !ours(st) && !theirs && !p.asMade(st):
		return &Refused{Path: path, why: fmt.Sprintf("the %s %s belongs to uid %d, and others can write to %s", kindName(uint32(kind)), path, st.Uid, p.path)}
	case st.Nlink > 1:
		return p.secondName(kindName(uint32(kind)), path)
	}
	return nil
}

// asMade reports whether something is a file as we would make one here: the file
// system, as that of a file server which maps root to nobody, gives ours to the same
// user. It makes one to see.
func (p *place) asMade(st *unix.Stat_t) bool {
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return false
	}
	if p.made == nil {
		p.made = &unix.Stat_t{Uid: uint32(os.Geteuid())} // for want of one
		name := ".supervisord." + rand.Text() + temporary
		fd, err := openat(p.fd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return false
		}
		defer unix.Close(fd)
		_ = unix.Unlinkat(p.fd, name, 0) // it does no harm
		if unix.Fstat(fd, p.made) != nil {
			return false
		}
	}
	return st.Uid == p.made.Uid && st.Dev == p.made.Dev
}

// secondName says that something in the place has another name elsewhere.
func (p *place) secondName(kind, path string) *Refused {
	return &Refused{Path: path, why: fmt.Sprintf("the %s %s has a second name, and others can write to %s", kind, path, p.path)}
}

// kindName is a kind of file in words.
func kindName(kind uint32) string {
	switch kind {
	case unix.S_IFREG:
		return "file"
	case unix.S_IFLNK:
		return "link"
	case unix.S_IFIFO:
		return "FIFO"
	case unix.S_IFSOCK:
		return "socket"
	case unix.S_IFDIR:
		return "directory"
	}
	return "device"
}

// openat opens a file that no child inherits, and is not put off by signals.
func openat(dir int, name string, flag int, perm uint32) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flag|unix.O_CLOEXEC, perm)
		if err != unix.EINTR {
			return fd, err
		}
	}
}
