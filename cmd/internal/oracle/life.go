package oracle

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// begin runs the command line.
func (d *Daemon) begin() {
	t := d.t
	t.Helper()
	cmd, exited := exec.Command(d.line[0], d.line[1:]...), make(chan struct{})
	d.cmd, d.exited, d.ended = cmd, exited, new(sync.Once)
	cmd.Dir = d.Dir
	cmd.Env = d.environ()
	cmd.ExtraFiles = d.in.Files
	if cmd.SysProcAttr = d.in.Attr; d.in.Attr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a signal to the test spares it until Cleanup
	}
	cmd.Stdout, cmd.Stderr = create(t, d.out), create(t, d.err)
	if err := cmd.Start(); err != nil {
		close(exited)
		t.Fatalf("cannot start %s: %v", cmd.Path, err)
	}
	go func() { // ends with the process; Cleanup waits for it through exited
		cmd.Wait()
		close(exited)
	}()
}

// untilAnswers waits until the daemon answers.
func (d *Daemon) untilAnswers(detached bool) {
	t := d.t
	t.Helper()
	var err error
	ended := false
	Eventually(Deadline, func() bool {
		select {
		case <-d.exited:
			ended = !detached || !d.cmd.ProcessState.Success()
		default:
		}
		_, err = d.call("supervisor.getState")
		return err == nil || ended
	})
	if detached && err == nil { // else a signal would go to the process that began it
		Eventually(Deadline, func() bool {
			select {
			case <-d.exited:
				return true
			default:
				return false
			}
		})
	}
	if err != nil {
		t.Fatalf("%s daemon does not answer: %v (ended: %v)\nstdout:\n%s\nstderr:\n%s\nlog:\n%s",
			d.Kind, err, ended, d.Stdout(), d.Stderr(), d.Log())
	}
}

// Kill ends the daemon with SIGKILL and waits until it has gone. What it started
// lives on, until Again or the test's end.
func (d *Daemon) Kill() {
	d.t.Helper()
	d.Signal(syscall.SIGKILL)
	if !Eventually(Deadline, func() bool { return d.PID() == 0 }) {
		d.t.Fatal("the daemon outlives SIGKILL")
	}
}

// Again restarts the daemon after it has ended, as it was first started. It
// returns once it answers. Only one that was started in the foreground can be.
func (d *Daemon) Again() {
	d.t.Helper()
	d.BeginAgain()
	d.Answers()
}

// BeginAgain is Again, but returns as soon as the process has begun.
func (d *Daemon) BeginAgain() {
	d.t.Helper()
	d.begin()
}

// Answers waits until the daemon answers.
func (d *Daemon) Answers() {
	d.t.Helper()
	d.untilAnswers(false)
}

// PID is the daemon's process id: of the process started, or as the pidfile says
// of one that has detached itself. 0 when there is none.
func (d *Daemon) PID() int {
	select {
	case <-d.exited:
	default:
		return d.cmd.Process.Pid
	}
	text, err := os.ReadFile(filepath.Join(d.Dir, "supervisord.pid"))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	if !d.owns(pid) {
		return 0
	}
	return pid
}

// Signal sends a signal to the daemon.
func (d *Daemon) Signal(sig syscall.Signal) {
	d.t.Helper()
	if pid := d.PID(); pid > 0 {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			d.t.Errorf("cannot send %v to the daemon: %v", sig, err)
		}
	}
}

// Stop ends the daemon with SIGTERM and waits until it has gone. One that does
// not go within Deadline is killed, and the test fails. Later calls do nothing.
func (d *Daemon) Stop() {
	d.t.Helper()
	d.ended.Do(func() {
		d.Signal(syscall.SIGTERM)
		if !Eventually(Deadline, func() bool { return d.PID() == 0 }) {
			d.t.Errorf("%s daemon did not stop within %v; log:\n%s", d.Kind, Deadline, d.Log())
			d.Signal(syscall.SIGKILL)
			Eventually(Deadline, func() bool { return d.PID() == 0 })
		}
	})
}

// Wait returns the exit status of the process that was started, once it has
// ended by itself.
func (d *Daemon) Wait() int {
	d.t.Helper()
	select {
	case <-d.exited:
		return d.cmd.ProcessState.ExitCode()
	case <-time.After(Deadline):
		d.t.Fatalf("%s daemon has not ended within %v; log:\n%s", d.Kind, Deadline, d.Log())
		return 0
	}
}
