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

// Run runs a command of the daemon's own, with its environment and nothing on its
// standard input, and returns its standard output and exit status once it has ended.
// One that lives when the context ends is killed, and the error is the context's. It
// may be called whether or not somebody calls Reap, and not from a goroutine that must
// not wait. argv[0] is an absolute path.
func Run(ctx context.Context, argv ...string) (output []byte, status int, err error) {
	return RunOn(ctx, nil, argv...)
}

// RunOn is Run with a file on the command's standard input.
func RunOn(ctx context.Context, input *os.File, argv ...string) (output []byte, status int, err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, 0, err
	}
	if input == nil {
		input = null
	}
	r, w, err := os.Pipe()
	if err != nil {
		null.Close()
		return nil, 0, err
	}
	return runHelper(ctx, argv[0], func() (pid int, stdout *os.File, err error) {
		defer null.Close()
		defer w.Close()
		pid, err = syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
			Env: os.Environ(), Files: []uintptr{input.Fd(), w.Fd(), null.Fd()}, Sys: &syscall.SysProcAttr{Setpgid: true},
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
	type result struct {
		pid    int
		stdout *os.File
		ended  chan syscall.WaitStatus
		output []byte
		err    error
	}
	forked, read := make(chan result, 1), make(chan result, 1)
	go func() { // ends with the command, or with the disk that it is on
		pid, r, ended, err := startHelper(fork)
		if r != nil {
			defer r.Close()
		}
		forked <- result{pid: pid, stdout: r, ended: ended, err: err}
		if err != nil {
			return
		}
		text, err := io.ReadAll(io.LimitReader(r, maxHelperOutput))
		read <- result{output: text, err: err}
	}()
	var child result
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
	select {
	case all := <-read:
		if all.err != nil {
			endHelper(child.pid, child.ended)
			return nil, 0, all.err
		}
		how, err := waitHelper(ctx, child.pid, child.ended)
		if err != nil {
			endHelper(child.pid, child.ended)
			return nil, 0, err
		}
		if !how.Exited() {
			return nil, 0, errors.New(name + ": " + Describe(how))
		}
		return all.output, how.ExitStatus(), nil
	case <-ctx.Done():
		endHelper(child.pid, child.ended)
		child.stdout.Close() // which a child of its own may hold open for ever
		return nil, 0, ctx.Err()
	}
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

// waitHelper waits until a helper has ended, whoever collects it.
func waitHelper(ctx context.Context, pid int, ended chan syscall.WaitStatus) (syscall.WaitStatus, error) {
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
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
		case <-look.C:
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
