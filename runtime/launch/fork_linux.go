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
	idle chan *thread // threads without work; its capacity is that of all
	// unshare gives the calling thread an umask of its own, own a table of descriptors;
	// tests take them away.
	unshare func() error
	own     func(*fdTable) error
	wg      sync.WaitGroup // the threads

	mu      sync.Mutex
	threads int
}

// thread is a forking thread.
type thread struct {
	jobs chan func() // closed when the forker is

	// Written before the first job, and never changed.
	umask   int
	private bool // the umask is the thread's alone
	table   fdTable
	apart   bool // it has that table
}

func (f *forker) init() {
	f.idle = make(chan *thread, maxThreads())
	f.unshare = func() error { return unix.Unshare(unix.CLONE_FS) }
	f.own = (*fdTable).own
}

// close ends the threads once the forks under way are done. There must be no further.
func (f *forker) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range f.threads {
		t := <-f.idle
		close(t.jobs)
		if t.apart {
			t.table.close()
		}
	}
	f.wg.Wait()
}

// start starts c with these descriptors, which stay the caller's, on one of the threads.
func (f *forker) start(c *Command, files []int) (pid int, err error) {
	f.onThread(files, func(t *thread, files []int, failed error) {
		if failed != nil {
			err = &Error{Stage: StageFork, Err: failed, Name: c.Name}
			return
		}
		pid, err = t.start(c, files)
		if c.Forked != nil {
			c.Forked()
		}
	})
	return pid, err
}

// start starts c with these descriptors of the thread's table.
func (t *thread) start(c *Command, files []int) (pid int, err error) {
	try := tryPlain
	var place func(*syscall.SysProcAttr)
	if c.Cgroup != "" {
		fd, err := unix.Open(c.Cgroup, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return 0, &Error{Stage: StageFork, Err: err, Name: c.Name}
		}
		defer unix.Close(fd)
		try, place = tryCgroup, func(sys *syscall.SysProcAttr) { sys.UseCgroupFD, sys.CgroupFD = true, fd }
	}
	t.withUmask(c.Umask, func() { pid, err = spawn(c, files, try, place) })
	return pid, err
}

// onThread has job done by one of the threads, with these descriptors as that one knows
// them, or why it cannot have them, and returns when it is done.
func (f *forker) onThread(files []int, job func(t *thread, files []int, failed error)) {
	t := f.thread()
	defer func() { f.idle <- t }()
	done := make(chan struct{})
	var err error
	over := t.apart && len(files) > 0
	if over {
		err = t.table.send(files)
	}
	t.jobs <- func() {
		defer close(done)
		if over && err == nil {
			files, err = t.table.receive(len(files))
			defer closeFiles(files)
		}
		job(t, files, err)
	}
	<-done
}

// maxThreads is how many forks may be under way at once. More would gain nothing: a
// fork occupies its processor until the program is executed.
func maxThreads() int { return min(goruntime.GOMAXPROCS(0), 4) }

// thread is one that has no work. It is the caller's until he puts it back.
func (f *forker) thread() *thread {
	select {
	case t := <-f.idle:
		return t
	default:
	}
	f.mu.Lock()
	more := f.threads < cap(f.idle)
	if more {
		f.threads++
	}
	f.mu.Unlock()
	if !more {
		return <-f.idle
	}
	t := &thread{jobs: make(chan func())}
	ready := make(chan struct{})
	f.wg.Go(func() { f.work(t, ready) })
	<-ready
	if t.apart {
		t.table.made()
	}
	return t
}

// work is one thread, which is ready when that channel is closed. It is never unlocked,
// so the thread ends with it, and no other goroutine runs with its umask and table.
func (f *forker) work(t *thread, ready chan<- struct{}) {
	goruntime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		// The first thread is what /proc/PID/cwd shows: it stays as it is.
		// While this goroutine holds it, another gets another thread.
		var other sync.WaitGroup
		other.Go(func() { f.work(t, ready) })
		other.Wait()
		goruntime.UnlockOSThread()
		return
	}
	// Nothing is blocked in a child, whatever the daemon was started with.
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil)
	if f.unshare() == nil {
		t.private = true
		t.umask = unix.Umask(0)
		unix.Umask(t.umask)
	}
	t.apart = f.own(&t.table) == nil
	close(ready)
	for job := range t.jobs {
		job()
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
	which := pid // looked for by its number: to look through all children takes longer the more there are
	if err != nil {
		which = -1
	}
	dead, status := reapFailed(which)
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

// reapFailed waits for the child of this thread that has not executed its program, by
// its number or, with -1, whichever it is. It returns at once, with pid 0, if there is none.
func reapFailed(which int) (pid int, status syscall.WaitStatus) {
	for {
		pid, err := syscall.Wait4(which, &status, ownClones, nil)
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
