// Package debian lets the tests of spec and its rooms ask Debian's Supervisor
// what it makes of the same input. Only tests import it.
package debian

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// python is the interpreter that Debian's Supervisor is installed for.
const python = "/usr/bin/python3"

// Require leaves a test out where Debian's Supervisor is not installed, unless
// REQUIRE_SUPERVISOR=1 makes that a failure.
func Require(t testing.TB) {
	t.Helper()
	err := exec.Command(python, "-c", "import supervisor.options").Run()
	switch {
	case err == nil:
	case os.Getenv("REQUIRE_SUPERVISOR") == "1":
		t.Fatalf("REQUIRE_SUPERVISOR=1, but Debian's Supervisor is not installed: %v", err)
	default:
		t.Skip("Debian's Supervisor is not installed")
	}
}

// Script is a command that runs a script of the caller's testdata.
func Script(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return exec.Command(python, append([]string{"-X", "utf8", path}, args...)...)
}

// Ask runs a command, gives it question as JSON and reads its answer as JSON.
func Ask(t testing.TB, cmd *exec.Cmd, question, answer any) {
	t.Helper()
	input, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, &stderr)
	}
	if err := json.Unmarshal(output, answer); err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
}
