package launch

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// With no descriptor left a start fails with Supervisor's text, leaks nothing,
// and works again when there are some.
func TestTooManyOpenFiles(t *testing.T) {
	want := "too many open files to spawn 'cat'\nnothing leaked\nstarted\n"
	if d := cmp.Diff(want, playing(t, "filled", nil)); d != "" {
		t.Error(d)
	}
}

func playFilled([]string) {
	check(unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: 64}))
	l := New()
	if child := must(l.Start(cat())); child != nil { // the poller and the threads are there now
		closeAll(child)
		must(unix.Wait4(child.PID, nil, 0, nil))
	}
	var held []int
	for {
		fd, err := syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			break
		}
		held = append(held, fd)
	}
	texts := map[string]int{}
	for free := range 16 { // one step further in each time
		before := countFDs(held[:free])
		child, err := l.Start(cat())
		if err == nil {
			closeAll(child)
			must(unix.Wait4(child.PID, nil, 0, nil))
		} else {
			texts[err.(*Error).SpawnErr()]++
		}
		if after := countFDs(held[:free]); after != before {
			fmt.Printf("%d descriptors open before, %d after %v\n", before, after, err)
		}
		check(syscall.Close(held[free]))
		held[free] = -1
	}
	for text := range texts {
		fmt.Println(text)
	}
	fmt.Println("nothing leaked")
	if _, err := l.Start(cat()); err == nil {
		fmt.Println("started")
	}
}

// countFDs counts open descriptors without opening one.
func countFDs([]int) int {
	n := 0
	for fd := range 64 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			n++
		}
	}
	return n
}

// With the process table full a start fails with Supervisor's text and works
// again when there is room.
func TestTooManyProcesses(t *testing.T) {
	if !root(t) {
		return
	}
	want := "Too many processes in process table to spawn 'cat'\nfork false\nstarted\n"
	if d := cmp.Diff(want, playing(t, "crowded", nil)); d != "" {
		t.Error(d)
	}
}

func playCrowded([]string) {
	ReserveThreads(10)
	l := New()
	if child := must(l.Start(cat())); child != nil {
		closeAll(child)
		must(unix.Wait4(child.PID, nil, 0, nil))
	}
	var old unix.Rlimit
	check(unix.Getrlimit(unix.RLIMIT_NPROC, &old))
	check(syscall.Setgroups(nil))
	check(syscall.Setgid(4242))
	check(syscall.Setuid(4242))
	check(unix.Setrlimit(unix.RLIMIT_NPROC, &unix.Rlimit{Cur: 1, Max: old.Max}))
	_, err := l.Start(cat())
	e := err.(*Error)
	fmt.Println(e.SpawnErr())
	fmt.Println(e.Stage, e.InChild())
	check(unix.Setrlimit(unix.RLIMIT_NPROC, &old))
	if _, err := l.Start(cat()); err == nil {
		fmt.Println("started")
	}
}

// Many starts, each from a goroutine of its own, do not make as many threads: 400, or a
// thousand with FULL_SIZE=1.
func TestThreadsStayFew(t *testing.T) {
	l := launcher(t)
	var all sync.WaitGroup
	before, most := threads(t), 0
	starts := size(400, 1000)
	for i := range starts {
		all.Go(func() {
			c := Command{Name: "true", Path: "/bin/true", Args: []string{"true"}, Umask: i % 512, UID: -1, GID: -1}
			child, err := l.Start(c)
			if err != nil {
				t.Error(err)
				return
			}
			closeAll(child)
		})
		most = max(most, threads(t))
	}
	reapAll(t, starts)
	all.Wait()
	most = max(most, threads(t))
	if most > before+200 { // Go has more of its own on a busy machine
		t.Errorf("%d threads, %d before", most, before)
	}
}

func threads(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// Close ends the Launcher's threads; the children live on.
func TestCloseEndsThreads(t *testing.T) {
	l := New()
	child := start(t, l, cat())
	tids := make(chan int, maxThreads())
	var together, all sync.WaitGroup
	together.Add(maxThreads())
	for range maxThreads() {
		all.Go(func() {
			l.forker.onThread(nil, func(*thread, []int, error) {
				tids <- unix.Gettid()
				together.Done()
				together.Wait() // so that each is another's
			})
		})
	}
	all.Wait()
	l.Close()
	for range maxThreads() {
		tid := <-tids
		eventually(t, "the thread has ended", func() bool {
			_, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", tid))
			return errors.Is(err, os.ErrNotExist)
		})
	}
	if err := Signal(child.PID, syscall.SIGKILL); err != nil {
		t.Errorf("the child did not outlive its Launcher: %v", err)
	}
	awaitExit(t, child.PID)
}
