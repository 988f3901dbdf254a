package reconcile

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"supervisord/runtime/hang"
	"supervisord/runtime/trust"
)

// PermissionCheck finds out who can change what a path names: anyone who can write a
// file from which root's daemon takes commands is in effect root. A value caches the
// directories it has seen, so use one for each look at the files. It is for one
// goroutine.
//
// Source: reconciler.md, Configuration, permissions.
type PermissionCheck struct {
	// Own is a user who may change it besides root; 0 is only root.
	Own uint32

	lstat    func(string) (fs.FileInfo, error)
	readlink func(string) (string, error)
	hasACL   func(string) bool
	dirs     map[string]string // reason by real directory, "" for a trusted one
	parents  map[string]place  // where the directory part of a path leads
}

// place is where a path leads, as far as it is there.
type place struct{ dir, reason string }

// NewPermissionCheck checks the real file system.
func NewPermissionCheck() *PermissionCheck {
	return &PermissionCheck{
		lstat: os.Lstat, readlink: os.Readlink, hasACL: trust.HasACL,
		dirs: make(map[string]string), parents: make(map[string]place),
	}
}

// permissionCheck is one whose accesses may be left behind.
func (l *look) permissionCheck() *PermissionCheck {
	check := NewPermissionCheck()
	check.lstat = func(name string) (fs.FileInfo, error) {
		return hang.Call(l.try, name, func() (fs.FileInfo, error) { return os.Lstat(name) })
	}
	check.readlink = func(name string) (string, error) {
		return hang.Call(l.try, name, func() (string, error) { return os.Readlink(name) })
	}
	check.hasACL = func(name string) bool {
		has, err := hang.Call(l.try, name, func() (bool, error) { return trust.HasACL(name), nil })
		return has || err != nil
	}
	return check
}

// Problem says which file, directory or link on the way to an absolute path
// others than root can change; "" when there is none, or no such file. A
// directory with the sticky bit is safe as long as what stands in it is root's.
func (t *PermissionCheck) Problem(path string) string {
	parent, name := filepath.Split(filepath.Clean(path))
	at, known := t.parents[parent]
	if !known {
		links := 0
		at = t.walk("/", strings.TrimPrefix(parent, "/"), &links)
		t.parents[parent] = at
	}
	if at.reason != "" || at.dir == "" {
		return at.reason
	}
	links := 0
	return t.walk(at.dir, name, &links).reason
}

// walk follows rest from a real directory. The place has no directory when
// there is nothing at the end, or a file.
func (t *PermissionCheck) walk(dir, rest string, links *int) place {
	for {
		if reason := t.directory(dir); reason != "" {
			return place{reason: reason}
		}
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		switch name {
		case "":
			if rest == "" {
				return place{dir: dir}
			}
			continue
		case ".":
			continue
		case "..":
			dir = filepath.Dir(dir)
			continue
		}
		path := filepath.Join(dir, name)
		info, err := t.lstat(path)
		if err != nil {
			return place{}
		}
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			if *links++; *links > 40 {
				return place{}
			}
			// Who owns a link matters only where others may replace it, which
			// its directory says; in a sticky directory the owner may.
			if owner := uidOf(info); owner != 0 && owner != t.Own {
				return place{reason: fmt.Sprintf("the link %s is owned by uid %d", path, owner)}
			}
			target, err := t.readlink(path)
			if err != nil {
				return place{}
			}
			if filepath.IsAbs(target) {
				dir = "/"
			}
			rest = strings.TrimPrefix(target, "/") + "/" + rest
		case info.IsDir():
			dir = path
		default:
			return place{reason: t.writable("file", path, info)}
		}
	}
}

// directory is why a real directory is not to be trusted.
func (t *PermissionCheck) directory(path string) string {
	reason, known := t.dirs[path]
	if !known {
		if info, err := t.lstat(path); err == nil {
			reason = t.writable("directory", path, info)
		}
		t.dirs[path] = reason
	}
	return reason
}

// writable says who but root can write to something.
func (t *PermissionCheck) writable(what, path string, info fs.FileInfo) string {
	if owner := uidOf(info); owner != 0 && owner != t.Own {
		return fmt.Sprintf("the %s %s is owned by uid %d", what, path, owner)
	}
	if info.IsDir() && info.Mode()&fs.ModeSticky != 0 {
		return ""
	}
	mode := info.Mode().Perm()
	if who := trust.Writers(uint32(mode), gidOf(info), func() bool { return t.hasACL(path) }); who != "" {
		return fmt.Sprintf("the %s %s is writable by %s (mode %04o)", what, path, who, mode)
	}
	return ""
}

func uidOf(info fs.FileInfo) uint32 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Uid
	}
	return 0
}

func gidOf(info fs.FileInfo) uint32 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Gid
	}
	return 0
}
