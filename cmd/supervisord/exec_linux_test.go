package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLimitAfterFailedExec: a program that cannot be executed leaves the limit of open files as
// it was. It is looked at in a process that is started with little of what it may have, as
// daemons are: Go raises that at the start, and lowers it for the program.
func TestLimitAfterFailedExec(t *testing.T) {
	const variable = "TEST_LIMIT_AFTER_FAILED_EXEC"
	limit := func() uint64 {
		var l unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
			t.Fatal(err)
		}
		return l.Cur
	}
	if os.Getenv(variable) != "" {
		before := limit()
		err := execute("/nonexistent/supervisord", []string{"supervisord"}, nil)
		fmt.Printf("%v, %d and %d\n", errors.Is(err, fs.ErrNotExist), before, limit())
		os.Exit(0)
	}
	cmd := exec.Command("/bin/sh", "-c", `ulimit -S -n 100 && exec "$0" -test.run '^TestLimitAfterFailedExec$'`, os.Args[0])
	cmd.Env = append(os.Environ(), variable+"=1")
	out, err := cmd.CombinedOutput()
	var before, after uint64
	if _, scanned := fmt.Sscanf(string(out), "true, %d and %d\n", &before, &after); err != nil || scanned != nil || before != after || before <= 100 {
		t.Errorf("%v: %s", err, strings.TrimSpace(string(out)))
	}
}
