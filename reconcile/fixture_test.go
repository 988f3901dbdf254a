package reconcile

import (
	"bytes"
	stdcmp "cmp"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"supervisord/runtime/trust"
	"supervisord/spec"

	"github.com/google/go-cmp/cmp"
)

// testHost is spec.Host on the test's own machine; its environment and user are
// the test's to choose, and so is what cannot be seen: tests may run as root,
// from whom no permission keeps anything.
type testHost struct {
	uid     int
	environ []string
	denied  *sync.Map // paths below which nothing may be seen
	hung    *hungPaths
}

// hungPaths are paths at and below which nothing answers.
type hungPaths struct {
	mu    sync.Mutex
	until map[string]chan struct{}
}

// wait returns when a path answers.
func (h *hungPaths) wait(path string) {
	h.mu.Lock()
	var until chan struct{}
	for p, c := range h.until {
		if path == p || strings.HasPrefix(path, p+"/") {
			until = c
		}
	}
	h.mu.Unlock()
	if until != nil {
		<-until
	}
}

// hang has a path below root answer no more.
func (w *fixture) hang(name string) {
	w.host.hung.mu.Lock()
	defer w.host.hung.mu.Unlock()
	w.host.hung.until[w.root+"/"+name] = make(chan struct{})
}

// answers has it answer again.
func (w *fixture) answers(name string) {
	w.host.hung.mu.Lock()
	defer w.host.hung.mu.Unlock()
	close(w.host.hung.until[w.root+"/"+name])
	delete(w.host.hung.until, w.root+"/"+name)
}

func (m testHost) deny(op, p string) error {
	if m.hung != nil {
		m.hung.wait(filepath.Clean(p))
	}
	if m.denied == nil {
		return nil
	}
	var err error
	m.denied.Range(func(key, _ any) bool {
		if d := key.(string); p == d && op != "stat" || strings.HasPrefix(p, d+"/") {
			err = &fs.PathError{Op: op, Path: p, Err: fs.ErrPermission}
		}
		return err == nil
	})
	return err
}

func (m testHost) ReadFile(p string) ([]byte, error) {
	if err := m.deny("open", p); err != nil {
		return nil, err
	}
	return os.ReadFile(p)
}

func (m testHost) ReadDir(p string) ([]fs.DirEntry, error) {
	if err := m.deny("open", filepath.Clean(p)); err != nil {
		return nil, err
	}
	return os.ReadDir(p)
}

func (m testHost) Stat(p string) (fs.FileInfo, error) {
	if err := m.deny("stat", p); err != nil {
		return nil, err
	}
	return os.Stat(p)
}

func (testHost) Getwd() string                           { return "/" }
func (m testHost) Environ() []string                     { return m.environ }
func (testHost) Hostname() string                        { return "here" }
func (testHost) TempDir() string                         { return os.TempDir() }
func (testHost) Home(string) (string, error)             { return "/", nil }
func (testHost) LookupUser(string) (spec.Account, error) { return spec.Account{}, spec.ErrNoAccount }
func (testHost) LookupGroup(string) (int, error)         { return 0, spec.ErrNoAccount }
func (m testHost) UID() int                              { return m.uid }

// fixture is a directory of configuration, a process table and a reconciler
// between them.
type fixture struct {
	t      testing.TB
	root   string // real path; conf.d below it is included
	table  *model
	rec    *Reconciler
	log    *logBuffer
	events chan Event
	stop   func()
	begins []spec.Group // that are made active before the reconciler runs
	host   testHost
	seen   spec.Host // what the reconciler is given; nil for host
	watch  bool      // conf.d is given by --watch, and there is no main file
}

// settings of every fixture unless a test says otherwise: quick, and by notices
// alone.
const quick = "settle=20ms\nsettle_removals=0\nrescan=0\n"

// newFixture makes a fixture from files below root, not yet running. reconcile is
// the text of [reconcile]; "" is quick.
func newFixture(t testing.TB, reconcile string, files map[string]string) *fixture {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if reconcile == "" {
		reconcile = quick
	}
	w := &fixture{t: t, root: root, table: newModel(), log: new(logBuffer), events: make(chan Event, 1000), host: testHost{uid: stdcmp.Or(os.Geteuid(), 1000), denied: new(sync.Map), hung: &hungPaths{until: make(map[string]chan struct{})}}}
	w.main(reconcile)
	if err := os.MkdirAll(root+"/conf.d", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		w.write(name, text)
	}
	return w
}

// main writes the main file.
func (w *fixture) main(reconcile string) {
	if !strings.Contains(reconcile, "settle_removals") {
		reconcile += "settle_removals=0\n" // what is gone goes at once unless a test says otherwise
	}
	w.write("main.conf", "[supervisord]\n[include]\nfiles = conf.d/*.ini\n[reconcile]\nstatedir="+w.root+"/state\n"+reconcile)
}

func (w *fixture) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	if err := os.WriteFile(temp, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(temp, path); err != nil {
		w.t.Fatal(err)
	}
}

// sh runs a command in the root.
func (w *fixture) sh(command string) {
	w.t.Helper()
	cmd := exec.Command("sh", "-ec", command)
	cmd.Dir = w.root
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// ini is a program's file.
func ini(name string, keys ...string) string {
	return "[program:" + name + "]\ncommand=/bin/" + name + "\n" + strings.Join(keys, "\n") + "\n"
}

// start runs the reconciler and waits for its first update.
func (w *fixture) start() *fixture {
	w.t.Helper()
	if err := w.tryStart(Options{}); err != nil {
		w.t.Fatal(err)
	}
	w.eventually("the first update is over", func() bool { return len(w.rec.History(0)) > 0 })
	return w
}

func (w *fixture) tryStart(o Options) error {
	w.t.Helper()
	var host spec.Host = w.host
	if w.seen != nil {
		host = w.seen
	}
	main, options := w.root+"/main.conf", spec.Options{}
	if w.watch {
		main, options = "", spec.Options{Watch: []string{w.root + "/conf.d"}, WatchSocket: w.root + "/sock"}
	}
	st, err := Startup(host, main, "", options)
	if err != nil {
		return err
	}
	w.run(st, o)
	return nil
}

// run has a reconciler begin with what is given.
func (w *fixture) run(st *Start, o Options) {
	o.Start, o.Target, o.Logger = st, w.table, slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	o.Emit = func(e Event) {
		select {
		case w.events <- e:
		default:
		}
	}
	w.rec = New(o)
	if err := w.table.SetDisabled(context.Background(), w.rec.Disabled()); err != nil {
		w.t.Fatal(err)
	}
	for i := range w.begins { // the daemon starts what starts by itself
		if err := w.table.SetGroup(context.Background(), nil, &w.begins[i], nil); err != nil {
			w.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { w.rec.Run(ctx) })
	w.stop = func() { cancel(); done.Wait() }
	w.t.Cleanup(w.stop)
}

// eventually waits for a condition.
func (w *fixture) eventually(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(5 * time.Minute) // an unsettled directory is given one for the others
	for !ok() {
		if time.Now().After(deadline) {
			w.t.Fatalf("not so within five minutes: %s\nstate %+v\ngroups %s\nlog:\n%s", what, w.rec.State(), w.groups(), w.log)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// groups is the table in short: name=command of each process, sorted.
func (w *fixture) groups() string {
	var list []string
	for _, a := range w.table.Groups() {
		for i, p := range a.Group.Processes {
			text := a.Group.Name
			if p.Name != a.Group.Name {
				text += ":" + p.Name
			}
			if base := filepath.Base(p.Command); base != a.Group.Name {
				text += "=" + base
			}
			if s := a.Processes[i].State; s != "RUNNING" {
				text += " " + s
			}
			list = append(list, text)
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// becomes waits until the table is so.
func (w *fixture) becomes(groups string) {
	w.t.Helper()
	w.eventually("groups are "+groups, func() bool { return w.groups() == groups })
	w.agrees()
}

// agrees waits until nothing runs, and checks that files and table agree if the
// reconciler says so.
func (w *fixture) agrees() {
	w.t.Helper()
	w.eventually("nothing is being done", func() bool { return w.rec.State().Phase != Applying })
	if s := w.rec.State(); s.Phase == Synced && s.Desired != s.Applied {
		w.t.Errorf("synced, but the hashes differ: %+v", s)
	}
	if len(w.table.wrong)+len(w.table.stale()) > 0 {
		w.t.Errorf("broken rules: %v, stale children: %v", w.table.wrong, w.table.stale())
	}
}

// still makes a change and checks that it leads to no action. After it a file that
// is no configuration comes and goes again, see stillAfter.
func (w *fixture) still(what string, change func()) {
	w.t.Helper()
	const marker = "conf.d/zzmarker.ini"
	w.stillAfter(what, change,
		func() {
			w.write(marker, "[program:zzmarker]\n")
			w.eventually("the marker is read", func() bool { return w.file(marker).State == FileInvalid })
		},
		func() {
			w.sh("rm " + marker)
			w.eventually("the marker's end is read", func() bool { return w.file(marker).State == "" })
		})
}

// stillAfter makes a change, then two marks that must lead to nothing either, and
// checks that there was no action. Each mark returns when the reconciler shows it:
// with the first it has read the files after the change, and with the second it
// has decided by what it read then, since it takes one view after the other.
func (w *fixture) stillAfter(what string, change, first, second func()) {
	w.t.Helper()
	before := w.groups()
	w.table.took()
	change()
	first()
	second()
	w.agrees()
	if log := w.table.took(); len(log) > 0 || w.groups() != before {
		w.t.Errorf("%s: %s", what, words(log))
	}
}

// phase waits for a phase, and returns the reason.
func (w *fixture) phase(want string) string {
	w.t.Helper()
	w.eventually("phase is "+want, func() bool { return w.rec.State().Phase == want })
	return w.rec.State().Reason
}

// holds are what is held now, and why.
func (w *fixture) holds() string {
	return fmt.Sprint(w.rec.published.Load().holds)
}

// autoupdate turns automatic updates on or off.
func (w *fixture) autoupdate(on bool) {
	w.t.Helper()
	if err := w.rec.SetAutoupdate(context.Background(), on, "uid 0"); err != nil {
		w.t.Fatal(err)
	}
}

// file is what Files says of a file below root.
func (w *fixture) file(name string) FileState {
	w.t.Helper()
	for _, f := range w.rec.Files() {
		if f.Path == filepath.Join(w.root, name) {
			return f
		}
	}
	return FileState{}
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// logBuffer is a log that many goroutines write.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *logBuffer) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *logBuffer) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// count is how many lines hold all the words.
func (j *logBuffer) count(words ...string) int {
	n := 0
	for line := range strings.Lines(j.String()) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			n++
		}
	}
	return n
}

// once checks that there are lines that hold all the words, and none twice.
func (j *logBuffer) once(t testing.TB, words ...string) {
	t.Helper()
	seen := make(map[string]int)
	for line := range strings.Lines(j.String()) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			_, text, _ := strings.Cut(line, " ") // without the time
			seen[text]++
		}
	}
	if len(seen) == 0 {
		t.Errorf("not in the log: %q\n%s", words, j)
	}
	for text, n := range seen {
		if n > 1 {
			t.Errorf("%d times in the log: %s", n, text)
		}
	}
}

// programs is n program files.
func programs(n int) map[string]string {
	files := make(map[string]string)
	for i := range n {
		name := fmt.Sprintf("p%02d", i)
		files["conf.d/"+name+".ini"] = ini(name)
	}
	return files
}

// stored is the state of a daemon that has ended.
func stored(dir string) *Store { return openExisting(trust.Dir{Path: dir, UID: os.Geteuid()}) }
