package main

import (
	"os"
	"testing"

	"supervisord/cmd/internal/oracle"
)

func TestMain(m *testing.M) { os.Exit(oracle.Main(m)) }

// ctl runs a supervisorctl of either kind in dir until it ends.
func ctl(t *testing.T, kind oracle.Kind, dir, stdin string, args ...string) oracle.Output {
	t.Helper()
	return oracle.RunClient(t, kind, dir, clientEnv(dir), stdin, args...)
}

// clientEnv is the same for every client under test.
func clientEnv(dir string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LANG=C.UTF-8", "TZ=UTC", "TERM=xterm", "XDG_RUNTIME_DIR=" + dir}
}
