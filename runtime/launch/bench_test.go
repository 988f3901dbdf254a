package launch

import (
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A start of /bin/true and its reaping, all but the work of /bin/true itself
// being ours.
func BenchmarkStart(b *testing.B) {
	l := launcher(b)
	c := Command{Name: "true", Path: "/bin/true", Args: []string{"true"}, Umask: -1, UID: -1, GID: -1}
	b.ReportAllocs()
	for b.Loop() {
		child, err := l.Start(c)
		if err != nil {
			b.Fatal(err)
		}
		closeAll(child)
		reapOne(b)
	}
}

// The same with an umask, which costs two system calls.
func BenchmarkStartUmask(b *testing.B) {
	l := launcher(b)
	c := Command{Name: "true", Path: "/bin/true", Args: []string{"true"}, Umask: 0o27, UID: -1, GID: -1}
	b.ReportAllocs()
	for b.Loop() {
		child, err := l.Start(c)
		if err != nil {
			b.Fatal(err)
		}
		closeAll(child)
		reapOne(b)
	}
}

// What it is to be compared with: the same through os/exec.
func BenchmarkOSExec(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		c := exec.Command("/bin/true")
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		in, err := c.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		out, err := c.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		errs, err := c.StderrPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Start(); err != nil {
			b.Fatal(err)
		}
		in.Close()
		out.Close()
		errs.Close()
		if err := c.Wait(); err != nil {
			b.Fatal(err)
		}
	}
}

// Starts from many goroutines at once, as at boot, reaped in one place.
func BenchmarkStartMany(b *testing.B) {
	l := launcher(b)
	c := Command{Name: "true", Path: "/bin/true", Args: []string{"true"}, Umask: -1, UID: -1, GID: -1}
	b.ReportAllocs()
	var starts sync.WaitGroup
	gate := make(chan struct{}, 64)
	n := 0
	for b.Loop() {
		n++
		gate <- struct{}{}
		starts.Go(func() {
			if child, err := l.Start(c); err != nil {
				b.Error(err)
			} else {
				closeAll(child)
			}
			<-gate
		})
		n -= len(Reap(100))
	}
	starts.Wait()
	for ; n > 0; n-- {
		reapOne(b)
	}
}

func reapOne(b *testing.B) {
	for deadline := time.Now().Add(10 * time.Second); len(Reap(1)) == 0; {
		if time.Now().After(deadline) {
			b.Fatal("a child has been lost")
		}
	}
}
