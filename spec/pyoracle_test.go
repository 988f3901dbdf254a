package spec

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

// requireSupervisor leaves a test out where Debian's Supervisor is not
// installed, unless REQUIRE_SUPERVISOR=1 makes that a failure.
func requireSupervisor(t testing.TB) {
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

// answer is what one parser made of one text: a value as JSON, or an error.
type answer struct {
	Value json.RawMessage `json:"value,omitempty"`
	Error string          `json:"error,omitempty"`
}

// askSupervisor gives texts to the parsers of Debian's Supervisor. Each question
// is the name of a parser in testdata/values.py and a text.
func askSupervisor(t testing.TB, questions [][2]string) []answer {
	t.Helper()
	input, err := json.Marshal(questions)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-X", "utf8", filepath.Join("testdata", "values.py"))
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("testdata/values.py: %v\n%s", err, &stderr)
	}
	var answers []answer
	if err := json.Unmarshal(output, &answers); err != nil {
		t.Fatal(err)
	}
	if len(answers) != len(questions) {
		t.Fatalf("%d answers to %d questions", len(answers), len(questions))
	}
	return answers
}
