// Package needs says what tests need of the machine. It is for tests alone.
//
// Imports nothing of ours.
package needs

import (
	"os"
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
	t.Skip("only root can be several users: left out")
}
