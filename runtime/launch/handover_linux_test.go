package launch

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

// TestPidFDHandedOver: it refers to the same process, and whoever waited does no more.
func TestPidFDHandedOver(t *testing.T) {
	l := launcher(t)
	child := start(t, l, cat())
	id, err := Identify(child.PID)
	if err != nil {
		t.Fatal(err)
	}
	p, err := OpenPidFD(id)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		ended := make(chan error, 1)
		go func() { ended <- p.Wait() }()
		file := p.Save()
		if err := <-ended; !errors.Is(err, os.ErrClosed) {
			t.Fatal(err)
		}
		p = ResumePidFD(file)
	}
	defer p.Close()
	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
	reapAll(t, 1)
}
