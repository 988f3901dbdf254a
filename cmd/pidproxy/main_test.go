package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

func TestMain(m *testing.M) { os.Exit(oracle.Main(m)) }

// both runs a test against our pidproxy and against the original.
func both(t *testing.T, test func(t *testing.T, kind oracle.Kind)) {
	for _, kind := range oracle.Kinds(t) {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			test(t, kind)
		})
	}
}

// proxy is a running pidproxy.
type proxy struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string // its standard output; closed at its end
	exit  chan error
}

func startProxy(t *testing.T, kind oracle.Kind, args ...string) *proxy {
	t.Helper()
	p := &proxy{t: t, cmd: exec.Command(oracle.Command(t, kind, "pidproxy"), args...),
		lines: make(chan string, 64), exit: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), "PYTHONUNBUFFERED=1")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			p.lines <- lines.Text()
		}
		p.exit <- p.cmd.Wait()
	}()
	t.Cleanup(func() {
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // the command too
		for range p.lines {
		}
	})
	return p
}

// line waits for the next line of output.
func (p *proxy) line() string {
	p.t.Helper()
	select {
	case line, ok := <-p.lines:
		if !ok {
			p.t.Fatal("pidproxy ended before it printed a line")
		}
		return line
	case <-time.After(oracle.Deadline):
		p.t.Fatal("no line of output")
		return ""
	}
}

// wait waits for the end and returns what exec says of it.
func (p *proxy) wait() error {
	p.t.Helper()
	select {
	case err := <-p.exit:
		return err
	case <-time.After(oracle.Deadline):
		p.t.Fatal("pidproxy did not end")
		return nil
	}
}

// target is a process that is not pidproxy's child: it prints each signal it
// gets.
type target struct {
	pid   int
	lines chan string // what it prints; closed at its end
}

func startTarget(t *testing.T) *target {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", `
		for s in TERM HUP INT USR1 USR2 QUIT; do trap "echo $s" $s; done
		echo ready
		while :; do sleep 0.05; done`)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	target := &target{pid: cmd.Process.Pid, lines: make(chan string, 64)}
	go func() { // ends with the target
		defer close(target.lines)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			target.lines <- lines.Text()
		}
	}()
	target.next(t, "ready")
	return target
}

// next demands the next line that the target prints.
func (g *target) next(t *testing.T, want string) {
	t.Helper()
	select {
	case got, ok := <-g.lines:
		if !ok || got != want {
			t.Fatalf("the target printed %q (ended: %v), want %q", got, !ok, want)
		}
	case <-time.After(oracle.Deadline):
		t.Fatalf("the target did not print %q", want)
	}
}

// readyChild is a command that says so when it runs, and stays.
var readyChild = []string{"/bin/sh", "-c", "echo running; exec >&-; exec sleep 30"}

func pidfile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSignalsAreHandedOn(t *testing.T) {
	both(t, func(t *testing.T, kind oracle.Kind) {
		g := startTarget(t)
		p := startProxy(t, kind, append([]string{pidfile(t, fmt.Sprintf("%d\n", g.pid))}, readyChild...)...)
		if got := p.line(); got != "running" {
			t.Fatalf("the command printed %q", got)
		}
		for _, step := range []struct {
			sig  syscall.Signal
			want string
		}{{syscall.SIGHUP, "HUP"}, {syscall.SIGUSR1, "USR1"}, {syscall.SIGUSR2, "USR2"}, {syscall.SIGHUP, "HUP"}} {
			p.cmd.Process.Signal(step.sig)
			g.next(t, step.want)
		}
	})
}

func TestFatalSignalsEndIt(t *testing.T) {
	for sig, name := range map[syscall.Signal]string{
		syscall.SIGTERM: "TERM", syscall.SIGINT: "INT", syscall.SIGQUIT: "QUIT",
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, kind oracle.Kind) {
				g := startTarget(t)
				p := startProxy(t, kind, append([]string{pidfile(t, fmt.Sprint(g.pid))}, readyChild...)...)
				p.line()
				p.cmd.Process.Signal(sig)
				g.next(t, name)
				if err := p.wait(); err != nil {
					t.Errorf("ended with %v, want exit status 0", err)
				}
			})
		})
	}
}

func TestUnreadablePidfile(t *testing.T) {
	for name, path := range map[string]string{
		"missing": filepath.Join(t.TempDir(), "missing"),
		"words":   pidfile(t, "no number\n"),
		"empty":   pidfile(t, ""),
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, kind oracle.Kind) {
				p := startProxy(t, kind, append([]string{path}, readyChild...)...)
				p.line()
				for range 2 { // the second shows that the first did not end it
					p.cmd.Process.Signal(syscall.SIGTERM)
					if got, want := p.line(), "Can't read child pidfile "+path+"!"; got != want {
						t.Errorf("printed %q, want %q", got, want)
					}
				}
			})
		})
	}
}

func TestEndsWithItsChild(t *testing.T) {
	both(t, func(t *testing.T, kind oracle.Kind) {
		p := startProxy(t, kind, "unused", "/bin/sh", "-c", "echo $0 $1; exit 7", "a", "b")
		if got := p.line(); got != "a b" {
			t.Errorf("the command printed %q, want its arguments", got)
		}
		if err := p.wait(); err != nil {
			t.Errorf("ended with %v, want exit status 0 whatever the child's", err)
		}
	})
}

// A command that puts itself in the background is not taken for one that cannot
// start, and signals reach the daemon until pidproxy ends.
func TestStaysAWhile(t *testing.T) {
	both(t, func(t *testing.T, kind oracle.Kind) {
		g := startTarget(t)
		began := time.Now()
		p := startProxy(t, kind, pidfile(t, fmt.Sprint(g.pid)), "/bin/sh", "-c", "echo started; exec >&-")
		p.line()
		p.cmd.Process.Signal(syscall.SIGHUP)
		g.next(t, "HUP")
		if err := p.wait(); err != nil || time.Since(began) < minLifetime {
			t.Errorf("ended after %v with %v, want 0 after %v at least", time.Since(began), err, minLifetime)
		}
	})
}

func TestTooFewArguments(t *testing.T) {
	both(t, func(t *testing.T, kind oracle.Kind) {
		for _, args := range [][]string{nil, {"pidfile"}} {
			out := oracle.Exec(t, kind, "pidproxy", t.TempDir(), args...)
			if out.Exit != 1 || !strings.HasPrefix(out.Stdout, "pidproxy -- ") ||
				!strings.Contains(out.Stdout, " <pidfile name> <command> [<cmdarg1> ...]\n") {
				t.Errorf("pidproxy %q: %v; want the usage and exit status 1", args, out)
			}
		}
	})
}

func TestNoGroupIsSignalled(t *testing.T) {
	for _, text := range []string{"0", "-1", "-99999"} {
		if pid, err := readPID(pidfile(t, text)); err == nil {
			t.Errorf("a pidfile with %s names process %d", text, pid)
		}
	}
}

func TestWhatCannotBeDone(t *testing.T) {
	t.Run("a command that is not there", func(t *testing.T) {
		out := oracle.Exec(t, oracle.Ours, "pidproxy", t.TempDir(), "pidfile", "no-such-command")
		if out.Exit != 1 || !strings.HasPrefix(out.Stderr, "cannot run no-such-command: ") {
			t.Errorf("%v; want one line on standard error and exit status 1", out)
		}
	})
	t.Run("a process that is gone", func(t *testing.T) {
		gone := exec.Command("/bin/true")
		if err := gone.Run(); err != nil {
			t.Fatal(err)
		}
		p := startProxy(t, oracle.Ours, append([]string{pidfile(t, fmt.Sprint(gone.Process.Pid))}, readyChild...)...)
		p.line()
		p.cmd.Process.Signal(syscall.SIGTERM)
		if err := p.wait(); err != nil {
			t.Errorf("ended with %v, want exit status 0", err)
		}
	})
}
