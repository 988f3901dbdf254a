package launch

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"
)

// A process is recognised while it lives, and nobody else is taken for it.
func TestIdentity(t *testing.T) {
	l := launcher(t)
	child := start(t, l, cat())
	id, err := Identify(child.PID)
	if err != nil {
		t.Fatal(err)
	}
	if id.PID != child.PID || id.StartTime == 0 || len(id.BootID) != 36 {
		t.Errorf("%+v", id)
	}
	others := map[string]Identity{
		"an earlier process": {id.PID, id.StartTime - 1, id.BootID},
		"a later process":    {id.PID, id.StartTime + 1, id.BootID},
		"an earlier boot":    {id.PID, id.StartTime, "00000000-0000-0000-0000-000000000000"},
		"nothing":            {},
		"a group":            {-id.PID, id.StartTime, id.BootID},
	}
	for name, other := range others {
		if Alive(other) {
			t.Errorf("%s is alive", name)
		}
		if p, err := OpenPidFD(other); err == nil {
			p.Close()
			t.Errorf("%s was recognised", name)
		}
	}
	if !Alive(id) {
		t.Error("it is not alive")
	}
	p, err := OpenPidFD(id)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Signal(0); err != nil {
		t.Error(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Wait() }() // ends with the process
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if Alive(id) { // a zombie by now, since nobody has reaped it
		t.Error("a zombie is alive")
	}
	if p, err := OpenPidFD(id); err == nil {
		p.Close()
		t.Error("a zombie was recognised")
	}
	if how := Describe(awaitExit(t, child.PID)); how != "terminated by SIGTERM" {
		t.Error(how)
	}
	if err := p.Signal(0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("a signal to the dead: %v", err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("waiting for the dead: %v", err)
	}
	if _, err := StartTime(child.PID); err == nil {
		t.Error("the dead have a start time")
	}
}

// Letting go ends the waiting.
func TestCloseEndsWait(t *testing.T) {
	id, err := Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	p, err := OpenPidFD(id)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Wait() }() // ends with Close
	select {
	case err := <-ended:
		t.Fatalf("we have ended: %v", err)
	case <-time.After(20 * time.Millisecond): // long enough for the wait to have begun, nearly always
	}
	p.Close()
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

// Waiting for many takes no threads.
func TestManyWaitsAreCheap(t *testing.T) {
	l := launcher(t)
	const n = 100
	ended := make(chan error, n)
	before := threads(t)
	var pids []int
	for range n {
		child := start(t, l, cat())
		id, err := Identify(child.PID)
		if err != nil {
			t.Fatal(err)
		}
		p, err := OpenPidFD(id)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		go func() { ended <- p.Wait() }() // ends with the process
		pids = append(pids, child.PID)
	}
	if now := threads(t); now > before+n/2 { // Go has more of its own on a busy machine
		t.Errorf("%d threads, %d before", now, before)
	}
	for _, pid := range pids {
		if err := Signal(pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
	for range n {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	reapAll(t, n)
}

func TestBootOffset(t *testing.T) {
	for text, want := range map[string]uint64{
		"monotonic           0         0\nboottime            0         0\n": 0,
		"monotonic 5 0\nboottime 86400 0\n":                                  8640000,
		"boottime 1 20000000\n":                                              102,
		"boottime -2 0\n":                                                    ^uint64(199),
		"boottime x 0\n":                                                     0, "boottime 1\n": 0, "": 0,
	} {
		if got := parseBootOffset(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
