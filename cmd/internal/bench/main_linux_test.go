package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// asMain has the test binary be the program.
const asMain = "BENCH_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// command is the program with these arguments, in a temporary directory of its own
// in which, and of whose processes, nothing may be left when the test ends.
func command(t *testing.T, args ...string) (cmd *exec.Cmd, temp string, stdout, stderr *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	temp, err = os.MkdirTemp("", "b") // t.TempDir may be longer than a socket's path can be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if left := processes(t, temp); len(left) > 0 {
			t.Errorf("these were left: %q", left)
		}
		if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
			t.Errorf("these files were left: %v, %v", left, err)
		}
		os.RemoveAll(temp)
	})
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	cmd = exec.Command(self, args...)
	cmd.Env = append(os.Environ(), asMain+"=1", "TMPDIR="+temp)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, temp, stdout, stderr
}

// processes are the command lines in which a directory is named.
func processes(t *testing.T, dir string) (lines []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		line, _ := os.ReadFile(file) // it may have ended
		if bytes.Contains(line, []byte(dir)) {
			lines = append(lines, string(line))
		}
	}
	return lines
}

// needCompiler leaves a test out where no C program can be made, or fails it where
// everything must be there.
func needCompiler(t *testing.T) {
	t.Helper()
	if _, err := compileChild(t.Context(), t.TempDir()); err != nil {
		if os.Getenv("REQUIRE_SUPERVISOR") == "1" {
			t.Fatal(err)
		}
		t.Skipf("left out: %v", err)
	}
}

// TestEndToEnd measures two cheap rows, of the original, too, and of a build that does
// not work.
func TestEndToEnd(t *testing.T) {
	needCompiler(t)
	args := []string{"--rows", "all of 10 children|RSS at 0 programs$"}
	columns := []string{limit, debian, ours}
	if !oracle.Present(t) {
		args, columns = append(args, "--no-debian"), []string{limit, ours}
	}
	broken := t.TempDir()
	for _, name := range []string{"supervisord", "supervisorctl"} {
		if err := os.WriteFile(filepath.Join(broken, name), []byte("#!/bin/sh\necho no luck >&2\nexit 3\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}

	for _, row := range []struct {
		name  string
		more  []string
		fails bool
	}{
		{"all well", []string{"--rounds", "2"}, false},
		{"a broken build", []string{"--rounds", "1", "--against", broken}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			cmd, _, stdout, stderr := command(t, append(args, row.more...)...)
			if err := cmd.Run(); (err != nil) != row.fails {
				t.Fatalf("%v\n%s", err, stderr)
			}
			if row.fails != strings.Contains(stderr.String(), "no luck") {
				t.Errorf("said:\n%s", stderr)
			}
			lines := strings.Split(strings.TrimSuffix(stdout.String(), "\n"), "\n")
			if len(lines) != 4 {
				t.Fatalf("not two rows:\n%s", stdout)
			}
			cells := make(map[string]string)
			for _, line := range lines[2:] {
				head := strings.Split(strings.Trim(lines[0], "| "), " | ")
				for i, cell := range strings.Split(strings.Trim(line, "| "), " | ") {
					cells[line[2:5]+" "+head[i]] = cell
				}
			}
			for _, column := range columns {
				for _, figure := range []string{"exe", "RSS"} {
					cell, has := cells[figure+" "+column]
					if is, want := has && cell != absent, figure != "RSS" || column != limit; is != want {
						t.Errorf("%s of %s is %q:\n%s", figure, column, cell, stdout)
					}
				}
			}
			if got := cells["exe "+broken]; row.fails && got != absent {
				t.Errorf("what does not work has %q", got)
			}
		})
	}
}

func TestInterrupted(t *testing.T) {
	needCompiler(t)
	cmd, temp, _, stderr := command(t, "--no-debian", "--rows", "getState while eight children write 10 MB/s")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	oracle.WaitFor(t, "the children to run", func() bool {
		n := 0
		for _, line := range processes(t, temp) {
			if strings.Contains(line, "child\x00write") {
				n++
			}
		}
		return n == writers
	})
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "interrupt") {
		t.Errorf("it ended after %v with %v:\n%s", time.Since(begun), err, stderr)
	}
}

func TestWhatCannotBeMeasured(t *testing.T) {
	needCompiler(t)
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"--rows", "no such row"}, "no figure matches"},
		{[]string{"--sizes", "--rows", "log capture"}, "exec to all running, 10 programs"}, // what there is
		{[]string{"--no-debian", "--against", "/nonexistent"}, "--against /nonexistent"},
	} {
		cmd, _, stdout, stderr := command(t, row.args...)
		if err := cmd.Run(); err == nil || stdout.Len() > 0 || !strings.Contains(stderr.String(), row.want) {
			t.Errorf("%q: %v, %s, %s", row.args, err, stdout, stderr)
		}
	}
}
