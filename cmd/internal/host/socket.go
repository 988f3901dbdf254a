package host

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// DefaultSockets are where a daemon without a configuration file listens, and where a
// client without one looks for it: the first whose directory is available. Each stands in
// a directory of its own that nobody else can write to. The later ones are for machines
// and containers where little can be written to.
//
// Source: reconciler.md, Configuration.
func DefaultSockets() []string {
	return defaultSockets(os.Geteuid(), os.Getenv("XDG_RUNTIME_DIR"), os.TempDir())
}

func defaultSockets(uid int, runtimeDir, temp string) []string {
	var dirs []string
	switch {
	case uid == 0:
		dirs = append(dirs, "/run/supervisor")
	case runtimeDir != "":
		dirs = append(dirs, filepath.Join(runtimeDir, "supervisor"))
	}
	// Most containers have the last, also those whose root cannot be written to.
	for _, dir := range []string{temp, "/dev/shm"} {
		dirs = append(dirs, filepath.Join(dir, fmt.Sprintf("supervisor-%d", uid)))
	}
	for i := range dirs {
		dirs[i] = filepath.Join(dirs[i], "supervisor.sock")
	}
	return slices.Compact(dirs)
}
