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

	"web": web,
}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if play := roles[os.Args[1]]; play != nil {
			os.Exit(play(os.Args[2:]))
		}
	}
	os.Exit(oracle.Main(m))
}
