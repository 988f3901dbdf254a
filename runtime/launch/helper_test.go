package launch

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// keepReaping reaps, and hands over what it sees, until stop is called.
func keepReaping(see func(Exit)) (stop func()) {
	done := make(chan struct{})
	var reaper sync.WaitGroup
	reaper.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			for _, e := range Reap(100) {
				see(e)
			}
			time.Sleep(time.Microsecond)
		}
	})
	return func() {
		close(done)
		reaper.Wait()
	}
}

// A helper's output and status come back whether or not somebody reaps meanwhile, and
// whoever reaps never sees it.
func TestRun(t *testing.T) {
	for _, reaping := range []bool{false, true} {
		stop := func() {}
		var seen []Exit
		if reaping {
			stop = keepReaping(func(e Exit) { seen = append(seen, e) })
		}
		dir := t.TempDir()
		gate := filepath.Join(dir, "gate")
		var all sync.WaitGroup
		const n = 20
		for i := range n {
			all.Go(func() {
				out, status, err := Run(context.Background(), "/bin/sh", "-c", `: >"$3/$$"; until [ -e "$2" ]; do sleep 0.01; done; echo said; exit $1`, "sh", string(rune('0'+i%10)), gate, dir)
				if string(out) != "said\n" || status != i%10 || err != nil {
					t.Errorf("reaping %v: %q, %d, %v", reaping, out, status, err)
				}
			})
		}
		for limit := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			helpers.mu.Lock()
			running := len(helpers.running)
			helpers.mu.Unlock()
			if running == n {
				break
			}
			if time.Now().After(limit) {
				t.Fatalf("%d of %d helpers run", running, n)
			}
		}
		if err := os.WriteFile(gate, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		all.Wait()
		stop()
		seen = slices.DeleteFunc(seen, func(e Exit) bool { // what other tests have left behind
			_, err := os.Stat(filepath.Join(dir, strconv.Itoa(e.PID)))
			return err != nil
		})
		if len(seen) > 0 || len(helpers.running) > 0 {
			t.Errorf("reaping %v: the reaper sees %v; %d are left", reaping, seen, len(helpers.running))
		}
	}
}

// What ended before its pid was known is returned by Reap, since it may be a child of
// another kind, and is then known to be none.
func TestHelperThatEndsAtOnce(t *testing.T) {
	dir := t.TempDir()
	reaped := make(chan Exit, 1)
	stop := keepReaping(func(e Exit) {
		if _, err := os.Stat(filepath.Join(dir, strconv.Itoa(e.PID))); err != nil {
			return // what other tests have left behind
		}
		reaped <- e
		if Stranger(e.PID) { // which waits until its pid is known
			t.Errorf("%d is taken for a stranger", e.PID)
		}
	})
	out, status, err := runHelper(t.Context(), "sh", func() (pid int, stdout *os.File, err error) {
		r, w, err := os.Pipe()
		if err != nil {
			return 0, nil, err
		}
		defer w.Close()
		pid, err = syscall.ForkExec("/bin/sh", []string{"sh", "-c", `: >"$1/$$"; echo said; exit 3`, "sh", dir},
			&syscall.ProcAttr{Files: []uintptr{0, w.Fd(), 2}})
		if err == nil {
			if e := <-reaped; e.PID != pid || !e.PerhapsOurs {
				t.Errorf("%d was reaped as %+v", pid, e)
			}
		}
		return pid, r, err
	})
	if string(out) != "said\n" || status != 3 || err != nil {
		t.Errorf("%q, %d, %v", out, status, err)
	}
	stop()
	helpers.mu.Lock()
	defer helpers.mu.Unlock()
	if len(helpers.claimed) > 0 || len(helpers.early) > 0 || helpers.started != nil {
		t.Errorf("left: %v, %v", helpers.claimed, helpers.early)
	}
}

// TestRunAsAProgram: a command of the configuration is run as Start would run it.
func TestRunAsAProgram(t *testing.T) {
	dir := t.TempDir()
	l := launcher(t)
	c := Command{Name: "probe", Path: "/bin/sh", Args: []string{"sh", "-c", "echo said >&2; pwd; echo $A; umask; read x || exit 3"},
		Env: []string{"A=b"}, Dir: dir, HasDir: true, Umask: 0o27, UID: -1, GID: -1}
	out, status, err := l.Run(context.Background(), c)
	if want := "said\n" + dir + "\nb\n0027\n"; string(out) != want || status != 3 || err != nil {
		t.Errorf("%q, %d, %v, want %q and 3", out, status, err, want)
	}
	// One that hangs is killed with its children.
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	c.Args = []string{"sh", "-c", "exec 9>" + fifo + "; sleep 1000 & exec sleep 1000"}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { // ends when nobody has the other end open any more
		defer close(ended)
		f, err := os.Open(fifo)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		cancel()
		io.Copy(io.Discard, f)
	}()
	if _, _, err := l.Run(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("it hangs: %v", err)
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("a child of a command that hangs has gone on")
	}
	c.Path, c.Args = "/no/such/command", []string{"x"}
	if _, _, err := l.Run(context.Background(), c); err == nil {
		t.Error("a command that is not there runs")
	}
}

func TestRunFails(t *testing.T) {
	if _, _, err := Run(context.Background(), "/no/such/command"); err == nil {
		t.Error("a command that is not there runs")
	}
	if _, _, err := Run(context.Background(), "/bin/sh", "-c", "kill -9 $$"); err == nil || !strings.Contains(err.Error(), "SIGKILL") {
		t.Errorf("one that was killed: %v", err)
	}
	// Its child keeps the pipe open.
	for _, script := range []string{"exec sleep 1000", "sleep 1 & exec sleep 1000", "exec >/dev/null; exec sleep 1000"} {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		begun := time.Now()
		if _, _, err := Run(ctx, "/bin/sh", "-c", script); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 30*time.Second {
			t.Errorf("%s: %v after %v", script, err, time.Since(begun))
		}
	}
	for limit := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		helpers.mu.Lock()
		n := len(helpers.running)
		helpers.mu.Unlock()
		if n == 0 {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("%d helpers outlive their time", n)
		}
	}
}

// TestRunLeavesNothingOpen: a command that has ended counts as ended although a child of its
// own holds its output open, and what it wrote is taken; the pipe is closed.
func TestRunLeavesNothingOpen(t *testing.T) {
	count := func() int {
		list, err := os.ReadDir("/dev/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	before := count()
	pid := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, status, err := Run(ctx, "/bin/sh", "-c", `echo said; sleep 1000 & echo $! >"$1"; exit 3`, "sh", pid)
	if string(out) != "said\n" || status != 3 || err != nil {
		t.Errorf("%q, %d, %v", out, status, err)
	}
	text, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(child, syscall.SIGKILL); err != nil {
		t.Errorf("its child: %v", err)
	}
	for limit := time.Now().Add(time.Minute); count() > before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%d descriptors are open, before there were %d", count(), before)
		}
	}
}
