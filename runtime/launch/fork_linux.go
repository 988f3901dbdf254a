package launch

import (
	"errors"
	goruntime "runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// cloneUntilExec, or-ed with SIGCHLD as Go does, makes 49, a real-time signal
// without a meaning of its own: the termination signal of a child until execve
// sets it back to SIGCHLD. See the package comment.
const cloneUntilExec = 0x20

// ownClones makes wait4 see such children only, and of these only the calling
// thread's. The kernel takes 32 bits: an int of that size holds them as well, but
// no constant of it does.
var ownClones = waitOptions(unix.WCLONE | unix.WNOTHREAD)

func waitOptions(bits uint32) int { return int(bits) }

// forker forks, on threads of its own.
type forker struct {
	jobs chan func(*thread) // no buffer: a job taken is a job begun
	quit chan struct{}
	// unshare gives the calling thread an umask of its own; tests take it away.
	unshare func() error
	wg      sync.WaitGroup // the threads

	mu      sync.Mutex
	threads int
}

// thread is what a forking thread knows of itself.
type thread struct {
	// umask is the thread's, if it has one of its own.
	umask   int
	private bool
}

func (f *forker) init() {
	f.jobs = make(chan func(*thread))
	f.quit = make(chan struct{})
	f.unshare = func() error { return unix.Unshare(unix.CLONE_FS) }
}

func (f *forker) close() {
	close(f.quit)
	f.wg.Wait()
}

// start starts c on one of the threads.
func (f *forker) start(c *Command, p *pipes) (child *Child, err error) {
	try := tryPlain
	var place func(*syscall.SysProcAttr)
	if c.Cgroup != "" {
		fd, err := unix.Open(c.Cgroup, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			p.close()
			return nil, &Error{Stage: StageFork, Err: err, Name: c.Name}
		}
		defer unix.Close(fd)
		try, place = tryCgroup, func(sys *syscall.SysProcAttr) { sys.UseCgroupFD, sys.CgroupFD = true, fd }
	}
	f.onThread(func(t *thread) {
		t.withUmask(c.Umask, func() { child, err = spawn(c, p, try, place) })
	})
	return child, err
}

// onThread has job done by one of the threads and returns when it is done.
func (f *forker) onThread(job func(*thread)) {
	done := make(chan struct{})
	job1 := func(t *thread) { defer close(done); job(t) }
	select {
	case f.jobs <- job1:
	default:
		f.grow()
		f.jobs <- job1
	}
	<-done
}

// maxThreads is how many forks may go on at once. More would gain nothing: a
// fork occupies its processor until the program is executed.
func maxThreads() int { return min(goruntime.GOMAXPROCS(0), 4) }

// grow adds a thread if there may be one more.
func (f *forker) grow() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.threads < maxThreads() {
		f.threads++
		f.wg.Go(f.work) // close waits for it
	}
}

// work is one thread. It is never unlocked, so the thread ends with it, and no
// other goroutine runs with its umask.
func (f *forker) work() {
	goruntime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		// The first thread is what /proc/PID/cwd shows: it stays as it is.
		// While this goroutine holds it, another gets another thread.
		var other sync.WaitGroup
		other.Go(f.work)
		other.Wait()
		goruntime.UnlockOSThread()
		return
	}
	// Nothing is blocked in a child, whatever the daemon was started with.
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil)
	t := &thread{}
	if f.unshare() == nil {
		t.private = true
		t.umask = unix.Umask(0)
		unix.Umask(t.umask)
	}
	for {
		select {
		case job := <-f.jobs:
			job(t)
		case <-f.quit:
			return
		}
	}
}

// shared is for threads that were not allowed an umask of their own (the usual
// seccomp filter of containers forbids unshare): they take turns with the
// daemon's.
var shared umaskLock

// withUmask calls f while children get umask; -1 is the daemon's own.
func (t *thread) withUmask(umask int, f func()) {
	switch {
	case !t.private:
		shared.with(umask, f)
	case umask < 0:
		f()
	default:
		unix.Umask(umask)
		f()
		unix.Umask(t.umask)
	}
}

// tryPlain is an attempt with clone. A child that could not execute its program
// is left for us to wait for, which tells its pid. One that was killed before exec
// looks like a success to Go, and is recognised because it can be waited for.
func tryPlain(path string, argv []string, attr *syscall.ProcAttr) attempt {
	attr.Sys.Cloneflags |= cloneUntilExec
	pid, err := syscall.ForkExec(path, argv, attr)
	dead, status := reapFailed()
	switch {
	case dead == 0 && err == nil:
		return attempt{pid: pid, forked: yes}
	case dead == 0:
		return attempt{err: err, forked: no}
	case err == nil:
		err = errors.New(Describe(status))
	}
	return attempt{pid: dead, err: err, forked: yes}
}

// reapFailed waits for the child of this thread that has not executed its
// program, and returns at once, with pid 0, if there is none.
func reapFailed() (pid int, status syscall.WaitStatus) {
	for {
		pid, err := syscall.Wait4(-1, &status, ownClones, nil)
		switch {
		case err == nil:
			return pid, status
		case !errors.Is(err, unix.EINTR):
			return 0, 0
		}
	}
}

// reapMu keeps Reap from waiting for a failed child that ForkExec is about to wait
// for itself: forks with clone3 hold it shared, Reap exclusively.
var reapMu sync.RWMutex

// tryCgroup is an attempt with clone3. Once the attempt has been made to leave
// the cgroup, it is a plain one.
func tryCgroup(path string, argv []string, attr *syscall.ProcAttr) attempt {
	if !attr.Sys.UseCgroupFD {
		return tryPlain(path, argv, attr)
	}
	reapMu.RLock()
	defer reapMu.RUnlock()
	pid, err := syscall.ForkExec(path, argv, attr)
	if err == nil {
		return attempt{pid: pid, forked: yes}
	}
	return attempt{err: err}
}

func leaveCgroup(sys *syscall.SysProcAttr) { sys.UseCgroupFD = false }

func reapLock()   { reapMu.Lock() }
func reapUnlock() { reapMu.Unlock() }
