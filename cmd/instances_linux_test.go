package cmd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// alone is a configuration without a server, so that nothing but the lock keeps a second
// daemon from starting. Its program writes that it has begun.
const alone = `[supervisord]
logfile={{.Dir}}/supervisord.log
pidfile={{.Dir}}/%(ENV_WHICH)s.pid
childlogdir={{.Dir}}

[program:p]
command=/bin/sh -c 'echo begun >>{{.Dir}}/begun; exec sleep 1000'

[reconcile]
statedir={{.Dir}}/state
`

// instance is a daemon without a server.
type instance struct {
	cmd    *exec.Cmd
	stderr strings.Builder
	ended  chan struct{}
}

// startAlone starts one in dir in the foreground; which is part of its pidfile's name.
func startAlone(t *testing.T, dir, which string, args ...string) *instance {
	t.Helper()
	i := &instance{cmd: exec.Command(oracle.Command(t, oracle.Ours, "supervisord"), append([]string{"-n", "-c", filepath.Join(dir, "c.conf")}, args...)...), ended: make(chan struct{})}
	i.cmd.Env = append(os.Environ(), "WHICH="+which)
	i.cmd.Stderr = &i.stderr
	if err := i.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the daemon
		i.cmd.Wait()
		close(i.ended)
	}()
	t.Cleanup(i.end)
	return i
}

func (i *instance) end() {
	i.cmd.Process.Signal(syscall.SIGTERM)
	<-i.ended
}

// up waits for a pidfile that names the daemon.
func (i *instance) up(t *testing.T, dir, which string) {
	t.Helper()
	oracle.WaitFor(t, "the pidfile of "+which, func() bool {
		text, _ := os.ReadFile(filepath.Join(dir, which+".pid"))
		return string(text) == fmt.Sprintln(i.cmd.Process.Pid)
	})
}

func writeAlone(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "c.conf"), []byte(strings.ReplaceAll(alone, "{{.Dir}}", dir)), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestOneDaemonEach: without a server, too, a configuration has one daemon. A second one
// is told the first one's number and touches nothing, whatever link it comes by; one with
// a pidfile or an identifier of its own is another daemon; and once the first is gone,
// however it ended, the next begins.
func TestOneDaemonEach(t *testing.T) {
	t.Parallel()
	dir := writeAlone(t)
	first := startAlone(t, dir, "one")
	first.up(t, dir, "one")
	begun := func(n int) {
		t.Helper()
		oracle.WaitFor(t, fmt.Sprintf("the program's start no. %d", n), func() bool {
			text, _ := os.ReadFile(filepath.Join(dir, "begun"))
			return strings.Count(string(text), "begun") == n
		})
	}
	begun(1)
	log := func() string {
		text, err := os.ReadFile(filepath.Join(dir, "supervisord.log"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	oracle.WaitFor(t, "its last line", func() bool { return strings.Contains(log(), "success: p entered RUNNING") })
	before := log()
	link := filepath.Join(dir, "link.conf")
	if err := os.Symlink("c.conf", link); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-n", "-c", filepath.Join(dir, "c.conf")}, {"-n", "-c", link}, {"-c", link}} {
		cmd := exec.Command(oracle.Command(t, oracle.Ours, "supervisord"), args...)
		cmd.Env = append(os.Environ(), "WHICH=one")
		out, _ := cmd.CombinedOutput()
		want := fmt.Sprintf("Error: another supervisord with the same configuration is running as pid %d\n", first.cmd.Process.Pid)
		if cmd.ProcessState.ExitCode() != 2 || !strings.HasPrefix(string(out), want) {
			t.Errorf("%q: exit %d, %s\nwant %s", args, cmd.ProcessState.ExitCode(), out, want)
		}
	}
	if got := log(); got != before {
		t.Errorf("those that were refused have written to the log:\n%s", strings.TrimPrefix(got, before))
	}

	second := startAlone(t, dir, "two")
	second.up(t, dir, "two")
	third := startAlone(t, dir, "one", "-i", "third", "-j", filepath.Join(dir, "three.pid"))
	third.up(t, dir, "three")
	begun(3)
	if states, _ := filepath.Glob(filepath.Join(dir, "state/*/running.json")); len(states) != 3 {
		t.Errorf("three daemons keep %q", states)
	}

	// The next one finds what the first has left, and nothing of the others.
	first.cmd.Process.Kill()
	<-first.ended
	again := startAlone(t, dir, "one")
	again.up(t, dir, "one")
	begun(4)
	if n := strings.Count(log(), "which an earlier supervisord left running"); n != 1 {
		t.Errorf("%d processes of an earlier daemon were ended, want 1:\n%s", n, log())
	}
}

// TestDaemonsRace: of many that are started at once one runs, in the background, too, and
// the others are told which.
func TestDaemonsRace(t *testing.T) {
	t.Parallel()
	dir := writeAlone(t)
	const n = 8
	var all sync.WaitGroup
	outs := make([]string, n)
	for i := range n {
		all.Go(func() {
			cmd := exec.Command(oracle.Command(t, oracle.Ours, "supervisord"), "-c", filepath.Join(dir, "c.conf"))
			cmd.Env = append(os.Environ(), "WHICH=one")
			out, err := cmd.CombinedOutput()
			outs[i] = fmt.Sprintf("%v %s", err, out)
		})
	}
	all.Wait()
	text, err := os.ReadFile(filepath.Join(dir, "one.pid"))
	if err != nil {
		t.Fatalf("none has begun: %v %q", err, outs)
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	up := 0
	for _, out := range outs {
		switch {
		case strings.HasPrefix(out, "<nil>"):
			up++
		case !strings.Contains(out, fmt.Sprintf("running as pid %d\n", pid)):
			t.Errorf("it says %s; %d is the one", out, pid)
		}
	}
	if up != 1 {
		t.Errorf("%d have begun: %q", up, outs)
	}
	syscall.Kill(pid, syscall.SIGTERM)
	oracle.WaitFor(t, "its end", func() bool {
		_, err := os.Stat(filepath.Join(dir, "one.pid"))
		return err != nil
	})
}

// TestLockOverReload: a reload that makes the daemon another one, by its identifier, takes
// that one's lock, and is refused while it is taken.
func TestLockOverReload(t *testing.T) {
	t.Parallel()
	dir := writeAlone(t)
	with := func(identifier string) {
		text := strings.Replace(strings.ReplaceAll(alone, "{{.Dir}}", dir), "[supervisord]\n", "[supervisord]\nidentifier="+identifier+"\n", 1)
		if err := os.WriteFile(filepath.Join(dir, "c.conf"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	said := func(text string, n int) {
		t.Helper()
		oracle.WaitFor(t, text, func() bool {
			log, _ := os.ReadFile(filepath.Join(dir, "supervisord.log"))
			return strings.Count(string(log), text) == n
		})
	}
	with("a")
	a := startAlone(t, dir, "one")
	a.up(t, dir, "one")
	b := startAlone(t, dir, "one", "-i", "b", "-l", filepath.Join(dir, "b.log"))
	b.up(t, dir, "one")
	with("b")
	a.cmd.Process.Signal(syscall.SIGHUP)
	said(fmt.Sprintf("restart refused, nothing was stopped: %s:2: [supervisord] identifier: another supervisord with the same configuration is running as pid %d",
		filepath.Join(dir, "c.conf"), b.cmd.Process.Pid), 1)
	b.end()
	a.cmd.Process.Signal(syscall.SIGHUP)
	said("supervisord started with pid", 2)
	with("a") // which is free again
	c := startAlone(t, dir, "one", "-l", filepath.Join(dir, "c.log"))
	c.up(t, dir, "one")
	d := startAlone(t, dir, "one", "-i", "b")
	<-d.ended
	if !strings.Contains(d.stderr.String(), fmt.Sprintf("running as pid %d\n", a.cmd.Process.Pid)) {
		t.Errorf("a daemon under the new identifier: %s", d.stderr.String())
	}
}
