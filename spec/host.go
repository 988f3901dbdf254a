package spec

import "io/fs"

// Host is what loading a configuration needs to know of the machine. The real
// one is cmd/internal/host; tests use a map. Every method must be safe for
// concurrent use. With it, Load is a pure function: the same answers give the
// same Config.
type Host interface {
	// ReadFile returns the content of a file. Errors wrap fs.ErrNotExist or
	// fs.ErrPermission where they apply.
	ReadFile(path string) ([]byte, error)
	// ReadDir returns the entries of a directory, for expanding include patterns.
	ReadDir(path string) ([]fs.DirEntry, error)
	// Stat describes what a path names, following symbolic links.
	Stat(path string) (fs.FileInfo, error)
	// Getwd is the working directory against which relative paths stand.
	Getwd() string
	// Environ is the environment at start, as KEY=value.
	Environ() []string
	// Hostname is what %(host_node_name)s expands to.
	Hostname() string
	// TempDir is the system's directory for temporary files.
	TempDir() string
	// Home is the home directory of the user that ~ or ~name means; name is
	// empty for a lone ~. ok is false for an unknown name.
	Home(name string) (dir string, ok bool)
	// LookupUser finds an account by name, or by number where name is all
	// digits. ok is false when there is none.
	LookupUser(name string) (a Account, ok bool)
	// LookupGroup finds a group's number by name, or checks a number.
	LookupGroup(name string) (gid int, ok bool)
	// UID is the daemon's own effective user number.
	UID() int
}
