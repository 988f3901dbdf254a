package cmd

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module is the prefix of our own import paths.
const module = "supervisord/"

// arrows is which of our packages each package may import, by path without the
// module's name. A package that is not listed fails the test, so that a new one
// is a decision.
var arrows = map[string][]string{
	"spec":                      {"spec/dialect", "spec/value", "runtime/state", "runtime/lazy"}, // the words that a file may use are every side's
	"spec/dialect":              {"spec/value"},
	"spec/value":                {"runtime/state", "runtime/lazy"},
	"spec/manual":               {"spec", "spec/value"},
	"spec/internal/debian":      {}, // for tests
	"runtime/state":             {},
	"runtime/trust":             {}, // for all who open what another user may have a hand in
	"runtime/hang":              {}, // for all who ask a disk that may not answer
	"runtime/lazy":              {}, // for all who seldom need what takes time to make
	"runtime/logfile":           {"runtime/trust", "runtime/lazy"},
	"runtime/launch":            {"runtime/state", "runtime/trust", "runtime/procstat"},
	"runtime/procstat":          {},
	"runtime/usage":             {"runtime/procstat", "runtime/notice"}, // it measures; whom, it is told
	"runtime/moment":            {},
	"runtime/notice":            {}, // for all who tell of a change
	"runtime/notify":            {},
	"runtime/exact":             {},
	"runtime/proc":              {"spec", "spec/value", "runtime/state", "runtime/moment"},
	"runtime/depend":            {"spec", "runtime/state"},
	"runtime/event":             {"spec", "runtime/state", "runtime/moment"},
	"runtime/probe":             {"spec/value", "runtime/hang"},
	"runtime/capture":           {"runtime/logfile", "runtime/state"},
	"runtime/mainlog":           {"runtime/logfile", "runtime/state"},
	"runtime":                   {"spec", "spec/value", "runtime/state", "runtime/logfile", "runtime/launch", "runtime/proc", "runtime/depend", "runtime/event", "runtime/capture", "runtime/probe", "runtime/hang", "runtime/moment", "runtime/exact", "runtime/notice", "runtime/notify"},
	"reconcile":                 {"spec", "reconcile/watch", "spec/value", "runtime/hang", "runtime/trust", "runtime/moment", "runtime/notice", "runtime/lazy"}, // the last five are leaves, and all it sees of runtime's
	"reconcile/watch":           {"runtime/hang"},
	"rpc/xmlrpc":                {},
	"rpc/planned":               {}, // for all who tell of a plan
	"rpc/client":                {"rpc/xmlrpc", "rpc/planned", "runtime/state"},
	"rpc":                       {"spec", "spec/value", "runtime", "runtime/hang", "runtime/logfile", "runtime/mainlog", "runtime/state", "runtime/trust", "runtime/notice", "runtime/usage", "rpc/xmlrpc", "rpc/page", "rpc/planned"},
	"rpc/page":                  {"rpc/planned", "spec", "runtime", "runtime/state", "runtime/usage", "runtime/lazy"}, // it draws what it is handed
	"runtime/bound":             {},                                                                                   // for tests
	"runtime/needs":             {},                                                                                   // for tests
	"cmd":                       {},
	"cmd/internal/host":         {"spec", "runtime/lazy"},
	"cmd/internal/getopt":       {},
	"cmd/internal/systemd":      {},
	"cmd/internal/early":        {},                   // so that it comes before all others
	"cmd/internal/oracle":       {"runtime/procstat"}, // for tests
	"cmd/internal/browser":      {},                   // a test
	"cmd/internal/mdoc":         {"spec/manual"},      // for tests
	"cmd/internal/pages":        {},
	"cmd/internal/completion":   {},
	"cmd/internal/lsp":          {"spec", "spec/manual", "runtime/lazy"},
	"cmd/internal/build":        {},
	"cmd/internal/dist":         {"cmd/internal/completion", "cmd/internal/pages"},
	"cmd/internal/release":      {"cmd/internal/build", "cmd/internal/dist"}, // for those who release
	"cmd/internal/bench":        {"rpc/client"},                              // it sees of a daemon what a client does
	"cmd/supervisorctl":         {"spec", "spec/value", "spec/manual", "rpc/client", "runtime/state", "cmd/internal/host", "cmd/internal/getopt", "cmd/internal/completion", "rpc/planned"},
	"cmd/pidproxy":              {},
	"cmd/echo_supervisord_conf": {"spec/manual"},
	"cmd/supervisord": {"spec", "spec/value", "spec/manual", "reconcile", "runtime/hang", "reconcile/watch", "runtime", "runtime/state", "runtime/event", "runtime/launch", "runtime/logfile",
		"runtime/mainlog", "runtime/trust", "rpc", "rpc/xmlrpc", "cmd/internal/host", "cmd/internal/getopt", "cmd/internal/systemd", "cmd/internal/early", "cmd/internal/build", "cmd/internal/dist", "cmd/internal/lsp", "rpc/planned", "runtime/moment", "runtime/exact", "runtime/usage", "runtime/lazy"},
}

// nevers are packages from elsewhere that only the named packages of ours may
// import, and why.
var nevers = []struct {
	path, why string
	allowed   []string
}{
	{"gopkg.in/ini.v1", "the dialect is ours; one file hides the library", []string{"spec/dialect"}},
	{"github.com/fsnotify/fsnotify", "a notice is a hint, and one package turns hints into looks", []string{"reconcile/watch"}},
	{"github.com/fxamacker/cbor/v2", "what is handed over has one form, with the same options wherever it is read", []string{"runtime/exact"}},
	{"os/exec", "who starts processes must also be who reaps them", []string{"cmd/supervisord"}}, // before it is the daemon
	{"net/http", "supervision knows nothing of its clients", []string{"rpc", "rpc/client", "cmd/supervisord", "cmd/supervisorctl"}},
	{"github.com/hanwen/go-fuse/v2/fs", "disks that hang are for tests alone", nil},
	{"github.com/hanwen/go-fuse/v2/fuse", "disks that hang are for tests alone", nil},
	{"os/user", "loading is pure; the host is asked through spec.Host", []string{"cmd/internal/host", "rpc", "cmd/supervisord"}}, // rpc names itself in an error, and install makes a user
}

// testHelpers are for tests and measurements alone, and so may do what a test may.
var testHelpers = []string{"cmd/internal/oracle", "cmd/internal/mdoc", "cmd/internal/release", "cmd/internal/bench", "spec/internal/debian", "runtime/bound", "runtime/needs"}

// pure packages must not touch the machine: what they need is handed in.
var pure = map[string][]string{
	"spec":           {"os", "net", "os/user", "os/exec"},
	"spec/dialect":   {"os", "net", "os/user", "os/exec"},
	"spec/value":     {"os", "net", "os/user", "os/exec"},
	"spec/manual":    {"os", "net", "os/user", "os/exec"},
	"runtime/proc":   {"os", "net", "syscall", "os/exec"},
	"runtime/depend": {"os", "net", "syscall", "os/exec"},
	"runtime/event":  {"os", "net", "syscall", "os/exec"},
}

type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// TestArrows holds the import arrows of the architecture (README.md, Layers).
func TestArrows(t *testing.T) {
	seen := make(map[string]bool)
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		seen[name] = true
		may, known := arrows[name]
		if !known {
			t.Errorf("package %s has no row: say what it may import", name)
			continue
		}
		for _, imp := range p.Imports {
			if ours, is := strings.CutPrefix(imp, module); is && !slices.Contains(may, ours) {
				t.Errorf("%s imports %s, which its row does not allow", name, ours)
			}
			for _, never := range nevers {
				if imp == never.path && !slices.Contains(never.allowed, name) && !slices.Contains(testHelpers, name) {
					t.Errorf("%s imports %s: %s", name, imp, never.why)
				}
			}
			if slices.Contains(pure[name], imp) {
				t.Errorf("%s imports %s, but it must stay pure", name, imp)
			}
		}
	}
	for name := range arrows {
		if !seen[name] {
			t.Errorf("the row of %s is about a package that does not exist", name)
		}
	}
}

// TestFuzzTargetsAreBounded: each says what one of its inputs may take.
func TestFuzzTargetsAreBounded(t *testing.T) {
	targets := 0
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		n := strings.Count(string(text), "\nfunc Fuzz")
		targets += n
		for _, must := range []string{"bound.Start(f)\n", "\t\tdefer b.Input(t)()\n"} {
			if have := strings.Count(string(text), must); n > 0 && have != n {
				t.Errorf("%s has %d fuzz targets and %d times %q", path, n, have, must)
			}
		}
		return err
	})
	if err != nil || targets == 0 {
		t.Errorf("%d targets, %v", targets, err)
	}
}
