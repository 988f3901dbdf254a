package launch

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// helpers are the children that Run has started. Reap may collect them, too, and
// hands their statuses over.
var helpers = struct {
	mu       sync.Mutex
	starting int                             // Runs between fork and knowing the pid
	started  chan struct{}                   // closed when there is none; nil while there is none
	early    map[int]syscall.WaitStatus      // what ended meanwhile
	claimed  map[int]bool                    // of that, what was a helper, until Stranger is asked
	running  map[int]chan syscall.WaitStatus // capacity one
}{early: map[int]syscall.WaitStatus{}, claimed: map[int]bool{}, running: map[int]chan syscall.WaitStatus{}}

// maxHelperOutput is how much of a helper's output is taken, in bytes.
const maxHelperOutput = 1 << 20

// outputPatience is how long the output of a helper that has ended is still read: a child of
// its own may hold it open for ever.
const outputPatience = time.Second

// Run runs a command of the daemon's own, with its environment and nothing on its
// standard input, and returns its standard output and exit status once it has ended.
// What its children write later than a second after that is lost.
// One that lives when the context ends is killed, and the error is the context's. It
// may be called whether or not somebody calls Reap, and not from a goroutine that must
// not wait. argv[0] is an absolute path.
func Run(ctx context.Context, argv ...string) (output []byte, status int, err error) {
	return RunOn(ctx, nil, nil, argv...)
}

// RunOn is Run with a file on the command's standard input, and one for what it writes to
// its standard error; nil is none. It closes both when the command has been started or cannot
// be, which is after it has returned where a disk hangs.
func RunOn(ctx context.Context, input, stderr *os.File, argv ...string) (output []byte, status int, err error) {
	var r, w *os.File
	given := func() {
		for _, f := range []*os.File{input, w, stderr} {
			f.Close() // which says that it is none where it is nil
		}
	}
	for _, f := range []**os.File{&input, &stderr} {
		if *f != nil {
			continue
		}
		if *f, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
			given()
			return nil, 0, err
		}
	}
	if r, w, err = os.Pipe(); err != nil {
		given()
		return nil, 0, err
	}
	return runHelper(ctx, argv[0], func() (pid int, stdout *os.File, err error) {
		defer given()
		pid, err = syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
			Env: os.Environ(), Files: []uintptr{input.Fd(), w.Fd(), stderr.Fd()}, Sys: &syscall.SysProcAttr{Setpgid: true},
		})
		return pid, r, err
	})
}

// Run runs a command as Start would start it, with nothing on its standard input, and
// returns what it has written and its exit status once it has ended. For the rest it is as
// the function Run. What c points to must not be changed any more: a start on a disk that
// hangs outlives the context.
func (l *Launcher) Run(ctx context.Context, c Command) (output []byte, status int, err error) {
	c.RedirectStderr = true
	return runHelper(ctx, c.Path, func() (pid int, stdout *os.File, err error) {
		child, err := l.Start(c)
		if err != nil {
			return 0, nil, err
		}
		child.Stdin.Close()
		return child.PID, child.Stdout, nil
	})
}

// runHelper waits for a helper that fork starts, and for what it writes.
func runHelper(ctx context.Context, name string, fork func() (pid int, stdout *os.File, err error)) (output []byte, status int, err error) {
	type started struct {
		pid    int
		stdout *os.File
		ended  chan syscall.WaitStatus
		err    error
	}
	type text struct {
		output []byte
		err    error
	}
	forked, read := make(chan started, 1), make(chan text, 1)
	go func() { // ends with the output, or with the disk that the command is on
		pid, r, ended, err := startHelper(fork)
		if r != nil {
			defer r.Close()
		}
		forked <- started{pid, r, ended, err}
		if err != nil {
			return
		}
		output, err := io.ReadAll(io.LimitReader(r, maxHelperOutput))
		read <- text{output, err}
	}()
	var child started
	select {
	case child = <-forked:
	case <-ctx.Done():
		go func() { // ends with that disk
			if child := <-forked; child.err == nil {
				endHelper(child.pid, child.ended)
			}
		}()
		return nil, 0, ctx.Err()
	}
	if child.err != nil {
		return nil, 0, child.err
	}
	how, err := waitHelper(ctx, child.pid, child.ended)
	if err != nil {
		endHelper(child.pid, child.ended)
		child.stdout.Close()
		return nil, 0, err
	}
	late := time.AfterFunc(outputPatience, func() { child.stdout.Close() })
	all := <-read
	late.Stop()
	switch {
	case !how.Exited():
		return nil, 0, errors.New(name + ": " + Describe(how))
	case all.err != nil && !errors.Is(all.err, os.ErrClosed):
		return nil, 0, all.err
	}
	return all.output, how.ExitStatus(), nil
}

func startHelper(fork func() (int, *os.File, error)) (pid int, stdout *os.File, ended chan syscall.WaitStatus, err error) {
	helpers.mu.Lock()
	if helpers.starting++; helpers.starting == 1 {
		helpers.started = make(chan struct{})
	}
	helpers.mu.Unlock()
	pid, stdout, err = fork()
	helpers.mu.Lock()
	defer helpers.mu.Unlock()
	if err == nil {
		ended = make(chan syscall.WaitStatus, 1)
		if status, early := helpers.early[pid]; early {
			ended <- status
			delete(helpers.early, pid)
			helpers.claimed[pid] = true
		} else {
			helpers.running[pid] = ended
		}
	}
	if helpers.starting--; helpers.starting == 0 {
		clear(helpers.early)
		close(helpers.started)
		helpers.started = nil
	}
	return pid, stdout, ended, err
}

// reapedHelper hands the status of a helper over, and reports whether it was one, or
// may be one whose pid is not known yet.
func reapedHelper(pid int, status syscall.WaitStatus) (was, perhaps bool) {
	helpers.mu.Lock()
	defer helpers.mu.Unlock()
	if ended, is := helpers.running[pid]; is {
		ended <- status
		delete(helpers.running, pid)
		return true, false
	}
	if helpers.starting > 0 {
		helpers.early[pid] = status
		return false, true
	}
	return false, false
}

// Stranger reports whether an Exit that was PerhapsOurs was none of what Run has started.
// It waits until that is known, for as long as the disk of a command of Run's hangs; ask
// once.
func Stranger(pid int) bool {
	helpers.mu.Lock()
	started := helpers.started
	helpers.mu.Unlock()
	if started != nil {
		<-started
	}
	helpers.mu.Lock()
	defer helpers.mu.Unlock()
	was := helpers.claimed[pid]
	delete(helpers.claimed, pid)
	return !was
}

// waitHelper waits until a helper has ended. Whoever calls Reap collects it and hands its
// status over; where nobody does it is looked for, ever more seldom.
func waitHelper(ctx context.Context, pid int, ended chan syscall.WaitStatus) (syscall.WaitStatus, error) {
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		var status syscall.WaitStatus
		if got, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil); err == nil && got == pid {
			helpers.mu.Lock()
			delete(helpers.running, pid)
			helpers.mu.Unlock()
			return status, nil
		}
		select {
		case status := <-ended:
			return status, nil
		case <-time.After(pause):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// endHelper kills a helper that has not been collected, with its process group, and collects
// it when it ends.
func endHelper(pid int, ended chan syscall.WaitStatus) {
	helpers.mu.Lock()
	if helpers.running[pid] == ended {
		_ = syscall.Kill(-pid, syscall.SIGKILL) // it is there, or a zombie, and so the group is its own
	}
	helpers.mu.Unlock()
	go func() { // ends with it
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, _ = waitHelper(ctx, pid, ended)
	}()
}
