package spec

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/user"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"supervisord/spec/internal/debian"
)

// mutant is a changed file of the corpus. Its number tells everything about it.
type mutant struct {
	number  int
	seed    expectation // the file it was made of
	content []byte
}

// question is the mutant as testdata/configs.py takes it.
func (m *mutant) question() any {
	q := struct {
		Main []byte            `json:"main"`
		Part []byte            `json:"part"`
		Env  map[string]string `json:"env"`
	}{Main: m.content, Env: m.seed.Env}
	if m.seed.Mode == "included" {
		q.Main, q.Part = []byte(includingMain), m.content
	}
	return q
}

// loadResult is what one side makes of a mutant: a state with what is said about
// it, or an error.
type loadResult struct {
	state any    // nil if refused
	err   string // if refused
	kind  string // the recorder's kind of refusal
}

// TestDifferential gives changed files of the corpus to Supervisor's own parser
// and to ours, and demands the same of both: the same state, or a refusal in the
// same words. Where they differ, a row of differences must say why.
//
// It needs the corpus in SUPERVISOR_CORPUS, and Debian's Supervisor.
// SPEC_DIFFERENTIAL is how many files are tried, 200 if it is not set; 20,000
// take about five minutes on two cores:
//
//	SPEC_DIFFERENTIAL=20000 SUPERVISOR_CORPUS=... go test ./spec -run '^TestDifferential$' -v -timeout 30m
//
// SPEC_DIFFERENTIAL_FIRST is the number of the first file, 0 if it is not set;
// SPEC_DIFFERENTIAL_ONLY=NUMBER shows one of them.
func TestDifferential(t *testing.T) {
	dir := os.Getenv("SUPERVISOR_CORPUS")
	if dir == "" {
		t.Log("SUPERVISOR_CORPUS names no folder: nothing to compare")
		return
	}
	debian.Require(t)
	seeds := corpusSeeds(t, dir)
	first, count := numberFrom(t, "SPEC_DIFFERENTIAL_FIRST", 0), numberFrom(t, "SPEC_DIFFERENTIAL", 200)
	only := os.Getenv("SPEC_DIFFERENTIAL_ONLY") != ""
	if only {
		first, count = numberFrom(t, "SPEC_DIFFERENTIAL_ONLY", 0), 1
	}

	numbers := make(chan int)
	go func() {
		defer close(numbers)
		for n := range count {
			numbers <- first + n
		}
	}()
	tally := struct {
		sync.Mutex
		agreed, accepted int
		rows             map[string][]int
	}{rows: map[string][]int{}}
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		original := startOriginal(t, dir)
		workers.Go(func() {
			defer original.stop()
			for n := range numbers {
				m := newMutant(seeds, n)
				theirs, ours := original.ask(m), ourResult(t, m)
				row := explain(m, ours, theirs)
				if only {
					t.Logf("%s\nours: %s\ntheirs: %s", m.content, ours.err, theirs.err)
				}
				tally.Lock()
				switch row {
				case "":
					tally.agreed++
					if theirs.state != nil {
						tally.accepted++
					}
				case unexplained:
					t.Errorf("mutant %d of %s:\nours:   %s\ntheirs: %s %s\n%s", n, m.seed.ID, ours.err, theirs.kind, theirs.err,
						stateDiff(ours, theirs))
				default:
					tally.rows[row] = append(tally.rows[row], n)
				}
				tally.Unlock()
			}
		})
	}
	workers.Wait()
	t.Logf("%d files: %d agree (%d of them accepted)", count, tally.agreed, tally.accepted)
	for _, d := range differences {
		if numbers := tally.rows[d.name]; len(numbers) > 0 {
			t.Logf("%d differ, such as %d, by the %s: %s", len(numbers), numbers[0], d.name, d.sentence)
		}
	}
}

func numberFrom(t *testing.T, variable string, def int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return def
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// seedFile is one file of the corpus and what is recorded of it.
type seedFile struct {
	expectation
	content []byte
}

func corpusSeeds(t *testing.T, dir string) []seedFile {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "open", "*.conf"))
	if err != nil || len(paths) != corpusSize {
		t.Fatalf("the corpus in %s has %d files (error %v), want %d", dir, len(paths), err, corpusSize)
	}
	seeds := make([]seedFile, len(paths))
	for i, path := range paths {
		id := strings.TrimSuffix(filepath.Base(path), ".conf")
		recorded, err := os.ReadFile(filepath.Join(dir, "expected", id+".json"))
		if err != nil {
			t.Fatal(err)
		}
		unmarshal(t, recorded, &seeds[i].expectation)
		if seeds[i].content, err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return seeds
}

// newMutant makes the mutant of that number.
func newMutant(seeds []seedFile, number int) *mutant {
	m := &mutator{Rand: rand.New(rand.NewPCG(20, uint64(number)))}
	for _, s := range seeds {
		m.others = append(m.others, s.content)
	}
	seed := seeds[m.IntN(len(seeds))]
	return &mutant{number: number, seed: seed.expectation, content: m.mutate(seed.content)}
}

// original is a running testdata/configs.py.
type original struct {
	t      *testing.T
	stdin  io.WriteCloser
	stdout *bufio.Reader
	cmd    *exec.Cmd
}

func startOriginal(t *testing.T, corpus string) *original {
	t.Helper()
	o := &original{t: t, cmd: debian.Script(t, "configs.py", corpus)}
	o.cmd.Env = append(os.Environ(), "PYTHONHASHSEED=0")
	o.cmd.Stderr = os.Stderr
	var err error
	if o.stdin, err = o.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := o.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	o.stdout = bufio.NewReader(stdout)
	if err := o.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *original) stop() {
	o.stdin.Close()
	o.cmd.Wait()
}

// ask is the original's result.
func (o *original) ask(m *mutant) loadResult {
	line, err := json.Marshal(m.question())
	if err == nil {
		_, err = o.stdin.Write(append(line, '\n'))
	}
	if err == nil {
		line, err = o.stdout.ReadBytes('\n')
	}
	if err != nil {
		o.t.Errorf("mutant %d: the original does not answer: %v", m.number, err)
		return loadResult{kind: "broken"}
	}
	var said outcome
	var state map[string]any
	if err := json.Unmarshal(line, &said); err != nil {
		o.t.Errorf("mutant %d: %v", m.number, err)
	}
	if !said.OK {
		return loadResult{err: tokens(said.Error), kind: said.Kind}
	}
	if err := json.Unmarshal(line, &state); err != nil {
		o.t.Errorf("mutant %d: %v", m.number, err)
	}
	delete(state, "ok")
	delete(state, "stubs")
	return loadResult{state: withPaths(state)}
}

// ourResult is what Load makes of a mutant.
func ourResult(t *testing.T, m *mutant) loadResult {
	h := &mutantHost{memHost: stage(m.seed, string(m.content)), missing: map[string]bool{}}
	cfg, err := Load(h, "/base/here/supervisord.conf", mutantOptions)
	if h.found {
		cfg, err = Load(h, "/base/here/supervisord.conf", mutantOptions)
	}
	if err != nil {
		return loadResult{err: err.Error()}
	}
	state := Normal(cfg, true)
	state["parse_warnings"] = append([]string{}, cfg.Warnings...)
	state["parse_infos"] = append([]string{}, cfg.Infos...)
	return loadResult{state: withPaths(roundTrip(t, state))}
}

// mutantHost is the recorder's machine, on which every directory exists. That a
// name is not there as a file to include, although it is as a directory, is found
// out by the first load, and holds for the second.
type mutantHost struct {
	*memHost
	mu      sync.Mutex // guards missing and found
	missing map[string]bool
	found   bool
}

func (h *mutantHost) Stat(name string) (fs.FileInfo, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	info, err := h.tree().Stat(inTree(name))
	if err != nil && !h.missing[path.Clean(name)] {
		return fstest.MapFS{"d": &fstest.MapFile{Mode: fs.ModeDir | 0o755}}.Stat("d")
	}
	return info, err
}

func (h *mutantHost) ReadFile(name string) ([]byte, error) {
	content, err := h.memHost.ReadFile(name)
	if err != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.missing[path.Clean(name)], h.found = true, true
	}
	return content, err
}

// Home knows the accounts of this machine, as the recorder does.
func (h *mutantHost) Home(name string) (string, error) {
	if name == "" {
		return h.memHost.Home(name)
	}
	u, err := user.Lookup(name)
	if err != nil {
		return "", ErrNoAccount
	}
	return u.HomeDir, nil
}

// mutantOptions accept the Python references that the recorder does: those into
// other packages than Supervisor's, if only they look like one. Python takes what
// comes before an equals sign for the name of an entry point.
var mutantOptions = Options{Resolve: func(_, reference string) bool {
	module, _, _ := strings.Cut(reference, ":")
	if module == "supervisor" || strings.HasPrefix(module, "supervisor.") {
		return reference == standardRPC || reference == standardHandler
	}
	return regexp.MustCompile(`^(.*=\s*)?[\pL\pN_.]+\s*(:\s*[\pL\pN_.]+)?\s*(\[.*\])?\s*$`).MatchString(reference)
}}

// explain compares the results: "" where they agree, else the name of the
// difference that explains why not, or unexplained.
func explain(m *mutant, ours, theirs loadResult) string {
	if agree(ours, theirs) {
		return ""
	}
	for _, d := range differences {
		if d.explains(m, ours, theirs) {
			return d.name
		}
	}
	return unexplained
}

const unexplained = "unexplained"

// agree reports whether both accept with the same result, or both refuse; in the
// same words if the original's are for users.
func agree(ours, theirs loadResult) bool {
	if ours.state == nil || theirs.state == nil {
		return ours.state == nil && theirs.state == nil && (theirs.kind != "usage" || ours.err == theirs.err)
	}
	return cmp.Equal(ours.state, theirs.state)
}

func stateDiff(ours, theirs loadResult) string {
	if ours.state == nil || theirs.state == nil {
		return fmt.Sprintf("accepted by us %v, by the original %v", ours.state != nil, theirs.state != nil)
	}
	return "(-original +ours):\n" + cmp.Diff(theirs.state, ours.state)
}
