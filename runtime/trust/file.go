package trust

import (
	"io/fs"
	"os"
	"syscall"
)

// FileID tells files apart, whatever their paths. The zero value is no file's.
type FileID struct {
	Device uint64 `json:"device,omitempty"`
	Inode  uint64 `json:"inode,omitempty"`
}

// IDOf is the zero value where the system does not tell.
func IDOf(info fs.FileInfo) FileID {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return FileID{}
	}
	return FileID{uint64(st.Dev), uint64(st.Ino)}
}

// Is reports whether info is of that file.
func (id FileID) Is(info fs.FileInfo) bool { return id != (FileID{}) && IDOf(info) == id }

// At is what stands at a path, or nil if that is another file than this one. It follows no
// link.
func (id FileID) At(path string) fs.FileInfo {
	info, err := os.Lstat(path)
	if err != nil || !id.Is(info) {
		return nil
	}
	return info
}
