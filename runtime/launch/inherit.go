package launch

import (
	"os"
	"os/signal"
	goruntime "runtime"
	"strconv"
	"sync"
	"syscall"
)

// DefaultSignals sees to it that no child has a signal ignored because the
// daemon was started so: by nohup, by a shell in the background, by a parent
// that ignores SIGPIPE. A signal that is caught is reset by exec, one that is
// ignored is not; so those that the daemon found ignored it catches from now
// on, and does nothing. Call it once, before others ask for signals.
//
// Source: contract/differences.md section 3, row 5.
func DefaultSignals() {
	nowhere := make(chan os.Signal, 1) // nobody receives: the first waits, the rest are dropped
	for _, sig := range ignoredSignals() {
		signal.Notify(nowhere, sig)
	}
}

// ReserveThreads has n idle threads made now. Go ends the process when it needs
// a thread and cannot have one, so a daemon that is to live through a full
// process table must not need its first ones then.
func ReserveThreads(n int) {
	var ready, done sync.WaitGroup
	ready.Add(n)
	release := make(chan struct{})
	for range n {
		done.Go(func() {
			goruntime.LockOSThread()
			defer goruntime.UnlockOSThread()
			ready.Done()
			<-release
		})
	}
	ready.Wait()
	close(release)
	done.Wait()
}

// closeOnExecEach marks the descriptors that dir lists, from 3 up.
func closeOnExecEach(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	for _, name := range names {
		if fd, err := strconv.Atoi(name); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
	return err
}
