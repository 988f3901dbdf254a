// Command pidproxy runs a program that puts itself in the background, and passes
// the signals it gets to the process whose number that program writes to a file.
//
// Source: contract/process.md section 14.
//
// Differs: it ends as soon as its child has failed, not up to 5 s later; when its
// child has put a process in the background, it ends with that; a command that
// cannot be run, or a process that is not there, is one line on standard error; a
// pidfile that holds no positive number is unreadable.
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}

// run is the whole program; it returns the exit status.
func run(argv []string, stdout, stderr io.Writer) int {
	if len(argv) < 3 {
		fmt.Fprintf(stdout, usage, argv[0])
		return 1
	}
	signals := make(chan os.Signal, 16) // so that a burst is not lost
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGQUIT)

	began := time.Now()
	ended, err := start(argv[2:])
	if err != nil {
		fmt.Fprintf(stderr, "cannot run %s: %v\n", argv[2], err)
		return 1
	}
	var daemon *os.Process    // that the command has left behind
	var look <-chan time.Time // after it; nil while the command runs
	for {
		select {
		case ok := <-ended:
			if !ok {
				return 0
			}
			ended = nil
			look = time.Tick(lookEvery)
		case <-look:
			if daemon == nil || !alive(daemon) {
				daemon = leftBehind(argv[1], began)
			}
			if daemon == nil && time.Since(began) > patience {
				return 0
			}
		case sig := <-signals:
			pid, err := readPID(argv[1])
			if err != nil {
				fmt.Fprintf(stdout, "Can't read child pidfile %s!\n", argv[1])
				continue
			}
			if err := pass(sig, pid); err != nil {
				fmt.Fprintf(stderr, "cannot signal process %d of %s: %v\n", pid, argv[1], err)
			}
			switch sig {
			case syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT:
				return 0
			}
		}
	}
}

const (
	// patience is how long after the start a pidfile may still appear. The original
	// looks after its child every 5 s, so that what lives shorter shows as long.
	patience  = 5 * time.Second
	lookEvery = 200 * time.Millisecond
)

// leftBehind is the process that a pidfile names, nil if there is none: the file
// must have been written since the command began, since one from an earlier life
// may name anybody.
func leftBehind(path string, began time.Time) *os.Process {
	info, err := os.Stat(path)
	if err != nil || info.ModTime().Before(began.Add(-time.Second)) { // file times are coarse
		return nil
	}
	pid, err := readPID(path)
	if err != nil {
		return nil
	}
	p, err := os.FindProcess(pid)
	if err != nil || !alive(p) {
		return nil
	}
	return p
}

// alive reports whether a process is there, whosever it is.
func alive(p *os.Process) bool {
	err := p.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, fs.ErrPermission)
}

// start runs a command, whose first word is a path. When its process is gone,
// ended tells whether with exit status 0. The goroutine that waits for it lives
// until then.
func start(argv []string) (ended <-chan bool, err error) {
	path, err := filepath.Abs(argv[0])
	if err != nil {
		return nil, err
	}
	child, err := os.StartProcess(path, argv, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		return nil, err
	}
	gone := make(chan bool, 1) // so that the goroutine waits for nobody
	go func() {
		state, err := child.Wait()
		gone <- err == nil && state.Success()
	}()
	return gone, nil
}

// readPID is the process number that a pidfile holds.
func readPID(path string) (int, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0, err
	}
	if pid <= 0 { // would mean a whole process group, or every process
		return 0, fmt.Errorf("%d is no process", pid)
	}
	return pid, nil
}

// pass sends a signal to a process that is not our child.
func pass(sig os.Signal, pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	defer p.Release()
	return p.Signal(sig)
}

const usage = `pidproxy -- run a command and hand on signals to the process in its pidfile.

The command is started as it is written, without a search in PATH. When pidproxy
gets SIGTERM, SIGHUP, SIGINT, SIGUSR1, SIGUSR2 or SIGQUIT, it reads the pidfile
and sends the same signal to the process named there. After SIGTERM, SIGINT and
SIGQUIT, and when the command fails, pidproxy ends too. A command that succeeds may
have put itself in the background: then pidproxy ends with the process in the
pidfile, which the command must have written within 5 seconds.

Usage: %s <pidfile name> <command> [<cmdarg1> ...]
`
