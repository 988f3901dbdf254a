package spec

import (
	"io/fs"

	"supervisord/spec/value"
)

// Host is what loading a configuration needs to know of the machine. The real
// one is cmd/internal/host; tests use a map. Every method must be safe for
// concurrent use. With it, Load is a pure function: the same answers give the
// same Config.
type Host interface {
	value.Host
	// ReadFile returns the content of a file. Errors wrap fs.ErrNotExist or
	// fs.ErrPermission where they apply.
	ReadFile(path string) ([]byte, error)
	// ReadDir returns the entries of a directory, for expanding include patterns.
	ReadDir(path string) ([]fs.DirEntry, error)
	// Environ is the environment at start, as KEY=value.
	Environ() []string
	// Hostname is what %(host_node_name)s expands to.
	Hostname() string
	// TempDir is the system's directory for temporary files.
	TempDir() string
	// UID is the daemon's own effective user number.
	UID() int
}

// ErrNoAccount is the error of a Host's lookup of a user or group that does not exist.
var ErrNoAccount = value.ErrNoAccount
