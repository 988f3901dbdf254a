package notify

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hearing is an Ear that hears us, and what it has heard.
type hearing struct {
	t     *testing.T
	ear   *Ear
	said  chan Message
	done  chan struct{}
	to    *net.UnixConn
	owner bool // it is of the program that talks
}

func hear(t *testing.T) *hearing {
	t.Helper()
	return hearAs(t, true)
}

func hearAs(t *testing.T, owner bool) *hearing {
	t.Helper()
	socket, address, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	h := &hearing{t: t, said: make(chan Message, 10), done: make(chan struct{}), owner: owner}
	h.ear = Hear(socket, h.options(nil))
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	h.to = conn
	t.Cleanup(func() {
		h.ear.Finish()
		h.wait(h.done, "the end")
		conn.Close()
	})
	return h
}

func (h *hearing) options(after <-chan struct{}) Options {
	return Options{
		After: after,
		Of:    func(from Sender) bool { return h.owner && from.PID == os.Getpid() },
		Post:  func(m Message) { h.said <- m },
		Done:  func() { close(h.done) },
	}
}

func (h *hearing) wait(c <-chan struct{}, what string) {
	h.t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		h.t.Fatalf("waited in vain for %s", what)
	}
}

func (h *hearing) say(text string) {
	h.t.Helper()
	if _, err := h.to.Write([]byte(text)); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hearing) expect(want Message) {
	h.t.Helper()
	select {
	case got := <-h.said:
		if got != want {
			h.t.Errorf("heard %+v, want %+v", got, want)
		}
	case <-time.After(time.Minute):
		h.t.Fatalf("%+v was not heard", want)
	}
}

// TestEar: what is said is heard in its order, and what is too long is not.
func TestEar(t *testing.T) {
	h := hear(t)
	h.say("READY=1\nSTATUS=up")
	h.say(strings.Repeat("x", maxMessage+1))
	h.say("")
	h.say("WATCHDOG=1")
	h.expect(Message{Text: "READY=1\nSTATUS=up"})
	h.expect(Message{Text: "WATCHDOG=1"})
}

// TestStranger: who is not of the program is told of, once.
func TestStranger(t *testing.T) {
	h := hearAs(t, false)
	h.say("READY=1")
	h.expect(Message{Stranger: os.Getpid()})
	h.say("READY=1")
	h.ear.Finish()
	h.wait(h.done, "the end")
	if len(h.said) > 0 {
		t.Errorf("heard %+v", <-h.said)
	}
}

// TestBarrier: descriptors that come with a message are closed, once all before it was
// taken.
func TestBarrier(t *testing.T) {
	h := hear(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	h.say("READY=1")
	conn, err := h.to.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		failed = unix.Sendmsg(int(fd), []byte("BARRIER=1"), unix.UnixRights(int(w.Fd())), nil, 0)
	})
	if err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	w.Close()
	_ = r.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("the barrier was not closed: %v", err)
	}
	if len(h.said) == 0 {
		t.Error("what came before it had not been taken by then")
	}
}

// TestPause: what is said meanwhile waits for the next Ear, which may come before the last
// has ended.
func TestPause(t *testing.T) {
	h := hear(t)
	if h.ear.Paused() != nil {
		t.Error("it is paused from the beginning")
	}
	quiet := h.ear.Pause()
	h.wait(quiet, "the pause")
	h.say("STATUS=1")
	h.say("STATUS=2")
	h.ear = Hear(h.ear.Paused(), h.options(quiet))
	h.expect(Message{Text: "STATUS=1"})
	h.expect(Message{Text: "STATUS=2"})
	quiet = h.ear.Pause()
	h.ear = Hear(h.ear.Paused(), h.options(quiet))
	h.say("STATUS=3")
	h.expect(Message{Text: "STATUS=3"})
}

// TestFinish: what was said before is heard before the end is.
func TestFinish(t *testing.T) {
	h := hear(t)
	h.wait(h.ear.Pause(), "the pause")
	socket := h.ear.Paused()
	h.say("STATUS=1")
	h.say("STATUS=2")
	after := make(chan struct{})
	h.ear = Hear(socket, h.options(after))
	h.ear.Finish()
	close(after)
	h.wait(h.done, "the end")
	h.expect(Message{Text: "STATUS=1"})
	h.expect(Message{Text: "STATUS=2"})
}

// TestPipe: a newline is the word, and the end of the pipe is none.
func TestPipe(t *testing.T) {
	for _, test := range []struct {
		said string
		want int
	}{{"", 0}, {"ready", 0}, {"\n", 1}, {"42\n", 1}} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		heard, done := make(chan Message, 10), make(chan struct{})
		ear := Hear(r, Options{Post: func(m Message) { heard <- m }, Done: func() { close(done) }})
		if _, err := w.WriteString(test.said); err != nil {
			t.Fatal(err)
		}
		w.Close()
		ear.Finish()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatal("it did not end")
		}
		if len(heard) != test.want {
			t.Errorf("%q is heard as %d messages, want %d", test.said, len(heard), test.want)
		}
	}
}
