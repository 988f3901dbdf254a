package spec

import (
	"io/fs"
	"strings"
)

// Mounted is a Host with the directory From in place of At: what is below At is read
// below From. Both are absolute and clean. So a checkout is read as if it stood where it
// will be installed, and two of them have the same paths and the same %(here)s.
type Mounted struct {
	Host
	At, From string
}

// ReadFile reads a file of either place.
func (m Mounted) ReadFile(path string) ([]byte, error) { return m.Host.ReadFile(m.Real(path)) }

// ReadDir lists a directory of either place.
func (m Mounted) ReadDir(path string) ([]fs.DirEntry, error) { return m.Host.ReadDir(m.Real(path)) }

// Stat describes what is in either place.
func (m Mounted) Stat(path string) (fs.FileInfo, error) { return m.Host.Stat(m.Real(path)) }

// Real is where a path is on the machine.
func (m Mounted) Real(path string) string {
	if rest, ok := Below(m.At, path); ok {
		return strings.TrimSuffix(m.From, "/") + rest
	}
	return path
}

// Below is what follows the path of a directory in that of something in it, with the slash
// before it; "" for the directory itself.
func Below(dir, path string) (rest string, ok bool) {
	dir = strings.TrimSuffix(dir, "/")
	rest, ok = strings.CutPrefix(path, dir)
	return rest, ok && (rest == "" || rest[0] == '/')
}
