package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"supervisord/cmd/internal/host"
	"supervisord/cmd/internal/systemd"
	"supervisord/runtime/logfile"
	"supervisord/spec"
)

// readyVariable names, in the environment of the process that becomes the
// daemon, the descriptor on which it tells the one that started it that it is
// up. Go cannot fork without exec, so the daemon is this program once more.
const readyVariable = "_SUPERVISORD_READY_FD"

// givenVariable names the descriptor from which the daemon reads what the one that
// started it has read of a main file which cannot be read again.
const givenVariable = "_SUPERVISORD_CONFIG_FD"

// background runs this program again as the daemon and waits until that is up
// or has failed; it returns the exit status for the caller's shell. Mistakes go
// to standard error, which both share until then. given is nil where the main file
// can be read again. The service manager is told which process is the daemon.
//
// Source: contract/config.md section 10, daemonize.
func background(argv0 string, given *host.Given, m *manager) int {
	ready, theirs, err := socketPair()
	if err != nil {
		return fail(fmt.Errorf("cannot daemonize: %w", err))
	}
	self, err := os.Executable()
	if err != nil {
		return fail(fmt.Errorf("cannot daemonize: %w", err))
	}
	cmd := exec.Command(self)
	cmd.Args = append([]string{argv0}, os.Args[1:]...)
	cmd.Env = append(os.Environ(), m.handOn())
	// A pipe keeps its number, and so does everything that we were started with:
	// the lock of flock(1), what /dev/fd/N in the configuration means.
	handOn := func(variable string, f *os.File) error {
		cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", variable, f.Fd()))
		_, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, 0)
		return err
	}
	if err := handOn(readyVariable, theirs); err != nil {
		return fail(fmt.Errorf("cannot daemonize: %w", err))
	}
	if given != nil {
		text, ours, err := os.Pipe()
		if err == nil {
			err = handOn(givenVariable, text)
		}
		if err != nil {
			return fail(fmt.Errorf("cannot daemonize: %w", err))
		}
		defer text.Close()
		go func() { // ends when all is read, or with this process
			defer ours.Close()
			ours.Write(given.Content()) // where the daemon is gone, that is told elsewhere
		}()
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fail(fmt.Errorf("cannot daemonize: %w", err))
	}
	theirs.Close()
	if n, _ := ready.Read(make([]byte, 1)); n == 1 {
		m.tell(systemd.MainPID(cmd.Process.Pid)) // it listens to the main process alone, which is still this one
		return 0
	}
	err = cmd.Wait()
	var status *exec.ExitError
	if errors.As(err, &status) && status.ExitCode() > 0 {
		return status.ExitCode()
	}
	return 1
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "Error:", err)
	return 1
}

// handedOn is a descriptor that background has left for the daemon, nil when it was not
// started by that. The variable is taken out of the environment, so that no child sees
// it.
func handedOn(variable string) *os.File {
	fd, err := strconv.Atoi(os.Getenv(variable))
	os.Unsetenv(variable)
	if err != nil || fd < 3 {
		return nil
	}
	unix.CloseOnExec(fd)
	logfile.Disown(fd)
	return os.NewFile(uintptr(fd), variable)
}

// detach cuts the daemon off from the terminal of the process that started it, which
// waits on.
func detach(d *spec.Daemon, log *slog.Logger) error {
	log.Info("daemonizing the supervisord process")
	if d.Directory != "" {
		if err := os.Chdir(d.Directory); err != nil {
			log.Log(context.Background(), levelCritical, fmt.Sprintf("can't chdir into '%s': %v", d.Directory, err))
		} else {
			log.Info(fmt.Sprintf("set current directory: '%s'", d.Directory))
		}
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for fd := range 3 {
		if err := unix.Dup2(int(null.Fd()), fd); err != nil {
			return err
		}
	}
	syscall.Umask(d.Umask)
	return nil
}

// tellReady releases the process that started the daemon, and closes gone once it has
// exited.
func tellReady(ready *os.File, gone chan<- struct{}) {
	ready.Write([]byte{1}) // it need not know if it no longer waits
	go func() {            // ends with who started the daemon
		defer close(gone)
		defer ready.Close()
		ready.Read(make([]byte, 1)) // he never writes
	}()
}

// socketPair are two ends of a connection, which no other program inherits.
func socketPair() (ours, theirs *os.File, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
	return os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs"), nil
}
