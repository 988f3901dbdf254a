// Package needs says what tests need from the machine. It is only for tests.
//
// Imports nothing of ours.
package needs

import (
	"os"
	"os/exec"
	"testing"
)

// Root leaves a test out where nobody can be several users. REQUIRE_ROOT=1 makes that a
// failure.
func Root(t testing.TB) {
	t.Helper()
	if os.Getuid() == 0 {
		return
	}
	if os.Getenv("REQUIRE_ROOT") == "1" {
		t.Fatal("must be root")
	}
	t.Skip("only root can act as several users: left out")
}

// Program finds a program that tests run. Where it is not installed they are left out,
// unless the variable required is 1, which makes that a failure.
func Program(t testing.TB, name, required string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
	case os.Getenv(required) == "1":
		t.Fatal(err)
	default:
		t.Skip(name + " is not installed: left out")
	}
	return path
}
