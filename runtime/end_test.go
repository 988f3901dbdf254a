package runtime

import (
	"syscall"
	"testing"
	"time"

	"supervisord/spec"
)

// end waits for the end of the supervisor and returns how long it took.
func (b *bench) end(begun time.Time) time.Duration {
	<-b.sup.done
	return time.Since(begun)
}

// at is a priority, and the time in which a program may stop.
func at(priority, stopwaitsecs int) func(*spec.Process) {
	return func(p *spec.Process) { p.Priority, p.StopWaitSecs = priority, stopwaitsecs }
}

// hang has whoever looks at a process group wait, as for a disk, until the test ends.
func (b *bench) hang(names ...string) (release func()) {
	for _, name := range names {
		b.kernel.leave(b.info(name).PID, 1)
	}
	looks := make(chan struct{})
	b.kernel.mu.Lock()
	b.kernel.looks = looks
	b.kernel.mu.Unlock()
	return func() { close(looks) }
}

// However many stages hang on something that is no child, all of them together have
// one patience, and no child loses a second of its stopwaitsecs for it.
func TestEndIsBounded(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.after(2 * time.Second)
		defer b.hang("a", "b", "c")()
		b.kernel.deafTo(syscall.SIGTERM, "slow")
		begun := time.Now()
		b.sup.Shutdown(background)
		if took := b.end(begun); took < 7*time.Second+endPatience || took > 7*time.Second+endPatience+lastMoment {
			t.Errorf("the end took %v", took)
		}
		select {
		case <-b.sup.DisksGivenUp():
		default:
			t.Error("nobody was told that disks are given up on")
		}
	}, program("a", at(40, 10)), program("slow", at(30, 7)), program("b", at(20, 10)), program("c", at(10, 10)))
}

// Who is asked a second time to end gives up on disks at once, and never on a child.
func TestGiveUpOnDisks(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.after(2 * time.Second)
		defer b.hang("a", "b")()
		b.kernel.deafTo(syscall.SIGTERM, "slow")
		begun := time.Now()
		b.sup.Shutdown(background)
		b.after(time.Second)
		b.sup.GiveUpOnDisks()
		b.sup.GiveUpOnDisks()
		if took := b.end(begun); took != 8*time.Second {
			t.Errorf("the end took %v, want 1 s until disks are given up on and 7 s of stopwaitsecs", took)
		}
		want := []string{"a terminated", "slow terminated", "slow killed", "b terminated"}
		if got := b.kernel.sent(); len(got) != len(want) {
			t.Errorf("signals %q, want %q", got, want)
		}
	}, program("a", at(30, 10)), program("slow", at(20, 7)), program("b", at(10, 10)))
}

// A process that does not go although it was killed hangs in the kernel: the daemon
// ends without it, but begins no other life beside it.
func TestUnkillable(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.after(2 * time.Second)
		b.kernel.deafTo(syscall.SIGTERM)
		b.kernel.mu.Lock()
		b.kernel.ignores = func(string, syscall.Signal) bool { return true }
		b.kernel.mu.Unlock()
		b.sup.Restart(background)
		b.after(time.Minute)
		select {
		case <-b.sup.done:
			t.Fatal("another life begins while a process of this one is there")
		default:
		}
		begun := time.Now()
		b.sup.Shutdown(background)
		if took := b.end(begun); took > endPatience {
			t.Errorf("the end took %v", took)
		}
		b.kernel.mu.Lock()
		clear(b.kernel.names)
		b.kernel.mu.Unlock()
	}, program("web", nil))
}
