package watch

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"supervisord/runtime/hang"
)

const settle = 30 * time.Millisecond

// start runs a watcher on patterns below root, without a rescan, and returns
// when it is in place.
func start(t testing.TB, root string, change func(*Watcher), patterns ...string) *marked {
	t.Helper()
	for i, p := range patterns {
		patterns[i] = root + "/" + p
	}
	w := newMarked(t, root, Scope{Paths: patterns, Settle: settle})
	if change != nil {
		change(w.Watcher)
	}
	run(t, w.Watcher)
	expect(t, w, "once all is in place")
	drain(t, w)
	return w
}

// run runs w until the test ends.
func run(t testing.TB, w *Watcher) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { w.Run(ctx) })
	t.Cleanup(func() { cancel(); done.Wait() })
}

// marked is a watcher that can be asked how far it is, after everything that was
// done before; see mark. That no hint comes is proved so, and not by time.
type marked struct {
	*Watcher
	dir   string        // of marks; watched, too
	marks int           // made so far
	seen  chan progress // capacity 16: more than one mark is seldom on its way
	hints int           // Changes of the last hint that was taken
}

// progress is how far a watcher was when it came to a mark.
type progress struct {
	mark    int
	changes int
	phase   phase
}

// newMarked makes a watcher whose notices pass through the test. A mark is a file
// whose notice is kept back: empty ones go on in its place, more than the watcher
// takes at once, so that it is done with those before, and then one with a name that
// it asks Ignore about.
func newMarked(t testing.TB, root string, s Scope) *marked {
	t.Helper()
	w := &marked{dir: root + "/zzmarks", seen: make(chan progress, 16)}
	if err := os.Mkdir(w.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	const suffix = ".mark"
	s.Paths = w.paths(s.Paths...)
	w.Watcher = New(Options{Scope: s, Matcher: shellPatterns, Ignore: func(name string) bool {
		number, ok := strings.CutSuffix(name, suffix)
		if mark, err := strconv.Atoi(number); ok && err == nil {
			select {
			case w.seen <- progress{mark, w.changes, w.phase}:
			default: // of several that were late the first do
			}
		}
		return ok || strings.HasSuffix(name, "~") || strings.HasPrefix(name, "..")
	}})
	w.open = func() (*fsnotify.Watcher, error) {
		fsn, err := fsnotify.NewWatcher()
		if err != nil {
			return nil, err
		}
		in, out := fsn.Events, make(chan fsnotify.Event)
		fsn.Events = out
		ctx := t.Context()
		go func() { // ends with the test
			give := func(e fsnotify.Event) {
				select {
				case out <- e:
				case <-ctx.Done():
				}
			}
			for ctx.Err() == nil {
				select {
				case <-ctx.Done():
				case e := <-in:
					if dir, mark := filepath.Split(e.Name); filepath.Clean(dir) == w.dir {
						for range 2 * 4096 {
							give(fsnotify.Event{})
						}
						e = fsnotify.Event{Name: w.dir + "/" + mark + suffix, Op: fsnotify.Write}
					}
					give(e)
				}
			}
		}()
		return fsn, nil
	}
	return w
}

// paths are paths to watch, with the marks.
func (w *marked) paths(list ...string) []string { return append(list, w.dir+"/*.mark") }

// mark is how far the watcher is when all that was done before has been noticed.
// The notice of a mark may be lost, where the kernel's queue is full; then another
// is made.
func (w *marked) mark(t testing.TB) progress {
	t.Helper()
	first := w.marks + 1
	for range 100 {
		w.marks++
		if err := os.WriteFile(fmt.Sprintf("%s/%d", w.dir, w.marks), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for lost := time.After(time.Second); lost != nil; {
			select {
			case p := <-w.seen:
				if p.mark >= first {
					return p
				}
			case <-lost:
				lost = nil
			}
		}
	}
	t.Fatal("no mark was noticed")
	return progress{}
}

// expect waits for a hint.
func expect(t testing.TB, w *marked, why string) string {
	t.Helper()
	over := time.After(time.Minute)
	for {
		select {
		case h := <-w.Hints():
			if !h.ReadAhead {
				w.hints = h.Changes
				return h.Trigger
			}
		case <-over:
			t.Fatalf("no hint: %s", why)
			return ""
		}
	}
}

// quiet fails if anything was taken for a change since the last hint.
func quiet(t testing.TB, w *marked, why string) {
	t.Helper()
	if p := w.mark(t); p.phase != idle || p.changes != w.hints {
		t.Fatalf("%d changes, %d at the last hint, phase %d: %s", p.changes, w.hints, p.phase, why)
	}
	select {
	case h := <-w.Hints():
		t.Fatalf("hint %+v: %s", h, why)
	default:
	}
}

// drain takes the hints of an action that lasted longer than settle.
func drain(t testing.TB, w *marked) {
	t.Helper()
	for {
		p := w.mark(t)
		if p.phase != idle {
			expect(t, w, "a change has to settle")
			continue
		}
		select {
		case <-w.Hints():
		default:
		}
		w.hints = p.changes
		return
	}
}

// TestHints: after each action one hint, or none, with notices alone.
func TestHints(t *testing.T) {
	type step struct {
		sh   string // run in the root; a leading - means no hint may follow
		note string
	}
	rows := []struct {
		name     string
		setup    string
		patterns []string
		steps    []step
	}{
		{"a file comes, changes, goes", "mkdir d", []string{"d/*.ini"}, []step{
			{"echo 1 >d/a.ini", ""}, {"echo 2 >>d/a.ini", ""}, {"touch d/a.ini", "a hint is only a hint"},
			{"- echo 1 >d/a.txt", "no pattern matches"}, {"- echo 1 >d/a.ini~", "an editor's backup"},
			{"mv d/a.ini d/b.ini", ""}, {"rm d/b.ini", ""},
		}},
		{"a rename into place", "mkdir d", []string{"d/*.ini"}, []step{
			{"- echo 1 >d/.a.ini.XyZ", ""}, {"mv d/.a.ini.XyZ d/a.ini", ""},
		}},
		{"the directory comes later", "true", []string{"x/y/z/*.ini"}, []step{
			{"mkdir x", ""}, {"mkdir -p x/y/z", ""}, {"echo 1 >x/y/z/a.ini", ""},
			{"rm -r x", ""}, {"mkdir -p x/y/z && echo 1 >x/y/z/a.ini", ""}, {"echo 2 >x/y/z/a.ini", ""},
		}},
		{"removed and made again at once", "mkdir d && echo 1 >d/a.ini", []string{"d/*.ini"}, []step{
			{"rm -r d && mkdir d", ""}, {"echo 1 >d/a.ini", "the new directory is watched"},
			{"rm -r d && mkdir d", ""}, {"echo 1 >d/b.ini", ""},
		}},
		{"a parent is renamed away and back", "mkdir -p p/q/d && echo 1 >p/q/d/a.ini", []string{"p/q/d/*.ini"}, []step{
			{"mv p/q p/away", ""}, {"- echo 2 >p/away/d/a.ini", "no longer on the path"},
			{"mv p/away p/q", ""}, {"echo 3 >p/q/d/a.ini", "watched again"},
		}},
		{"one tree is put in the place of another", "mkdir -p p/d n/d && echo 1 >n/d/a.ini", []string{"p/d/*.ini"}, []step{
			{"mv p old && mv n p", ""}, {"echo 2 >p/d/a.ini", ""}, {"- echo 2 >old/d/a.ini", ""},
		}},
		{"a mounted volume is flipped", "mkdir -p c/..1 && echo 1 >c/..1/a.ini && ln -s ..1 c/..data && ln -s ..data/a.ini c/a.ini", []string{"c/*.ini"}, []step{
			{"mkdir c/..2 && echo 2 >c/..2/a.ini && ln -s ..2 c/..data_tmp && mv -T c/..data_tmp c/..data && rm -r c/..1", ""},
			{"echo 3 >c/..2/a.ini", "the new target is watched"},
		}},
		{"a worktree link of a parent is flipped", "mkdir -p w/1/conf w/2/conf && echo 1 >w/1/conf/a.ini && echo 2 >w/2/conf/a.ini && ln -s w/1 current", []string{"current/conf/*.ini"}, []step{
			{"ln -s w/2 tmp && mv -T tmp current", ""}, {"echo 3 >w/2/conf/a.ini", ""}, {"- echo 3 >w/1/conf/a.ini", "the old one is nothing any more"},
		}},
		{"a link that dangles, then does not", "ln -s t/d l", []string{"l/*.ini"}, []step{
			{"mkdir t", ""}, {"mkdir t/d", ""}, {"echo 1 >t/d/a.ini", ""},
		}},
		{"links that loop, then do not", "ln -s b a && ln -s a b", []string{"a/*.ini"}, []step{
			{"rm b && mkdir b", ""}, {"echo 1 >b/x.ini", ""},
		}},
		{"wildcards in the middle", "mkdir -p apps/one/conf", []string{"apps/*/conf/*.ini"}, []step{
			{"echo 1 >apps/one/conf/a.ini", ""}, {"mkdir -p apps/two/conf", ""}, {"echo 1 >apps/two/conf/a.ini", ""},
			{"- echo 1 >apps/README", "files that are on no way"},
		}},
		{"** and several globs", "mkdir -p d/e/f", []string{"d/**/*.ini", "d/*.ini", "d/*/*.conf"}, []step{
			{"echo 1 >d/a.ini", ""}, {"echo 1 >d/e/a.ini", ""}, {"echo 1 >d/e/a.conf", ""}, {"- echo 1 >d/e/f/a.ini", ""},
		}},
		{"a file moves between two watched directories", "mkdir a b && echo 1 >a/x.ini", []string{"a/*.ini", "b/*.ini"}, []step{
			{"mv a/x.ini b/x.ini", ""},
		}},
		{"permissions", "mkdir d && echo 1 >d/a.ini", []string{"d/*.ini"}, []step{
			{"chmod 000 d", ""}, {"chmod 755 d", ""}, {"chmod 000 d/a.ini", ""},
		}},
		{"a plain path", "true", []string{"main.conf"}, []step{
			{"echo 1 >main.conf", ""}, {"- echo 1 >other.conf", ""}, {"mv main.conf m && mv m main.conf", ""},
		}},
		{"a linked file, its target written in place", "echo 1 >real.conf && ln -s real.conf main.conf", []string{"main.conf"}, []step{
			{"echo 2 >real.conf", ""}, {"ln -sfT other.conf main.conf", ""}, {"echo 1 >other.conf", ""},
		}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			root := realTempDir(t)
			shell(t, root, r.setup)
			w := start(t, root, nil, r.patterns...)
			for _, s := range r.steps {
				sh, silent := strings.CutPrefix(s.sh, "- ")
				shell(t, root, sh)
				if silent {
					quiet(t, w, sh+": "+s.note)
					continue
				}
				if h := expect(t, w, sh+": "+s.note); h != Notice {
					t.Errorf("%s: hint %q, want %q", sh, h, Notice)
				}
				drain(t, w)
			}
		})
	}
}

func shell(t testing.TB, dir, command string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// eachNoticed runs commands and wants a hint after each.
func eachNoticed(t testing.TB, w *marked, dir string, commands ...string) {
	t.Helper()
	for _, command := range commands {
		shell(t, dir, command)
		expect(t, w, command)
		drain(t, w)
	}
}

// TestRescan: without notices the periodic look finds what changed, and only
// then says something.
func TestRescan(t *testing.T) {
	t.Parallel()
	root := realTempDir(t)
	shell(t, root, "mkdir d m && echo 1 >d/a.ini && echo 1 >m/seen")
	var log lockedBuffer
	var looks, changes atomic.Int64 // looks at m, and the changes at the last
	w := New(Options{
		Scope:   Scope{Paths: []string{root + "/d/*.ini", root + "/m/*"}, Settle: settle, Rescan: 20 * time.Millisecond},
		Matcher: shellPatterns,
		Logger:  slog.New(slog.NewTextHandler(&log, nil)),
	})
	w.ignore = func(name string) bool {
		if name == "seen" {
			looks.Add(1)
			changes.Store(int64(w.changes))
		}
		return false
	}
	w.add = func(*fsnotify.Watcher, string) error { return syscall.ENOSPC }
	run(t, w)
	over := time.Now().Add(2 * time.Minute)
	hint := func(why string) Hint {
		t.Helper()
		for {
			select {
			case h := <-w.Hints():
				if !h.ReadAhead {
					return h
				}
			case <-time.After(time.Until(over)):
				t.Fatalf("no hint: %s", why)
			}
		}
	}
	quiet := func(why string, last Hint) {
		t.Helper()
		for n := looks.Load() + 3; looks.Load() < n; time.Sleep(time.Millisecond) {
			if time.Now().After(over) {
				t.Fatal("no more looks at the files")
			}
		}
		if n := changes.Load(); n != int64(last.Changes) {
			t.Fatalf("%d changes, %d at the last hint: %s", n, last.Changes, why)
		}
	}
	quiet("nothing changed", hint("once all is in place"))
	for _, sh := range []string{"echo 2 >t && mv t d/a.ini", "echo 1 >t && mv t d/b.ini", "rm d/a.ini", "mv d e", "mv e d"} {
		shell(t, root, sh)
		h := hint(sh)
		if h.Trigger != Rescan {
			t.Errorf("%s: hint %q, want %q", sh, h.Trigger, Rescan)
		}
		quiet("nothing changed since", h)
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("the watch limit was reported %d times, want once:\n%s", n, log.String())
	}
}

// TestRemote: a file system that may change elsewhere is looked at again and
// again, and that is said once.
func TestRemote(t *testing.T) {
	t.Parallel()
	root := realTempDir(t)
	shell(t, root, "mkdir a b")
	var log lockedBuffer
	w := New(Options{Matcher: shellPatterns, Scope: Scope{Paths: []string{root + "/a/*.ini", root + "/b/*.ini"}}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	w.fsType = func(path string) string {
		if strings.HasPrefix(path, root+"/") {
			return "NFS"
		}
		return ""
	}
	w.now = new(Scope)
	w.settle = idleTimer()
	w.adopt(w.scope.Load())
	defer w.fsn.Close()
	defer w.stopRescan()
	if w.rescan == nil {
		t.Error("with rescan=0 nothing would ever look again")
	}
	w.survey()
	if n := strings.Count(log.String(), "NFS"); n != 1 {
		t.Errorf("it was said %d times:\n%s", n, log.String())
	}
	shell(t, root, "rm -r a b")
	w.survey()
	if len(w.remote) != 0 {
		t.Errorf("what is gone is still waited for: %v", w.remote)
	}
}

// TestHungDirectory: a directory that does not answer keeps no other from being
// watched, and is watched when it answers.
func TestHungDirectory(t *testing.T) {
	t.Parallel()
	root := realTempDir(t)
	shell(t, root, "mkdir a b; echo 1 >a/x.ini; echo 1 >b/x.ini")
	w := newMarked(t, root, Scope{Paths: []string{root + "/a/*.ini", root + "/b/*.ini"}, Settle: 10 * time.Millisecond})
	w.disks = hang.New(50*time.Millisecond, 0)
	answer := make(chan struct{})
	w.add = func(fsn *fsnotify.Watcher, path string) error {
		if path == root+"/a" {
			<-answer
		}
		return fsn.Add(path)
	}
	run(t, w.Watcher)
	expect(t, w, "when all but one directory is in place")
	quiet(t, w, "the other one does not answer")
	shell(t, root, "echo 2 >b/x.ini")
	expect(t, w, "a change beside it")
	close(answer)
	expect(t, w, "when it answers")
	shell(t, root, "echo 2 >a/x.ini")
	expect(t, w, "a change in it")
}

// TestNoNoticesAndNoRescan: rescan=0 trusts notices alone, except where there
// are none.
func TestNoNoticesAndNoRescan(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Watcher){
		"no instance left": func(w *Watcher) {
			w.open = func() (*fsnotify.Watcher, error) { return nil, syscall.EMFILE }
		},
		"no watch left": func(w *Watcher) {
			w.add = func(*fsnotify.Watcher, string) error { return syscall.ENOSPC }
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := New(Options{Matcher: shellPatterns, Scope: Scope{Paths: []string{realTempDir(t) + "/*.ini"}}})
			change(w)
			w.now = new(Scope)
			w.settle = idleTimer()
			w.adopt(w.scope.Load())
			defer w.stopRescan()
			if w.rescan == nil {
				t.Error("nothing would ever look again")
			}
		})
	}
}

// TestOverflow: when the kernel's queue is full, notices are lost, and the
// watcher looks at everything.
func TestOverflow(t *testing.T) {
	t.Parallel()
	root := realTempDir(t)
	w := newMarked(t, root, Scope{Paths: []string{root + "/*/*.ini"}, Settle: settle})
	w.now = new(Scope)
	w.settle = idleTimer()
	w.adopt(w.scope.Load()) // armed, but nobody takes the notices yet
	limit, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		t.Logf("no such limit here: %v", err)
		limit = []byte("16384")
	}
	var n int
	if _, err := fmt.Sscan(string(limit), &n); err != nil {
		t.Fatal(err)
	}
	for i := range n + n/2 {
		// Not one name: the kernel merges equal notices that follow each other.
		if err := os.WriteFile(fmt.Sprintf("%s/%d", root, i%2), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	shell(t, root, "mkdir late && echo 1 >late/a.ini") // this notice is lost
	w.Set(Scope{Paths: w.paths(root + "/*/*.ini"), Settle: settle})
	run(t, w.Watcher)
	expect(t, w, "after an overflow")
	drain(t, w)
	shell(t, root, "echo 2 >late/a.ini")
	expect(t, w, "the directory whose notice was lost is watched")
}

// TestSet: what is watched can be changed, and what happened before is hinted.
func TestSet(t *testing.T) {
	t.Parallel()
	root := realTempDir(t)
	shell(t, root, "mkdir a b")
	w := start(t, root, nil, "a/*.ini")
	w.Set(Scope{Paths: w.paths(root + "/b/*.ini"), Settle: settle})
	expect(t, w, "the paths changed")
	shell(t, root, "echo 1 >b/x.ini")
	expect(t, w, "the new directory is watched")
	drain(t, w)
	shell(t, root, "echo 1 >a/x.ini")
	quiet(t, w, "the old directory is not")
	w.Set(Scope{Paths: w.paths(root + "/b/*.ini"), Settle: settle})
	quiet(t, w, "the same scope again")
}

// lockedBuffer is a bytes.Buffer for a log written by another goroutine.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// BenchmarkScan is the idle look at 10,000 unchanged files; under 60 ms.
func BenchmarkScan(b *testing.B) {
	root := realTempDir(b)
	for i := range 10_000 {
		if err := os.WriteFile(fmt.Sprintf("%s/%05d.ini", root, i), []byte("[program:x]\ncommand=/bin/cat\n"), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		resolve(disk{}, []string{root + "/*.ini"}, shellPatterns, func(string) bool { return false })
	}
}

// BenchmarkHint is the way from a rename into place to the hint, settle taken
// off.
func BenchmarkHint(b *testing.B) {
	root := realTempDir(b)
	w := start(b, root, nil, "*.ini")
	var over time.Duration
	b.ReportAllocs()
	for b.Loop() {
		if err := os.WriteFile(root+"/x.tmp", nil, 0o600); err != nil {
			b.Fatal(err)
		}
		at := time.Now()
		if err := os.Rename(root+"/x.tmp", root+"/x.ini"); err != nil {
			b.Fatal(err)
		}
		expect(b, w, "renamed")
		over += time.Since(at) - settle
	}
	b.ReportMetric(float64(over.Microseconds())/float64(b.N), "µs/hint")
}
