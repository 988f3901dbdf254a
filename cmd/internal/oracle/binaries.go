package oracle

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// Kind says whose program is meant.
type Kind int

// The two subjects.
const (
	Ours   Kind = iota // built from this tree
	Debian             // /usr/bin, the original
)

// String is the word that names subtests and golden files.
func (k Kind) String() string {
	if k == Debian {
		return "debian"
	}
	return "ours"
}

// parallel is how many parallel tests may run at once: daemons under test spend
// their time waiting, so the number of processors is no good bound.
const parallel = "12"

var built = struct {
	sync.Mutex
	dir      string
	programs map[string]*program
}{programs: make(map[string]*program)}

// program is one of our commands, built at most once per test process.
type program struct {
	once sync.Once
	path string
	err  error
}

// Main runs the tests of a package and removes the binaries built for them. It
// returns the exit status for os.Exit.
func Main(m *testing.M) int {
	defaultSignals()
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", parallel); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
	}
	dir, err := os.MkdirTemp("", "oracle")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // other users run the binaries, too
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	built.dir = dir
	return m.Run()
}

// StateDir is where the daemons under test that root runs keep their state, unless
// their configuration names a place: it is built into them, so that no test leaves
// anything in the machine's own directory.
func StateDir() string { return filepath.Join(built.dir, "state") }

// defaultSignals has what the tests start find SIGHUP and SIGINT as a terminal gives
// them. Under nohup, and in the background of a script, they are ignored, and what
// is ignored stays so in a child, where no shell can trap it. What is caught does not.
func defaultSignals() {
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig) // nobody reads it: the tests still take no notice
		}
	}
}

// Command is the path of the program of that name: Debian's, or ours, built
// from the package supervisord/cmd/NAME when it is first asked for. GOFLAGS
// reaches that build, so GOFLAGS=-race tests daemons with the race detector.
func Command(t testing.TB, kind Kind, name string) string {
	t.Helper()
	if kind == Debian {
		Require(t)
		return filepath.Join("/usr/bin", name)
	}
	if built.dir == "" {
		t.Fatal("oracle: TestMain of this package must call oracle.Main")
	}
	built.Lock()
	p := built.programs[name]
	if p == nil {
		p = new(program)
		built.programs[name] = p
	}
	built.Unlock()
	p.once.Do(func() {
		p.path = filepath.Join(built.dir, name)
		out, err := exec.Command("go", "build", "-o", p.path, "-ldflags=-X supervisord/reconcile.rootStateDir="+StateDir(),
			"supervisord/cmd/"+name).CombinedOutput()
		if err != nil {
			p.err = fmt.Errorf("cannot build %s: %v\n%s", name, err, out)
		}
	})
	if p.err != nil {
		t.Fatal(p.err)
	}
	return p.path
}

// FullSize reports whether tests are to be as large as they can be, and to ask the
// original again what their files say of it: FULL_SIZE=1, as .ci/full sets it.
func FullSize() bool { return os.Getenv("FULL_SIZE") == "1" }

// Asked reports whether the original is to be asked what the files of a test say of it.
// It does not change, so an ordinary run compares ours only with the files.
func Asked(t testing.TB) bool {
	t.Helper()
	return (FullSize() || Updating()) && Present(t)
}

// Kinds are ours and, where it is to be asked, the original, for tests that say themselves
// what both do.
func Kinds(t testing.TB) []Kind {
	t.Helper()
	if Asked(t) {
		return []Kind{Ours, Debian}
	}
	return []Kind{Ours}
}

// Present reports whether Debian's Supervisor can be run. With
// REQUIRE_SUPERVISOR=1 its absence fails the test instead.
func Present(t testing.TB) bool {
	t.Helper()
	for _, name := range []string{"supervisord", "supervisorctl"} {
		if _, err := exec.LookPath(filepath.Join("/usr/bin", name)); err != nil {
			if os.Getenv("REQUIRE_SUPERVISOR") == "1" {
				t.Fatalf("REQUIRE_SUPERVISOR=1, but Debian's Supervisor is not installed: %v", err)
			}
			return false
		}
	}
	return true
}

// Require leaves the test out where Debian's Supervisor is missing; see Present.
func Require(t testing.TB) {
	t.Helper()
	if !Present(t) {
		t.Skip("Debian's Supervisor is not installed")
	}
}
