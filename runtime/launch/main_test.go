package launch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// The test binary plays the children: with the environment variable PLAY it is
// not a test but the role of that name.
func TestMain(m *testing.M) {
	name := os.Getenv("PLAY")
	if name == "" {
		DefaultSignals() // as the daemon does: the tests may run under nohup
		if err := CloseOnExecAll(); err != nil {
			panic(err)
		}
		os.Exit(m.Run())
	}
	play, ok := roles[name]
	if !ok {
		fmt.Fprintln(os.Stderr, "no such role:", name)
		os.Exit(2)
	}
	play(os.Args[1:])
}

var roles = map[string]func(args []string){
	"exit":       func(args []string) { os.Exit(atoi(args[0])) },
	"stubborn":   stubborn,
	"cat":        func([]string) { _, _ = io.Copy(os.Stdout, os.Stdin) },
	"grandchild": grandchild,
	"accept":     accept,
	"listen":     listen,
}

// systemRoles are added to by files of one system.
func init() {
	for name, play := range systemRoles {
		roles[name] = play
	}
}

// stubborn ignores SIGTERM, says that it does, and stays.
func stubborn([]string) {
	signal.Ignore(syscall.SIGTERM)
	fmt.Println("ready")
	time.Sleep(time.Hour)
}

// grandchild leaves behind a stubborn process in its group and exits.
func grandchild([]string) {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	pid, err := syscall.ForkExec(os.Args[0], os.Args[:1], &syscall.ProcAttr{
		Env: []string{"PLAY=stubborn"}, Files: []uintptr{0, w.Fd(), 2},
	})
	if err != nil {
		panic(err)
	}
	_, _ = r.Read(make([]byte, 100))
	fmt.Println(pid)
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

// size is small in an ordinary run and large with FULL_SIZE=1.
func size(small, large int) int {
	if os.Getenv("FULL_SIZE") == "1" {
		return large
	}
	return small
}

// self is a command that plays role.
func self(role string, args ...string) Command {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return Command{
		Name: role, Path: exe, Args: append([]string{exe}, args...),
		Env: []string{"PLAY=" + role}, Umask: -1, UID: -1, GID: -1,
	}
}

// launcher is a Launcher that ends with the test.
func launcher(t testing.TB) *Launcher {
	l := New()
	t.Cleanup(l.Close)
	return l
}

// start starts c, or fails the test.
func start(t testing.TB, l *Launcher, c Command) *Child {
	t.Helper()
	child, err := l.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		closeAll(child)
		collect(child.PID)
	})
	return child
}

// collect leaves nothing of a child to the tests that follow, if it was not collected.
func collect(pid int) {
	if dead, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil); dead != 0 || err != nil {
		return
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	for {
		if _, err := syscall.Wait4(pid, nil, 0, nil); !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}

func closeAll(c *Child) {
	for _, f := range []*os.File{c.Stdin, c.Stdout, c.Stderr, c.Ready} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// awaitExit reaps until pid has ended.
func awaitExit(t testing.TB, pid int) syscall.WaitStatus {
	t.Helper()
	var status syscall.WaitStatus
	eventually(t, fmt.Sprintf("pid %d ends", pid), func() bool {
		for _, e := range Reap(100) {
			if e.PID == pid {
				status = e.Status
				return true
			}
		}
		return false
	})
	return status
}

// cat is a command that echoes its input.
func cat() Command {
	return Command{Name: "cat", Path: "/bin/cat", Args: []string{"cat"}, Umask: -1, UID: -1, GID: -1}
}

// settled starts c, which must echo its input, and returns when it does: from
// then on it is what it will be.
func settled(t testing.TB, l *Launcher, c Command) *Child {
	t.Helper()
	child := start(t, l, c)
	t.Cleanup(func() {
		_ = Signal(child.PID, syscall.SIGKILL)
		awaitExit(t, child.PID)
	})
	if _, err := child.Stdin.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(child.Stdout, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return child
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
