package launch

import (
	"io"
	"os"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A forking thread has a table of a few descriptors however many the daemon has, keeps
// nothing that was for a child, and children start where it could not have one, too.
func TestTableOfDescriptors(t *testing.T) {
	for range 100 {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
	}
	for _, own := range []bool{true, false} {
		l := launcher(t)
		if !own {
			l.forker.own = func(*fdTable) error { return unix.EPERM }
		}
		count := func() (n int) {
			l.forker.onThread(nil, func(*thread, []int, error) {
				entries, err := os.ReadDir("/proc/thread-self/fd") // which opens one itself
				if err != nil {
					t.Error(err)
				}
				n = len(entries)
			})
			return n
		}
		before := count()
		switch {
		case own && before > 10:
			t.Errorf("%d descriptors in a table of its own", before)
		case !own && before < 200:
			t.Errorf("%d descriptors in the daemon's table", before)
		}
		child := start(t, l, cat())
		if n := count(); own && n != before {
			t.Errorf("%d descriptors after a start, %d before", n, before)
		}
		if _, err := child.Stdin.WriteString("words"); err != nil {
			t.Fatal(err)
		}
		child.Stdin.Close()
		if text, err := io.ReadAll(child.Stdout); err != nil || string(text) != "words" { // whose end nobody else has
			t.Errorf("%q, %v", text, err)
		}
		awaitExit(t, child.PID)

		missing := cat()
		missing.Path = "/no/such/program"
		if _, err := l.Start(missing); err == nil {
			t.Error("a program that is missing was started")
		}
		redirected := cat()
		redirected.RedirectStderr = true
		child = start(t, l, redirected)
		if err := Signal(child.PID, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		awaitExit(t, child.PID)
		if n := count(); own && n != before {
			t.Errorf("%d descriptors at the end, %d before", n, before)
		}
	}
}

// TestLeaveOut: an epoll instance that a program before has left is kept by no forking thread.
func TestLeaveOut(t *testing.T) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	defer LeaveOut(nil)
	for _, left := range []bool{false, true} {
		if left {
			LeaveOut([]int{fd})
		}
		kept, err := pollerDescriptors()
		if err != nil || slices.Contains(kept, fd) == left {
			t.Errorf("left out %v: %d is in %v, %v", left, fd, kept, err)
		}
	}
}
