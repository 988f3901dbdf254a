package systemd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

// listen is a manager that records, at an address.
func listen(t *testing.T, address string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c
}

// read is the next message.
func read(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	buf := make([]byte, 5000)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func notifier(t *testing.T, address string) *Notifier {
	t.Helper()
	n, err := NewNotifier(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(n.fd) })
	return n
}

// TestTell: each line is a message, at a path or an abstract name, and a manager that
// was started anew is found.
func TestTell(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	for _, address := range addresses(path) {
		n := notifier(t, address)
		for range 2 {
			c := listen(t, address)
			if err := n.Tell(Reloading(1500*time.Microsecond), Ready, Status(" two\nlines "), MainPID(7), ExtendTimeout(time.Second), Watchdog); err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"RELOADING=1\nMONOTONIC_USEC=1500", "READY=1", "STATUS=two lines", "MAINPID=7", "EXTEND_TIMEOUT_USEC=1000000", "WATCHDOG=1"} {
				if got := read(t, c); got != want {
					t.Errorf("at %s: got %q, want %q", address, got, want)
				}
			}
			c.Close()
			os.Remove(address) // it has none if it is abstract
		}
		if err := n.Tell(Ready); !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ENOENT) {
			t.Errorf("nobody listens at %s: %v", address, err)
		}
	}
	if err := (*Notifier)(nil).Tell(Ready); err != nil {
		t.Error(err)
	}
}

// TestManagerThatDoesNotRead: nothing waits for it, little is kept for it, and it learns
// what is still true once it reads.
func TestManagerThatDoesNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	c, n := listen(t, path), notifier(t, path)
	sent := 0
	for full := false; !full; sent++ {
		if err := n.Tell(Watchdog); err != nil {
			t.Fatal(err)
		}
		n.mu.Lock() // which the timer takes, too
		full = len(n.waiting) > 0
		n.mu.Unlock()
	}
	begun := time.Now()
	for i := range 1000 {
		if err := n.Tell(Ready, Status(fmt.Sprint(i)), Watchdog, Reloading(time.Duration(i)*time.Microsecond), Ready, MainPID(i)); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("5000 lines took %v", took)
	}
	for range sent - 1 {
		if got := read(t, c); got != "WATCHDOG=1" {
			t.Fatalf("got %q", got)
		}
	}
	var got []string
	for range 5 {
		got = append(got, read(t, c))
	}
	want := []string{"STATUS=999", "WATCHDOG=1", "RELOADING=1\nMONOTONIC_USEC=999", "READY=1", "MAINPID=999"}
	if !slices.Equal(got, want) {
		t.Errorf("it learns %q, want %q", got, want)
	}
}

// TestStoppingIsTheLastWord: nothing takes it back.
func TestStoppingIsTheLastWord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	c, n := listen(t, path), notifier(t, path)
	if err := n.Tell(Stopping, Ready, Reloading(0), Status("1 STOPPING"), Watchdog); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"STOPPING=1", "STATUS=1 STOPPING", "WATCHDOG=1"} {
		if got := read(t, c); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestStatusIsShort: a message that is too long would be lost.
func TestStatusIsShort(t *testing.T) {
	for _, text := range []string{strings.Repeat("ü", 3000), strings.Repeat("x", 996) + "üüüü", "\xff\xfe", ""} {
		got := string(Status(text))
		if len(got) > 1010 || !utf8.ValidString(got) || strings.ContainsAny(got, "\n") {
			t.Errorf("%d bytes: %q", len(got), got)
		}
	}
}
