package cmd

import (
	"os"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// roles are the children that the test binary itself plays, by its first
// argument; the value gets the arguments after it and returns the exit status.
var roles = map[string]func(args []string) int{
	"record":  record,
	"drained": drained,
	"hostile": hostile,
	"witness": witness,
	"echo":    echo,

	"numbered":     numbered,
	"gone-at-once": goneAtOnce,

	"steady": steady,
}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if play := roles[os.Args[1]]; play != nil {
			os.Exit(play(os.Args[2:]))
		}
	}
	os.Exit(oracle.Main(m))
}

// needRoot leaves a test out where nobody can be several users.
// REQUIRE_ROOT=1 makes that a failure.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() == 0 {
		return
	}
	if os.Getenv("REQUIRE_ROOT") == "1" {
		t.Fatal("must be root")
	}
	t.Skip("only root can be several users: left out")
}
