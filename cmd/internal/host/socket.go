package host

import (
	"fmt"
	"os"
	"path/filepath"
)

// DefaultSocket is where a daemon without a configuration file listens, and
// where a client without one looks for it: a directory that nobody else can
// write to.
//
// Source: reconciler.md, Configuration.
func DefaultSocket() string {
	const name = "supervisor.sock"
	if os.Geteuid() == 0 {
		return filepath.Join("/run/supervisor", name)
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "supervisor", name)
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("supervisor-%d", os.Geteuid()), name)
}
