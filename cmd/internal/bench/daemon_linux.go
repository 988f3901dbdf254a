package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"supervisord/rpc/client"
)

// subject is one column: a daemon with its client. The limit has neither.
type subject struct{ name, supervisord, supervisorctl string }

// run is one measurement of one subject, in a directory of its own. Its context ends
// with the daemon.
type run struct {
	context.Context
	subject
	dir   string
	child string // the program that plays the children
	told  *reports

	end    context.CancelCauseFunc
	daemon *process
	client *client.Client
}

// process is a child of ours.
type process struct {
	*os.Process
	begun int64         // by now(), just before its fork
	ended chan struct{} // closed when it has ended and end is set
	end   int64
}

// now is the clock of the children's reports, in nanoseconds.
func now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // every Linux has it
	}
	return t.Nano()
}

// command is a program that finds the same surroundings in every run.
func (r *run) command(path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(r, path, args...)
	cmd.Dir = r.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir, "LANG=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's Ctrl-C is ours alone
	return cmd
}

// start starts a command whose standard streams are files.
func (r *run) start(cmd *exec.Cmd) (*process, error) {
	p := &process{begun: now(), ended: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p.Process = cmd.Process
	go func() { // ends with the process, which the end of the run kills
		cmd.Wait()
		p.end = now()
		close(p.ended)
	}()
	return p, nil
}

// begin starts the daemon on a configuration, to which it adds what all have in
// common; reconcile are further lines of that section, which the original ignores.
func (r *run) begin(descriptors int, reconcile, config string) error {
	config = fmt.Sprintf(`[unix_http_server]
file=%[1]s/sock

[supervisord]
logfile=%[1]s/supervisord.log
pidfile=%[1]s/supervisord.pid
childlogdir=%[1]s
minfds=%[2]d

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://%[1]s/sock

[reconcile]
statedir=%[1]s/state
%[3]s
`, r.dir, descriptors, reconcile) + config
	if err := os.WriteFile(r.config(), []byte(config), 0o600); err != nil {
		return err
	}
	stderr, err := os.Create(filepath.Join(r.dir, "stderr"))
	if err != nil {
		return err
	}
	defer stderr.Close()
	cmd := r.command(r.supervisord, "-n", "-c", r.config())
	cmd.Stderr = stderr
	if r.client, err = client.New(client.Options{URL: "unix://" + filepath.Join(r.dir, "sock")}); err != nil {
		return err
	}
	if r.daemon, err = r.start(cmd); err != nil {
		return err
	}
	go func() { // ends with the daemon
		<-r.daemon.ended
		text, _ := os.ReadFile(stderr.Name())
		r.end(fmt.Errorf("the daemon has ended: %s", text))
	}()
	return nil
}

func (r *run) config() string { return filepath.Join(r.dir, "supervisord.conf") }

// ctl runs the daemon's own supervisorctl.
func (r *run) ctl(args ...string) error {
	out, err := r.command(r.supervisorctl, append([]string{"-c", r.config()}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("supervisorctl %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// until polls often at first, then seldom enough not to be a load.
func (r *run) until(what string, ready func() (bool, error)) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		if is, err := ready(); err != nil || is {
			return err
		}
		select {
		case <-time.After(pause):
		case <-r.Done():
			return fmt.Errorf("waited for %s: %w", what, context.Cause(r))
		}
	}
}

// running waits until so many processes are RUNNING and the daemon does nothing more.
// It is no part of what is measured.
func (r *run) running(n int) error {
	err := r.until("processes to run", func() (bool, error) {
		all, err := r.client.AllProcessInfo(r)
		if err != nil {
			return false, nil // it does not answer yet
		}
		is := 0
		for _, p := range all {
			if p.StateName == "RUNNING" {
				is++
			}
		}
		return is == n, nil
	})
	if err != nil {
		return err
	}
	return r.quiet(r.daemon)
}

// quiet waits until a process has used next to no processor time for a while.
func (r *run) quiet(p *process) error {
	const look, little = 200 * time.Millisecond, 2 * time.Millisecond
	for {
		before, err := cpu(p.Pid)
		if err != nil {
			return err
		}
		select {
		case <-time.After(look):
		case <-r.Done():
			return fmt.Errorf("waited for quiet: %w", context.Cause(r))
		}
		if after, err := cpu(p.Pid); err != nil || after-before <= little {
			return err
		}
	}
}

// cpu is the processor time that a process has used, by its own clock.
func cpu(pid int) (time.Duration, error) {
	var t unix.Timespec
	err := unix.ClockGettime(int32(^pid<<3|2), &t) // clock_getcpuclockid(3), as the kernel encodes it
	if err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// status is a number of a file /proc/PID/status, such as VmRSS.
func status(file, key string) (float64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, is := strings.CutPrefix(line, key+":"); is {
			return strconv.ParseFloat(strings.Fields(value)[0], 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, key)
}

// rss is the resident memory in MiB.
func (r *run) rss() (float64, error) {
	kib, err := status(fmt.Sprintf("/proc/%d/status", r.daemon.Pid), "VmRSS")
	return kib / 1024, err
}

// wakeups is how often the threads of a process have waited.
func wakeups(pid int) (float64, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	sum := 0.0
	for _, task := range tasks {
		n, more := status(task, "voluntary_ctxt_switches")
		if !errors.Is(more, os.ErrNotExist) { // a thread may have ended
			err = errors.Join(err, more)
		}
		sum += n
	}
	return sum, err
}

// took is a span in milliseconds.
func took(from, to int64) float64 { return float64(to-from) / 1e6 }

// unable is the value of a figure that a subject cannot have.
var unable = math.NaN()

// endAll kills every process that descends from this one, and returns when there is
// none: orphans come to it, see becomeReaper.
func endAll() error {
	for {
		var none error
		for pid := 1; pid > 0 && none == nil; {
			pid, none = syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		}
		if errors.Is(none, syscall.ECHILD) {
			return nil
		}
		lists, err := filepath.Glob("/proc/self/task/*/children")
		if err != nil || len(lists) == 0 {
			return errors.New("this kernel does not list the children of a process")
		}
		for _, list := range lists {
			text, _ := os.ReadFile(list) // of a thread that may have ended
			for _, word := range strings.Fields(string(text)) {
				if pid, err := strconv.Atoi(word); err == nil {
					syscall.Kill(pid, syscall.SIGKILL)
				}
			}
		}
		time.Sleep(time.Millisecond)
	}
}

// becomeReaper has orphans come to this process, so that endAll finds them.
func becomeReaper() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }
