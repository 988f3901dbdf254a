// Command pidproxy runs a program that puts itself in the background, and passes
// the signals it gets to the process whose number that program writes to a file.
//
// Source: contract/process.md section 14.
//
// Differs: from 5 s after the start on it ends as soon as its child does, not up
// to 5 s later; a command that cannot be run, or a process that is not there, is
// one line on standard error; a pidfile that holds no positive number is
// unreadable.
package main

import (
	"fmt"
	"io"
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

	earliest := time.After(minLifetime)
	ended, err := start(argv[2:])
	if err != nil {
		fmt.Fprintf(stderr, "cannot run %s: %v\n", argv[2], err)
		return 1
	}
	var exit <-chan time.Time // nil while the command runs
	for {
		select {
		case <-ended:
			ended, exit = nil, earliest
		case <-exit:
			return 0
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

// minLifetime is how long pidproxy lives at least, unless a signal ends it. The
// original looks after its child every 5 s. Supervisor must not take a command
// that puts itself in the background at once for one that fails to start, and
// start it again and again.
const minLifetime = 5 * time.Second

// start runs a command, whose first word is a path, and closes ended when its
// process is gone. The goroutine that waits for it lives until then.
func start(argv []string) (ended <-chan struct{}, err error) {
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
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		child.Wait() // how it ended makes no difference here
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
SIGQUIT, and when the command ends, pidproxy ends too.

Usage: %s <pidfile name> <command> [<cmdarg1> ...]
`
