package oracle

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
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

// linkedStateDir is the state directory in a program as it is linked. It is as long as
// that of a test process, which then takes its place.
var linkedStateDir = "/" + strings.Repeat("s", 99)

// StateDir is where the daemons under test that root runs keep their state, unless
// their configuration names a place: it is built into them, so that no test leaves
// anything in the machine's own directory.
func StateDir() string {
	return built.dir + "/" + strings.Repeat("s", max(1, len(linkedStateDir)-len(built.dir)-1))
}

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
	p := programOf(name)
	p.once.Do(func() {
		p.path = filepath.Join(built.dir, name)
		p.err = build(name, p.path, "", nil)
	})
	if p.err != nil {
		t.Fatal(p.err)
	}
	return p.path
}

func programOf(name string) *program {
	built.Lock()
	defer built.Unlock()
	p := built.programs[name]
	if p == nil {
		p = new(program)
		built.programs[name] = p
	}
	return p
}

// OtherCommit is the commit that Other says it was built from.
const OtherCommit = "0fe12ba5e0fe"

// Other is the path of a second build of our supervisord, made without cgo as a release is.
// It differs from that of Command in that, and in the commit that it names.
func Other(t testing.TB) string {
	t.Helper()
	p := programOf("other")
	p.once.Do(func() {
		p.path = filepath.Join(built.dir, "supervisord.other")
		p.err = build("supervisord", p.path, " -X supervisord/cmd/internal/build.Commit="+OtherCommit, []string{"CGO_ENABLED=0", "GOFLAGS="})
	})
	if p.err != nil {
		t.Fatal(p.err)
	}
	return p.path
}

// build makes one of our commands, with further flags for the linker and variables. To link
// one takes seconds, and go run, other than go build, keeps what it has linked: so it links
// the same for every test process, and has cp run what would be run.
func build(name, path, flags string, variables []string) error {
	cmd := exec.Command("go", "run", "-ldflags=-X supervisord/reconcile.rootStateDir="+linkedStateDir+flags,
		"-exec", "/bin/cp", "supervisord/cmd/"+name, path)
	cmd.Env = append(os.Environ(), variables...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot build %s: %v\n%s", name, err, out)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if len(StateDir()) != len(linkedStateDir) {
		return fmt.Errorf("%s is too long for a directory of tests", built.dir)
	}
	return writeFile(path, bytes.ReplaceAll(program, []byte(linkedStateDir), []byte(StateDir())), 0o755)
}

// writeFile writes a file that may be executed. A child that another test starts meanwhile
// would have it open for writing until its own exec, and nobody could execute it.
func writeFile(path string, content []byte, mode os.FileMode) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, content, mode)
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
