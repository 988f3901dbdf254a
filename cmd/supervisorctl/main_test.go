package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"supervisord/cmd/internal/oracle"
)

func TestMain(m *testing.M) { os.Exit(oracle.Main(m)) }

// clientDeadline is far more than any client under test should take.
const clientDeadline = 2 * oracle.Deadline

// runClient runs a supervisorctl in dir until it ends.
func runClient(t *testing.T, kind oracle.Kind, dir, stdin string, args ...string) oracle.Output {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), clientDeadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, oracle.Command(t, kind, "supervisorctl"), args...)
	cmd.Dir, cmd.Env = dir, clientEnv(dir)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("%s %q: %v\nstdout:\n%s\nstderr:\n%s", kind, args, err, &stdout, &stderr)
	}
	return oracle.Output{Stdout: stdout.String(), Stderr: stderr.String(), Exit: cmd.ProcessState.ExitCode()}
}

// clientEnv is the same for every client under test.
func clientEnv(dir string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LANG=C.UTF-8", "TZ=UTC", "TERM=xterm", "XDG_RUNTIME_DIR=" + dir}
}
