package capture

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// roleKey is the environment variable that makes the test binary play a part.
const roleKey = "CAPTURE_TEST_ROLE"

// roles are the parts: each is a program of its own.
var roles = map[string]func(args []string) error{
	"burst": burst,
	"leave": leave,
	"flood": flood,
	"read":  read,
}

func TestMain(m *testing.M) {
	if role := os.Getenv(roleKey); role != "" {
		if err := roles[role](os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// play starts the test binary in a role with these descriptors from 0 on.
func play(t testing.TB, role string, files []*os.File, args ...string) *os.Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.StartProcess(self, append([]string{self}, args...), &os.ProcAttr{
		// The race detector would otherwise hold up each exit for a second.
		Env: append(os.Environ(), roleKey+"="+role, "GORACE=atexit_sleep_ms=0"), Files: files,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Kill() }) // it has ended unless the test failed
	return p
}

// pattern is n bytes that tell where they are.
func pattern(n int) []byte {
	p := make([]byte, 0, n+8)
	for i := 0; len(p) < n; i++ {
		p = fmt.Appendf(p, "%07d\n", i)
	}
	return p[:n]
}

// burst writes N bytes and is gone.
func burst(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(pattern(n))
	return err
}

// leave writes N bytes and leaves a child of its own behind, which plays the next
// role with the same standard output.
func leave(args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := burst(args); err != nil {
		return err
	}
	os.Setenv(roleKey, args[1])
	_, err = os.StartProcess(self, []string{self}, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	return err
}

// flood writes until nobody reads any more.
func flood([]string) error {
	signal.Ignore(syscall.SIGPIPE)
	for p := pattern(10_000); ; {
		if _, err := os.Stdout.Write(p); err != nil {
			return nil
		}
	}
}

// read reads its standard input to its end, and gives up after a minute.
func read([]string) error {
	go func() {
		time.Sleep(time.Minute)
		os.Exit(1)
	}()
	buf := make([]byte, 1<<16)
	for {
		if _, err := os.Stdin.Read(buf); err != nil {
			return nil
		}
	}
}
