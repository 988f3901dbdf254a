package usage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeProc is a directory that looks like /proc.
type fakeProc string

func newProc(t *testing.T) fakeProc { return fakeProc(t.TempDir()) }

// process is one process in it.
type process struct {
	parent, group int
	state         string // "" is S
	cpu, reaped   int    // ticks
	threads       int    // 0 is one
	pages         int64
	files         int
}

func (f fakeProc) set(t *testing.T, pid int, p process) {
	t.Helper()
	dir := filepath.Join(string(f), strconv.Itoa(pid))
	if p.state == "" {
		p.state = "S"
	}
	stat := fmt.Sprintf("%d (a b) %s %d %d 1 0 -1 0 0 0 0 0 %d 0 %d 0 20 0 %d 0 4711 0 %d 0\n",
		pid, p.state, p.parent, p.group, p.cpu, p.reaped, max(p.threads, 1), p.pages)
	err := os.MkdirAll(filepath.Join(dir, "fd"), 0o700)
	for i := range p.files {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, "fd", strconv.Itoa(i)), nil, 0o600))
	}
	if err = errors.Join(err, os.WriteFile(filepath.Join(dir, "stat"), []byte(stat), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func (f fakeProc) remove(t *testing.T, pid int) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(string(f), strconv.Itoa(pid))); err != nil {
		t.Fatal(err)
	}
}

const self = 10

func root(name string, pid int) Root { return Root{Process{name, name}, pid} }

// TestMeasure: everything belongs to whom it should, and what has gone or makes no sense
// does no harm.
func TestMeasure(t *testing.T) {
	f := newProc(t)
	for pid, p := range map[int]process{
		1:    {group: 1, cpu: 1e6},
		self: {parent: 1, group: self, cpu: 70, reaped: 5000, threads: 9, pages: 3, files: 4},
		20:   {parent: self, group: 20, cpu: 100, reaped: 10, threads: 2, pages: 10, files: 3}, // web
		21:   {parent: 20, group: 20, cpu: 50, reaped: 5, pages: 5, files: 2},
		22:   {parent: 21, group: 22, cpu: 1, pages: 1},              // left the group, has its parents
		23:   {parent: 1, group: 20, cpu: 2, pages: 1, files: 1},     // lost its parents, is in the group
		24:   {parent: 23, group: 24, cpu: 3, pages: 1},              // child of that
		25:   {parent: 20, group: 20, state: "Z", cpu: 4, reaped: 1}, // not reaped yet
		26:   {parent: 1, group: 26, cpu: 1000, pages: 1000},         // left both
		30:   {parent: self, group: 30, cpu: 7, pages: 2, files: 1},  // a supervisor in itself
		31:   {parent: 30, group: 31, cpu: 8, pages: 2, files: 1},    // which has db, ours too
		32:   {parent: 31, group: 31, cpu: 9, pages: 2, files: 1},
		40:   {parent: self, group: 40, cpu: 500},                  // a helper of ours
		51:   {parent: 52, group: 51}, 52: {parent: 51, group: 51}, // a circle
		61: {parent: 60, group: 60, pages: 1}, // of a program that has gone
	} {
		f.set(t, pid, p)
	}
	if err := os.WriteFile(filepath.Join(string(f), "uptime"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(string(f), "99"), 0o700); err != nil { // it ends at this moment
		t.Fatal(err)
	}
	of, daemon, err := measure(string(f), self, []Root{root("web", 20), root("nested", 30), root("db", 31), root("gone", 60)})
	if err != nil {
		t.Fatal(err)
	}
	const tick = 10 * time.Millisecond
	want := map[Process]Usage{
		{"web", "web"}:       {PID: 20, CPU: 176 * tick, Resident: 18 * pageSize, Threads: 6, Descriptors: 6, Processes: 5},
		{"nested", "nested"}: {PID: 30, CPU: 7 * tick, Resident: 2 * pageSize, Threads: 1, Descriptors: 1, Processes: 1},
		{"db", "db"}:         {PID: 31, CPU: 17 * tick, Resident: 4 * pageSize, Threads: 2, Descriptors: 2, Processes: 2},
	}
	if d := cmp.Diff(want, of); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(Usage{PID: self, CPU: 70 * tick, Resident: 3 * pageSize, Threads: 9, Descriptors: 4, Processes: 1}, daemon); d != "" {
		t.Error(d)
	}
	if _, _, err := measure(filepath.Join(string(f), "nowhere"), self, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without /proc: %v", err)
	}
}

// TestMeasureThisMachine: a real shell and its child.
func TestMeasureThisMachine(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc here")
	}
	sh := exec.Command("/bin/sh", "-c", "cat; exit") // so that it stays the shell
	in, err := sh.StdinPipe()
	if err == nil {
		err = sh.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer sh.Wait()
	defer in.Close()
	for deadline := time.Now().Add(time.Minute); ; {
		of, daemon, err := measure("/proc", os.Getpid(), []Root{root("sh", sh.Process.Pid)})
		u := of[Process{"sh", "sh"}]
		if err == nil && u.Processes == 2 && u.Threads == 2 && u.Resident > 2*pageSize && u.Descriptors >= 6 && u.PID == sh.Process.Pid &&
			daemon.Threads > 1 && daemon.Descriptors > 3 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v, %+v, %v", u, daemon, err)
		}
	}
}

// sampler makes one of a /proc in which web runs as 20.
func sampler(f fakeProc) *Sampler {
	return New(Options{Proc: string(f), Roots: func(context.Context) ([]Root, error) { return []Root{root("web", 20)}, nil }})
}

func sample(t *testing.T, s *Sampler) Usage {
	t.Helper()
	got, err := s.Sample(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got.Of[Process{"web", "web"}]
}

// TestSampleIsKept: what was read serves for five seconds.
func TestSampleIsKept(t *testing.T) {
	f := newProc(t)
	f.set(t, 20, process{pages: 1})
	synctest.Test(t, func(t *testing.T) {
		s := sampler(f)
		sample(t, s)
		f.set(t, 20, process{pages: 2})
		time.Sleep(Kept - 1)
		if u := sample(t, s); u.Resident != pageSize {
			t.Errorf("before: %d bytes", u.Resident)
		}
		time.Sleep(1 * time.Nanosecond)
		if u := sample(t, s); u.Resident != 2*pageSize {
			t.Errorf("after: %d bytes", u.Resident)
		}
	})
}

// TestCPUNeverFalls while one run lasts, whoever ends, and begins anew with the next.
func TestCPUNeverFalls(t *testing.T) {
	f := newProc(t)
	synctest.Test(t, func(t *testing.T) {
		pid := 20
		s := New(Options{Proc: string(f), Roots: func(context.Context) ([]Root, error) { return []Root{root("web", pid)}, nil }})
		read := func(want time.Duration) {
			t.Helper()
			if u := sample(t, s); u.CPU != want {
				t.Errorf("%v, want %v", u.CPU, want)
			}
			time.Sleep(Kept)
		}
		f.set(t, 20, process{cpu: 100})
		f.set(t, 21, process{parent: 20, cpu: 200})
		read(3 * time.Second)
		f.remove(t, 21) // and nobody waits for it
		f.set(t, 20, process{cpu: 150})
		read(3 * time.Second)
		f.set(t, 20, process{cpu: 250})
		read(4 * time.Second)
		f.remove(t, 20)
		read(0)
		pid = 30
		f.set(t, 30, process{cpu: 1})
		read(10 * time.Millisecond)
	})
}

// TestSilentProc: those who ask are told so in time, share one reading, and get figures
// once it has answered.
func TestSilentProc(t *testing.T) {
	f := newProc(t)
	f.set(t, 20, process{pages: 1})
	synctest.Test(t, func(t *testing.T) {
		answers := make(chan struct{})
		var asked atomic.Int32
		s := New(Options{Proc: string(f), Roots: func(context.Context) ([]Root, error) {
			asked.Add(1)
			<-answers
			return []Root{root("web", 20)}, nil
		}})
		began := time.Now()
		for range 3 {
			if _, err := s.Sample(t.Context()); !errors.Is(err, errSilent) {
				t.Error(err)
			}
		}
		if took := time.Since(began); took != patience || asked.Load() != 1 {
			t.Errorf("%d readings, %v", asked.Load(), took)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Sample(gone); err == nil {
			t.Error("somebody who has gone gets a sample")
		}
		close(answers)
		synctest.Wait()
		time.Sleep(Kept)
		if u := sample(t, s); u.Resident != pageSize || asked.Load() != 2 {
			t.Errorf("%d bytes, %d readings", u.Resident, asked.Load())
		}
	})
}

// TestNowhere: on other systems there is nothing to read.
func TestNowhere(t *testing.T) {
	s := sampler("")
	s.opt.Proc = ""
	if _, err := s.Sample(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}

// TestHistory begins when somebody looks, has the points of the last quarter of an hour,
// and ends when nobody looks any more.
func TestHistory(t *testing.T) {
	f := newProc(t)
	web, db := Process{"web", "web"}, Process{"db", "db"}
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // guards the following
		roots, reads := []Root{root("web", 20)}, 0
		s := New(Options{Proc: string(f), Roots: func(context.Context) ([]Root, error) {
			mu.Lock()
			defer mu.Unlock()
			reads++
			return slices.Clone(roots), nil
		}})
		locked := func(do func()) {
			mu.Lock()
			defer mu.Unlock()
			do()
		}
		ctx, cancel := context.WithCancel(t.Context())
		go s.Run(ctx)
		defer synctest.Wait()
		defer cancel()

		f.set(t, 20, process{cpu: 500, pages: 1})
		time.Sleep(time.Hour)
		locked(func() {
			if reads != 0 {
				t.Fatal("somebody was measured unseen")
			}
		})
		s.History(t.Context())
		synctest.Wait()
		f.set(t, 20, process{cpu: 500 + 2500, pages: 3})
		f.set(t, 30, process{cpu: 100, pages: 4})
		locked(func() { roots = append(roots, root("db", 30)) })
		time.Sleep(Interval)
		synctest.Wait()
		h := s.History(t.Context())
		want := map[Process][]Point{web: {{0, pageSize}, {2.5, 3 * pageSize}}, db: {{}, {0.1, 4 * pageSize}}}
		if d := cmp.Diff(want, h.Of); d != "" || h.Times[1].Sub(h.Times[0]) != Interval {
			t.Errorf("%v\n%s", h.Times, d)
		}

		locked(func() { roots = roots[:1] })
		f.remove(t, 20)
		f.set(t, 20, process{cpu: 50, pages: 1}) // the same pid by chance
		time.Sleep(Span - Interval)
		synctest.Wait()
		h = s.History(t.Context())
		points := h.Of[web]
		if len(h.Times) != maxPoints || len(points) != maxPoints || len(h.Of[db]) != maxPoints || points[0].CPU != 2.5 || points[1].CPU != 0 {
			t.Errorf("%d times, %v, %v", len(h.Times), points, h.Of[db])
		}
		time.Sleep(Interval)
		synctest.Wait()
		if got := slices.Collect(maps.Keys(s.History(t.Context()).Of)); !slices.Equal(got, []Process{web}) {
			t.Errorf("after what was removed has passed: %v", got)
		}

		time.Sleep(Span + Interval)
		synctest.Wait()
		var before int
		locked(func() { before = reads })
		time.Sleep(time.Hour)
		mu.Lock()
		defer mu.Unlock()
		if reads != before || len(s.history.Load().Times) != 0 {
			t.Errorf("%d readings and %d points in an hour in which nobody looked", reads-before, len(s.history.Load().Times))
		}
	})
}

// BenchmarkMeasure is of 1,000 programs that run, on a /proc that does too.
func BenchmarkMeasure(b *testing.B) {
	pids, err := numbers("/proc")
	if err != nil {
		b.Skip(err)
	}
	var roots []Root
	for _, pid := range pids {
		roots = append(roots, root(strconv.Itoa(pid), pid))
	}
	for b.Loop() {
		if _, _, err := measure("/proc", os.Getpid(), roots); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(roots)), "processes")
}
