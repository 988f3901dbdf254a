package watch

import (
	"errors"
	"hash/maphash"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"supervisord/runtime/hang"
)

// disk is the real tree, each access to which may be left behind.
type disk struct {
	try    *hang.Try
	mounts map[string]string // hang.Mounts
}

func (d disk) Lstat(path string) (fs.FileInfo, error) {
	return hang.Call(d.try, path, func() (fs.FileInfo, error) { return os.Lstat(path) })
}

func (d disk) Readlink(path string) (string, error) {
	return hang.Call(d.try, path, func() (string, error) { return os.Readlink(path) })
}

func (d disk) ReadDir(path string) ([]fs.DirEntry, error) {
	return hang.Call(d.try, path, func() ([]fs.DirEntry, error) {
		// Not os.ReadDir: the order does not matter, and sorting 10,000 names costs
		// more than hashing them.
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return f.ReadDir(-1)
	})
}

func (d disk) Info(dir string, e fs.DirEntry) (fs.FileInfo, error) {
	root := dir
	if e.IsDir() {
		root = filepath.Join(dir, e.Name()) // a disk may be mounted there
	}
	return hang.Call(d.try, root, e.Info)
}

func (d disk) Mounted(path string) string { return d.mounts[path] }

// links is how many names a file has.
func links(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Nlink)
	}
	return 1
}

// identity tells one directory from another that stands at the same path later.
type identity struct{ dev, ino uint64 }

func identify(info fs.FileInfo) identity {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return identity{}
	}
	return identity{uint64(st.Dev), uint64(st.Ino)}
}

// marks gathers a fingerprint: the sum of one hash per thing seen, so that the
// order in which a directory is read does not matter. The seed is the process's
// own: a fingerprint means nothing to another.
type marks struct{ sum uint64 }

var seed = maphash.MakeSeed()

// mark is what the fingerprint knows of one path. The change time cannot be set
// by a program, so neither equal modification times nor a copy that preserves
// them go unseen.
type mark struct {
	path         string
	note         string
	id           identity
	mode         fs.FileMode
	uid, gid     uint32
	size         int64
	mtime, ctime int64
}

func (m *marks) put(k mark) { m.sum += maphash.Comparable(seed, k) }

// add marks something that exists. Of a directory only what it is counts, not
// when its entries last changed: those that matter are marked themselves.
func (m *marks) add(path string, info fs.FileInfo) {
	k := mark{path: path, id: identify(info), mode: info.Mode()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		k.uid, k.gid = st.Uid, st.Gid
		if !info.IsDir() {
			k.ctime = changeTime(st)
		}
	}
	if !info.IsDir() {
		k.size, k.mtime = info.Size(), info.ModTime().UnixNano()
	}
	m.put(k)
}

func (m *marks) link(path, target string) { m.put(mark{path: path, note: "-> " + target}) }

func (m *marks) mounted(path, mount string) { m.put(mark{path: path, note: "mount " + mount}) }

// missing marks something that is not there, or cannot be seen.
func (m *marks) missing(path string, err error) {
	note := "error"
	switch {
	case err == nil:
		note = "no directory"
	case errors.Is(err, fs.ErrNotExist):
		note = "missing"
	case errors.Is(err, fs.ErrPermission):
		note = "forbidden"
	}
	m.put(mark{path: path, note: note})
}
