package logfile_test

import (
	"bufio"
	"bytes"
	"fmt"
	"hash/crc32"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"supervisord/runtime/logfile"
)

// roleKey is the environment variable that makes the test binary play a part.
const roleKey = "LOGFILE_TEST_ROLE"

// roles are the parts: each is a program of its own.
var roles = map[string]func(args []string) error{
	"spew":    spew,
	"share":   share,
	"foreign": foreign,
	"hurry":   hurry,
	"paths":   paths,
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

func ended(t testing.TB, p *os.Process) {
	t.Helper()
	state, err := p.Wait()
	if err != nil || !state.Success() {
		t.Fatalf("child: %v, %v", state, err)
	}
}

// lineSize is the size of a numbered line.
const lineSize = 16

// numbered appends line n: its number, a checksum of that and a newline.
func numbered(b []byte, n int) []byte {
	b = hex(b, uint32(n))
	sum := crc32.ChecksumIEEE(b[len(b)-7:]) >> 4
	return append(hex(append(b, ' '), sum), '\n')
}

// hex appends the last seven hexadecimal digits of n.
func hex(b []byte, n uint32) []byte {
	for shift := 24; shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[n>>shift&15])
	}
	return b
}

// spew writes the first N numbered lines.
func spew(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	// A multiple of the line's size, so that no write ends within a line.
	out := bufio.NewWriterSize(os.Stdout, 64<<10)
	var line []byte
	for i := range n {
		line = numbered(line[:0], i)
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return out.Flush()
}

// share has ten Writers write to the path at once, in pieces that end anywhere,
// and ten lines each.
func share(args []string) error {
	path := args[0]
	var all sync.WaitGroup
	for i := range 10 {
		w := logfile.New(logfile.Options{Path: path, MaxBytes: 1, Backups: 1})
		if err := w.Open(); err != nil {
			return err
		}
		all.Go(func() {
			text := ""
			for k := range 10 {
				// Some fit into a pipe's piece, some do not.
				text += fmt.Sprintf("%d.%d %s\n", i, k, strings.Repeat(string(rune('a'+i)), 1+k*k*200))
			}
			text += fmt.Sprintf("%d unfinished", i)
			for len(text) > 0 {
				n := min(len(text), 777)
				w.Write([]byte(text[:n]))
				text = text[n:]
			}
		})
		defer w.Close()
	}
	all.Wait()
	return nil
}

// foreign opens a descriptor of its own by name, which is to fail, and the
// others that it was started with, which is not.
func foreign(args []string) error {
	f, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	own := fmt.Sprintf("/dev/fd/%d", f.Fd())
	if err := logfile.New(logfile.Options{Path: own}).Open(); err == nil {
		return fmt.Errorf("opened %s, which we were not started with", own)
	}
	for _, path := range args {
		w := logfile.New(logfile.Options{Path: path})
		if err := w.Open(); err != nil {
			return err
		}
		w.Write([]byte(path + "\n"))
		if err := w.Clear(); err == nil {
			return fmt.Errorf("cleared %s", path)
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	return nil
}

// hurry writes to a standard output that nobody reads, gives up once it is full,
// and says how long that took.
func hurry([]string) error {
	w := logfile.New(logfile.Options{Path: "/dev/stdout"})
	if err := w.Open(); err != nil {
		return err
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		w.Write(bytes.Repeat([]byte("a line\n"), 100_000))
	}()
	full := func() bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: 1, Events: unix.POLLOUT}}, 0)
		return n == 0 && err == nil
	}
	for !full() {
		time.Sleep(time.Millisecond)
	}
	began := time.Now()
	w.SetDeadline(began)
	<-written
	fmt.Fprint(os.Stderr, time.Since(began))
	return nil
}

// paths says of each path whether it is the standard output.
func paths(args []string) error {
	for _, path := range args {
		fmt.Fprintln(os.Stderr, logfile.SameAsStdout(path))
	}
	return nil
}
